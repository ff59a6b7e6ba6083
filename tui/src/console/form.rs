//! The form of clinical values: every name with its value, where that comes from, and a new one.
//!
//! Nothing is filled in: a dash is missing, for the scorers too. What is entered goes into the audit
//! with the person's name; what the header says comes back when staff takes its own value back.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ichor_core::{ClinicalName, ClinicalSource, input_value};
use ichor_store::StudyDetail;
use jiff::tz::TimeZone;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

use super::{
    dialog::{Step, frame},
    event::Wish,
};
use crate::{
    clock,
    text::{clean, fit, pad},
    theme::Theme,
    words,
};

/// Columns of the whole, of the words, and of a value.
const COLUMNS: (u16, usize, usize) = (66, 31, 9);
/// The longest number that can be typed.
const LONGEST: usize = 8;

/// What is being entered.
#[derive(Debug)]
pub(crate) struct Form {
    /// The study's row in the store.
    study: i64,
    /// The line under the cursor.
    at: usize,
    /// What was typed for it.
    typed: String,
    /// What was wrong with what was typed last.
    wrong: Option<String>,
}

impl Form {
    /// The form of a study.
    pub(crate) fn new(study: i64) -> Self {
        Self { study, at: 0, typed: String::new(), wrong: None }
    }

    /// Takes a key.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Step {
        self.wrong = None;
        let last = ClinicalName::ALL.len() - 1;
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') if self.typed.is_empty() => return Step::Close,
            KeyCode::Char('r') if self.typed.is_empty() => {
                return Step::Done(Wish::Rescore(self.study));
            }
            KeyCode::Esc => self.typed.clear(),
            KeyCode::Enter => return self.enter(),
            KeyCode::Up | KeyCode::Char('k') => self.go(self.at.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => {
                self.go((self.at + 1).min(last));
            }
            KeyCode::Home => self.go(0),
            KeyCode::End => self.go(last),
            KeyCode::Backspace => drop(self.typed.pop()),
            KeyCode::Delete | KeyCode::Char('-') => return self.save(f64::NAN),
            KeyCode::Char(c) if self.name().is_yes_or_no() && matches!(c, 'y' | 'n') => {
                return self.save(f64::from(u8::from(c == 'y')));
            }
            KeyCode::Char(c) if !key.modifiers.contains(KeyModifiers::CONTROL) => {
                self.insert(&c.to_string());
            }
            _ => {}
        }
        Step::Stay
    }

    /// The keys that hold, for the footer.
    pub(crate) fn keys(&self) -> Vec<(&'static str, &'static str)> {
        if !self.typed.is_empty() {
            return vec![("Enter", "save"), ("Esc", "drop what was typed")];
        }
        let number = if self.name().is_yes_or_no() {
            ("y n", "yes, no")
        } else {
            ("0-9", "type a value")
        };
        vec![
            ("Up Down", "move"),
            number,
            ("-", "take back"),
            ("r", "re-score"),
            ("Esc", "close"),
        ]
    }

    /// Takes digits and a point, or the comma that some keyboards have for it.
    pub(crate) fn insert(&mut self, text: &str) {
        let room = LONGEST.saturating_sub(self.typed.len());
        let number = |c: &char| c.is_ascii_digit() || *c == '.';
        let digits = text.chars().map(|c| if c == ',' { '.' } else { c }).filter(number);
        self.typed.extend(digits.take(room));
    }

    fn name(&self) -> ClinicalName {
        ClinicalName::ALL[self.at]
    }

    fn go(&mut self, at: usize) {
        self.at = at;
        self.typed.clear();
    }

    fn enter(&mut self) -> Step {
        if self.typed.is_empty() {
            return Step::Stay;
        }
        if let Ok(value) = self.typed.parse::<f64>() {
            return self.save(value);
        }
        self.wrong = Some(format!("{} is no number", self.typed));
        Step::Stay
    }

    /// NaN takes the value back.
    fn save(&mut self, value: f64) -> Step {
        let name = self.name();
        match name.check(value) {
            Ok(value) => {
                self.typed.clear();
                Step::Ask(Wish::Clinical { study: self.study, name: name.name, value })
            }
            Err(why) => {
                self.wrong = Some(why.to_string());
                Step::Stay
            }
        }
    }

    /// Draws it in the middle of `area` with the values of `detail`.
    pub(crate) fn draw(
        &self,
        detail: Option<&StudyDetail>,
        theme: Theme,
        zone: &TimeZone,
        area: Rect,
        buf: &mut Buffer,
    ) {
        let names = ClinicalName::ALL;
        let patient = detail.map_or_else(String::new, |detail| words::patient(&detail.row));
        let title = format!(" Clinical values of {} ", fit(&patient, 40));
        let size = (COLUMNS.0, names.len() as u16 + 3);
        let inside = frame(&title, "", size, area, buf);
        let room = usize::from(inside.width);
        let mut lines = inside.rows();
        for (at, (name, line)) in names.iter().zip(lines.by_ref()).enumerate() {
            let style = if at == self.at {
                Style::new().add_modifier(Modifier::REVERSED)
            } else {
                Style::new()
            };
            let text = pad(&self.line(at, name, detail, zone), room, false);
            buf.set_stringn(line.x, line.y, text, room, style);
        }
        let ClinicalName { low, high, .. } = self.name();
        let (text, style) = match &self.wrong {
            Some(why) => (why.clone(), theme.loud()),
            None if self.name().is_yes_or_no() => ("y yes, n no".to_owned(), theme.dim()),
            None => (format!("{low} to {high}"), theme.dim()),
        };
        let legend =
            if detail.is_some_and(|detail| names.iter().any(|name| asked(name, detail))) {
                "* the scorer asks for it"
            } else {
                ""
            };
        let below = lines.skip(1).zip([(text.as_str(), style), (legend, theme.dim())]);
        for (line, (text, style)) in below {
            buf.set_stringn(line.x, line.y, fit(&format!("  {text}"), room), room, style);
        }
    }

    /// One value: whether the scorer asks for it, words, value, source.
    fn line(
        &self,
        at: usize,
        name: &ClinicalName,
        detail: Option<&StudyDetail>,
        zone: &TimeZone,
    ) -> String {
        let (_, of_words, of_value) = COLUMNS;
        let known = detail
            .and_then(|detail| detail.clinical.iter().find(|value| value.name == name.name));
        let (value, source) = match known {
            _ if at == self.at && !self.typed.is_empty() => {
                (format!("{}_", self.typed), "not saved yet".to_owned())
            }
            Some(known) => {
                let value = input_value(&ClinicalName::input(name.name), Some(known.value));
                (value, source(&known.source, zone))
            }
            None => ("-".to_owned(), "missing".to_owned()),
        };
        let cursor = if at == self.at { '>' } else { ' ' };
        let mark = if detail.is_some_and(|detail| asked(name, detail)) { '*' } else { ' ' };
        let (words, value) = (pad(name.words, of_words, false), pad(&value, of_value, true));
        format!("{cursor}{mark}{words} {value}  {source}")
    }
}

/// `08:50 ana`, or `DICOM`.
fn source(source: &ClinicalSource, zone: &TimeZone) -> String {
    match source {
        ClinicalSource::Staff { by, at } => {
            format!("{} {}", clock::hour_text(*at, zone), clean(by))
        }
        source => source.who().to_owned(),
    }
}

/// Whether the scorer of the study's verdict, or one in its shadow, takes it.
fn asked(name: &ClinicalName, detail: &StudyDetail) -> bool {
    let name = ClinicalName::input(name.name);
    let newest = detail.verdicts.iter().filter(|verdict| verdict.revision == detail.revision);
    newest.flat_map(|verdict| &verdict.contributions).any(|push| push.name == name)
}
