//! What a scored study looks like to a person and to a script.

use ichor_core::{ClinicalName, Provenance, Push, input_value, input_words};
use ichor_store::{ScorerResult, VerdictKind};
use serde_json::{Value, json};

use crate::pipeline::Done;
use crate::scorers::some_of;

/// Characters of a push's bar.
const BAR: usize = 10;

/// For scripts: the active verdict at the top, shadows beside it.
pub(crate) fn json(done: &Done) -> Value {
    let (active, shadow): (Vec<_>, Vec<_>) =
        done.outcome.results.iter().partition(|result| !result.shadow);
    let dim = done.seen.volume.as_ref().map(|volume| {
        let (z, y, x) = volume.dim();
        json!({ "slices": z, "rows": y, "columns": x, "tilt_degrees": volume.grid().tilt_degrees() })
    });
    json!({
        "verdict": active.first().map(|result| one(result)),
        "shadow": shadow.iter().map(|result| one(result)).collect::<Vec<_>>(),
        "shadow_failures": done.outcome.failures.iter().map(|(scorer, why)| {
            json!({ "scorer": scorer, "why": why })
        }).collect::<Vec<_>>(),
        "volume_ml": done.outcome.volume,
        "motion": done.outcome.motion,
        "series_uid": done.seen.provenance.series_uid,
        "series_why": done.seen.provenance.series_why,
        "image": dim,
        "warnings": done.seen.warnings,
        "research_use_only": true,
    })
}

fn one(result: &ScorerResult) -> Value {
    json!({
        "kind": result.kind,
        "withheld": result.withheld,
        "reason": result.withheld.as_ref().map(ToString::to_string),
        "risk": result.risk,
        "threshold": result.threshold,
        "contributions": result.contributions,
        "provenance": result.provenance,
    })
}

/// For people: a few lines, the verdict first.
pub(crate) fn text(done: &Done) -> String {
    let mut lines = Vec::new();
    for result in &done.outcome.results {
        let who =
            result.provenance.scorer.as_ref().map(ToString::to_string).unwrap_or_default();
        let shadow = if result.shadow { " (in the shadow)" } else { "" };
        let line = match (&result.withheld, result.risk, result.threshold) {
            (Some(why), ..) => format!("withheld: {why}"),
            (None, Some(risk), Some(threshold)) => format!(
                "{}: risk {:.1} % against a threshold of {:.1} %, by {who}{shadow}",
                word(result.kind),
                risk.probability() * 100.0,
                threshold.probability() * 100.0
            ),
            _ => format!("{}, by {who}{shadow}", word(result.kind)),
        };
        lines.push(line);
    }
    if let Some(active) = done.outcome.results.iter().find(|result| !result.shadow) {
        let pushes = Push::of(&active.contributions, BAR);
        if !pushes.is_empty() {
            lines.push("what pushed the risk (log-odds):".to_owned());
        }
        lines.extend(pushes.iter().map(ToString::to_string));
        let asked = clinical(&active.provenance);
        if !asked.is_empty() {
            lines.push(format!("clinical: {}", asked.join("; ")));
        }
        let others = active.contributions.iter().filter(|push| {
            push.value.is_none() && ClinicalName::of_input(&push.name).is_none()
        });
        let missing: Vec<String> = others.map(|push| input_words(&push.name)).collect();
        if !missing.is_empty() {
            lines.push(format!("missing: {}", some_of(&missing)));
        }
    }
    for (scorer, why) in &done.outcome.failures {
        lines.push(format!("{scorer} in the shadow failed: {why}"));
    }
    if let Some(volume) = done.outcome.volume {
        lines.push(format!("hematoma {:.1} ml", volume.ml()));
    }
    if let Some(motion) = done.outcome.motion {
        lines.push(format!("motion index {:.2}", motion.share()));
    }
    lines.push(format!("series: {}", done.seen.provenance.series_why));
    lines.extend(done.seen.warnings.iter().map(|warning| format!("note: {warning}")));
    if done.outcome.results.iter().any(|result| result.provenance.simulated_labels) {
        lines.push(
            "the risk was tested on simulated labels, not on patients: research use only"
                .to_owned(),
        );
    }
    lines.join("\n")
}

/// Every clinical value that the scorer asked for: with its source, or missing.
fn clinical(made: &Provenance) -> Vec<String> {
    let words = |name: &str| input_words(&ClinicalName::input(name));
    let known = made.clinical.iter().map(|value| {
        let name = ClinicalName::input(&value.name);
        let (said, who) = (input_value(&name, Some(value.value)), value.source.who());
        format!("{} {said} ({who})", input_words(&name))
    });
    let missing = made.clinical_missing.iter().map(|name| format!("{} missing", words(name)));
    known.chain(missing).collect()
}

fn word(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::Expands => "expands",
        VerdictKind::Stable => "stable",
        VerdictKind::Withheld => "withheld",
    }
}
