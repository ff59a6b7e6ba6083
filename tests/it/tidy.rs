//! Rules of the house that a compiler does not know.

use std::fs;
use std::path::{Path, PathBuf};

use crate::house::{files, root};

/// Lines a file may have; its tests are not counted.
const LONGEST: usize = 400;

fn texts(extension: &str) -> Vec<(PathBuf, String)> {
    files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .map(|path| {
            let text = fs::read_to_string(root().join(&path)).expect("source files are UTF-8");
            (path, text)
        })
        .collect()
}

#[test]
fn a_file_holds_one_idea_and_at_most_400_lines() {
    let tests = |path: &Path| path.components().any(|part| part.as_os_str() == "tests");
    for (path, text) in texts("rs").into_iter().filter(|(path, _)| !tests(path)) {
        let own = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        assert!(own <= LONGEST, "{} has {own} lines before its tests", path.display());
    }
}

#[test]
fn every_module_says_what_lives_in_it() {
    for (path, text) in texts("rs") {
        assert!(text.starts_with("//! "), "{} has no header", path.display());
    }
}

#[test]
fn a_lib_rs_is_a_table_of_contents() {
    // An example of a plugin is one file, which people copy.
    let is_table = |path: &std::path::Path| {
        path.ends_with("src/lib.rs") && !path.starts_with("plugins/examples")
    };
    for (path, text) in texts("rs").into_iter().filter(|(path, _)| is_table(path)) {
        let code = text.lines().find(|line| {
            ["fn ", "pub fn ", "impl", "struct", "pub struct", "enum", "pub enum"]
                .iter()
                .any(|word| line.starts_with(word))
        });
        assert_eq!(code, None, "{}", path.display());
    }
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    for path in files() {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let empty = ["mod", "utils", "util", "common", "helpers", "helper", "manager", "misc"];
        assert!(!empty.contains(&name), "{}", path.display());
    }
}

#[test]
fn no_file_names_a_machine_a_registry_host_or_unfinished_work() {
    // Put together here, so that this file does not name them either.
    let words: Vec<String> = [
        ("/ro", "ot/"),
        ("/ho", "me/"),
        ("/wo", "rk/"),
        ("static.cra", "tes.io"),
        ("index.cra", "tes.io"),
        ("files.python", "hosted.org"),
        ("registry.npm", "js.org"),
        ("deb.deb", "ian.org"),
        ("TO", "DO"),
        ("FIX", "ME"),
        ("todo", "!("),
        ("unimple", "mented!("),
    ]
    .iter()
    .map(|(a, b)| format!("{a}{b}"))
    .collect();
    for path in files() {
        if path == Path::new("Cargo.lock") {
            continue;
        }
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for word in &words {
            // A home folder that a test made up is no machine's.
            let found =
                text.lines().find(|line| line.contains(word) && !line.contains("/home/ana"));
            assert_eq!(found, None, "{} holds {word:?}", path.display());
        }
    }
}

#[test]
fn unsafe_code_lives_only_where_it_may() {
    let allowed = ["engine/host/", "plugins/sdk/", "engine/net/src/kernels/", "engine/cuda/"];
    for (path, text) in texts("rs") {
        let place = path.to_string_lossy().into_owned();
        let block = format!("{} {{", "unsafe");
        let n_blocks = text.matches(&block).count();
        if n_blocks > 0 {
            assert!(allowed.iter().any(|a| place.starts_with(a)), "unsafe in {place}");
            let n_reasons = text.matches("// SAFETY:").count();
            assert!(n_reasons >= n_blocks, "{place}: {n_blocks} blocks, {n_reasons} reasons");
        }
    }
}
