//! `plugin.toml`: what a plugin says about itself before anything of it is opened.
//!
//! Strict: an unknown key is an error. The manifest in a source folder has no hashes; the one of
//! an installed plugin has one for the library (`plugin.sha256`) and one for each other file
//! (the table `sha256`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ichor_core::UnitId;
use ichor_plugin::abi;
use serde::{Deserialize, Serialize};

use crate::HostError;

/// Name of the manifest in a plugin's folder.
pub(crate) const FILE_NAME: &str = "plugin.toml";

/// A manifest, read and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The plugin as a whole.
    pub plugin: PluginEntry,
    /// Its extractors and scorers.
    #[serde(rename = "unit")]
    pub units: Vec<UnitEntry>,
    /// SHA-256, hex, of each file but the library; empty in a source folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sha256: BTreeMap<String, String>,
}

/// The plugin as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginEntry {
    /// In reverse domain order, such as `org.ichor.boosting`; also its folder's name.
    pub id: String,
    /// Equal to that of the library.
    pub version: String,
    /// The ABI that the library was built for, `major.minor`.
    pub abi: String,
    /// The library's file name.
    pub file: String,
    /// SHA-256 of the library, hex; only of an installed plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// SPDX expression.
    pub licence: String,
    /// What its author made it for.
    pub intended_use: IntendedUse,
    /// Where it runs.
    #[serde(default)]
    pub run: RunMode,
    /// What one worker may use.
    pub limits: Limits,
}

/// What a plugin was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntendedUse {
    /// No claim that its results are fit for care.
    Research,
    /// Its author stands for its use in care.
    Clinical,
}

/// Where a plugin runs; this host knows workers only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunMode {
    /// In a process of its own.
    #[default]
    Worker,
}

/// What one worker may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Address space beyond what the worker has before the library is opened, 16 to 65536.
    pub memory_mib: u64,
    /// Milliseconds that one call may take, 10 to 600000.
    pub deadline_ms: u64,
    /// Threads that its pools are told to start, 1 to 256.
    pub threads: u32,
}

/// One extractor or scorer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitEntry {
    /// Equal to that of the library.
    pub id: String,
    /// Equal to that of the library.
    pub kind: UnitKind,
    /// The file whose text it is opened with; none: an empty text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Further files that it reads, such as weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// What a unit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitKind {
    /// Volume and mask to features.
    Extractor,
    /// Features to a risk.
    Scorer,
}

impl UnitKind {
    /// As the manifest has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Extractor => "extractor",
            Self::Scorer => "scorer",
        }
    }

    /// As the C tables have it.
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Extractor => abi::KIND_EXTRACTOR,
            Self::Scorer => abi::KIND_SCORER,
        }
    }
}

impl UnitEntry {
    /// Its configuration, then its further files: all that its results depend on but the library.
    pub fn own_files(&self) -> impl Iterator<Item = &str> {
        self.config.iter().chain(&self.files).map(String::as_str)
    }
}

impl Manifest {
    /// Reads a manifest; `path` is where it came from, for the errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self, HostError> {
        let read: Result<Self, toml::de::Error> = toml::from_str(text);
        let manifest = read.map_err(|source| HostError::Manifest {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        manifest.check().map_err(|(key, value, must)| HostError::ManifestValue {
            path: path.to_owned(),
            key,
            value,
            must,
        })?;
        Ok(manifest)
    }

    /// Every file but the library, once, in rising order.
    pub fn other_files(&self) -> BTreeSet<&str> {
        self.units.iter().flat_map(UnitEntry::own_files).collect()
    }

    fn check(&self) -> Result<(), (String, String, &'static str)> {
        let plugin = &self.plugin;
        let need = |holds: bool, key: &str, value: &str, must| {
            if holds { Ok(()) } else { Err((key.to_owned(), format!("{value:?}"), must)) }
        };
        need(
            plugin.id.contains('.') && is_id(&plugin.id),
            "plugin.id",
            &plugin.id,
            "letters, digits, `-` and `_` in reverse domain order, such as org.example.scorer",
        )?;
        need(!plugin.version.is_empty(), "plugin.version", "", "a version")?;
        need(is_our_abi(&plugin.abi), "plugin.abi", &plugin.abi, "1.0, or another minor of 1")?;
        let plain = "a plain file name without folders";
        need(is_plain(&plugin.file), "plugin.file", &plugin.file, plain)?;
        let hash = "64 lower-case hex digits";
        for sha256 in plugin.sha256.iter().chain(self.sha256.values()) {
            need(is_sha256(sha256), "sha256", sha256, hash)?;
        }
        self.check_limits()?;
        let mut ids = BTreeSet::new();
        need(!self.units.is_empty(), "unit", "[]", "at least one")?;
        for unit in &self.units {
            need(
                is_id(&unit.id) && ids.insert(&unit.id),
                "unit.id",
                &unit.id,
                "letters, digits, `.`, `-` and `_`, different for each unit",
            )?;
            for file in unit.own_files() {
                need(is_plain(file) && file != plugin.file, "unit.files", file, plain)?;
            }
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), (String, String, &'static str)> {
        let limits = self.plugin.limits;
        let need = |holds: bool, key: &str, value: u64, must| {
            if holds { Ok(()) } else { Err((key.to_owned(), value.to_string(), must)) }
        };
        let Limits { memory_mib, deadline_ms, threads } = limits;
        need(
            (16..=65536).contains(&memory_mib),
            "limits.memory_mib",
            memory_mib,
            "16 to 65536",
        )?;
        need(
            (10..=600_000).contains(&deadline_ms),
            "limits.deadline_ms",
            deadline_ms,
            "10 to 600000",
        )?;
        need((1..=256).contains(&threads), "limits.threads", u64::from(threads), "1 to 256")
    }
}

/// Whether `id` can stand in a [`UnitId`], which is also what makes it fit for a folder's name.
fn is_id(id: &str) -> bool {
    format!("{id}/unit").parse::<UnitId>().is_ok()
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && !name.contains(['/', '\\', '\0'])
        && name != FILE_NAME
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The same major version, and nothing newer than this host.
fn is_our_abi(text: &str) -> bool {
    let numbers =
        text.split_once('.').map(|(major, minor)| (major.parse(), minor.parse::<u16>()));
    matches!(numbers, Some((Ok(abi::ABI_MAJOR), Ok(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
[plugin]
id = "org.ichor.boosting"
version = "0.1.0"
abi = "1.0"
file = "libichor_boosting.so"
licence = "MIT OR Apache-2.0"
intended_use = "research"
limits = { memory_mib = 1024, deadline_ms = 2000, threads = 2 }

[[unit]]
id = "boosting"
kind = "scorer"
config = "boosting.toml"
files = ["boosting.model"]
"#;

    fn check(from: &str, to: &str, words: &str) {
        assert!(TEXT.contains(from), "{from}");
        let text = TEXT.replace(from, to);
        let error = Manifest::parse(&text, Path::new("plugin.toml")).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn a_manifest_survives_being_written_and_read() {
        let manifest = Manifest::parse(TEXT, Path::new("plugin.toml")).unwrap();
        assert_eq!(
            manifest.other_files().into_iter().collect::<Vec<_>>(),
            ["boosting.model", "boosting.toml"]
        );
        let text = toml::to_string(&manifest).unwrap();
        assert_eq!(Manifest::parse(&text, Path::new("plugin.toml")).unwrap(), manifest);
    }

    #[test]
    fn what_could_lead_out_of_the_folder_is_refused() {
        check("\"libichor_boosting.so\"", "\"../lib.so\"", "plain file name");
        check("\"boosting.model\"", "\"/etc/passwd\"", "plain file name");
        check("\"boosting.model\"", "\"plugin.toml\"", "plain file name");
        check("\"org.ichor.boosting\"", "\"org.ichor/..\"", "reverse domain order");
        check("\"org.ichor.boosting\"", "\"boosting\"", "reverse domain order");
    }

    #[test]
    fn another_major_and_a_run_mode_that_is_not_there_are_refused() {
        check("\"1.0\"", "\"2.0\"", "plugin.abi = \"2.0\": must be 1.0, or another minor");
        check("licence", "run = \"in-process\"\nlicence", "expected `worker`");
    }

    #[test]
    fn unknown_keys_and_values_out_of_range_are_refused() {
        check("licence", "license", "`license`");
        check(
            "memory_mib = 1024",
            "memory_mib = 8",
            "limits.memory_mib = 8: must be 16 to 65536",
        );
        check("threads = 2", "threads = 0", "limits.threads");
    }
}
