//! A unit's configuration text.
//!
//! Lines of `name = value`, where a value is a number or a text in quotes, empty lines and
//! comments: as much of TOML as a scorer needs, so that a plugin needs no parser. Reading is
//! strict: a name that nobody asked for is refused.

use std::fs;
use std::path::Path;

use crate::Refused;

/// Names and values of a configuration text that nobody has asked for yet.
#[derive(Debug, Clone)]
pub struct Settings {
    left: Vec<(String, String)>,
}

impl Settings {
    /// Reads `config`; fails on a line that is no `name = value` and on a name that comes twice.
    pub fn read(config: &str) -> Result<Self, Refused> {
        let mut left: Vec<(String, String)> = Vec::new();
        for (line_idx, line) in config.lines().enumerate() {
            let line = without_comment(line).trim();
            if line.is_empty() {
                continue;
            }
            let refuse = |why: &str| {
                Refused::config(format!(
                    "line {} of the settings, `{line}`, {why}",
                    line_idx + 1
                ))
            };
            let (name, value) =
                line.split_once('=').ok_or_else(|| refuse("is no `name = value`"))?;
            let (name, value) = (name.trim(), value.trim());
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if name.is_empty() || !name.chars().all(plain) {
                return Err(refuse("has no plain name before its `=`"));
            }
            if left.iter().any(|(known, _)| known == name) {
                return Err(refuse("sets a name for the second time"));
            }
            left.push((name.to_owned(), value.to_owned()));
        }
        Ok(Self { left })
    }

    /// Whether the text sets `name` and nobody took it yet.
    pub fn has(&self, name: &str) -> bool {
        self.left.iter().any(|(known, _)| known == name)
    }

    /// Takes the finite number called `name`.
    pub fn number(&mut self, name: &str) -> Result<f64, Refused> {
        let value = self.take(name)?;
        match value.replace('_', "").parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(Refused::config(format!("{name} = {value}: a finite number is needed"))),
        }
    }

    /// Takes the text called `name`, written in quotes and without escapes.
    pub fn text(&mut self, name: &str) -> Result<String, Refused> {
        let value = self.take(name)?;
        let quoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
        match quoted('"').or_else(|| quoted('\'')) {
            Some(text) if !text.contains(['"', '\'', '\\']) => Ok(text.to_owned()),
            _ => Err(Refused::config(format!("{name} = {value}: a text in quotes is needed"))),
        }
    }

    /// Takes the file name called `name` and reads that file of `folder`, of at most `limit`
    /// bytes of UTF-8.
    pub fn file(&mut self, name: &str, folder: &Path, limit: u64) -> Result<String, Refused> {
        let bytes = self.bytes(name, folder, limit)?;
        String::from_utf8(bytes).map_err(|e| Refused::config(format!("{name}: {e}")))
    }

    /// Takes the file name called `name` and reads that file of `folder`, of at most `limit`
    /// bytes of any kind.
    pub fn bytes(&mut self, name: &str, folder: &Path, limit: u64) -> Result<Vec<u8>, Refused> {
        let file = self.text(name)?;
        if file.is_empty() || file.starts_with('.') || file.contains('/') {
            return Err(Refused::config(format!(
                "{name} = \"{file}\": a plain file name is needed, of a file beside plugin.toml"
            )));
        }
        let path = folder.join(&file);
        let refuse =
            |why: String| Refused::config(format!("{name}: {}: {why}", path.display()));
        let length = fs::metadata(&path).map_err(|e| refuse(e.to_string()))?.len();
        if length > limit {
            return Err(refuse(format!("{length} bytes are more than the {limit} allowed")));
        }
        fs::read(&path).map_err(|e| refuse(e.to_string()))
    }

    /// Fails when the text sets a name that nobody took.
    pub fn finish(self) -> Result<(), Refused> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) => {
                Err(Refused::config(format!("there is no setting called {name}")))
            }
        }
    }

    fn take(&mut self, name: &str) -> Result<String, Refused> {
        match self.left.iter().position(|(known, _)| known == name) {
            Some(at) => Ok(self.left.remove(at).1),
            None => Err(Refused::config(format!("the setting {name} is missing"))),
        }
    }
}

/// The line up to the first `#` that stands in no quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match quote {
            None if c == '#' => return &line[..at],
            None if c == '"' || c == '\'' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(config: &str, expected: &str) {
        let number = |mut settings: Settings| {
            settings.number("rate")?;
            settings.finish()
        };
        let refused = Settings::read(config).and_then(number).unwrap_err();
        assert_eq!(refused.text, expected);
    }

    #[test]
    fn numbers_and_texts_are_read_and_comments_are_not() {
        let config = "# a comment\nrate = 1_000.5 # HU\n\nmodel = 'a # b.model'\n";
        let mut settings = Settings::read(config).unwrap();
        assert!(settings.has("rate") && !settings.has("speed"));
        assert_eq!(settings.number("rate"), Ok(1000.5));
        assert_eq!(settings.text("model").as_deref(), Ok("a # b.model"));
        assert!(!settings.has("model"));
        assert_eq!(settings.finish(), Ok(()));
    }

    #[test]
    fn what_is_no_setting_is_refused_in_words() {
        check_refused("rate", "line 1 of the settings, `rate`, is no `name = value`");
        check_refused("[unit]\n", "line 1 of the settings, `[unit]`, is no `name = value`");
        check_refused("rate = nan", "rate = nan: a finite number is needed");
        check_refused("", "the setting rate is missing");
        check_refused("rate = 1\nspeed = 2", "there is no setting called speed");
        check_refused(
            "rate = 1\nrate = 2",
            "line 2 of the settings, `rate = 2`, sets a name for the second time",
        );
    }

    #[test]
    fn a_file_outside_the_folder_is_never_opened() {
        for file in ["../model", "/etc/passwd", ".hidden", ""] {
            let mut settings = Settings::read(&format!("model = \"{file}\"")).unwrap();
            let refused = settings.file("model", Path::new("/"), 10).unwrap_err();
            assert!(refused.text.contains("a plain file name is needed"), "{}", refused.text);
        }
    }

    #[test]
    fn a_file_of_the_folder_is_read_up_to_its_limit() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |limit| {
            let mut settings = Settings::read("model = \"Cargo.toml\"").unwrap();
            settings.file("model", folder, limit)
        };
        assert!(read(1 << 20).unwrap().contains("ichor-plugin"));
        assert!(read(10).unwrap_err().text.ends_with("are more than the 10 allowed"));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let mut settings = Settings::read("model = \"none.model\"").unwrap();
        let refused = settings.file("model", Path::new("/nowhere"), 10).unwrap_err();
        assert!(refused.text.starts_with("model: /nowhere/none.model: "), "{}", refused.text);
    }
}
