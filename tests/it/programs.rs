//! The programs and plugins as `cargo build --workspace` leaves them, built once for all tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::house::root;

/// The folder with `ichor`, `ichor-engine` and the plugins' libraries.
pub(crate) fn folder() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--workspace", "--locked", "--quiet"])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let tests = std::env::current_exe().expect("a test knows its own path");
        // target/PROFILE/deps/it-…
        tests.ancestors().nth(2).expect("tests lie in target/PROFILE/deps").to_owned()
    })
}

/// Runs `ichor` or `ichor-engine` and waits for it.
pub(crate) fn run(program: &str, args: &[&str]) -> Output {
    Command::new(folder().join(program))
        .args(args)
        .env_remove("ICHOR_CONFIG")
        .env("NO_COLOR", "1")
        .output()
        .expect("the program starts")
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
