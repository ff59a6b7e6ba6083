//! `doctor`: everything an engine needs, looked at one by one.

use std::net::TcpListener;

use clap::Args;
use ichor_net::{Network, Path};
use ichor_store::Store;
use serde_json::json;

use super::score::print;
use crate::scorers::{Scorers, never_words};
use crate::{Settings, TriageError, clock};

/// Check configuration, weights, plugins, profiles, database and port.
///
/// Exit code 1 when something that the engine needs is missing.
#[derive(Args)]
pub(crate) struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What scorers will always miss: worth a warning, and no reason not to start.
const INPUTS: &str = "inputs";

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    found: Result<String, String>,
}

impl Finding {
    /// `ok`, `warn`, `FAIL`.
    fn word(&self) -> &'static str {
        match (&self.found, self.what) {
            (Err(_), _) => "FAIL",
            (Ok(_), INPUTS) => "warn",
            (Ok(_), _) => "ok",
        }
    }
}

impl Doctor {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let findings = examine(settings);
        let n_failed = findings.iter().filter(|finding| finding.found.is_err()).count();
        if self.json {
            let rows: Vec<_> = findings
                .iter()
                .map(|finding| {
                    let (ok, detail) = match &finding.found {
                        Ok(text) => (true, text),
                        Err(text) => (false, text),
                    };
                    let warning = finding.word() == "warn";
                    json!({ "what": finding.what, "ok": ok, "warning": warning, "detail": detail })
                })
                .collect();
            print(&format!("{:#}", serde_json::Value::Array(rows)))?;
        } else {
            for finding in &findings {
                let (Ok(text) | Err(text)) = &finding.found;
                print(&format!("{:<5} {:<10} {text}", finding.word(), finding.what))?;
            }
        }
        if n_failed > 0 {
            return Err(TriageError::Input(format!(
                "{n_failed} of {} checks failed",
                findings.len()
            )));
        }
        Ok(())
    }
}

fn examine(settings: &Settings) -> Vec<Finding> {
    let file = settings.file.as_ref().map_or_else(
        || "no file, the defaults are in force".to_owned(),
        |path| path.display().to_string(),
    );
    let mut findings = vec![Finding { what: "config", found: Ok(file) }];
    findings.push(Finding { what: "data", found: data(settings) });
    findings.push(Finding { what: "engine", found: engine(settings) });
    let network = settings.network().map_err(|error| error.to_string());
    let cnn = crate::cnn::said(settings).map_err(|error| error.to_string());
    // With the networks in their places, it knows what they take of each GPU.
    findings.extend(gpu(settings));
    findings.push(Finding {
        what: "path",
        found: network.as_ref().map(|n| path(settings, n)).map_err(Clone::clone),
    });
    let network = network.map(|network| {
        let hash = &network.sha256()[..12];
        format!("{} {hash}; {}", network.name(), network.licence())
    });
    findings.push(Finding { what: "network", found: network });
    findings.push(Finding { what: "cnn", found: cnn });
    match Scorers::open(settings) {
        Err(error) => findings.push(Finding { what: "plugins", found: Err(error.to_string()) }),
        Ok(mut scorers) => {
            for unit in scorers.units().cloned().collect::<Vec<_>>() {
                let found = scorers
                    .describe_unit(&unit)
                    .map(|(inputs, outputs)| {
                        format!("{unit}: {inputs} inputs, {outputs} outputs")
                    })
                    .map_err(|error| format!("{unit}: {error}"));
                findings.push(Finding { what: "plugin", found });
            }
            findings.extend(scorers.never_given().into_iter().map(|(unit, names)| {
                let found = Ok(never_words(&unit, &names));
                Finding { what: INPUTS, found }
            }));
            for unit in scorers.scoring().cloned().collect::<Vec<_>>() {
                let found =
                    profile(settings, &scorers, &unit).map_err(|error| error.to_string());
                findings.push(Finding { what: "profile", found });
            }
        }
    }
    findings
}

/// What computes the network, who chose it, and what else this CPU could take.
fn path(settings: &Settings, network: &Network) -> String {
    let here: Vec<&str> =
        Path::ALL.into_iter().filter(|path| path.is_available()).map(Path::name).collect();
    let by = settings.instructions.chosen_by();
    format!("{}, {by}; this CPU has {}", network.device(), here.join(", "))
}

/// Driver, devices and library, or why there are none; that is a failure where they were named.
fn gpu(settings: &Settings) -> Option<Finding> {
    if !settings.gpus.wanted() {
        return None;
    }
    let found = match settings.gpus.said() {
        Err(why) if !settings.gpus.named() => Ok(format!("not used: {why}")),
        said => said,
    };
    Some(Finding { what: "gpu", found })
}

fn data(settings: &Settings) -> Result<String, String> {
    let root = settings.layout.root();
    let meta = std::fs::metadata(root).map_err(|error| {
        format!("{}: {error}; make it and give it to the engine's user", root.display())
    })?;
    if meta.permissions().readonly() {
        return Err(format!("{} is read-only", root.display()));
    }
    let database = settings.layout.database();
    if !database.is_file() {
        return Ok(format!("{}, no database yet", root.display()));
    }
    let store = Store::open_existing(&database).map_err(|error| error.to_string())?;
    let counts = store.counts().map_err(|error| error.to_string())?;
    Ok(format!(
        "{}: {} done, {} waiting, {} failed, {} in quarantine",
        root.display(),
        counts.done,
        counts.receiving + counts.queued + counts.scoring,
        counts.failed,
        counts.quarantined
    ))
}

fn engine(settings: &Settings) -> Result<String, String> {
    let alive = Store::open_existing(&settings.layout.database())
        .and_then(|store| store.engine_status())
        .ok()
        .flatten()
        .filter(|status| clock::now().seconds_since(status.beat) < 20.0);
    if let Some(status) = alive {
        let listen = status.listen.unwrap_or_default();
        return Ok(format!("running as process {}, listening on {listen}", status.pid));
    }
    let listen = settings.config.dicom.listen;
    TcpListener::bind(listen)
        .map(|_| format!("not running; {listen} is free"))
        .map_err(|error| format!("not running, and {listen} cannot be used: {error}"))
}

fn profile(
    settings: &Settings,
    scorers: &Scorers,
    unit: &ichor_core::UnitId,
) -> Result<String, TriageError> {
    let chosen = Store::open_existing(&settings.layout.database())
        .ok()
        .and_then(|store| store.active_profile(unit).ok().flatten())
        .unwrap_or_else(|| settings.config.score.profile.clone());
    let profile = scorers.profile(unit, &chosen)?;
    Ok(format!(
        "{unit}: {} at {:.3}, {}",
        profile.name,
        profile.threshold.probability(),
        profile.tuned_on
    ))
}
