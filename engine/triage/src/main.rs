//! `ichor-engine`: the daemon and the heavy commands. People reach them as `ichor X`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ichor_triage::main()
}
