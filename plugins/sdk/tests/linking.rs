//! Two plugins can be shared libraries and, at the same time, parts of one program.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::path::Path;
use std::process::{Command, Output};

const PLUGIN: &str = r#"
pub struct Constant(Vec<String>);
impl ichor_plugin::Scorer for Constant {
    fn open(_: &str, _: &std::path::Path) -> Result<Self, ichor_plugin::Refused> {
        Ok(Self(Vec::new()))
    }
    fn inputs(&self) -> &[String] { &self.0 }
    fn score(&self, _: &[f64], _: &mut [f64], _: &mut ichor_plugin::Call)
        -> Result<ichor_plugin::Score, ichor_plugin::Refused> {
        Ok(ichor_plugin::Score::from_log_odds(0.0, &[]))
    }
}
ichor_plugin::plugin! { id: "org.example.NAME", version: "1", scorers: [("constant", Constant)] }
pub fn train() -> u32 { 21 }
"#;

/// Runs the compiler by hand in `folder`; the SDK has no dependencies, so that this is enough.
fn rustc(folder: &Path, crate_name: &str, arguments: &[&str]) -> Output {
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(compiler)
        .args(["--edition", "2024", "-L", ".", "-C", "codegen-units=1", "--crate-name"])
        .arg(crate_name)
        .args(arguments)
        .env("CARGO_CRATE_NAME", crate_name)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[test]
fn two_plugins_are_libraries_and_parts_of_one_program() {
    let folder = &Path::new(env!("CARGO_TARGET_TMPDIR")).join("linking");
    std::fs::create_dir_all(folder).unwrap();
    let sdk = concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs");
    rustc(folder, "ichor_plugin", &["--crate-type", "rlib", sdk]);
    for name in ["alpha", "beta"] {
        let source = format!("{name}.rs");
        std::fs::write(folder.join(&source), PLUGIN.replace("NAME", name)).unwrap();
        let both = ["--crate-type", "rlib", "--crate-type", "cdylib"];
        let sdk = ["--extern", "ichor_plugin=libichor_plugin.rlib", &source];
        rustc(folder, name, &[&both[..], &sdk[..]].concat());
        let library = std::fs::read(folder.join(format!("lib{name}.so"))).unwrap();
        assert!(contains(&library, &format!("ichor_plugin_v1_{name}\0")));
    }
    std::fs::write(
        folder.join("program.rs"),
        "fn main() { std::process::exit((alpha::train() + beta::train()) as i32) }",
    )
    .unwrap();
    let externs = ["--extern", "alpha=libalpha.rlib", "--extern", "beta=libbeta.rlib"];
    rustc(folder, "program", &[&externs[..], &["program.rs"]].concat());
    let status = Command::new(folder.join("program")).status().unwrap();
    assert_eq!(status.code(), Some(42));
}
