//! `plugin check FOLDER`: what a plugin must keep to, tried out in its worker.
//!
//! A refusal in the plugin's words is an answer. A crash, an overrun, a number that is not finite
//! or contributions that do not add up are not.

mod extractor;
mod scorer;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ichor_host::{HostError, Installed, UnitDescription, UnitKind, Worker, WorkerCommand};
use serde_json::json;

use super::aside;
use crate::command::score::print;
use crate::{Settings, TriageError};

/// Calls of a unit that may not make its worker grow.
const CALLS: usize = 10_000;
/// Longest that these calls may take; slow units make fewer.
const PATIENCE: Duration = Duration::from_secs(20);
/// By how much a worker may grow over all of its calls.
const GROWTH_KIB: u64 = 1024;

/// One thing that was tried: that it holds, with what was seen, or why not.
struct Tried {
    unit: String,
    what: &'static str,
    seen: Result<String, String>,
}

/// Installs the plugin of `source` into a folder of its own, tries it out, and reports.
pub(super) fn run(
    settings: &Settings,
    source: &Path,
    library: Option<&PathBuf>,
    as_json: bool,
) -> Result<(), TriageError> {
    let checked = aside(settings, source, library, |installed| {
        Bench { installed, command: settings.worker_command() }.try_all()
    });
    report(&checked?, as_json)
}

fn report(tried: &[Tried], as_json: bool) -> Result<(), TriageError> {
    let failed = tried.iter().filter(|tried| tried.seen.is_err()).count();
    if as_json {
        let rows: Vec<_> = tried
            .iter()
            .map(|tried| {
                let (Ok(seen) | Err(seen)) = &tried.seen;
                json!({ "unit": tried.unit, "what": tried.what, "holds": tried.seen.is_ok(), "seen": seen })
            })
            .collect();
        print(&format!("{:#}", serde_json::Value::Array(rows)))?;
    } else {
        for Tried { unit, what, seen } in tried {
            let (word, seen) = match seen {
                Ok(seen) => ("ok", seen),
                Err(why) => ("FAILED", why),
            };
            print(&format!("{word:<7} {unit}  {what}: {seen}"))?;
        }
    }
    if failed > 0 {
        return Err(TriageError::Input(format!("{failed} of {} do not hold", tried.len())));
    }
    Ok(())
}

/// A plugin on the bench.
struct Bench {
    installed: Installed,
    command: WorkerCommand,
}

impl Bench {
    fn try_all(&self) -> Result<Vec<Tried>, TriageError> {
        let began = Instant::now();
        let worker = self.spawn()?;
        let plugin = self.installed.id();
        let mut all = vec![Tried {
            unit: plugin.to_owned(),
            what: "starts",
            seen: Ok(format!(
                "{:.1} ms, confinement {:?}",
                began.elapsed().as_secs_f64() * 1000.0,
                worker.confinement()
            )),
        }];
        for entry in &self.installed.manifest().units {
            let unit = format!("{plugin}/{}", entry.id);
            let mut add = |what, seen| all.push(Tried { unit: unit.clone(), what, seen });
            match worker.describe(&entry.id).cloned() {
                Err(error) => add("opens", Err(error.to_string())),
                Ok(description) => {
                    add("opens", Ok(told(&description)));
                    match entry.kind {
                        UnitKind::Scorer => scorer::try_all(self, &entry.id, &mut add)?,
                        UnitKind::Extractor => extractor::try_all(self, &entry.id, &mut add)?,
                    }
                }
            }
        }
        Ok(all)
    }

    fn spawn(&self) -> Result<Worker, TriageError> {
        Ok(Worker::spawn(&self.installed, &self.command)?)
    }

    /// Calls again and again: time of one, threads and memory that stay behind.
    fn many(
        &self,
        add: &mut dyn FnMut(&'static str, Result<String, String>),
        mut call: impl FnMut(&mut Worker) -> Result<(), HostError>,
    ) -> Result<(), TriageError> {
        let mut worker = self.spawn()?;
        // What is allocated once, at the first calls, is no leak.
        for _ in 0..10 {
            if let Err(error) = call(&mut worker) {
                add("calls", Err(error.to_string()));
                return Ok(());
            }
        }
        let (before, began) = (Standing::of(&worker), Instant::now());
        let mut times: Vec<f64> = Vec::new();
        while times.len() < CALLS && began.elapsed() < PATIENCE {
            let at = Instant::now();
            if let Err(error) = call(&mut worker) {
                add("calls", Err(format!("call {}: {error}", times.len())));
                return Ok(());
            }
            times.push(at.elapsed().as_secs_f64());
        }
        let (after, n) = (Standing::of(&worker), times.len());
        times.sort_by(f64::total_cmp);
        let us = |at: usize| format!("{:.0} us", times[at.min(n - 1)] * 1e6);
        add("time", Ok(format!("median {}, slowest of 100 {}", us(n / 2), us(n * 99 / 100))));
        let (Some(before), Some(after)) = (before, after) else { return Ok(()) };
        let grown = after.kib.saturating_sub(before.kib);
        let seen = format!("{grown} KiB more after {n} calls");
        add("memory", if grown <= GROWTH_KIB { Ok(seen) } else { Err(seen) });
        let seen = format!("{} after the calls, {} before", after.threads, before.threads);
        add("threads", if after.threads <= before.threads { Ok(seen) } else { Err(seen) });
        Ok(())
    }
}

fn told(unit: &UnitDescription) -> String {
    match unit.kind {
        UnitKind::Scorer => format!("{} inputs", unit.inputs.len()),
        UnitKind::Extractor => {
            format!("{} inputs, {} features", unit.inputs.len(), unit.outputs.len())
        }
    }
}

/// What a worker's process holds.
struct Standing {
    kib: u64,
    threads: u64,
}

impl Standing {
    /// None where the system does not tell.
    fn of(worker: &Worker) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{}/status", worker.pid())).ok()?;
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Self { kib: number("RssAnon:")?, threads: number("Threads:")? })
    }
}

/// An answer in words: what a call gave, or the plugin's own refusal.
///
/// `Err` is what no plugin may do.
fn answered<T>(
    answer: &Result<T, HostError>,
    say: impl Fn(&T) -> String,
) -> Result<String, String> {
    match answer {
        Ok(value) => Ok(say(value)),
        Err(HostError::Refused { text, .. }) => Ok(format!("refused: {text}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether `others`, one of them from another process, say what `first` says.
fn compared<T: PartialEq>(
    deterministic: bool,
    first: &Result<T, HostError>,
    others: &[Result<T, HostError>],
) -> Result<String, String> {
    let alike = |other: &Result<T, HostError>| match (first, other) {
        (Ok(a), Ok(b)) => a == b,
        (Err(a), Err(b)) => a.to_string() == b.to_string(),
        _ => false,
    };
    match (first, others.iter().all(alike), deterministic) {
        (Err(error), ..) if !matches!(error, HostError::Refused { .. }) => {
            Err("not tried: the call got no answer".to_owned())
        }
        (Ok(_), true, _) => Ok("twice, and in another process".to_owned()),
        (Err(_), true, _) => Ok("refused alike; no risk to compare".to_owned()),
        (_, false, false) => Ok("not promised, and not so".to_owned()),
        (_, false, true) => Err("promised, and not so".to_owned()),
    }
}
