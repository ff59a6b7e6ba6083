//! A worker: leases a study, scores it, writes the outcome.
//!
//! No study can stop the queue: an error or a panic costs this attempt, and after the last
//! attempt the study stands in the worklist as failed, with the reason.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ichor_core::UnitId;
use ichor_store::{Job, Store, StoreError};

use crate::pipeline::{Done, Pipeline, Step};
use crate::scorers::Scorers;
use crate::{Settings, TriageError, clock, pictures};

/// A worker that does not show a beat for this long has lost its study.
const LEASE_S: f64 = 60.0;
/// A beat is shown this often.
const BEAT_S: f64 = 5.0;
/// How often an idle worker looks for work.
const IDLE: Duration = Duration::from_millis(200);

/// Opens a pipeline and checks that the active scorer, the first, can be judged.
pub(super) fn open(settings: &Settings, store: &Store) -> Result<Pipeline, TriageError> {
    let pipeline = Pipeline::open(settings)?;
    can_judge(pipeline.scorers(), settings, store)?;
    Ok(pipeline)
}

/// Fails when the active scorer has no profile that holds; one in the shadow is only warned of.
fn can_judge(scorers: &Scorers, settings: &Settings, store: &Store) -> Result<(), TriageError> {
    for (index, scorer) in scorers.scoring().enumerate() {
        let name = active_profile(store, scorer, &settings.config.score.profile)?;
        match scorers.profile(scorer, &name) {
            Err(error) if index > 0 => tracing::warn!("scorer in the shadow: {error}"),
            checked => drop(checked?),
        }
    }
    Ok(())
}

/// The profile that staff chose for `scorer`, else the configuration's.
pub(super) fn active_profile(
    store: &Store,
    scorer: &UnitId,
    otherwise: &str,
) -> Result<String, TriageError> {
    Ok(store.active_profile(scorer)?.unwrap_or_else(|| otherwise.to_owned()))
}

/// One scoring thread.
pub(super) struct Worker {
    store: Store,
    pipeline: Pipeline,
    settings: Settings,
    owner: String,
    /// What was last said to compute the network.
    device: String,
    /// Whether it was said that plugins on disk cannot be moved to.
    warned: bool,
}

impl Worker {
    pub(super) fn open(
        settings: &Settings,
        pipeline: Pipeline,
        index: usize,
    ) -> Result<Self, TriageError> {
        let device = pipeline.device();
        tracing::info!("scoring thread {index}: the network runs on {device}");
        Ok(Self {
            device,
            store: Store::open(&settings.layout.database())?,
            pipeline,
            settings: settings.clone(),
            owner: format!("{}-{index}", std::process::id()),
            warned: false,
        })
    }

    /// Works until `stop`; a study in hand is then given back.
    pub(super) fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            match self.store.lease(&self.owner, clock::now(), LEASE_S) {
                Ok(Some(job)) => {
                    self.move_over();
                    self.attempt(&job, stop);
                }
                Ok(None) => std::thread::sleep(IDLE),
                Err(error) => {
                    tracing::error!("the queue: {error}");
                    std::thread::sleep(IDLE * 5);
                }
            }
        }
    }

    /// Goes on with the plugins as they are installed by now, where they differ and can be judged.
    fn move_over(&mut self) {
        if self.pipeline.scorers().are_current(&self.settings) {
            self.warned = false;
            return;
        }
        let opened = Scorers::open(&self.settings).and_then(|scorers| {
            can_judge(&scorers, &self.settings, &self.store)?;
            Ok(scorers)
        });
        match opened {
            Ok(scorers) => {
                tracing::info!("plugins were installed: going on with them");
                self.pipeline.move_to(scorers);
                self.pipeline.warn_of_inputs_never_given();
                self.warned = false;
            }
            Err(error) if !self.warned => {
                tracing::error!(
                    "plugins were installed that cannot be used, going on with those before: {error}"
                );
                self.warned = true;
            }
            Err(_) => {}
        }
    }

    /// One attempt at one study, with its end written to the store whatever it is.
    fn attempt(&mut self, job: &Job, stop: &AtomicBool) {
        let scored = catch_unwind(AssertUnwindSafe(|| self.score(job, stop)));
        let device = self.pipeline.device();
        if device != self.device {
            tracing::warn!("study {}: the network ran on {device}", job.study);
            self.device = device;
        }
        let outcome = match scored {
            Ok(Ok(done)) => self.keep(job, &done),
            Ok(Err(error)) => Err(error),
            Err(panic) => {
                Err(TriageError::Input(format!("scoring panicked: {}", words(&*panic))))
            }
        };
        let written = match outcome {
            Ok(()) => Ok(()),
            Err(TriageError::Store(StoreError::LeaseLost { .. })) => {
                tracing::warn!("study {}: another worker has it by now", job.study);
                Ok(())
            }
            Err(TriageError::Stopped) if stop.load(Ordering::Relaxed) => {
                self.store.give_back(job, &self.owner, clock::now()).map_err(TriageError::from)
            }
            Err(error) => {
                tracing::warn!("study {} attempt {}: {error}", job.study, job.attempt);
                let (now, most) = (clock::now(), self.settings.config.engine.max_attempts);
                self.store
                    .fail(job, &self.owner, &error.to_string(), now, most)
                    .map(drop)
                    .map_err(TriageError::from)
            }
        };
        if let Err(error) = written {
            // The lease runs out and the study is leased again.
            tracing::error!("study {}: its end could not be written: {error}", job.study);
        }
    }

    fn score(&mut self, job: &Job, stop: &AtomicBool) -> Result<Done, TriageError> {
        if job.attempt > self.settings.config.engine.max_attempts {
            let words = "the engine ended each time while it scored this study".to_owned();
            return Err(TriageError::Input(words));
        }
        let files: Vec<PathBuf> = job
            .objects
            .iter()
            .map(|(_, path)| self.settings.layout.root().join(path))
            .collect();
        let entered = self.store.clinical(job.study)?;
        let Self { store, pipeline, owner, settings, .. } = self;
        let profile = &settings.config.score.profile;
        // Read before the work, so that the store is free for the beats.
        let mut chosen: Vec<(UnitId, String)> = Vec::new();
        for unit in pipeline.scorers().scoring() {
            chosen.push((unit.clone(), active_profile(store, unit, profile)?));
        }
        let profile_of = |unit: &UnitId| {
            let found = chosen.iter().find(|(known, _)| known == unit);
            Ok(found.map_or_else(|| profile.clone(), |(_, name)| name.clone()))
        };
        let mut beaten = clock::now();
        let mut watch = |_: Step| {
            let now = clock::now();
            if stop.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            if now.seconds_since(beaten) >= BEAT_S {
                beaten = now;
                // A failed beat is no reason to stop: the next one may get through.
                if matches!(store.heartbeat(job, owner, now, LEASE_S), Ok(false)) {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        };
        pipeline.score(&files, entered, &profile_of, &mut watch)
    }

    /// Pictures first, then the verdict with the end of the job in one transaction.
    fn keep(&mut self, job: &Job, done: &Done) -> Result<(), TriageError> {
        for warning in &done.seen.warnings {
            tracing::warn!("study {}: {warning}", job.study);
        }
        if let Some(volume) = &done.seen.volume {
            let folder = self.settings.layout.artefacts(&job.study_uid, job.revision);
            pictures::write(volume, done.seen.mask.as_ref(), &folder)?;
        }
        Ok(self.store.finish(job, &self.owner, &done.outcome, clock::now())?)
    }
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
