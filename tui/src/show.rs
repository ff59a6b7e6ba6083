//! `ichor show STUDY`: all about one study.

use std::io::{IsTerminal, Write};

use ichor_core::input_words_at;
use ichor_store::{Store, StudyDetail};
use serde_json::Value;

use crate::{
    clock,
    error::Error,
    json,
    report::{self, Page},
    settings::Settings,
    theme::Theme,
    words,
};

/// Columns at most: longer lines are hard to read.
const WIDTH: usize = 100;

/// All about the study that `text` names.
pub(crate) fn detail(settings: &Settings, text: &str) -> Result<StudyDetail, Error> {
    let store = Store::open_existing(&settings.layout.database())?;
    let study = store.find_study(text)?;
    store.study(study)?.ok_or(Error::NoStudy(study))
}

/// The study as JSON, each contribution with what staff reads instead of its name.
fn with_words(detail: &StudyDetail) -> Result<Value, Error> {
    let mut json = serde_json::to_value(detail)?;
    let verdicts = json["verdicts"].as_array_mut().into_iter().flatten();
    for push in verdicts.filter_map(|v| v["contributions"].as_array_mut()).flatten() {
        let value = push["value"].as_f64();
        let words = push["name"].as_str().map(|name| input_words_at(name, value));
        push["words"] = words.into();
    }
    Ok(json)
}

/// Prints all about `study`.
pub(crate) fn run(
    settings: &Settings,
    study: &str,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let detail = detail(settings, study)?;
    if json {
        return json::print(&with_words(&detail)?, out);
    }
    let width = match crossterm::terminal::size() {
        Ok((columns, _)) if std::io::stdout().is_terminal() => usize::from(columns).min(WIDTH),
        _ => WIDTH,
    };
    let zone = clock::local_zone();
    let theme = Theme { colour: false };
    let page = Page { theme, zone: &zone, width: width.max(30) };
    let row = &detail.row;
    writeln!(
        out,
        "study {}: {}{}, {}, {}",
        row.study,
        if row.phantom { "SIM " } else { "" },
        words::patient(row),
        words::patient_id(row),
        words::age_and_sex(row)
    )?;
    for line in report::lines(&detail, page) {
        writeln!(out, "{}", line.to_string().trim_end())?;
    }
    writeln!(out, "\n{}", words::RESEARCH_USE)?;
    Ok(())
}
