//! `plugin new`: a project that builds, and passes `plugin check`, before its first change.
//!
//! It is one of Ichor's own examples under another name, with the SDK or the header beside it, so
//! that it needs neither Ichor's sources nor a registry.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::TriageError;
use crate::command::score::print;

/// The name that the examples go by.
const EXAMPLE: &str = "yours";
/// Where the SDK lies as seen from an example, and from a new project.
const SDK: (&str, &str) = ("../../sdk", "sdk");

/// Start a plugin of your own: a project that builds and passes `ichor plugin check`
#[derive(Args)]
pub(super) struct New {
    /// Name: small letters, digits and `_`, a letter first
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// What it does
    #[arg(long, value_enum, default_value_t = Kind::Scorer)]
    kind: Kind,
    /// What it is written in; an extractor in Rust only
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    language: Language,
    /// Folder that is made for it [default: NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Extractor,
    Scorer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    C,
    Rust,
}

/// Path in the project, and text.
type File = (&'static str, &'static str);

macro_rules! example {
    ($folder:literal: $($path:literal),*) => {
        &[$(($path, include_str!(concat!("../../../../../plugins/examples/", $folder, "/", $path)))),*]
    };
}

macro_rules! sdk {
    ($($path:literal),*) => {
        &[$((concat!("sdk/src/", $path), include_str!(concat!("../../../../../plugins/sdk/src/", $path)))),*]
    };
}

const SCORER_C: &[File] = example!("scorer-c": "scorer.c", "Makefile", "plugin.toml");
const SCORER_RUST: &[File] = example!("scorer-rust": "src/lib.rs", "Cargo.toml", "plugin.toml");
const EXTRACTOR_RUST: &[File] =
    example!("extractor-rust": "src/lib.rs", "Cargo.toml", "plugin.toml");
const HEADER: File =
    ("ichor_plugin.h", include_str!("../../../../../plugins/sdk/include/ichor_plugin.h"));
const SDK_SOURCES: &[File] = sdk![
    "abi.rs",
    "call.rs",
    "export.rs",
    "extractor.rs",
    "lib.rs",
    "plugin.rs",
    "refused.rs",
    "scorer.rs",
    "settings.rs",
    "volume.rs"
];
const SDK_MANIFEST: File = (
    "sdk/Cargo.toml",
    "# The SDK of Ichor's plugins, as it was when this project was made.\n[package]\nname = \"ichor-plugin\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
);

fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err("small letters, digits and `_` are needed, a letter first".to_owned())
}

impl New {
    pub(super) fn run(&self) -> Result<(), TriageError> {
        let folder = self.out.clone().unwrap_or_else(|| PathBuf::from(&self.name));
        if folder.exists() {
            return Err(TriageError::Input(format!(
                "{} is there already: name another folder by --out",
                folder.display()
            )));
        }
        let (example, beside): (&[File], Vec<File>) = match (self.kind, self.language) {
            (Kind::Scorer, Language::C) => (SCORER_C, vec![HEADER]),
            (Kind::Scorer, Language::Rust) => (SCORER_RUST, sdk()),
            (Kind::Extractor, Language::Rust) => (EXTRACTOR_RUST, sdk()),
            (Kind::Extractor, Language::C) => {
                return Err(TriageError::Input(
                    "there is no extractor in C to start from: take the scorer's, whose tables are the same, and docs/plugins.md".to_owned(),
                ));
            }
        };
        for (path, text) in example {
            let text = text.replace(EXAMPLE, &self.name).replace(SDK.0, SDK.1);
            write(&folder.join(path), &text)?;
        }
        for (path, text) in beside {
            write(&folder.join(path), text)?;
        }
        let build = match self.language {
            Language::C => "make",
            Language::Rust => "cargo build --release",
        };
        let at = folder.display();
        print(&format!(
            "{at} holds {} that works\n  build it:    cd {at} && {build}\n  try it:      ichor plugin check {at}\n  install it:  ichor plugin install {at}",
            if self.kind == Kind::Scorer { "a scorer" } else { "an extractor" }
        ))
    }
}

fn sdk() -> Vec<File> {
    SDK_SOURCES.iter().copied().chain([SDK_MANIFEST]).collect()
}

fn write(path: &Path, text: &str) -> Result<(), TriageError> {
    let failed = |source| TriageError::file("write", path, source);
    fs::create_dir_all(path.parent().unwrap_or(Path::new(""))).map_err(failed)?;
    fs::write(path, text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn all_of_the_sdk_comes_along() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/sdk/src");
        let there: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("sdk/src/{}", entry.unwrap().file_name().to_string_lossy()))
            .collect();
        let comes: BTreeSet<String> =
            SDK_SOURCES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(comes, there);
        let version = format!("version = \"{}\"", env!("CARGO_PKG_VERSION"));
        assert!(SDK_MANIFEST.1.contains(&version));
    }

    #[test]
    fn a_name_that_would_be_no_crate_or_library_is_refused() {
        assert_eq!(name("my_scorer2").as_deref(), Ok("my_scorer2"));
        for refused in ["", "2x", "My", "a-b", "a/b", "ä"] {
            assert!(name(refused).is_err(), "{refused}");
        }
    }
}
