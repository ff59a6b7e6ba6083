//! Whole screens, compared with the text files under `tests/screens`.
//!
//! With `ICHOR_BLESS` set the files are written instead; what changed is then read in the diff.

use std::{fs, path::Path};

use ratatui::buffer::Buffer;

/// Compares `actual` with the file `name`.
pub(crate) fn check(name: &str, actual: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens");
    let path = folder.join(format!("{name}.txt"));
    let lines: Vec<&str> = actual.lines().map(str::trim_end).collect();
    let actual = lines.join("\n") + "\n";
    if std::env::var_os("ICHOR_BLESS").is_some() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(&path, &actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(actual == expected, "{name}:\n{actual}\nexpected:\n{expected}");
}

/// The characters of a screen; the second half of a wide one is left out.
pub(crate) fn text_of(buf: &Buffer) -> String {
    let mut text = String::new();
    for y in buf.area.top()..buf.area.bottom() {
        let mut covered = 0;
        for x in buf.area.left()..buf.area.right() {
            let symbol = buf[(x, y)].symbol();
            if covered == 0 {
                text.push_str(symbol);
                covered = crate::text::width(symbol).max(1);
            }
            covered -= 1;
        }
        text.push('\n');
    }
    text
}
