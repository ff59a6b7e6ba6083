//! Whole screens, and keys that lead from one to the next.

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use ichor_store::{Counts, EngineStatus, Row};
use jiff::tz::TimeZone;
use ratatui::{buffer::Buffer, style::Color};

use super::{
    app::{App, ENGINE_SILENT_S},
    draw,
    event::{Album, Event, News, Opened, Wish},
    phantom, slices,
    viewer::Layout,
};
use crate::{golden, sample, theme::Theme};

fn console(columns: u16, rows: u16, colour: bool) -> App {
    let mut app = App::new("ana".to_owned(), Theme { colour }, TimeZone::UTC, sample::NOW);
    app.size = (columns, rows);
    app
}

fn news(rows: Vec<Row>) -> Event {
    Event::News(Box::new(News {
        rows,
        counts: Counts { receiving: 2, failed: 1, quarantined: 1, ..Counts::default() },
        engine: Some(EngineStatus {
            pid: 1,
            version: "0.1.0".to_owned(),
            beat: sample::NOW.plus_s(-2.0),
            listen: Some("127.0.0.1:11112".to_owned()),
        }),
    }))
}

/// A console with the sample list.
pub(super) fn filled(columns: u16, rows: u16, colour: bool) -> App {
    let mut app = console(columns, rows, colour);
    assert_eq!(app.update(news(sample::list())), []);
    app
}

/// Types the characters of `keys`; `⏎` is Enter, `⎋` Esc, `⇥` Tab.
pub(super) fn press(app: &mut App, keys: &str) -> Vec<Wish> {
    let code = |c| match c {
        '⏎' => KeyCode::Enter,
        '⎋' => KeyCode::Esc,
        '⇥' => KeyCode::Tab,
        c => KeyCode::Char(c),
    };
    keys.chars()
        .flat_map(|c| {
            let key = KeyEvent::new(code(c), KeyModifiers::NONE);
            app.update(Event::Input(Input::Key(key)))
        })
        .collect()
}

pub(super) fn opened(row: Row, name: &str) -> Opened {
    let folder = phantom::folder(name);
    let index = slices::index(&folder).unwrap();
    Opened { detail: sample::detail(row), pictures: Ok(Album { folder, revision: 2, index }) }
}

/// Opens the study under the cursor and decodes what it asks for.
pub(super) fn open(app: &mut App, name: &str) {
    let row = app.listing.selected().unwrap().clone();
    assert_eq!(press(app, "⏎"), [Wish::Open(row.study)]);
    for wish in app.update(Event::Study(Box::new(opened(row, name)))) {
        let Wish::Slice { album, z } = wish else { panic!("{wish:?}") };
        let slice = slices::slice(&album.folder, &album.index, z).map_err(|e| e.to_string());
        assert_eq!(app.update(Event::Slice { folder: album.folder, z, slice }), []);
    }
}

pub(super) fn text(app: &App) -> String {
    golden::text_of(&draw(app))
}

#[test]
fn the_worklist_at_80_by_24() {
    golden::check("worklist-80x24", &text(&filled(80, 24, true)));
}

#[test]
fn the_worklist_at_200_by_50() {
    golden::check("worklist-200x50", &text(&filled(200, 50, true)));
}

#[test]
fn the_study_at_80_by_24() {
    let mut app = filled(80, 24, false);
    press(&mut app, "jj");
    open(&mut app, "screen-80");
    golden::check("study-80x24", &text(&app));
    press(&mut app, "⇥⇥");
    golden::check("study-text-80x24", &text(&app));
}

#[test]
fn the_study_at_200_by_50() {
    let mut app = filled(200, 50, false);
    press(&mut app, "j");
    open(&mut app, "screen-200");
    golden::check("study-200x50", &text(&app));
}

#[test]
fn the_help_fits_80_by_24() {
    let mut app = filled(80, 24, true);
    press(&mut app, "?");
    golden::check("help-80x24", &text(&app));
    assert_eq!(press(&mut app, "q"), [], "any key closes the help and does nothing else");
    assert_eq!(press(&mut app, "q"), [Wish::Quit]);
}

#[test]
fn without_colour_nothing_is_lost_and_no_cell_has_one() {
    let none = |buf: &Buffer| {
        let plain =
            |cell: &ratatui::buffer::Cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset);
        assert!(buf.content.iter().all(plain));
    };
    let mut plain = filled(80, 24, false);
    let mut coloured = filled(80, 24, true);
    assert_eq!(text(&plain), text(&coloured));
    none(&draw(&plain));
    open(&mut plain, "screen-plain");
    open(&mut coloured, "screen-coloured");
    none(&draw(&plain));
    press(&mut plain, "⇥⇥");
    press(&mut coloured, "⇥⇥");
    assert_eq!(text(&plain), text(&coloured));
    none(&draw(&plain));
}

#[test]
fn the_engine_down_is_said_loudly_and_the_list_stays() {
    let mut app = filled(80, 24, false);
    app.now = app.now.plus_s(ENGINE_SILENT_S);
    let screen = text(&app);
    assert!(
        screen.contains("! ENGINE DOWN, last heard 22 s ago: nothing is received"),
        "{screen}"
    );
    assert!(screen.contains("▲ EXPANDS"));
}

#[test]
fn the_screen_is_drawn_again_when_something_on_it_changes() {
    let mut app = filled(80, 24, false);
    let seconds = app.stays().as_secs_f64();
    assert!((18.0..=18.1).contains(&seconds), "the engine goes silent first: {seconds}");
    app.now = app.now.plus_s(30.0);
    assert!(app.stays().as_secs_f64() <= 1.0, "its age runs by seconds");
}

#[test]
fn without_a_database_the_console_says_what_to_do() {
    let mut app = console(80, 24, false);
    let why = "no database at /srv/ichor.sqlite3: start the engine first or check data_dir";
    app.update(Event::Waiting(why.to_owned()));
    golden::check("waiting-80x24", &text(&app));
}

#[test]
fn every_size_of_terminal_is_drawn() {
    for (columns, rows) in [(1, 1), (29, 24), (30, 8), (40, 12), (80, 9), (300, 100)] {
        let mut app = filled(columns, rows, true);
        draw(&app);
        open(&mut app, "screen-sizes");
        for _ in 0..3 {
            draw(&app);
            press(&mut app, "⇥J");
        }
        press(&mut app, "?");
        draw(&app);
    }
}

#[test]
fn a_name_with_escape_sequences_stays_in_its_column() {
    let buf = draw(&filled(80, 24, true));
    assert!(buf.content.iter().all(|cell| !cell.symbol().chars().any(char::is_control)));
    assert!(golden::text_of(&buf).contains("山田, 太郎?[2J"));
}

#[test]
fn acknowledging_names_the_verdict_on_the_screen() {
    let mut app = filled(80, 24, true);
    press(&mut app, "j");
    let wish = Wish::Acknowledge { study: 2, verdict: Some(102) };
    assert_eq!(press(&mut app, "a"), [wish]);
    open(&mut app, "screen-ack");
    let mut newer = sample::expands(2, 0.9);
    newer.verdict = Some(999);
    app.update(news(vec![newer]));
    let wish = Wish::Acknowledge { study: 2, verdict: Some(102) };
    assert_eq!(press(&mut app, "a"), [wish], "not the one that the list has got since");
}

#[test]
fn a_study_without_a_verdict_cannot_be_acknowledged_but_a_failed_one_can() {
    let mut app = console(80, 24, true);
    app.update(news(vec![sample::failed(5), sample::waiting(8)]));
    assert_eq!(press(&mut app, "a"), [Wish::Acknowledge { study: 5, verdict: None }]);
    assert_eq!(press(&mut app, "ja"), []);
    assert!(text(&app).contains("there is nothing to acknowledge"));
}

#[test]
fn staff_keys_become_wishes() {
    let mut app = filled(80, 24, true);
    assert_eq!(press(&mut app, "p"), [Wish::Priority { study: 7, priority: 3 }]);
    assert_eq!(press(&mut app, "-"), [Wish::Priority { study: 7, priority: 1 }]);
    assert_eq!(press(&mut app, "r"), [Wish::Rescore(7)]);
    assert_eq!(press(&mut app, "A"), [Wish::Withdraw(7)]);
    assert_eq!(press(&mut app, "n  ⏎"), [], "an empty note is none");
    assert_eq!(press(&mut app, "nq?⎋"), [], "a dropped note is none");
    let text = "called Dr. q".to_owned();
    assert_eq!(press(&mut app, "ncalled Dr. q⏎"), [Wish::Note { study: 7, text }]);
}

#[test]
fn the_filter_follows_the_typing_and_esc_ends_it() {
    let mut app = filled(80, 24, true);
    press(&mut app, "/fail");
    assert_eq!(app.listing.sizes(), (1, 8));
    assert!(text(&app).contains("Filter: fail"));
    press(&mut app, "⏎");
    assert!(text(&app).contains("filter: fail (1 of 8; Esc shows all)"));
    press(&mut app, "⎋");
    assert_eq!(app.listing.sizes(), (8, 8));
}

#[test]
fn the_view_goes_through_slices_windows_and_studies() {
    let mut app = filled(80, 24, true);
    press(&mut app, "j");
    open(&mut app, "screen-keys");
    let at = |app: &App| {
        let viewer = app.viewer.as_ref().unwrap();
        (viewer.study, viewer.z, viewer.window, viewer.contour)
    };
    assert_eq!(at(&app), (2, phantom::BLEED, 0, true));
    press(&mut app, "k4m");
    assert_eq!(at(&app), (2, phantom::BLEED + 1, 3, false));
    press(&mut app, "jjg");
    assert_eq!(at(&app).1, 5, "first is the top of the head");
    assert_eq!(press(&mut app, "l"), [Wish::Open(3)]);
    assert_eq!(at(&app), (3, 0, 3, false), "window and contour are kept");
    press(&mut app, "⇥");
    assert_eq!(app.viewer.as_ref().unwrap().layout, Layout::Picture);
    assert_eq!(press(&mut app, "q"), [Wish::Close]);
    assert_eq!(app.listing.selected().unwrap().study, 3);
}

#[test]
fn the_text_scrolls_as_far_as_it_goes() {
    let mut app = filled(80, 24, true);
    press(&mut app, "j");
    open(&mut app, "screen-scroll");
    press(&mut app, &"J".repeat(100));
    let deepest = app.viewer.as_ref().unwrap().scroll;
    assert!(deepest > 0 && text(&app).contains("axial 5 mm soft"));
    press(&mut app, "K");
    assert_eq!(app.viewer.as_ref().unwrap().scroll, deepest - 3);
}

#[test]
fn a_new_expanding_study_is_announced() {
    let mut app = filled(80, 24, true);
    let mut rows = sample::list();
    rows.insert(0, Row { patient_name: "Roe, Rick".to_owned(), ..sample::expands(40, 0.93) });
    app.update(news(rows));
    assert!(text(&app).contains("new: ▲ EXPANDS 93 % Roe, Rick"));
    press(&mut app, "j");
    assert!(!text(&app).contains("new: "));
}

#[test]
fn missing_pictures_are_words() {
    let mut app = filled(80, 24, true);
    press(&mut app, "j⏎");
    let detail = sample::detail(sample::expands(2, 0.871));
    let pictures = Err("There are no pictures of this study.".to_owned());
    app.update(Event::Study(Box::new(Opened { detail, pictures })));
    assert!(text(&app).contains("There are no pictures of this"));
}

#[test]
fn a_key_meant_for_another_row_decides_nothing() {
    let mut app = filled(80, 24, true);
    let mut rows = sample::list();
    rows.insert(0, sample::expands(40, 0.93));
    app.update(news(rows));
    assert_eq!(press(&mut app, "a"), [], "the row came under the cursor just now");
    assert!(text(&app).contains("look, then press again"));
    app.now = app.now.plus_s(1.1);
    let wish = Wish::Acknowledge { study: 40, verdict: Some(140) };
    assert_eq!(press(&mut app, "a"), [wish]);
    app.update(news(vec![sample::expands(41, 0.99), sample::stable(40, 0.1)]));
    assert_eq!(app.listing.selected().unwrap().study, 40, "deciding holds the cursor");
}

#[test]
fn nothing_is_decided_about_a_study_that_was_not_read_yet() {
    let mut app = filled(80, 24, true);
    assert_eq!(press(&mut app, "j⏎apr"), [Wish::Open(2)]);
}
