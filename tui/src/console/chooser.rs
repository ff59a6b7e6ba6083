//! The threshold profiles of the scorers that run, and the choice of another one.
//!
//! A choice changes what every study from now on is called, so it is shown from what to what and
//! confirmed; a profile that does not hold for the scorer as it is installed cannot be chosen.

use crossterm::event::{KeyCode, KeyEvent};
use ichor_core::{Proportion, UnitId};
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
    profile::Choice,
    text::{clean, fit, pad, wrap},
    theme::Theme,
    words,
};

/// Columns of the whole.
const COLUMNS: u16 = 78;
/// Lines below the list: one that says what is scrolled away, and the words on the profile.
const BELOW: usize = 7;

/// The list with its cursor.
#[derive(Debug)]
pub(crate) struct Chooser {
    /// Those of the scorers that run, the active one's first.
    choices: Vec<Choice>,
    /// The active scorer; the others run in the shadow.
    active: UnitId,
    at: usize,
    /// Whether the person is asked if it is meant.
    asked: bool,
    /// Why the last choice was none.
    wrong: Option<String>,
}

impl Chooser {
    /// The profiles of `running`, the active scorer first; the cursor stands on the one in use.
    pub(crate) fn new(all: Vec<Choice>, running: &[UnitId]) -> Option<Self> {
        let active = running.first()?.clone();
        let place =
            |choice: &Choice| running.iter().position(|id| *id == choice.profile.scorer);
        let mut choices: Vec<Choice> =
            all.into_iter().filter(|choice| place(choice).is_some()).collect();
        choices.sort_by_key(|choice| (place(choice), choice.name.clone()));
        let at = choices.iter().position(|choice| choice.in_use).unwrap_or_default();
        let some = !choices.is_empty();
        some.then_some(Self { choices, active, at, asked: false, wrong: None })
    }

    /// Takes a key.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Step {
        self.wrong = None;
        let meant = &self.choices[self.at];
        if std::mem::take(&mut self.asked) {
            if key.code == KeyCode::Char('y') {
                let (scorer, profile) = (meant.profile.scorer.clone(), meant.name.clone());
                return Step::Done(Wish::UseProfile { scorer, profile });
            }
            return Step::Stay;
        }
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Step::Close,
            KeyCode::Up | KeyCode::Char('k') => self.at = self.at.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => {
                self.at = (self.at + 1).min(self.choices.len() - 1);
            }
            KeyCode::Enter if meant.void.is_some() => {
                self.wrong = Some("it is void: nothing can be judged by it".to_owned());
            }
            KeyCode::Enter if meant.in_use => {
                self.wrong = Some("it is in use already".to_owned());
            }
            KeyCode::Enter => self.asked = true,
            _ => {}
        }
        Step::Stay
    }

    /// The keys that hold, for the footer.
    pub(crate) fn keys(&self) -> Vec<(&'static str, &'static str)> {
        if self.asked {
            vec![("y", "yes"), ("any other key", "no")]
        } else {
            vec![("Up Down", "move"), ("Enter", "choose"), ("Esc", "close")]
        }
    }

    /// Draws it in the middle of `area`; a long list scrolls with its cursor.
    pub(crate) fn draw(&self, theme: Theme, area: Rect, buf: &mut Buffer) {
        let list = self.list();
        let size = (COLUMNS, (list.len() + BELOW) as u16);
        let inside = frame(" Threshold profiles ", "", size, area, buf);
        let mut put = |line: usize, text: &str, style: Style| {
            if line < usize::from(inside.height) {
                let (room, y) = (usize::from(inside.width), inside.y + line as u16);
                buf.set_stringn(inside.x, y, pad(&fit(text, room), room, false), room, style);
            }
        };
        let height = usize::from(inside.height).saturating_sub(BELOW).clamp(1, list.len());
        let cursor = list.iter().position(|(at, _)| *at == Some(self.at)).unwrap_or_default();
        let above = cursor.saturating_sub(height / 2).min(list.len() - height);
        for (line, (at, text)) in list.iter().skip(above).take(height).enumerate() {
            let style = match at {
                None => theme.title(),
                Some(at) if *at == self.at => Style::new().add_modifier(Modifier::REVERSED),
                Some(_) => Style::new(),
            };
            put(line, text, style);
        }
        if height < list.len() {
            let text = format!("  {above} lines above, {} below", list.len() - height - above);
            put(height, &text, theme.dim());
        }
        for (line, (text, style)) in self.below(theme).into_iter().take(BELOW - 1).enumerate() {
            put(height + 1 + line, &text, style);
        }
    }

    /// A title for each scorer, with no place, then its profiles with theirs.
    fn list(&self) -> Vec<(Option<usize>, String)> {
        let mut lines = vec![];
        let mut last = None;
        for (at, choice) in self.choices.iter().enumerate() {
            let scorer = &choice.profile.scorer;
            if last != Some(scorer) {
                let role = if *scorer == self.active { "" } else { " (in the shadow)" };
                lines.push((None, format!("{}{role}", clean(&scorer.to_string()))));
                last = Some(scorer);
            }
            let cursor = if at == self.at { '>' } else { ' ' };
            let mark = if choice.in_use { '*' } else { ' ' };
            let name = pad(&clean(&choice.name), 12, false);
            let figures = match &choice.void {
                Some(_) => "void".to_owned(),
                None => figures(choice),
            };
            lines.push((Some(at), format!("{cursor}{mark} {name} {figures}")));
        }
        lines
    }

    /// What is to be known of the profile under the cursor, and the question.
    fn below(&self, theme: Theme) -> Vec<(String, Style)> {
        let choice = &self.choices[self.at];
        if self.asked {
            return self.question(theme);
        }
        let (text, style) = match (&self.wrong, &choice.void) {
            (Some(why), _) => (why.clone(), theme.loud()),
            (None, Some(why)) => (clean(why), Style::new()),
            (None, None) => (choice.tuned_on(), theme.dim()),
        };
        wrapped(&text, style)
    }

    /// From what to what, with what is known of both, and whether it is meant.
    fn question(&self, theme: Theme) -> Vec<(String, Style)> {
        let to = &self.choices[self.at];
        let scorer = &to.profile.scorer;
        let in_use = |other: &&Choice| other.in_use && other.profile.scorer == *scorer;
        let from = self.choices.iter().find(in_use);
        let line = |word: &str, choice: Option<&Choice>| {
            let text = choice.map_or_else(
                || "-".to_owned(),
                |choice| {
                    format!("{} {}", pad(&clean(&choice.name), 12, false), figures(choice))
                },
            );
            (format!("{} {}", pad(word, 4, false), text.trim_end()), Style::new())
        };
        let question = format!("Judge {} by {} from now on?", scorer.unit, to.name);
        let asked = clean(&format!("{question} Verdicts that stand are kept."));
        let mut lines = vec![(asked, theme.title()), line("from", from), line("to", Some(to))];
        lines.extend(wrapped(&to.tuned_on(), theme.dim()).into_iter().take(2));
        lines.push(("y yes, any other key no".to_owned(), theme.loud()));
        lines
    }
}

/// Threshold, and what it calls right of how many.
fn figures(choice: &Choice) -> String {
    let share =
        |share: &Proportion| format!("{:>3.0} % of {:<4}", share.value * 100.0, share.n);
    format!(
        "at {:>5}  sensitivity {} specificity {}",
        words::threshold(Some(choice.profile.threshold)),
        share(&choice.profile.sensitivity),
        share(&choice.profile.specificity)
    )
}

fn wrapped(text: &str, style: Style) -> Vec<(String, Style)> {
    wrap(text, COLUMNS.into()).into_iter().map(|line| (line, style)).collect()
}
