//! From the spool into the database: the one way in, for the network, the inbox and `ichor
//! import` alike.
//!
//! Each file is linked to its final place, then made known, then taken out of the spool. A crash
//! between any two of these is repaired by doing all of them again.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use ichor_core::{Layout, UnixMs};
use ichor_dicom::{Arrival, Received, Spool, Taken};
use ichor_store::{Incoming, Recorded, Store};

use super::{inbox::Inbox, requests};
use crate::scorers::Scorers;
use crate::{Settings, TriageError, clock};

/// How long to wait for an arrival before looking around.
const LOOK_AROUND: Duration = Duration::from_millis(250);
/// The inbox, the requests and files of the spool that nobody announced are looked at this often.
const SWEEP_S: f64 = 1.0;
/// The engine shows that it lives this often.
const BEAT_S: f64 = 5.0;
/// Arrivals written in one transaction at most.
const BATCH: usize = 256;

/// Takes in what arrives and puts quiet studies into the queue.
pub(super) struct Intake {
    store: Store,
    spool: Arc<Spool>,
    layout: Layout,
    inbox: Option<Inbox>,
    scorers: Scorers,
    settings: Settings,
    quiet_s: f64,
    address: SocketAddr,
    waiting: Vec<PathBuf>,
    swept: UnixMs,
    beaten: UnixMs,
    /// Whether it was said that the plugins on disk cannot be used.
    warned: bool,
}

impl Intake {
    pub(super) fn open(
        settings: &Settings,
        spool: Arc<Spool>,
        address: SocketAddr,
    ) -> Result<Self, TriageError> {
        let inbox = Some(settings.config.dicom.inbox.clone())
            .filter(|folder| !folder.as_os_str().is_empty())
            .map(Inbox::new);
        let mut intake = Self {
            store: Store::open(&settings.layout.database())?,
            spool,
            layout: settings.layout.clone(),
            inbox,
            scorers: Scorers::open(settings)?,
            settings: settings.clone(),
            quiet_s: settings.config.engine.quiet_s,
            address,
            waiting: Vec::new(),
            swept: UnixMs(0),
            beaten: UnixMs(0),
            warned: false,
        };
        // What an engine that was killed left behind belongs to studies that may look quiet by
        // now: it is taken in before the first of them is queued, and before anything new comes.
        intake.waiting = intake.spool.pending()?;
        let left = intake.left_behind(clock::now())?;
        intake.take(left)?;
        intake.waiting = Vec::new();
        Ok(intake)
    }

    /// Runs until reception has ended; an error of one round is logged and the round tried again.
    pub(super) fn run(mut self, received: &Receiver<Received>) {
        loop {
            let first = received.recv_timeout(LOOK_AROUND);
            // Reception ends last of all senders, so what it took is still made known.
            let last = matches!(first, Err(RecvTimeoutError::Disconnected));
            let news = first.into_iter().chain(received.try_iter().take(BATCH - 1)).collect();
            if let Err(error) = self.round(news) {
                // What was not taken in still lies in the spool; the next sweep finds it.
                tracing::error!("taking in: {error}");
                self.swept = UnixMs(0);
                std::thread::sleep(LOOK_AROUND);
            }
            if last {
                return;
            }
        }
    }

    fn round(&mut self, news: Vec<Received>) -> Result<(), TriageError> {
        let now = clock::now();
        if now.seconds_since(self.beaten) >= BEAT_S {
            self.store.engine_beat(std::process::id(), env!("CARGO_PKG_VERSION"), now)?;
            self.store.engine_listens(&self.address.to_string(), now)?;
            self.beaten = now;
            self.look_at_plugins();
            self.store.set_void_profiles(&self.scorers.void_profiles())?;
        }
        let mut taken = Vec::new();
        for item in news {
            match item {
                Received::Taken(item) => taken.push(item),
                Received::Failed { source, error } => tracing::warn!("{source}: {error}"),
            }
        }
        self.take(taken)?;
        if now.seconds_since(self.swept) >= SWEEP_S {
            let found = match &mut self.inbox {
                Some(inbox) => inbox.empty_into(&self.spool),
                None => Vec::new(),
            };
            self.take(found)?;
            let left = self.left_behind(now)?;
            self.take(left)?;
            if !self.store.open_requests()?.is_empty() {
                self.look_at_plugins();
                let otherwise = &self.settings.config.score.profile;
                requests::serve(&mut self.store, &self.scorers, otherwise, now)?;
            }
            self.swept = now;
        }
        // While files wait to be taken in, no study can be called complete.
        if self.waiting.is_empty() {
            for study in self.store.queue_quiet(now, self.quiet_s)? {
                tracing::info!("study {study} is complete and waits to be scored");
            }
        }
        Ok(())
    }

    /// A profile is held against the plugins as they are installed by now.
    fn look_at_plugins(&mut self) {
        if self.scorers.are_current(&self.settings) {
            self.warned = false;
            return;
        }
        match Scorers::open(&self.settings) {
            Ok(scorers) => self.scorers = scorers,
            Err(error) if !self.warned => {
                tracing::warn!("plugins were installed that cannot be used: {error}");
                self.warned = true;
            }
            Err(_) => {}
        }
    }

    /// What lies in the spool without having been announced: imports, and what a killed engine
    /// left behind. What was not there at the last look may yet be announced, so it waits.
    fn left_behind(&mut self, now: UnixMs) -> Result<Vec<Taken>, TriageError> {
        let pending = self.spool.pending()?;
        let mut found = Vec::new();
        for path in pending.iter().filter(|path| self.waiting.contains(*path)) {
            let mut item = self.spool.announce(path, "import", now)?;
            if let Some(Taken::Arrived(arrival)) = &mut item
                && !arrival.header.sender.is_empty()
            {
                arrival.source.clone_from(&arrival.header.sender);
            }
            found.extend(item);
        }
        self.waiting =
            pending.into_iter().filter(|path| !self.waiting.contains(path)).collect();
        Ok(found)
    }

    /// Links, records, clears: in this order.
    fn take(&mut self, taken: Vec<Taken>) -> Result<(), TriageError> {
        let mut arrivals = Vec::new();
        for item in taken {
            match item {
                Taken::Arrived(arrival) => arrivals.push(*arrival),
                Taken::Quarantined(item) => self.note_quarantined(item)?,
            }
        }
        for arrivals in arrivals.chunks(BATCH) {
            let mut linked: Vec<(&Arrival, Incoming)> = Vec::new();
            for arrival in arrivals {
                for warning in &arrival.warnings {
                    tracing::warn!("{}: {warning}", arrival.source);
                }
                if let Some(path) = self.link(arrival)? {
                    linked.push((arrival, incoming(arrival, path)));
                }
            }
            // Linked for good, before the database says so and the spool forgets them.
            self.sync(linked.iter().map(|(_, known)| known.path.as_path()))?;
            let records: Vec<Incoming> =
                linked.iter().map(|(_, known)| known.clone()).collect();
            let outcomes = self.store.record(&records)?;
            for ((arrival, _), outcome) in linked.iter().zip(outcomes) {
                if matches!(outcome, Recorded::Differs) {
                    let why = "another object with the same SOP instance UID came first";
                    let item = self.spool.put_aside(
                        &arrival.path,
                        why,
                        &arrival.source,
                        arrival.received,
                    )?;
                    self.note_quarantined(item)?;
                } else {
                    remove(&arrival.path)?;
                }
            }
        }
        Ok(())
    }

    /// Gives a spooled file its final name, beside the one in the spool; none when it is gone,
    /// having been taken in under an earlier announcement.
    fn link(&self, arrival: &Arrival) -> Result<Option<PathBuf>, TriageError> {
        let header = &arrival.header;
        let path = Path::new("objects")
            .join(&header.study_uid)
            .join(&header.series_uid)
            .join(format!("{}.dcm", header.sop_uid));
        let to = self.layout.root().join(&path);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)
                .map_err(|source| TriageError::file("make", folder, source))?;
        }
        match fs::hard_link(&arrival.path, &to) {
            Ok(()) => Ok(Some(path)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(Some(path)),
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound && !arrival.path.exists() =>
            {
                Ok(None)
            }
            Err(source) => Err(TriageError::file("link", &to, source)),
        }
    }

    /// Makes names of objects durable: every folder from theirs up to the data folder, once.
    fn sync<'a>(&self, paths: impl Iterator<Item = &'a Path>) -> Result<(), TriageError> {
        let folders: BTreeSet<&Path> =
            paths.flat_map(|path| path.ancestors().skip(1)).collect();
        for folder in folders {
            let folder = self.layout.root().join(folder);
            fs::File::open(&folder)
                .and_then(|open| open.sync_all())
                .map_err(|source| TriageError::file("sync", &folder, source))?;
        }
        Ok(())
    }

    fn note_quarantined(&mut self, item: ichor_dicom::Quarantined) -> Result<(), TriageError> {
        let path = item.path.strip_prefix(self.layout.root()).unwrap_or(&item.path).to_owned();
        tracing::warn!("{}: {} is in quarantine: {}", item.source, path.display(), item.why);
        let item =
            ichor_store::Quarantined { path, why: item.why, source: item.source, at: item.at };
        Ok(self.store.quarantine(&item)?)
    }
}

fn remove(path: &Path) -> Result<(), TriageError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(TriageError::file("remove", path, source))
        }
        _ => Ok(()),
    }
}

/// What the store wants to know of an object that will lie at `path` below the data folder.
fn incoming(arrival: &Arrival, path: PathBuf) -> Incoming {
    let header = &arrival.header;
    Incoming {
        study_uid: header.study_uid.clone(),
        series_uid: header.series_uid.clone(),
        sop_uid: header.sop_uid.clone(),
        sop_class: header.sop_class.clone(),
        modality: header.modality.clone(),
        patient_id: header.patient_id.clone(),
        patient_name: header.patient_name.clone(),
        birth_date: header.birth_date.clone(),
        age_years: header.age_years,
        sex: header.sex.clone(),
        accession: header.accession.clone(),
        study_description: header.study_description.clone(),
        series_description: header.series_description.clone(),
        scan: header.scan,
        phantom: header.phantom,
        sha256: arrival.sha256.clone(),
        bytes: arrival.bytes,
        path,
        received: arrival.received,
        source: arrival.source.clone(),
    }
}
