//! The host's side of a worker process.

use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use ichor_core::Features;
use ichor_plugin::RefusedKind;

use crate::caller::{Call, Caller, Output, Woken};
use crate::channel::{Channel, Received};
use crate::description::Binding;
use crate::message::{FromWorker, Load, LoadUnit, Refusal, ToWorker};
use crate::pages::Room;
use crate::process::{PATIENCE, Process, WorkerCommand};
use crate::{
    Confinement, HostError, Installed, Scored, SharedVolume, UnitDescription, UnitKind,
    library, memory,
};

/// The least time that opening a plugin may take: models are read here.
const OPENING: Duration = Duration::from_secs(10);
/// How long a plugin that was asked to stop may take to do so.
const GRACE: Duration = Duration::from_secs(1);

/// A plugin, open in a process of its own.
///
/// After a crash or an overrun it is dead: every call fails, and a new one is spawned instead.
#[derive(Debug)]
pub struct Worker {
    installed: Installed,
    process: Process,
    channel: Channel,
    units: Vec<Result<UnitDescription, Refusal>>,
    bindings: Vec<Option<Binding>>,
    confinement: Confinement,
    /// None until its units are open.
    caller: Option<Caller>,
    /// The number of the volume that it has; 0: none.
    volume: u64,
}

impl Worker {
    /// Starts a process, hands it the library's checked bytes and waits until its units are open.
    pub fn spawn(installed: &Installed, command: &WorkerCommand) -> Result<Self, HostError> {
        let plugin = installed.id().to_owned();
        let library = installed.library()?;
        library::check(&library, &installed.manifest().plugin.file)
            .map_err(|why| HostError::Load { plugin: plugin.clone(), why })?;
        let load = load(installed)?;
        let start = |source| HostError::Start { plugin: plugin.clone(), source };
        let library = memory::sealed("ichor-plugin", &library).map_err(start)?;
        let (process, channel) = Process::start(installed, command).map_err(start)?;
        let mut worker = Self {
            installed: installed.clone(),
            process,
            channel,
            units: Vec::new(),
            bindings: Vec::new(),
            confinement: Confinement::None,
            caller: None,
            volume: 0,
        };
        if worker.channel.send(&ToWorker::Load(load).encode(), &[library.as_fd()]).is_err() {
            return Err(worker.died(&plugin));
        }
        let answer = worker.answer(&plugin, OPENING.max(worker.deadline()))?;
        worker.ready(answer)?;
        worker.caller = Some(Caller::open(worker.room(), &worker.channel).map_err(start)?);
        Ok(worker)
    }

    /// The plugin that it runs.
    pub fn installed(&self) -> &Installed {
        &self.installed
    }

    /// How much of the sandbox is in force.
    pub fn confinement(&self) -> Confinement {
        self.confinement
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether it can still be called.
    pub fn is_alive(&mut self) -> bool {
        self.process.is_alive()
    }

    /// What `unit` takes and gives; its own refusal when it could not be opened.
    pub fn describe(&self, unit: &str) -> Result<&UnitDescription, HostError> {
        let (_, description) = self.find(unit)?;
        Ok(description)
    }

    /// The features that the extractor `unit` finds in `shared`.
    ///
    /// `inputs` are bound by name. `progress` is asked every 50 ms; when it breaks the plugin is
    /// asked to stop, and ended when it does not.
    pub fn extract(
        &mut self,
        unit: &str,
        shared: &SharedVolume<'_>,
        inputs: &Features,
        progress: &mut dyn FnMut(f32) -> ControlFlow<()>,
    ) -> Result<Features, HostError> {
        let at = self.place(unit, UnitKind::Extractor)?;
        let name = self.name(unit);
        let inputs = self.bound(&name, at, inputs)?;
        if self.volume != shared.number {
            let SharedVolume { number, geometry, memory, .. } = shared;
            let message = ToWorker::Volume { number: *number, geometry: geometry.clone() };
            if self.channel.send(&message.encode(), &[memory.as_fd()]).is_err() {
                return Err(self.died(&name));
            }
            self.volume = *number;
        }
        let names = self.describe(unit)?.outputs.clone();
        let call = Call {
            unit: at as u32,
            volume: shared.number,
            inputs: &inputs,
            n_out: names.len(),
            n_contributions: 0,
        };
        let Output { out, .. } = self.run(&name, &call, progress)?;
        if let Some(at) = out.iter().position(|value| value.is_infinite()) {
            let feature = names[at].clone();
            return Err(HostError::NotFinite { unit: name, name: feature, value: out[at] });
        }
        Features::new(names, out).map_err(|source| HostError::Features { unit: name, source })
    }

    /// The risk that the scorer `unit` sees in `features`, bound by name.
    pub fn score(&mut self, unit: &str, features: &Features) -> Result<Scored, HostError> {
        let at = self.place(unit, UnitKind::Scorer)?;
        let name = self.name(unit);
        let inputs = self.bound(&name, at, features)?;
        let call = Call {
            unit: at as u32,
            volume: 0,
            inputs: &inputs,
            n_out: 1,
            n_contributions: inputs.len(),
        };
        let Output { out, contributions, base } = self.run(&name, &call, &mut go_on)?;
        let names = &self.describe(unit)?.inputs;
        Scored::checked(&name, names, &inputs, out[0], base, &contributions)
    }

    fn name(&self, unit: &str) -> String {
        format!("{}/{unit}", self.installed.id())
    }

    fn deadline(&self) -> Duration {
        Duration::from_millis(self.installed.manifest().plugin.limits.deadline_ms)
    }

    fn garbled(&mut self, what: String) -> HostError {
        self.process.end();
        HostError::Garbled { plugin: self.installed.id().to_owned(), what }
    }

    fn find(&self, unit: &str) -> Result<(usize, &UnitDescription), HostError> {
        self.installed.unit(unit)?;
        let entries = &self.installed.manifest().units;
        let at = entries.iter().position(|entry| entry.id == unit).unwrap_or_default();
        match self.units.get(at) {
            Some(Ok(description)) => Ok((at, description)),
            Some(Err(refusal)) => Err(refused(self.name(unit), refusal.clone())),
            None => Err(HostError::Unknown { id: self.name(unit), known: "none".to_owned() }),
        }
    }

    fn place(&self, unit: &str, kind: UnitKind) -> Result<usize, HostError> {
        let (at, description) = self.find(unit)?;
        if description.kind != kind {
            return Err(HostError::WrongKind { id: self.name(unit), wanted: kind.word() });
        }
        Ok(at)
    }

    /// The inputs of the unit at `at`, NaN where `features` has none.
    fn bound(
        &mut self,
        unit: &str,
        at: usize,
        features: &Features,
    ) -> Result<Vec<f64>, HostError> {
        let Some(Ok(description)) = self.units.get(at) else { return Ok(Vec::new()) };
        let binding = match self.bindings[at].take().filter(|known| known.fits(features)) {
            Some(known) => known,
            None => Binding::new(&description.inputs, features),
        };
        let values = binding.values(features);
        self.bindings[at] = Some(binding);
        if let Some(at) = values.iter().position(|value| value.is_infinite()) {
            let name = description.inputs[at].clone();
            return Err(HostError::Input { unit: unit.to_owned(), name, value: values[at] });
        }
        Ok(values)
    }

    /// Takes the answer to `Load`.
    fn ready(&mut self, answer: FromWorker) -> Result<(), HostError> {
        let plugin = self.installed.id().to_owned();
        let entries = self.installed.manifest().units.clone();
        let (confined, units) = match answer {
            FromWorker::Ready { confined, units } if units.len() == entries.len() => {
                (confined, units)
            }
            FromWorker::Failed(why) => return Err(HostError::Load { plugin, why }),
            FromWorker::Ready { .. } => {
                return Err(self.garbled("a list of other units".to_owned()));
            }
        };
        self.confinement = Confinement::from_code(confined);
        for (entry, unit) in entries.iter().zip(units) {
            let described = match unit {
                Ok(opened) => Ok(UnitDescription::checked(entry.kind, opened)
                    .map_err(|why| HostError::Load { plugin: plugin.clone(), why })?),
                Err(refusal) => Err(refusal),
            };
            self.units.push(described);
            self.bindings.push(None);
        }
        Ok(())
    }

    /// Room for the largest of its units.
    fn room(&self) -> Room {
        let units = || self.units.iter().flatten();
        Room {
            inputs: units().map(|unit| unit.inputs.len()).max().unwrap_or(0) as u32,
            outputs: units().map(|unit| unit.outputs.len()).max().unwrap_or(0).max(1) as u32,
        }
    }

    /// Makes a call and waits for its results, passing on progress.
    fn run(
        &mut self,
        name: &str,
        call: &Call<'_>,
        progress: &mut dyn FnMut(f32) -> ControlFlow<()>,
    ) -> Result<Output, HostError> {
        let Some(caller) = self.caller.as_mut() else {
            return Err(self.died(name));
        };
        let failed = |error: std::io::Error| HostError::Garbled {
            plugin: name.to_owned(),
            what: error.to_string(),
        };
        caller.start(call).map_err(failed)?;
        let mut end = Instant::now()
            + Duration::from_millis(self.installed.manifest().plugin.limits.deadline_ms);
        let mut cancelled = false;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match caller.wait(call, PATIENCE.min(left)).map_err(failed)? {
                Woken::Answered(answer) => {
                    return answer.map_err(|refusal| refused(name.to_owned(), refusal));
                }
                Woken::End => return Err(self.died(name)),
                Woken::Nothing => {}
            }
            if Instant::now() >= end {
                self.process.end();
                return Err(if cancelled {
                    HostError::Cancelled { unit: name.to_owned() }
                } else {
                    late(name, self.deadline())
                });
            }
            if !cancelled && progress(caller.share()).is_break() {
                cancelled = true;
                end = end.min(Instant::now() + GRACE);
                caller.cancel();
            }
        }
    }

    /// Waits for the answer to `Load`.
    fn answer(&mut self, name: &str, deadline: Duration) -> Result<FromWorker, HostError> {
        let end = Instant::now() + deadline;
        loop {
            match self.channel.receive(Some(end)) {
                Ok(Received::Message(bytes)) => {
                    let answer = FromWorker::decode(&bytes);
                    return answer.map_err(|_| self.garbled("what is no message".to_owned()));
                }
                Ok(Received::Nothing) if Instant::now() < end => {}
                Ok(Received::Nothing) => {
                    self.process.end();
                    return Err(late(name, deadline));
                }
                Ok(Received::End) => return Err(self.died(name)),
                Err(e) => return Err(self.garbled(e.to_string())),
            }
        }
    }

    fn died(&mut self, name: &str) -> HostError {
        let how = self.process.how_it_ended();
        let limit = self.installed.manifest().plugin.limits.memory_mib;
        let memory_mib = how.starts_with("signal").then_some(limit);
        HostError::Died { unit: name.to_owned(), how, memory_mib }
    }
}

fn late(name: &str, deadline: Duration) -> HostError {
    let deadline_ms = deadline.as_millis() as u64;
    HostError::Deadline { unit: name.to_owned(), deadline_ms }
}

/// A progress function for calls that nobody cancels.
fn go_on(_: f32) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn refused(unit: String, refusal: Refusal) -> HostError {
    match RefusedKind::from_status(refusal.status) {
        RefusedKind::Cancelled => HostError::Cancelled { unit },
        kind => HostError::Refused { unit, kind, text: refusal.text },
    }
}

/// What the worker is told to open, from files that were checked again just now.
fn load(installed: &Installed) -> Result<Load, HostError> {
    let manifest = installed.manifest();
    let mut units = Vec::new();
    for unit in &manifest.units {
        for file in &unit.files {
            installed.bytes(file)?;
        }
        let config = unit.config.as_deref().map(|file| installed.bytes(file)).transpose()?;
        units.push(LoadUnit {
            id: unit.id.clone(),
            kind: unit.kind.code(),
            config: String::from_utf8_lossy(&config.unwrap_or_default()).into_owned(),
        });
    }
    let folder = std::path::absolute(installed.folder())
        .map_err(HostError::file("find", installed.folder()))?;
    Ok(Load {
        id: manifest.plugin.id.clone(),
        version: manifest.plugin.version.clone(),
        file: manifest.plugin.file.clone(),
        folder: folder.to_string_lossy().into_owned(),
        memory_mib: manifest.plugin.limits.memory_mib,
        units,
    })
}
