//! The command line of `ichor`. What is written above each item is its help.
#![expect(clippy::doc_markdown, reason = "the help would print the backticks")]

use std::{ffi::OsString, path::PathBuf};

use clap::{Parser, Subcommand};

/// Commands of the engine, with what they do; `ichor X` runs `ichor-engine X`.
pub(crate) const ENGINE_COMMANDS: &[(&str, &str)] = &[
    ("serve", "receive and score studies (the daemon)"),
    ("demo", "a night of simulated studies in a scratch folder"),
    ("import", "take in DICOM files and folders"),
    ("score", "a DICOM folder to a verdict, without a database"),
    ("segment", "a DICOM folder to a mask"),
    ("features", "image and mask to features"),
    ("phantom", "make simulated studies"),
    ("train", "train a network or a scorer"),
    ("evaluate", "hold predictions against the truth"),
    ("bench", "what the network costs on this machine"),
    ("doctor", "check the installation"),
    ("plugin", "list, check, make, install plugins"),
];

/// Triage console for intracerebral hemorrhage. Research use only.
///
/// Without a command it opens the worklist.
#[derive(Debug, Parser)]
#[command(name = "ichor", version, after_help = engine_help())]
pub(crate) struct Arguments {
    /// Configuration file [default: $ICHOR_CONFIG, then the user's, then the system's]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Who acknowledges, notes and asks [default: $USER]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Open the console even before the engine has made the database
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the worklist
    List {
        /// Print it again whenever it changes
        #[arg(long)]
        watch: bool,
        /// As JSON: one array; with --watch one array a line
        #[arg(long)]
        json: bool,
    },
    /// Print all about one study
    Show {
        /// Its number in the list, StudyInstanceUID or PatientID
        study: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask the engine to score a study again
    Requeue {
        /// Its number in the list, StudyInstanceUID or PatientID
        study: String,
    },
    /// Values that staff knows, such as the time of onset
    #[command(subcommand)]
    Clinical(Clinical),
    /// Threshold profiles: where a risk becomes a verdict
    #[command(subcommand)]
    Profile(Profile),
    /// The trail of everything that was done
    #[command(subcommand)]
    Audit(Audit),
    /// Print the commented default configuration
    Config {
        /// Print which file is used instead
        #[arg(long)]
        path: bool,
    },
    #[command(external_subcommand)]
    Engine(Vec<OsString>),
}

/// What to do with clinical values.
#[derive(Debug, Subcommand)]
pub(crate) enum Clinical {
    /// Print what is known of a study, and the names that can be set
    Show {
        /// The study's number in the list, StudyInstanceUID or PatientID
        study: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Enter values; NAME=- takes one back
    Set {
        /// The study's number in the list, StudyInstanceUID or PatientID
        study: String,
        /// Such as onset_to_ct_h=1.5
        #[arg(required = true, value_name = "NAME=VALUE")]
        values: Vec<String>,
    },
}

/// What to do with profiles.
#[derive(Debug, Subcommand)]
pub(crate) enum Profile {
    /// List the profiles of every scorer; `*` marks the one in use
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Judge by another profile from now on; asks first, and waits for the engine's answer
    Use {
        /// The profile's name; before it the scorer, `plugin/unit` or the unit alone, where it is not
        /// the active one
        #[arg(required = true, num_args = 1..=2, value_name = "NAME")]
        names: Vec<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// What to do with the audit trail.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Compute the chain of hashes anew; fails where it was broken
    Verify {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print every entry, one JSON object a line
    Export,
}

fn engine_help() -> String {
    let lines = ENGINE_COMMANDS.iter().map(|(name, does)| format!("  {name:<9} {does}"));
    format!("Run by the engine:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn commands_of_the_engine_keep_their_arguments() {
        let line = ["ichor", "score", "DIR", "--json", "--config", "x"];
        let arguments = Arguments::try_parse_from(line).unwrap();
        let Some(Command::Engine(words)) = arguments.command else { panic!("{arguments:?}") };
        assert_eq!(words, ["score", "DIR", "--json", "--config", "x"]);
    }

    #[test]
    fn the_help_names_the_engines_commands() {
        let help = Arguments::command().render_long_help().to_string();
        for (name, _) in ENGINE_COMMANDS {
            assert!(help.contains(&format!("\n  {name} ")), "{name}:\n{help}");
        }
    }
}
