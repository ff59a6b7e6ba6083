//! `ichor`: the console and the light commands. Heavy ones are run by `ichor-engine`.
//!
//! Exit codes: 0 done, 1 the work failed (a reason on stderr), 2 wrong usage. A reader of our
//! output that goes away early, such as `head`, is no failure.

mod arguments;
mod audit;
mod clock;
mod columns;
mod console;
mod engine;
mod error;
#[cfg(test)]
mod golden;
mod json;
mod list;
mod profile;
mod report;
#[cfg(test)]
mod sample;
mod settings;
mod show;
mod staff;
mod text;
mod theme;
mod words;

use std::{
    ffi::OsString,
    io::{BufWriter, Write, stdout},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, error::ErrorKind};

use crate::{
    arguments::{Arguments, Audit, Clinical, Command, Profile},
    error::Error,
    settings::Settings,
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Command::Engine(words)) = &arguments.command {
        let failed = run_by_engine(words);
        return report(&failed);
    }
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

fn report(error: &Error) -> ExitCode {
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(std::io::stderr(), "ichor: {error}");
    ExitCode::FAILURE
}

/// Becomes the engine; comes back only where that failed, and ends where nobody knows the word.
fn run_by_engine(words: &[OsString]) -> Error {
    let command = words.first().cloned().unwrap_or_default();
    if !engine::runs(&command) {
        let text = format!("unrecognized command {}", command.display());
        Arguments::command().error(ErrorKind::InvalidSubcommand, text).exit();
    }
    let exe = match std::env::current_exe() {
        Ok(exe) => exe,
        Err(source) => return Error::EngineStart { path: "ichor-engine".into(), source },
    };
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    engine::become_engine(&exe, &command, &arguments)
}

fn run(arguments: Arguments) -> Result<(), Error> {
    let mut out = BufWriter::new(stdout());
    if let Some(Command::Config { path: false }) = arguments.command {
        write!(out, "{}", ichor_core::DEFAULT_TOML)?;
        return Ok(out.flush()?);
    }
    let settings = Settings::read(arguments.config, arguments.user)?;
    match arguments.command {
        None => console::run(&settings, arguments.wait)?,
        Some(Command::List { watch, json }) => list::run(&settings, watch, json, &mut out)?,
        Some(Command::Show { study, json }) => show::run(&settings, &study, json, &mut out)?,
        Some(Command::Requeue { study }) => staff::requeue(&settings, &study, &mut out)?,
        Some(Command::Clinical(Clinical::Set { study, values })) => {
            staff::set_clinical(&settings, &study, &values, &mut out)?;
        }
        Some(Command::Profile(Profile::List { json })) => {
            profile::list(&settings, json, &mut out)?;
        }
        Some(Command::Clinical(Clinical::Show { study, json })) => {
            staff::show_clinical(&settings, &study, json, &mut out)?;
        }
        Some(Command::Profile(Profile::Use { names, yes })) => {
            profile::switch(&settings, &names, yes, &mut out)?;
        }
        Some(Command::Audit(Audit::Verify { json })) => {
            audit::verify(&settings, json, &mut out)?;
        }
        Some(Command::Audit(Audit::Export)) => audit::export(&settings, &mut out)?,
        Some(Command::Config { .. } | Command::Engine(_)) => match &settings.file {
            Some(path) => writeln!(out, "{}", path.display())?,
            None => writeln!(out, "no file: the defaults hold")?,
        },
    }
    Ok(out.flush()?)
}
