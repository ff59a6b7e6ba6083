//! The desk: the thread that holds the store, reads the pictures and grants wishes, so that
//! the screen never waits for a disk or a lock.
//!
//! Twice a second it asks whether anything changed, which costs microseconds, and reads only
//! then.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender},
    time::Duration,
};

use ichor_core::{Layout, Pictures, UnitId};
use ichor_store::{Acknowledged, RequestKind, Store, StudyDetail, StudyState};
use jiff::tz::TimeZone;

use super::{
    event::{Album, Event, News, Opened, Wish},
    slices,
};
use crate::{clock, error::Error, profile::Shelf, report, text::clean};

/// How often is asked whether anything changed.
const POLL: Duration = Duration::from_millis(500);

/// What the thread works with.
pub(crate) struct Desk {
    /// Where the data lies.
    pub(crate) layout: Layout,
    /// Who decides.
    pub(crate) user: String,
    /// Where the threshold profiles lie.
    pub(crate) shelf: Shelf,
    /// For the times in answers.
    pub(crate) zone: TimeZone,
    /// To the screen.
    pub(crate) events: Sender<Event>,
    /// From the screen.
    pub(crate) wishes: Receiver<Wish>,
}

/// A request whose answer a person waits for.
struct Asked {
    request: i64,
    /// What is said when it is done.
    words: String,
}

impl Desk {
    /// Waits for the database, then serves until the screen is gone.
    pub(crate) fn run(self) {
        loop {
            match Store::open_existing(&self.layout.database()) {
                Ok(store) => return self.serve(store),
                Err(why) => self.say(Event::Waiting(why.to_string())),
            }
            if let Err(RecvTimeoutError::Disconnected) = self.wishes.recv_timeout(POLL) {
                return;
            }
        }
    }

    fn serve(&self, mut store: Store) {
        let mut open = None;
        let mut seen = None;
        let mut asked = vec![];
        loop {
            asked.retain(|request| !self.answered(&store, request));
            seen = self.look(&store, seen, open).unwrap_or_else(|why| {
                self.say(Event::Trouble(why.to_string()));
                None
            });
            match self.wishes.recv_timeout(POLL) {
                Ok(Wish::Open(study)) => {
                    open = Some(study);
                    seen = None;
                }
                Ok(Wish::Close) => open = None,
                Ok(Wish::Slice { album, z }) => self.decode(album, z),
                Ok(Wish::Profiles) => self.say(self.profiles(&store)),
                Ok(Wish::UseProfile { scorer, profile }) => {
                    match self.ask_for(&mut store, scorer, profile) {
                        Ok(request) => asked.push(request),
                        Err(why) => self.say(Event::Refused(why.to_string())),
                    }
                }
                Ok(wish) => self.say(match self.grant(&mut store, wish) {
                    Ok(text) => Event::Said(text),
                    Err(why) => Event::Refused(why.to_string()),
                }),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Reads everything that is shown, when it is not what was `seen` last.
    fn look(
        &self,
        store: &Store,
        seen: Option<u64>,
        open: Option<i64>,
    ) -> Result<Option<u64>, Error> {
        let version = store.data_version()?;
        if seen == Some(version) {
            return Ok(seen);
        }
        if let Some(study) = open {
            let detail = store.study(study)?.ok_or(Error::NoStudy(study))?;
            let pictures = self.album(&detail);
            self.say(Event::Study(Box::new(Opened { detail, pictures })));
        }
        self.say(Event::News(Box::new(News {
            rows: store.worklist()?,
            counts: store.counts()?,
            engine: store.engine_status()?,
        })));
        Ok(Some(version))
    }

    /// The pictures of the verdict's revision, else those of the newest that has some.
    fn album(&self, detail: &StudyDetail) -> Result<Album, String> {
        let judged = report::active(detail).map(|verdict| verdict.revision);
        let revisions = judged.into_iter().chain((0..=detail.revision).rev());
        for revision in revisions {
            let folder = self.layout.artefacts(&detail.row.study_uid, revision);
            if folder.join(Pictures::INDEX).exists() {
                let index = slices::index(&folder).map_err(|why| why.to_string())?;
                return Ok(Album { folder, revision, index });
            }
        }
        Err(match detail.row.state {
            StudyState::Done | StudyState::Failed => "There are no pictures of this study.",
            _ => "No pictures yet: they come when the study is scored.",
        }
        .to_owned())
    }

    fn profiles(&self, store: &Store) -> Event {
        match self.shelf.choices(Some(store)) {
            Ok((choices, unreadable)) => {
                for why in unreadable {
                    self.say(Event::Refused(format!("left out: {why}")));
                }
                Event::Profiles { choices, running: self.shelf.running.clone() }
            }
            Err(why) => Event::Refused(why.to_string()),
        }
    }

    fn ask_for(
        &self,
        store: &mut Store,
        scorer: UnitId,
        profile: String,
    ) -> Result<Asked, Error> {
        let words = format!("{} is judged by {} from now on", scorer.unit, clean(&profile));
        let kind = RequestKind::UseProfile { scorer, profile };
        let request = store.request(&kind, &self.user, clock::now())?;
        self.say(Event::Said("asked the engine; it looks every second".to_owned()));
        Ok(Asked { request, words })
    }

    /// Says what the engine answered, once it has.
    fn answered(&self, store: &Store, asked: &Asked) -> bool {
        match store.request_outcome(asked.request) {
            Ok(None) => return false,
            Ok(Some(Ok(()))) => self.say(Event::Said(asked.words.clone())),
            Ok(Some(Err(why))) => self.say(Event::Refused(format!("refused: {why}"))),
            Err(why) => self.say(Event::Refused(why.to_string())),
        }
        true
    }

    fn decode(&self, album: Album, z: usize) {
        let slice =
            slices::slice(&album.folder, &album.index, z).map_err(|why| why.to_string());
        self.say(Event::Slice { folder: album.folder, z, slice });
    }

    /// Does what staff decided; the answer is for the message line.
    fn grant(&self, store: &mut Store, wish: Wish) -> Result<String, Error> {
        let now = clock::now();
        let by = self.user.as_str();
        Ok(match wish {
            Wish::Acknowledge { study, verdict } => {
                self.acknowledged(store.acknowledge(study, verdict, by, now)?)
            }
            Wish::Withdraw(study) => {
                if store.withdraw_acknowledgement(study, by, now)? {
                    "the acknowledgement was taken back".to_owned()
                } else {
                    "nobody has acknowledged this verdict".to_owned()
                }
            }
            Wish::Note { study, text } => {
                store.note(study, by, &text, now)?;
                "the note is saved".to_owned()
            }
            Wish::Priority { study, priority } => {
                store.set_priority(study, priority, by, now)?;
                format!("priority {priority}")
            }
            Wish::Rescore(study) => {
                store.request(&RequestKind::Rescore { study }, by, now)?;
                "asked the engine to score it again".to_owned()
            }
            Wish::Clinical { study, name, value } => {
                store.set_clinical(study, name, value, by, now)?;
                let done = if value.is_nan() { "taken back" } else { "saved" };
                format!("{name} is {done}; r scores the study again")
            }
            Wish::Open(_)
            | Wish::Close
            | Wish::Slice { .. }
            | Wish::Profiles
            | Wish::UseProfile { .. }
            | Wish::Redraw
            | Wish::Quit => String::new(),
        })
    }

    fn acknowledged(&self, outcome: Acknowledged) -> String {
        match outcome {
            Acknowledged::Done => {
                format!("seen by {}; A takes it back", clean(&self.user))
            }
            Acknowledged::Already { by, at } => {
                let at = clock::hour_text(at, &self.zone);
                format!("{} has acknowledged it at {at} already", clean(&by))
            }
            Acknowledged::VerdictChanged => {
                "a newer verdict has come: look again, nothing was acknowledged".to_owned()
            }
        }
    }

    /// The screen may be gone; then the next wait for a wish ends the thread.
    fn say(&self, event: Event) {
        let _ = self.events.send(event);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use ichor_core::UnixMs;

    use super::*;
    use crate::{console::site::Site, sample::NOW, settings::Settings};

    /// A desk over `site` with the screen's two ends.
    fn start(site: &Site) -> (Sender<Wish>, Receiver<Event>) {
        let (events, happened) = channel();
        let (wishes, wished) = channel();
        let desk = Desk {
            layout: site.layout.clone(),
            user: "ana".to_owned(),
            shelf: Shelf::of(&Settings::read(Some(site.config()), None).unwrap()),
            zone: TimeZone::UTC,
            events,
            wishes: wished,
        };
        std::thread::spawn(move || desk.run());
        (wishes, happened)
    }

    /// The first event that `wanted` takes, within ten seconds.
    fn next<T>(happened: &Receiver<Event>, wanted: impl Fn(Event) -> Option<T>) -> T {
        loop {
            let event = happened.recv_timeout(Duration::from_secs(10)).unwrap();
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    }

    fn said(event: Event) -> Option<String> {
        match event {
            Event::Said(text) | Event::Refused(text) => Some(text),
            _ => None,
        }
    }

    fn study(event: Event) -> Option<Opened> {
        if let Event::Study(opened) = event { Some(*opened) } else { None }
    }

    #[test]
    fn a_wish_is_granted_and_the_list_read_again() {
        let site = Site::filled(NOW);
        let (wishes, happened) = start(&site);
        let rows = |event| if let Event::News(news) = event { Some(news.rows) } else { None };
        let first = next(&happened, rows)[0].clone();
        let wish = Wish::Acknowledge { study: first.study, verdict: first.verdict };
        wishes.send(wish.clone()).unwrap();
        assert_eq!(next(&happened, said), "seen by ana; A takes it back");
        assert_eq!(next(&happened, rows)[0].acknowledged_by.as_deref(), Some("ana"));
        wishes.send(wish).unwrap();
        assert!(next(&happened, said).starts_with("ana has acknowledged it at "));
        let stale = Wish::Acknowledge { study: first.study, verdict: Some(-1) };
        wishes.send(stale).unwrap();
        assert!(next(&happened, said).contains("nothing was acknowledged"));
        wishes.send(Wish::Withdraw(first.study)).unwrap();
        assert_eq!(next(&happened, said), "the acknowledgement was taken back");
        wishes.send(Wish::Priority { study: first.study, priority: 99 }).unwrap();
        assert!(next(&happened, said).contains("from -9 to 9"));
    }

    #[test]
    fn a_change_by_another_reaches_the_open_study() {
        let site = Site::filled(NOW);
        let (wishes, happened) = start(&site);
        let row = site.store().find_study("MRN00000").unwrap();
        wishes.send(Wish::Open(row)).unwrap();
        let opened = next(&happened, study);
        let album = opened.pictures.unwrap();
        assert_eq!((album.revision, opened.detail.notes.len()), (1, 0));
        site.store().note(row, "bob", "called", UnixMs(NOW.0 + 1)).unwrap();
        assert_eq!(next(&happened, study).detail.notes[0].by, "bob");
        wishes.send(Wish::Slice { album, z: 3 }).unwrap();
        let slice =
            |event| if let Event::Slice { slice, .. } = event { Some(slice) } else { None };
        assert_eq!(next(&happened, slice).unwrap().columns, 96);
    }

    #[test]
    fn pictures_that_are_missing_are_told_in_words() {
        let site = Site::filled(NOW);
        let (wishes, happened) = start(&site);
        wishes.send(Wish::Open(site.store().find_study("MRN00009").unwrap())).unwrap();
        let words = next(&happened, study).pictures.unwrap_err();
        assert_eq!(words, "No pictures yet: they come when the study is scored.");
    }

    #[test]
    fn the_desk_waits_for_the_database() {
        let site = Site::empty();
        let (_wishes, happened) = start(&site);
        let waiting = |event| if let Event::Waiting(why) = event { Some(why) } else { None };
        assert!(next(&happened, waiting).contains("start the engine first"));
        site.fill(NOW);
        next(&happened, |event| matches!(event, Event::News(_)).then_some(()));
    }

    #[test]
    fn the_engines_answer_to_a_choice_reaches_the_person() {
        let site = Site::filled(NOW);
        let (wishes, happened) = start(&site);
        wishes.send(Wish::Profiles).unwrap();
        let found = |event| match event {
            Event::Profiles { choices, running } => Some((choices, running)),
            _ => None,
        };
        let (choices, running) = next(&happened, found);
        let of_active = choices.iter().filter(|choice| choice.profile.scorer == running[0]);
        assert!(of_active.clone().any(|choice| choice.in_use && choice.name == "youden"));
        let scorer = running[0].clone();
        for (profile, outcome, words) in [
            ("rule-out", Ok(()), "boosting is judged by rule-out from now on"),
            ("mine", Err("it is void".to_owned()), "refused: it is void"),
        ] {
            let profile = profile.to_owned();
            wishes.send(Wish::UseProfile { scorer: scorer.clone(), profile }).unwrap();
            assert!(next(&happened, said).starts_with("asked the engine"));
            let request = site.store().open_requests().unwrap()[0].id;
            site.store().close_request(request, outcome, NOW).unwrap();
            assert_eq!(next(&happened, said), words);
        }
    }
}
