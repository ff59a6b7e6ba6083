//! The workers of one engine thread: one for each plugin, started when it is needed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;

use ichor_core::{Features, Mask, UnitId, Volume};

use crate::installed::listed;
use crate::{HostError, Installed, Scored, UnitDescription, Worker, WorkerCommand};

/// Workers by plugin id.
///
/// A dead worker is replaced at its plugin's next call. A call that failed is not repeated here:
/// whether it is worth that, the caller knows.
#[derive(Debug)]
pub struct Workers {
    command: WorkerCommand,
    installed: BTreeMap<String, Installed>,
    live: BTreeMap<String, Worker>,
}

impl Workers {
    /// Runs the plugins in `installed` by `command`; starts nothing yet.
    pub fn new(command: WorkerCommand, installed: Vec<Installed>) -> Self {
        let by_id = |plugin: Installed| (plugin.id().to_owned(), plugin);
        let installed = installed.into_iter().map(by_id).collect();
        Self { command, installed, live: BTreeMap::new() }
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
        volume: &Volume,
        mask: &Mask,
        inputs: &Features,
        progress: &mut dyn FnMut(f32) -> ControlFlow<()>,
    ) -> Result<Features, HostError> {
        self.worker(unit)?.extract(&unit.unit, volume, mask, inputs, progress)
    }

    /// See [`Worker::score`].
    pub fn score(&mut self, unit: &UnitId, features: &Features) -> Result<Scored, HostError> {
        self.worker(unit)?.score(&unit.unit, features)
    }

    /// The live worker of the plugin that has `unit`; started when there is none.
    pub fn worker(&mut self, unit: &UnitId) -> Result<&mut Worker, HostError> {
        self.installed(unit)?;
        let Self { command, installed, live } = self;
        if live.get_mut(&unit.plugin).is_some_and(|worker| !worker.is_alive()) {
            live.remove(&unit.plugin);
        }
        match live.entry(unit.plugin.clone()) {
            Entry::Occupied(live) => Ok(live.into_mut()),
            Entry::Vacant(place) => {
                Ok(place.insert(Worker::spawn(&installed[&unit.plugin], command)?))
            }
        }
    }
}
