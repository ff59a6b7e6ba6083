//! What the console and the commands say about a study: one word for each state, a symbol
//! beside it, and numbers with a dash where nothing is known.
//!
//! Symbol and word carry the meaning; colour only repeats it.

use ichor_core::{Millilitres, Risk, Threshold, Withheld};
use ichor_store::{Row, StudyState, VerdictKind};

use crate::text::clean;

/// Stands on every screen and in every report.
pub(crate) const RESEARCH_USE: &str = "RESEARCH USE ONLY - risk tested on simulated labels";

/// What a row says, in the order of its urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Growth is expected.
    Expands,
    /// No answer, or no success: a person has to look.
    Look,
    /// No growth is expected.
    Stable,
    /// Not there yet.
    Waiting,
}

/// Symbol and word of a verdict.
pub(crate) fn verdict_word(kind: VerdictKind, withheld: Option<&Withheld>) -> String {
    match (kind, withheld) {
        (VerdictKind::Expands, _) => "▲ EXPANDS".to_owned(),
        (VerdictKind::Stable, _) => "= stable".to_owned(),
        (VerdictKind::Withheld, Some(why)) => format!("? {}", why.short()),
        (VerdictKind::Withheld, None) => "? withheld".to_owned(),
    }
}

/// Symbol and word of a row: its verdict, else how far it has come. A verdict is never hidden:
/// `old` says that images or clinical values came after it, `FAIL` that scoring has failed since.
pub(crate) fn row_word(row: &Row) -> String {
    let failed = row.state == StudyState::Failed;
    match row.kind {
        Some(kind) => {
            let word = verdict_word(kind, row.withheld.as_ref());
            match (failed, row.outdated || row.clinical_changed) {
                (true, _) => format!("{word} FAIL"),
                (false, true) => format!("{word} old"),
                (false, false) => word,
            }
        }
        None if failed => "! failed".to_owned(),
        None => format!("~ {}", state_word(row.state)),
    }
}

/// How urgent a row is.
pub(crate) fn tone(row: &Row) -> Tone {
    match (row.kind, row.state) {
        (Some(VerdictKind::Expands), _) => Tone::Expands,
        (Some(VerdictKind::Withheld), _) | (_, StudyState::Failed) => Tone::Look,
        (Some(VerdictKind::Stable), _) => Tone::Stable,
        (None, _) => Tone::Waiting,
    }
}

/// The word for how far a study has come.
pub(crate) fn state_word(state: StudyState) -> &'static str {
    match state {
        StudyState::Receiving => "receiving",
        StudyState::Queued => "queued",
        StudyState::Scoring => "scoring",
        StudyState::Done => "done",
        StudyState::Failed => "failed",
    }
}

/// Why there is no answer, in words: the guard's reason or the last error.
pub(crate) fn reason(row: &Row) -> Option<String> {
    match (&row.error, &row.withheld) {
        (Some(error), _) if row.state == StudyState::Failed => Some(clean(error)),
        (_, Some(withheld)) => Some(clean(&withheld.to_string())),
        _ => None,
    }
}

/// The sentence that the study view begins with.
pub(crate) fn sentence(row: &Row) -> String {
    match (row.kind, &row.withheld, row.state) {
        (Some(VerdictKind::Expands), ..) => {
            "Growth of more than 6 ml within 24 h is expected.".to_owned()
        }
        (Some(VerdictKind::Stable), ..) => {
            "No growth of more than 6 ml within 24 h is expected.".to_owned()
        }
        (Some(VerdictKind::Withheld), Some(why), _) => {
            format!("No answer: {}.", clean(&why.to_string()))
        }
        (Some(VerdictKind::Withheld), None, _) => "No answer.".to_owned(),
        (None, _, StudyState::Receiving) => {
            "No verdict yet: images are still coming.".to_owned()
        }
        (None, _, StudyState::Queued) => "No verdict yet: it waits to be scored.".to_owned(),
        (None, _, StudyState::Scoring) => "No verdict yet: it is being scored.".to_owned(),
        (None, _, StudyState::Done | StudyState::Failed) => "No verdict.".to_owned(),
    }
}

/// What is to be said besides: that scoring failed, or that images came since.
pub(crate) fn warning(row: &Row) -> Option<String> {
    if row.state == StudyState::Failed {
        let why = row.error.as_deref().map_or_else(|| "no reason was given".to_owned(), clean);
        return Some(format!("Scoring failed: {why}."));
    }
    let late = "Images came after this verdict; it will be scored again.";
    row.outdated.then(|| late.to_owned())
}

/// The patient's name; the id where there is no name.
pub(crate) fn patient(row: &Row) -> String {
    let name = clean(row.patient_name.trim());
    if name.is_empty() { patient_id(row) } else { name }
}

/// `PatientID`, a dash where it is empty.
pub(crate) fn patient_id(row: &Row) -> String {
    let id = clean(row.patient_id.trim());
    if id.is_empty() { "-".to_owned() } else { id }
}

/// `63 F`, a dash for what is unknown.
pub(crate) fn age_and_sex(row: &Row) -> String {
    let age = row.age_years.map_or_else(|| "-".to_owned(), |age| format!("{age:.0}"));
    let sex = row.sex.as_deref().map(clean).filter(|sex| !sex.is_empty());
    format!("{age} {}", sex.as_deref().unwrap_or("-"))
}

/// `P2`; nothing where staff set none.
pub(crate) fn priority(row: &Row) -> String {
    if row.priority == 0 { String::new() } else { format!("P{}", row.priority) }
}

/// One decimal; a dash where none was measured.
pub(crate) fn ml(volume: Option<Millilitres>) -> String {
    volume.map_or_else(|| "-".to_owned(), |volume| format!("{:.1}", volume.ml()))
}

/// Whole per cent; a dash where there is none.
pub(crate) fn risk(risk: Option<Risk>) -> String {
    risk.map_or_else(|| "-".to_owned(), |risk| percent(risk.probability()))
}

/// Whole per cent; a dash where there is none.
pub(crate) fn threshold(threshold: Option<Threshold>) -> String {
    threshold.map_or_else(|| "-".to_owned(), |threshold| percent(threshold.probability()))
}

/// A risk of at least 0.995 is not a certainty, and one above 0 is not none.
fn percent(probability: f64) -> String {
    match probability * 100.0 {
        p if p > 0.0 && p < 0.5 => "<1 %".to_owned(),
        p if (99.5..100.0).contains(&p) => ">99 %".to_owned(),
        p => format!("{p:.0} %"),
    }
}

/// Who has seen the verdict; a dash where nobody has.
pub(crate) fn seen_by(row: &Row) -> String {
    row.acknowledged_by.as_deref().map_or_else(|| "-".to_owned(), clean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_verdict_is_a_symbol_and_a_word() {
        let check = |row: Row, word: &str, expected: Tone| {
            assert_eq!(row_word(&row), word);
            assert_eq!(tone(&row), expected);
        };
        check(sample::expands(1, 0.71), "▲ EXPANDS", Tone::Expands);
        check(sample::stable(1, 0.12), "= stable", Tone::Stable);
        check(sample::withheld(1), "? under 3 ml", Tone::Look);
        check(sample::failed(1), "! failed", Tone::Look);
        check(sample::waiting(1), "~ receiving", Tone::Waiting);
        let late = Row { outdated: true, ..sample::expands(1, 0.71) };
        check(late, "▲ EXPANDS old", Tone::Expands);
        let changed = Row { clinical_changed: true, ..sample::stable(1, 0.12) };
        check(changed, "= stable old", Tone::Stable);
        let broken = Row { state: StudyState::Failed, ..sample::expands(1, 0.71) };
        check(broken, "▲ EXPANDS FAIL", Tone::Expands);
    }

    #[test]
    fn unknown_is_a_dash_and_a_small_risk_is_no_zero() {
        assert_eq!(ml(None), "-");
        assert_eq!(risk(None), "-");
        assert_eq!(risk(Risk::new(0.001).ok()), "<1 %");
        assert_eq!(risk(Risk::new(0.999).ok()), ">99 %");
        assert_eq!(risk(Risk::new(0.0).ok()), "0 %");
    }

    #[test]
    fn a_failed_study_says_why() {
        assert_eq!(
            warning(&sample::failed(1)).unwrap(),
            "Scoring failed: the plugin was killed after 60 s."
        );
    }
}
