//! All about one study, as lines: the console's side panel and `ichor show` write the same.
//!
//! In the order of use at night: what it says, how sure, who knows, why, and what made it.

use ichor_core::{ClinicalName, Contribution, Push, Threshold, input_value, input_words};
use ichor_store::{StoredVerdict, StudyDetail};
use jiff::tz::TimeZone;
use ratatui::{
    style::{Modifier, Style},
    text::{Line, Span},
};

use crate::{
    clock,
    text::{clean, fit, pad, width, wrap},
    theme::Theme,
    words,
};

/// Columns of the labels.
const LABEL: usize = 10;
/// What the lines are written for.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a> {
    /// Styles.
    pub(crate) theme: Theme,
    /// The reader's time zone.
    pub(crate) zone: &'a TimeZone,
    /// Columns at hand.
    pub(crate) width: usize,
}

/// The verdict that the study's row shows.
pub(crate) fn active(detail: &StudyDetail) -> Option<&StoredVerdict> {
    detail.verdicts.iter().find(|verdict| Some(verdict.id) == detail.row.verdict)
}

/// Every line about `detail`.
pub(crate) fn lines(detail: &StudyDetail, page: Page) -> Vec<Line<'static>> {
    let active = active(detail);
    let mut lines = verdict(detail, active, page);
    lines.extend(people(detail, page));
    if let Some(active) = active {
        lines.extend(pushes(&active.contributions, page));
    }
    lines.extend(clinical(detail, page));
    if let Some(active) = active {
        lines.extend(provenance(active, page));
    }
    lines.extend(others(detail, page));
    lines.extend(images(detail, page));
    lines
}

fn verdict(
    detail: &StudyDetail,
    active: Option<&StoredVerdict>,
    page: Page,
) -> Vec<Line<'static>> {
    let row = &detail.row;
    let style = page.theme.tone(words::tone(row));
    let mut lines =
        vec![Line::styled(words::row_word(row), style.add_modifier(Modifier::BOLD))];
    lines.extend(wrapped(&words::sentence(row), page, style));
    if let Some(warning) = words::warning(row) {
        lines.extend(wrapped(&warning, page, Style::new().add_modifier(Modifier::BOLD)));
    }
    if let Some(changed) = changed(detail) {
        lines.extend(wrapped(&changed, page, Style::new().add_modifier(Modifier::BOLD)));
    }
    lines.push(labelled("volume", &format!("{} ml", words::ml(row.volume))));
    if let Some(active) = active {
        lines.extend(risk_bar(active, page));
        if let Some(motion) = active.motion {
            lines.push(labelled("motion", &format!("{:.2}", motion.share())));
        }
    }
    lines
}

/// That the verdict was made before what is known about the patient changed.
fn changed(detail: &StudyDetail) -> Option<String> {
    let names = detail.clinical_changed.iter();
    let words = names.map(|name| clean(&input_words(&ClinicalName::input(name))));
    let words = words.collect::<Vec<_>>().join("; ");
    let text =
        || format!("Made before this changed: {words}. Score it again: r, or ichor requeue.");
    (!words.is_empty()).then(text)
}

/// The risk as a bar, with the threshold's place marked in it and under it.
fn risk_bar(verdict: &StoredVerdict, page: Page) -> Vec<Line<'static>> {
    let Some(risk) = verdict.risk else { return vec![] };
    let tenths = |share: f64| pad(&format!("{:.1} %", share * 100.0), 7, true);
    let risk = risk.probability();
    let start = LABEL + 8;
    let cells = page.width.saturating_sub(start).clamp(4, 40);
    let place = |share: f64| ((share * cells as f64) as usize).min(cells - 1);
    let threshold = verdict.threshold.map(Threshold::probability);
    let bar: String = (0..cells)
        .map(|cell| match threshold {
            Some(threshold) if cell == place(threshold) => '┃',
            _ if (cell as f64 + 0.5) / cells as f64 <= risk => '█',
            _ => '·',
        })
        .collect();
    let expands = threshold.is_some_and(|threshold| risk >= threshold);
    let mut lines = vec![Line::from(vec![
        Span::raw(format!("{}{} ", pad("risk", LABEL, false), tenths(risk))),
        Span::styled(bar, page.theme.push(expands)),
    ])];
    if let Some(threshold) = threshold {
        let profile = clean(verdict.provenance.profile.as_deref().unwrap_or("-"));
        let mark = under(place(threshold), &profile, cells);
        let text = format!("{}{} {mark}", pad("threshold", LABEL, false), tenths(threshold));
        lines.push(Line::raw(fit(&text, page.width)));
    }
    lines
}

/// `^ name` or `name ^`, whichever fits `cells`, with the caret under cell `at`.
fn under(at: usize, name: &str, cells: usize) -> String {
    let before = at.saturating_sub(width(name) + 1);
    if at + 2 + width(name) > cells && before > 0 {
        format!("{}{name} ^", " ".repeat(before))
    } else {
        format!("{}^ {name}", " ".repeat(at))
    }
}

/// Who has seen it and what they noted.
fn people(detail: &StudyDetail, page: Page) -> Vec<Line<'static>> {
    let row = &detail.row;
    let mut lines = vec![];
    match (&row.acknowledged_by, row.acknowledged) {
        (Some(by), Some(at)) => {
            let text = format!("{} by {}", clock::hour_text(at, page.zone), clean(by));
            lines.push(labelled("seen", &text));
        }
        _ => lines.push(labelled("seen", "-")),
    }
    let earlier = detail
        .acknowledgements
        .iter()
        .filter(|seen| seen.verdict != row.verdict)
        .map(|seen| (seen.at, &seen.by, "saw an earlier verdict".to_owned()));
    let notes = detail.notes.iter().map(|note| (note.at, &note.by, clean(&note.text)));
    let mut remarks: Vec<_> = earlier.chain(notes).collect();
    remarks.sort_by_key(|(at, ..)| *at);
    if !remarks.is_empty() {
        lines.extend(section("NOTES", page));
    }
    for (at, by, text) in remarks {
        let line = format!("{} {}: {text}", clock::hour_text(at, page.zone), clean(by));
        lines.extend(wrapped(&line, page, Style::new()));
    }
    lines
}

/// What pushed the risk, with bars: full blocks up, light blocks down.
fn pushes(all: &[Contribution], page: Page) -> Vec<Line<'static>> {
    let pushes = Push::of(all, (page.width / 8).clamp(4, 12));
    if pushes.is_empty() {
        return vec![];
    }
    let mut lines = section("WHAT PUSHED THE RISK, log-odds", page);
    lines.extend(pushes.iter().flat_map(|push| pushed(push, page)));
    lines
}

/// A push, its value at the right end, its words going on under themselves.
fn pushed(push: &Push, page: Page) -> Vec<Line<'static>> {
    let head = format!("{:>+6.2} {} ", push.log_odds, push.bar);
    let value = match push.value.as_str() {
        "" => String::new(),
        value => format!(" {}", clean(value)),
    };
    let room = page.width.saturating_sub(width(&head) + width(&value));
    let parts = wrap(&clean(&push.words), room);
    let of_part = |(at, part): (usize, &String)| {
        if at > 0 {
            return Line::raw(" ".repeat(width(&head)) + part);
        }
        Line::from(vec![
            Span::styled(head.clone(), page.theme.push(push.log_odds > 0.0)),
            Span::raw(pad(part, room, false) + &value),
        ])
    };
    parts.iter().enumerate().map(of_part).collect()
}

/// What is known beside the images, and what the scorer wanted and nobody knew.
fn clinical(detail: &StudyDetail, page: Page) -> Vec<Line<'static>> {
    let active = active(detail);
    let known = detail.clinical.iter().map(|value| {
        let by = clean(value.source.who());
        let said = input_value(&ClinicalName::input(&value.name), Some(value.value));
        (value.name.clone(), format!("{said} ({by})"))
    });
    let wanted = active.into_iter().flat_map(|verdict| &verdict.contributions);
    let missing = wanted
        .filter_map(|push| ClinicalName::of_input(&push.name))
        .filter(|name| detail.clinical.iter().all(|value| value.name != *name))
        .map(|name| (name.to_owned(), "missing".to_owned()));
    let facts: Vec<(String, String)> = known.chain(missing).collect();
    if facts.is_empty() {
        return vec![];
    }
    let mut lines = section("CLINICAL", page);
    lines.extend(facts.into_iter().map(|(name, text)| {
        let words = input_words(&ClinicalName::input(&name));
        Line::raw(fit(&format!("{}: {text}", clean(&words)), page.width))
    }));
    lines
}

/// What made the number.
fn provenance(verdict: &StoredVerdict, page: Page) -> Vec<Line<'static>> {
    let made = &verdict.provenance;
    let known = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), clean);
    let mut facts = vec![];
    if let Some(scorer) = &made.scorer {
        facts.push(("scorer", scorer.to_string()));
        let version = known(&made.plugin_version);
        facts.push(("plugin", format!("{version} {}", hash_text(made.plugin_sha256.as_ref()))));
        facts.push(("weights", hash_text(made.weights_sha256.as_ref())));
        let threshold = words::threshold(made.threshold);
        facts.push(("profile", format!("{} at {threshold}", known(&made.profile))));
    }
    let network = hash_text(Some(&made.network_sha256));
    facts.push(("network", format!("{} {network}", clean(&made.network))));
    facts.push(("engine", format!("{} on {}", clean(&made.engine), clean(&made.device))));
    facts.extend(made.extractors.iter().map(|extractor| ("features", clean(extractor))));
    facts.push(("series", known(&made.series_uid)));
    facts.push(("because", clean(&made.series_why)));
    facts.push(("images", hash_text(made.images_sha256.as_ref())));
    if made.simulated_labels {
        facts.push(("tested on", "simulated labels, not patients".to_owned()));
    }
    let mut lines = section("MADE BY", page);
    for (label, text) in facts {
        lines.extend(hanging(label, &text, page));
    }
    lines
}

/// The first twelve digits: enough to tell two files apart by eye.
fn hash_text(sha256: Option<&String>) -> String {
    let digits = |hash: &String| clean(&hash.chars().take(12).collect::<String>());
    sha256.map(digits).filter(|digits| !digits.is_empty()).unwrap_or_else(|| "-".to_owned())
}

/// Verdicts that do not count: older ones and shadows.
fn others(detail: &StudyDetail, page: Page) -> Vec<Line<'static>> {
    let others =
        detail.verdicts.iter().filter(|verdict| Some(verdict.id) != detail.row.verdict);
    let mut lines: Vec<Line> = others
        .map(|verdict| {
            let word = words::verdict_word(verdict.kind, verdict.withheld.as_ref());
            let made = &verdict.provenance;
            let unit = made.scorer.as_ref().map_or("-", |scorer| scorer.unit.as_str());
            let text = format!(
                "{} rev {} {word} {} {unit}{}",
                clock::hour_text(verdict.created, page.zone),
                verdict.revision,
                words::risk(verdict.risk),
                if verdict.shadow { " (shadow)" } else { "" },
            );
            Line::raw(fit(&text, page.width))
        })
        .collect();
    let shown = detail.revision;
    for failed in detail.shadow_failures.iter().filter(|failed| failed.revision == shown) {
        let text = format!(
            "{} rev {} ! failed {} (shadow): {}",
            clock::hour_text(failed.at, page.zone),
            failed.revision,
            clean(&failed.scorer.unit),
            clean(&failed.why)
        );
        lines.extend(wrapped(&text, page, Style::new()));
    }
    if !lines.is_empty() {
        lines.splice(0..0, section("OTHER VERDICTS", page));
    }
    lines
}

fn images(detail: &StudyDetail, page: Page) -> Vec<Line<'static>> {
    let row = &detail.row;
    let mut lines = section("STUDY", page);
    let scan = row.scan.map_or_else(|| "-".to_owned(), |scan| clock::day_text(scan, page.zone));
    for (label, text) in [
        ("scan", scan),
        ("accession", clean(&detail.accession)),
        ("text", clean(&detail.description)),
        ("uid", clean(&row.study_uid)),
        ("revision", format!("{}, {} images", detail.revision, row.n_images)),
    ] {
        lines.extend(hanging(label, if text.is_empty() { "-" } else { &text }, page));
    }
    for series in &detail.series {
        let (modality, description) = (clean(&series.modality), clean(&series.description));
        let text = format!("{modality} {} images {description}", series.n_images);
        lines.extend(hanging("series", &text, page));
    }
    lines
}

fn section(title: &str, page: Page) -> Vec<Line<'static>> {
    vec![Line::raw(""), Line::styled(title.to_owned(), page.theme.title())]
}

fn labelled(label: &str, text: &str) -> Line<'static> {
    Line::raw(format!("{}{text}", pad(label, LABEL, false)))
}

/// A label with a text that goes on under itself.
fn hanging(label: &str, text: &str, page: Page) -> Vec<Line<'static>> {
    let parts = wrap(text, page.width.saturating_sub(LABEL));
    let label = |at: usize| pad(if at == 0 { label } else { "" }, LABEL, false);
    parts.iter().enumerate().map(|(at, part)| Line::raw(label(at) + part)).collect()
}

fn wrapped(text: &str, page: Page, style: Style) -> Vec<Line<'static>> {
    wrap(text, page.width).into_iter().map(|line| Line::styled(line, style)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{golden, sample};

    fn text_of(detail: &StudyDetail, width: usize) -> Vec<String> {
        let page = Page { theme: Theme { colour: false }, zone: &TimeZone::UTC, width };
        lines(detail, page).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_report_says_what_made_the_number() {
        let detail = sample::detail(sample::expands(2, 0.871));
        golden::check("report-40", &text_of(&detail, 40).join("\n"));
    }

    #[test]
    fn no_line_is_wider_than_the_page() {
        for row in sample::list() {
            for columns in [30, 38, 72] {
                for line in text_of(&sample::detail(row.clone()), columns) {
                    assert!(width(&line) <= columns, "{columns}: {line}");
                }
            }
        }
    }
}
