//! One line of typing: a note or the filter.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::text::clean;

/// The longest line taken, in characters.
const LONGEST: usize = 400;

/// What the line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A remark about this study.
    Note(i64),
    /// Words that rows must hold; rows follow while it is typed.
    Filter,
}

/// A line that is being typed.
#[derive(Debug)]
pub(crate) struct Prompt {
    /// What it is for.
    pub(crate) purpose: Purpose,
    /// What was typed.
    pub(crate) text: String,
}

/// What became of the line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// It goes on.
    More,
    /// It was finished.
    Done,
    /// It was given up.
    Dropped,
}

impl Prompt {
    /// A line that begins with `text`.
    pub(crate) fn new(purpose: Purpose, text: &str) -> Self {
        Self { purpose, text: text.to_owned() }
    }

    /// Stands before the line.
    pub(crate) fn label(&self) -> &'static str {
        match self.purpose {
            Purpose::Note(_) => "Note: ",
            Purpose::Filter => "Filter: ",
        }
    }

    /// Takes a key.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Typed {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => return Typed::Done,
            KeyCode::Esc => return Typed::Dropped,
            KeyCode::Backspace => {
                self.text.pop();
            }
            KeyCode::Char('u') if control => self.text.clear(),
            KeyCode::Char('w') if control => {
                let kept = self.text.trim_end().rfind(' ').map_or(0, |at| at + 1);
                self.text.truncate(kept);
            }
            KeyCode::Char(c) if !control => self.insert(&c.to_string()),
            _ => {}
        }
        Typed::More
    }

    /// Takes pasted text, made one line.
    pub(crate) fn insert(&mut self, text: &str) {
        let room = LONGEST.saturating_sub(self.text.chars().count());
        self.text.extend(clean(text).chars().take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_typed_pasted_and_corrected() {
        let mut prompt = Prompt::new(Purpose::Filter, "");
        let mut press = |code, modifiers| prompt.key(KeyEvent::new(code, modifiers));
        for c in "called Dr. X".chars() {
            press(KeyCode::Char(c), KeyModifiers::NONE);
        }
        press(KeyCode::Backspace, KeyModifiers::NONE);
        press(KeyCode::Char('w'), KeyModifiers::CONTROL);
        assert_eq!(press(KeyCode::Enter, KeyModifiers::NONE), Typed::Done);
        prompt.insert("at\n3\u{1b}");
        assert_eq!(prompt.text, "called at 3?");
        prompt.insert(&"x".repeat(1000));
        assert_eq!(prompt.text.chars().count(), LONGEST);
    }
}
