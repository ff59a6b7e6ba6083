//! The workers of one engine thread: one for each plugin, started when it is needed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::path::Path;

use ichor_core::{Features, UnitId};

use crate::blocked::Blocked;
use crate::install::replaced;
use crate::installed::listed;
use crate::{
    HostError, Installed, Scored, SharedVolume, UnitDescription, Worker, WorkerCommand,
};

/// Workers by plugin id.
///
/// A dead worker is replaced at its plugin's next call. A call that failed is not repeated here:
/// whether it is worth that, the caller knows.
#[derive(Debug)]
pub struct Workers {
    command: WorkerCommand,
    installed: BTreeMap<String, Installed>,
    live: BTreeMap<String, Worker>,
    blocked: Blocked,
}

impl Workers {
    /// Runs the plugins in `installed` by `command`; starts nothing yet. `site` is the folder of the
    /// site's own plugins, beside which those that crash again and again are listed.
    pub fn new(command: WorkerCommand, installed: Vec<Installed>, site: &Path) -> Self {
        let by_id = |plugin: Installed| (plugin.id().to_owned(), plugin);
        let installed = installed.into_iter().map(by_id).collect();
        Self { command, installed, live: BTreeMap::new(), blocked: Blocked::beside(site) }
    }

    /// Every plugin, in the order of their ids.
    pub fn all(&self) -> impl Iterator<Item = &Installed> {
        self.installed.values()
    }

    /// The plugin that has `unit`.
    pub fn installed(&self, unit: &UnitId) -> Result<&Installed, HostError> {
        let plugin = self.installed.get(&unit.plugin).ok_or_else(|| HostError::Unknown {
            id: unit.plugin.clone(),
            known: listed(self.installed.keys()),
        })?;
        plugin.unit(&unit.unit)?;
        Ok(plugin)
    }

    /// See [`Worker::describe`].
    pub fn describe(&mut self, unit: &UnitId) -> Result<UnitDescription, HostError> {
        self.worker(unit)?.describe(&unit.unit).cloned()
    }

    /// See [`Worker::extract`].
    pub fn extract(
        &mut self,
        unit: &UnitId,
        shared: &SharedVolume<'_>,
        inputs: &Features,
        progress: &mut dyn FnMut(f32) -> ControlFlow<()>,
    ) -> Result<Features, HostError> {
        let answer = self
            .worker(unit)
            .and_then(|worker| worker.extract(&unit.unit, shared, inputs, progress));
        self.noted(unit, answer, |input| shared.hash(input))
    }

    /// See [`Worker::score`].
    pub fn score(&mut self, unit: &UnitId, features: &Features) -> Result<Scored, HostError> {
        let answer = self.worker(unit).and_then(|worker| worker.score(&unit.unit, features));
        self.noted(unit, answer, |input| {
            features.values().iter().for_each(|value| value.to_bits().hash(input));
        })
    }

    /// Takes note of `answer`; `input` hashes what was asked, which only a crash asks for.
    fn noted<T>(
        &mut self,
        unit: &UnitId,
        answer: Result<T, HostError>,
        input: impl FnOnce(&mut DefaultHasher),
    ) -> Result<T, HostError> {
        if let Some(installed) = self.installed.get(&unit.plugin) {
            let mut hasher = DefaultHasher::new();
            if matches!(answer, Err(HostError::Died { .. })) {
                input(&mut hasher);
            }
            self.blocked.note(installed.sha256(), hasher.finish(), &answer);
        }
        answer
    }

    /// The live worker of the plugin that has `unit`; started when there is none.
    pub fn worker(&mut self, unit: &UnitId) -> Result<&mut Worker, HostError> {
        self.installed(unit)?;
        let Self { command, installed, live, blocked } = self;
        if live.get_mut(&unit.plugin).is_some_and(|worker| !worker.is_alive()) {
            live.remove(&unit.plugin);
        }
        match live.entry(unit.plugin.clone()) {
            Entry::Occupied(live) => Ok(live.into_mut()),
            Entry::Vacant(place) => {
                let plugin = &installed[&unit.plugin];
                blocked.check(plugin.id(), plugin.sha256())?;
                let spawned = Worker::spawn(plugin, command).or_else(|error| {
                    // A newer version was put in its place, with which nobody goes on yet.
                    let old = replaced(plugin).ok_or(error)?;
                    Worker::spawn(&old, command)
                });
                Ok(place.insert(spawned?))
            }
        }
    }
}
