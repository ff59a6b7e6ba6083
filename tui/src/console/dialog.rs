//! What lies over a screen and takes its keys until it is closed.

use crossterm::event::KeyEvent;
use ichor_core::UnitId;
use ichor_store::StudyDetail;
use jiff::tz::TimeZone;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    widgets::{Block, Clear, Widget},
};

use super::{app::App, chooser::Chooser, event::Wish, form::Form};
use crate::{profile::Choice, theme::Theme};

/// One of them.
#[derive(Debug)]
pub(crate) enum Dialog {
    /// The clinical values of the open study.
    Clinical(Form),
    /// The threshold profiles of the scorers that run.
    Profiles(Chooser),
}

/// What became of a key.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// The dialog stays.
    Stay,
    /// It stays, and something must be done.
    Ask(Wish),
    /// It is over, and this must be done.
    Done(Wish),
    /// It is over.
    Close,
}

impl Dialog {
    /// Takes a key.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Step {
        match self {
            Self::Clinical(form) => form.key(key),
            Self::Profiles(chooser) => chooser.key(key),
        }
    }

    /// The keys that hold, for the footer; the last one always has room.
    pub(crate) fn keys(&self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::Clinical(form) => form.keys(),
            Self::Profiles(chooser) => chooser.keys(),
        }
    }

    /// Takes pasted text.
    pub(crate) fn paste(&mut self, text: &str) {
        if let Self::Clinical(form) = self {
            form.insert(text);
        }
    }

    /// Draws it in the middle of `area`; the form shows the values of `detail`.
    pub(crate) fn draw(
        &self,
        detail: Option<&StudyDetail>,
        theme: Theme,
        zone: &TimeZone,
        area: Rect,
        buf: &mut Buffer,
    ) {
        match self {
            Self::Clinical(form) => form.draw(detail, theme, zone, area, buf),
            Self::Profiles(chooser) => chooser.draw(theme, area, buf),
        }
    }
}

impl App {
    /// What a step of the dialog means for the console.
    pub(super) fn dialog_step(&mut self, step: Step) -> Vec<Wish> {
        if matches!(step, Step::Close | Step::Done(_)) {
            self.dialog = None;
        }
        match step {
            Step::Stay | Step::Close => vec![],
            Step::Ask(wish) | Step::Done(wish) => vec![wish],
        }
    }

    /// Opens the list of profiles, unless the person does something else by now.
    pub(super) fn profiles(&mut self, choices: Vec<Choice>, running: &[UnitId]) {
        if self.viewer.is_some() || self.prompt.is_some() || self.dialog.is_some() {
            return;
        }
        self.dialog = Chooser::new(choices, running).map(Dialog::Profiles);
        if self.dialog.is_none() {
            let text = "no threshold profiles of the scorers that run are there";
            self.message = Some((text.to_owned(), true));
        }
    }
}

/// Draws an empty frame in the middle of `area` and gives back its inside, at most `size`, which is
/// columns and rows.
pub(crate) fn frame(
    title: &str,
    bottom: &str,
    size: (u16, u16),
    area: Rect,
    buf: &mut Buffer,
) -> Rect {
    let (width, height) = ((size.0 + 2).min(area.width), (size.1 + 2).min(area.height));
    let frame = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    Clear.render(frame, buf);
    let block = Block::bordered().title(title).title_bottom(bottom);
    let inside = block.inner(frame);
    block.render(frame, buf);
    inside
}
