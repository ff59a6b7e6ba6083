//! The console's state and how events change it. Pure: what must be done outside comes back
//! as wishes, the time comes in as a value.

use std::time::Duration;

use crossterm::event::{Event as Input, KeyEvent, KeyEventKind};
use ichor_core::UnixMs;
use ichor_store::{Counts, EngineStatus, Row, StudyState};
use jiff::tz::TimeZone;

use super::{
    dialog::Dialog,
    event::{Event, News, Wish},
    form::Form,
    keys::{self, Command, Place},
    listing::Listing,
    prompt::{Prompt, Purpose, Typed},
    study,
    viewer::{Layout, Viewer},
};
use crate::{clock, theme::Theme, words};

/// Lines that are no rows: banner, status, titles, message, footer.
const FRAME: u16 = 5;
/// The engine writes a sign of life every few seconds; after this long it is taken for down.
pub(crate) const ENGINE_SILENT_S: f64 = 20.0;
/// A key that decides something is not taken so soon after the row under the cursor became
/// another one: it was meant for what stood there before.
const SETTLE_S: f64 = 1.0;
/// The store takes priorities from -9 to 9.
const HIGHEST_PRIORITY: i32 = 9;

/// How the console stands with the database.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Nothing was read yet; why, in words.
    Waiting(String),
    /// What is shown is what the database holds.
    Good,
    /// The last try failed; what is shown may be old.
    Trouble(String),
}

/// Everything that the screens are drawn from.
#[derive(Debug)]
pub(crate) struct App {
    /// Who sits here.
    pub(crate) user: String,
    /// Styles.
    pub(crate) theme: Theme,
    /// The person's time zone.
    pub(crate) zone: TimeZone,
    /// Now; set before every event.
    pub(crate) now: UnixMs,
    /// Columns and rows of the terminal.
    pub(crate) size: (u16, u16),
    /// How it stands with the database.
    pub(crate) link: Link,
    /// The worklist.
    pub(crate) listing: Listing,
    /// How many are how far.
    pub(crate) counts: Counts,
    /// The engine's last sign of life.
    pub(crate) engine: Option<EngineStatus>,
    /// The open study.
    pub(crate) viewer: Option<Viewer>,
    /// The line that is being typed.
    pub(crate) prompt: Option<Prompt>,
    /// What lies over the screen and takes the keys.
    pub(crate) dialog: Option<Dialog>,
    /// Whether the help lies over the screen.
    pub(crate) help: bool,
    /// When the study or the verdict under the cursor became another one by itself.
    shifted: Option<UnixMs>,
    /// The last thing said, until the next key; loud when it asks for action.
    pub(crate) message: Option<(String, bool)>,
}

impl App {
    /// A console before its first event.
    pub(crate) fn new(user: String, theme: Theme, zone: TimeZone, now: UnixMs) -> Self {
        Self {
            user,
            theme,
            zone,
            now,
            size: (80, 24),
            link: Link::Waiting("reading the database".to_owned()),
            listing: Listing::default(),
            counts: Counts::default(),
            engine: None,
            viewer: None,
            prompt: None,
            dialog: None,
            help: false,
            shifted: None,
            message: None,
        }
    }

    /// Takes an event; what it gives back must be done, in this order.
    pub(crate) fn update(&mut self, event: Event) -> Vec<Wish> {
        if matches!(event, Event::Input(_)) {
            return self.take(event);
        }
        let meant = |app: &Self| app.subject().map(|row| (row.study, row.verdict));
        let before = meant(self);
        let wishes = self.take(event);
        if before.is_some() && meant(self) != before {
            self.shifted = Some(self.now);
        }
        wishes
    }

    fn take(&mut self, event: Event) -> Vec<Wish> {
        match event {
            Event::Input(Input::Key(key)) if key.kind != KeyEventKind::Release => {
                return self.key(key);
            }
            Event::Input(Input::Paste(text)) => self.paste(&text),
            Event::Input(Input::Resize(columns, rows)) => {
                self.size = (columns, rows);
                self.listing.scroll(self.list_height());
                return vec![Wish::Redraw];
            }
            Event::Input(_) => {}
            Event::Waiting(why) => self.link = Link::Waiting(why),
            Event::News(news) => self.news(*news),
            Event::Study(opened) => {
                if let Some(viewer) = &mut self.viewer
                    && viewer.study == opened.detail.row.study
                {
                    return viewer.arrive(*opened);
                }
            }
            Event::Slice { folder, z, slice } => {
                if let Some(viewer) = &mut self.viewer {
                    viewer.decoded(&folder, z, slice);
                }
            }
            Event::Profiles { choices, running } => self.profiles(choices, &running),
            Event::Said(text) => self.message = Some((text, false)),
            Event::Refused(why) => self.message = Some((why, true)),
            Event::Trouble(why) => self.link = Link::Trouble(why),
            Event::Stop | Event::Lost(_) => return vec![Wish::Quit],
        }
        vec![]
    }

    /// Rows of the worklist that are visible.
    pub(crate) fn list_height(&self) -> usize {
        usize::from(self.size.1.saturating_sub(FRAME))
    }

    /// True when the engine gave no sign of life for too long, or never did.
    pub(crate) fn engine_is_down(&self) -> bool {
        self.engine
            .as_ref()
            .is_none_or(|engine| self.now.seconds_since(engine.beat) > ENGINE_SILENT_S)
    }

    /// How long the screen stays right without an event: until an age or the clock changes.
    pub(crate) fn stays(&self) -> Duration {
        let ages = match self.viewer.as_ref().and_then(|viewer| viewer.detail.as_ref()) {
            Some(detail) => detail.row.scan.into_iter().collect(),
            None => self.listing.visible_scans(self.list_height()).collect::<Vec<_>>(),
        };
        let down = self.engine_is_down();
        let beat = self.engine.as_ref().map(|engine| {
            let left_s = ENGINE_SILENT_S - self.now.seconds_since(engine.beat);
            if down {
                clock::age_stays(self.now, engine.beat)
            } else {
                Duration::from_secs_f64(left_s.clamp(0.0, ENGINE_SILENT_S) + 0.001)
            }
        });
        ages.into_iter()
            .map(|scan| clock::age_stays(self.now, scan))
            .chain(beat)
            .fold(clock::minute_stays(self.now), Duration::min)
    }

    fn news(&mut self, news: News) {
        if self.link == Link::Good
            && let Some(row) = self.listing.first_new(&news.rows)
        {
            let (word, risk) = (words::row_word(row), words::risk(row.risk));
            self.message = Some((format!("new: {word} {risk} {}", words::patient(row)), true));
        }
        self.link = Link::Good;
        self.counts = news.counts;
        self.engine = news.engine;
        self.listing.replace(news.rows, self.list_height());
    }

    fn paste(&mut self, text: &str) {
        if let Some(dialog) = &mut self.dialog {
            return dialog.paste(text);
        }
        let Some(prompt) = &mut self.prompt else { return };
        prompt.insert(text);
        self.follow_filter();
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Wish> {
        if let Some(command @ (Command::Quit | Command::Redraw)) = keys::control(key) {
            return vec![if command == Command::Quit { Wish::Quit } else { Wish::Redraw }];
        }
        self.message = None;
        if let Some(prompt) = &mut self.prompt {
            let typed = prompt.key(key);
            return self.typed(typed);
        }
        if let Some(dialog) = &mut self.dialog {
            let step = dialog.key(key);
            return self.dialog_step(step);
        }
        if std::mem::take(&mut self.help) {
            return vec![];
        }
        let place = if self.viewer.is_some() { Place::Study } else { Place::Worklist };
        match keys::command(key, place) {
            Some(command) => self.command(command),
            None => vec![],
        }
    }

    fn typed(&mut self, typed: Typed) -> Vec<Wish> {
        if typed == Typed::More {
            self.follow_filter();
            return vec![];
        }
        let Some(prompt) = self.prompt.take() else { return vec![] };
        let height = self.list_height();
        match (prompt.purpose, typed) {
            (Purpose::Note(study), Typed::Done) if !prompt.text.trim().is_empty() => {
                vec![Wish::Note { study, text: prompt.text.trim().to_owned() }]
            }
            (Purpose::Filter, Typed::Dropped) => {
                self.listing.set_filter("", height);
                vec![]
            }
            _ => vec![],
        }
    }

    fn follow_filter(&mut self) {
        let height = self.list_height();
        if let Some(Prompt { purpose: Purpose::Filter, text }) = &self.prompt {
            self.listing.set_filter(text, height);
        }
    }

    fn command(&mut self, command: Command) -> Vec<Wish> {
        match command {
            Command::Help => self.help = true,
            Command::Redraw => return vec![Wish::Redraw],
            Command::Quit => return vec![Wish::Quit],
            Command::Open => return self.open(),
            Command::Back => return self.back(),
            Command::PreviousStudy => return self.turn(-1),
            Command::NextStudy => return self.turn(1),
            Command::Filter => {
                self.prompt = Some(Prompt::new(Purpose::Filter, self.listing.filter()));
            }
            Command::Acknowledge
            | Command::Withdraw
            | Command::Note
            | Command::Raise
            | Command::Lower
            | Command::Clinical
            | Command::Rescore => return self.staff(command),
            Command::Profiles => return vec![Wish::Profiles],
            Command::Window(preset) => self.view(|viewer| viewer.window = preset),
            Command::Contour => self.view(|viewer| viewer.contour = !viewer.contour),
            Command::Layout => self.view(|viewer| {
                viewer.layout = match viewer.layout {
                    Layout::Both => Layout::Picture,
                    Layout::Picture => Layout::Text,
                    Layout::Text => Layout::Both,
                };
                viewer.scroll = 0;
            }),
            Command::PanelUp => self.scroll_text(-3),
            Command::PanelDown => self.scroll_text(3),
            Command::Up => return self.step(-1, -1),
            Command::Down => return self.step(1, 1),
            Command::PageUp => return self.step(-self.list_height().cast_signed(), -5),
            Command::PageDown => return self.step(self.list_height().cast_signed(), 5),
            Command::First => return self.step(isize::MIN, isize::MIN),
            Command::Last => return self.step(isize::MAX, isize::MAX),
        }
        vec![]
    }

    /// Moves by rows in the list, by slices in the picture, by lines in the text.
    fn step(&mut self, rows: isize, slices: isize) -> Vec<Wish> {
        let height = self.list_height();
        match &mut self.viewer {
            None => self.listing.step(rows, height),
            Some(viewer) if viewer.layout == Layout::Text => self.scroll_text(rows),
            // Slices count from the lowest, so that up goes towards the top of the head.
            Some(viewer) => return viewer.step(slices.saturating_neg()),
        }
        vec![]
    }

    fn scroll_text(&mut self, lines: isize) {
        let most = study::most_scroll(self);
        self.view(|viewer| {
            viewer.scroll = viewer.scroll.saturating_add_signed(lines).min(most);
        });
    }

    fn view(&mut self, change: impl FnOnce(&mut Viewer)) {
        if let Some(viewer) = &mut self.viewer {
            change(viewer);
        }
    }

    fn open(&mut self) -> Vec<Wish> {
        let Some(row) = self.listing.selected() else { return vec![] };
        let study = row.study;
        self.viewer = Some(Viewer::new(study));
        vec![Wish::Open(study)]
    }

    fn back(&mut self) -> Vec<Wish> {
        if self.viewer.take().is_some() {
            return vec![Wish::Close];
        }
        self.listing.set_filter("", self.list_height());
        vec![]
    }

    /// Goes to the study above or below without leaving the view.
    fn turn(&mut self, step: isize) -> Vec<Wish> {
        let height = self.list_height();
        self.listing.step(step, height);
        match (&self.viewer, self.listing.selected()) {
            (Some(viewer), Some(row)) if viewer.study != row.study => {
                let study = row.study;
                self.viewer = Some(viewer.turn_to(study));
                vec![Wish::Open(study)]
            }
            _ => vec![],
        }
    }

    /// What staff decides about the study on the screen.
    fn staff(&mut self, command: Command) -> Vec<Wish> {
        let shifted = self.shifted.is_some_and(|at| self.now.seconds_since(at) < SETTLE_S);
        if shifted {
            let text = "the row under the cursor has just changed: look, then press again";
            self.message = Some((text.to_owned(), true));
            return vec![];
        }
        self.listing.hold();
        let Some(row) = self.subject() else { return vec![] };
        let study = row.study;
        let raised = |step: i32| Wish::Priority {
            study,
            priority: (row.priority + step).clamp(-HIGHEST_PRIORITY, HIGHEST_PRIORITY),
        };
        match command {
            Command::Raise => vec![raised(1)],
            Command::Lower => vec![raised(-1)],
            Command::Withdraw => vec![Wish::Withdraw(study)],
            Command::Rescore => vec![Wish::Rescore(study)],
            Command::Clinical => {
                self.dialog = Some(Dialog::Clinical(Form::new(study)));
                vec![]
            }
            Command::Note => {
                self.prompt = Some(Prompt::new(Purpose::Note(study), ""));
                vec![]
            }
            _ if row.verdict.is_none() && row.state != StudyState::Failed => {
                let text = "no verdict yet: there is nothing to acknowledge";
                self.message = Some((text.to_owned(), false));
                vec![]
            }
            _ => vec![Wish::Acknowledge { study, verdict: row.verdict }],
        }
    }

    /// The study that staff's keys are about, as it stands on the screen.
    fn subject(&self) -> Option<&Row> {
        match &self.viewer {
            Some(viewer) => viewer.detail.as_ref().map(|detail| &detail.row),
            None => self.listing.selected(),
        }
    }
}
