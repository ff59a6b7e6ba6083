//! What comes into the console and what it wishes for: the only words that its threads share.

use std::path::PathBuf;

use crossterm::event::Event as Input;
use ichor_core::{Pictures, UnitId};
use ichor_store::{Counts, EngineStatus, Row, StudyDetail};

use super::slices::Slice;
use crate::profile::Choice;

/// Something happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// A key, a paste, another size of the terminal.
    Input(Input),
    /// There is no database yet; why, in words.
    Waiting(String),
    /// The database was read.
    News(Box<News>),
    /// The open study was read.
    Study(Box<Opened>),
    /// A slice was decoded, or why not.
    Slice { folder: PathBuf, z: usize, slice: Result<Slice, String> },
    /// The threshold profiles were read, with the scorers that run, the active one first.
    Profiles { choices: Vec<Choice>, running: Vec<UnitId> },
    /// A wish was done.
    Said(String),
    /// A wish was not done; why, in words.
    Refused(String),
    /// The database cannot be read; why, in words.
    Trouble(String),
    /// The system asks us to end.
    Stop,
    /// A thread of ours is gone; its last words.
    Lost(String),
}

/// What the worklist shows.
#[derive(Debug, Clone)]
pub(crate) struct News {
    /// Every study, in the order of the store.
    pub(crate) rows: Vec<Row>,
    /// How many are how far.
    pub(crate) counts: Counts,
    /// The engine's last sign of life.
    pub(crate) engine: Option<EngineStatus>,
}

/// What the study view shows.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    /// The study.
    pub(crate) detail: StudyDetail,
    /// Its pictures, or why there are none.
    pub(crate) pictures: Result<Album, String>,
}

/// Where the pictures of a study lie.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Album {
    /// Their folder; another revision has another one.
    pub(crate) folder: PathBuf,
    /// The revision of the study that they show.
    pub(crate) revision: u32,
    /// What they show.
    pub(crate) index: Pictures,
}

/// What the console asks for; all but the last two go to the desk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wish {
    /// Read this study now and whenever it changes.
    Open(i64),
    /// No study is open any more.
    Close,
    /// Decode a slice.
    Slice { album: Album, z: usize },
    /// This verdict was seen.
    Acknowledge { study: i64, verdict: Option<i64> },
    /// It was not.
    Withdraw(i64),
    /// Staff remarks something.
    Note { study: i64, text: String },
    /// Staff wants it earlier or later.
    Priority { study: i64, priority: i32 },
    /// The engine should score it again.
    Rescore(i64),
    /// Staff knows a value; NaN takes it back.
    Clinical { study: i64, name: &'static str, value: f64 },
    /// Read the threshold profiles.
    Profiles,
    /// The engine should judge by another profile; confirmed.
    UseProfile { scorer: UnitId, profile: String },
    /// Draw everything anew.
    Redraw,
    /// End.
    Quit,
}
