//! `score`: a folder of DICOM files to a verdict, without a database.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use ichor_core::{ClinicalName, ClinicalSource, ClinicalValue};

use super::progress::Progress;
use crate::pipeline::{Pipeline, Step};
use crate::{Settings, TriageError, folder, report};

/// Take a folder of DICOM files (one study) to a verdict, without a database.
#[derive(Args)]
pub(crate) struct Score {
    /// Folders or files of one study
    #[arg(required = true, value_name = "DIR")]
    paths: Vec<PathBuf>,
    /// What is known about the patient, such as `onset_to_ct_h=2.5`; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = clinical)]
    clinical: Vec<ClinicalValue>,
    /// Threshold profile instead of the configuration's
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn clinical(text: &str) -> Result<ClinicalValue, String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let number = value.parse().ok().filter(|number: &f64| !number.is_nan());
    let value = number.ok_or_else(|| {
        format!("{value:?} is no number; leave out what is not known, it is missing then")
    })?;
    let known = ClinicalName::find(name).map_err(|error| error.to_string())?;
    let value = known.check(value).map_err(|error| error.to_string())?;
    Ok(ClinicalValue { name: known.name.to_owned(), value, source: ClinicalSource::Command })
}

/// Fails when one value is given twice: nobody could say which of them counts.
fn no_value_twice(values: &[ClinicalValue]) -> Result<(), TriageError> {
    let again = values.iter().enumerate().find_map(|(at, value)| {
        values[..at].iter().any(|before| before.name == value.name).then_some(&value.name)
    });
    again.map_or(Ok(()), |name| {
        Err(TriageError::Input(format!("--clinical {name} is given twice: give it once")))
    })
}

impl Score {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let files = folder::files(&self.paths)?;
        let profile = self.profile.as_ref().unwrap_or(&settings.config.score.profile);
        no_value_twice(&self.clinical)?;
        let mut pipeline = Pipeline::open(settings)?;
        // Before the minutes of work, not after them. What a scorer in the shadow lacks costs the
        // study nothing and is said beside its verdict.
        if let Some(active) = pipeline.scorers().scoring().next() {
            pipeline.scorers().profile(active, profile)?;
        }
        pipeline.warn_of_inputs_never_given();
        let mut progress = Progress::new("segmenting slice");
        let done = pipeline.score(
            &files,
            self.clinical.clone(),
            &|_| Ok(profile.clone()),
            &mut |step| {
                if let Step::Segmenting(done, of) = step {
                    progress.at(done, of);
                }
                ControlFlow::Continue(())
            },
        )?;
        progress.end();
        let text =
            if self.json { format!("{:#}", report::json(&done)) } else { report::text(&done) };
        print(&text)
    }
}

/// Writes to stdout; a reader that went away ends the program quietly.
pub(crate) fn print(text: &str) -> Result<(), TriageError> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(TriageError::file("write to", std::path::Path::new("stdout"), error))
        }
        _ => Ok(()),
    }
}
