//! `import`: files from a disk take the same way in as those from the network.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Args;
use ichor_dicom::{Spool, Taken};
use ichor_store::{Store, StudyState};

use super::progress::Progress;
use super::score::print;
use crate::{Settings, TriageError, clock, folder};

/// The engine shows a beat at least this often while it lives.
const ALIVE_S: f64 = 20.0;

/// Hand DICOM files to the engine.
///
/// Each file is copied durably into the engine's spool; the engine takes it in when it runs.
#[derive(Args)]
pub(crate) struct Import {
    /// Files, or folders that are searched for files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Wait until every study in them has a verdict
    #[arg(long)]
    wait: bool,
}

impl Import {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let files = folder::files(&self.paths)?;
        let layout = &settings.layout;
        let spool = Spool::open(&layout.spool(), &layout.quarantine())?;
        let mut progress = Progress::new("importing");
        let (mut studies, mut refused) = (BTreeSet::new(), Vec::new());
        for (done, path) in files.iter().enumerate() {
            progress.at(done, files.len());
            match spool.take(path, "import", clock::now())? {
                Taken::Arrived(arrival) => {
                    studies.insert(arrival.header.study_uid);
                }
                Taken::Quarantined(item) => {
                    refused.push(format!("{}: {}", path.display(), item.why));
                }
            }
        }
        progress.end();
        for line in &refused {
            eprintln!("quarantined {line}");
        }
        let taken = files.len() - refused.len();
        print(&format!("{taken} files of {} studies handed over", studies.len()))?;
        if self.wait { wait(settings, &studies) } else { Ok(()) }
    }
}

fn wait(settings: &Settings, studies: &BTreeSet<String>) -> Result<(), TriageError> {
    let store = Store::open(&settings.layout.database())?;
    let mut progress = Progress::new("scored");
    loop {
        let alive = store
            .engine_status()?
            .is_some_and(|status| clock::now().seconds_since(status.beat) < ALIVE_S);
        if !alive {
            return Err(TriageError::Input(
                "the files wait in the spool, but no engine is running: start `ichor serve`"
                    .to_owned(),
            ));
        }
        let rows = store.worklist()?;
        let ended = |uid: &&String| {
            rows.iter().any(|row| {
                row.study_uid == **uid
                    && matches!(row.state, StudyState::Done | StudyState::Failed)
            })
        };
        let done = studies.iter().filter(ended).count();
        progress.at(done, studies.len());
        if done == studies.len() {
            progress.end();
            return print(&format!("{done} studies scored: see `ichor list`"));
        }
        thread::sleep(Duration::from_millis(500));
    }
}
