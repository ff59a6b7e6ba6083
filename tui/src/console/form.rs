//! The form of clinical values: every name with its value, where that comes from, and a new one.
//!
//! Nothing is filled in: a dash is missing, for the scorers too. What is entered goes into the audit
//! with the person's name; what the header says comes back when staff takes its own value back.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ichor_core::{ClinicalName, ClinicalSource, short_number};
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
        let (columns, of_words, of_value) = COLUMNS;
        let patient = detail.map_or_else(String::new, |detail| words::patient(&detail.row));
        let title = format!(" Clinical values of {} ", fit(&patient, 40));
        let size = (columns, names.len() as u16 + 2);
        let inside = frame(&title, " Enter saves, - takes back, Esc closes ", size, area, buf);
        let mut lines = inside.rows();
        for (at, (name, line)) in names.iter().zip(lines.by_ref()).enumerate() {
            let known = detail.and_then(|detail| {
                detail.clinical.iter().find(|value| value.name == name.name)
            });
            let value = known.map_or_else(|| "-".to_owned(), |known| said(name, known.value));
            let source = known.map_or_else(
                || "missing".to_owned(),
                |known| match &known.source {
                    ClinicalSource::Staff { by, at } => {
                        format!("{} {}", clock::hour_text(*at, zone), clean(by))
                    }
                    source => source.who().to_owned(),
                },
            );
            let (mark, style) = if at == self.at {
                (">", Style::new().add_modifier(Modifier::REVERSED))
            } else {
                (" ", Style::new())
            };
            let typing = at == self.at && !self.typed.is_empty();
            let value = if typing { format!("{}_", self.typed) } else { value };
            let source = if typing { "not saved yet".to_owned() } else { source };
            let (words, value) =
                (pad(name.words, of_words, false), pad(&value, of_value, true));
            let text =
                pad(&format!("{mark} {words} {value}  {source}"), line.width.into(), false);
            buf.set_stringn(line.x, line.y, text, line.width.into(), style);
        }
        let below = lines.nth(1).unwrap_or_default();
        let ClinicalName { low, high, .. } = self.name();
        let (text, style) = match &self.wrong {
            Some(why) => (why.clone(), theme.loud()),
            None if self.name().is_yes_or_no() => ("y yes, n no".to_owned(), theme.dim()),
            None => (format!("{low} to {high}"), theme.dim()),
        };
        let room = usize::from(below.width);
        buf.set_stringn(below.x, below.y, fit(&format!("  {text}"), room), room, style);
    }
}

/// Yes or no in words, else the number.
fn said(name: &ClinicalName, value: f64) -> String {
    match (name.is_yes_or_no(), value > 0.5) {
        (true, true) => "yes".to_owned(),
        (true, false) => "no".to_owned(),
        (false, _) => short_number(value),
    }
}
