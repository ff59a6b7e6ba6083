//! The daemon: receive, take in, score, write. Consoles read the same database.
//!
//! What always holds: an object is durable in the spool before its sender hears success; a file
//! leaves the spool only when the database knows it; a verdict and the end of its job are one
//! transaction. So the process may be killed at any point: what lies in the spool is taken in
//! again at the next start, and a job whose worker died is leased again.

mod inbox;
mod intake;
mod requests;
mod work;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ichor_dicom::{Receiver, ReceiverSettings, Spool};
use ichor_store::Store;

use crate::pipeline::Pipeline;
use crate::{Settings, TriageError, clock};

/// How often the waiting threads look at the stop flag.
const GLANCE: Duration = Duration::from_millis(100);
/// A sender may be silent for this long.
const SILENCE: Duration = Duration::from_mins(1);
/// Running associations may go on for this long after the request to stop.
const GRACE: Duration = Duration::from_secs(10);

/// An engine at work.
pub(crate) struct Engine {
    stop: Arc<AtomicBool>,
    threads: Vec<(&'static str, JoinHandle<Result<(), TriageError>>)>,
    address: SocketAddr,
    _lock: File,
}

impl Engine {
    /// Locks the data folder, opens everything, and starts to receive and to score.
    ///
    /// Fails before anything is received when the weights, a plugin or a profile is missing.
    pub(crate) fn start(
        settings: &Settings,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self, TriageError> {
        let lock = lay_out(settings)?;
        let mut store = Store::open(&settings.layout.database())?;
        let orphans = store.release_orphans(clock::now())?;
        if orphans > 0 {
            tracing::info!(
                "{orphans} studies were being scored when the engine last ended; they are scored again"
            );
        }
        let mut pipelines = (0..settings.config.engine.workers)
            .map(|_| work::open(settings, &store))
            .collect::<Result<Vec<Pipeline>, TriageError>>()?;
        if let Some(first) = pipelines.first_mut() {
            first.warn_of_inputs_never_given();
        }
        let spool = Spool::open(&settings.layout.spool(), &settings.layout.quarantine())?;
        let abandoned = spool.sweep(clock::now())?;
        if abandoned > 0 {
            tracing::info!(
                "{abandoned} objects that were cut off while they came were removed"
            );
        }
        let spool = Arc::new(spool);
        let receiver = Receiver::bind(receiver_settings(settings), Arc::clone(&spool))?;
        let address = receiver.local_addr();
        let mut engine =
            Self { stop: Arc::clone(stop), threads: Vec::new(), address, _lock: lock };
        let intake = intake::Intake::open(settings, spool, address)?;
        let (arrivals, taken) = mpsc::channel();
        let flag = Arc::clone(stop);
        engine.spawn("reception", move || {
            receiver.run(&flag, &arrivals);
            Ok(())
        });
        engine.spawn("intake", move || {
            intake.run(&taken);
            Ok(())
        });
        for (index, pipeline) in pipelines.into_iter().enumerate() {
            let worker = work::Worker::open(settings, pipeline, index)?;
            let flag = Arc::clone(stop);
            engine.spawn("scoring", move || {
                worker.run(&flag);
                Ok(())
            });
        }
        Ok(engine)
    }

    /// Where it receives.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the stop flag is set or a thread ends, then ends all of them.
    pub(crate) fn wait(self) -> Result<(), TriageError> {
        while !self.stop.load(Ordering::Relaxed)
            && !self.threads.iter().any(|(_, thread)| thread.is_finished())
        {
            thread::sleep(GLANCE);
        }
        self.stop.store(true, Ordering::Relaxed);
        let mut outcome = Ok(());
        for (name, thread) in self.threads {
            match thread.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!("{name} ended: {error}");
                    outcome = Err(error);
                }
                Err(_) => {
                    outcome = Err(TriageError::Input(format!("{name} panicked; see the log")));
                }
            }
        }
        outcome
    }

    fn spawn(
        &mut self,
        name: &'static str,
        body: impl FnOnce() -> Result<(), TriageError> + Send + 'static,
    ) {
        self.threads.push((name, thread::spawn(body)));
    }
}

/// Makes the folders and takes the lock that one engine holds on them.
fn lay_out(settings: &Settings) -> Result<File, TriageError> {
    let layout = &settings.layout;
    let made = |path: &Path| {
        fs::create_dir_all(path).map_err(|source| TriageError::file("make", path, source))
    };
    for folder in [layout.root(), &layout.spool(), &layout.objects(), &layout.quarantine()] {
        made(folder)?;
    }
    let path = layout.engine_lock();
    let lock =
        File::create(&path).map_err(|source| TriageError::file("open", &path, source))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => {
            Err(TriageError::Running { path: layout.root().to_owned() })
        }
        Err(fs::TryLockError::Error(source)) => Err(TriageError::file("lock", &path, source)),
    }
}

fn receiver_settings(settings: &Settings) -> ReceiverSettings {
    let dicom = &settings.config.dicom;
    ReceiverSettings {
        listen: dicom.listen,
        ae_title: dicom.ae_title.clone(),
        allow_calling: dicom.allow_calling.clone(),
        max_associations: dicom.max_associations,
        max_object_bytes: dicom.max_object_mib << 20,
        silence: SILENCE,
        grace: GRACE,
        clock: clock::now,
    }
}
