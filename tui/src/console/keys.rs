//! Which key does what, in one table: it drives the console, writes the footer and the help.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Back,
    PreviousStudy,
    NextStudy,
    Acknowledge,
    Withdraw,
    Note,
    Raise,
    Lower,
    Rescore,
    Clinical,
    Profiles,
    Filter,
    Window(usize),
    Contour,
    Layout,
    PanelUp,
    PanelDown,
    Help,
    Redraw,
    Quit,
}

/// Where a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Everywhere,
    Worklist,
    Study,
}

/// Some keys with one meaning.
pub(crate) struct Binding {
    /// Where they hold.
    pub(crate) place: Place,
    /// The keys and what each asks for; those with `Ctrl` are in [`CONTROL`].
    keys: &'static [(KeyCode, Command)],
    /// How the help names them.
    pub(crate) shown: &'static str,
    /// What they do, for the help.
    pub(crate) does: &'static str,
    /// Key and word in the footer; none: only in the help. The last one always has room.
    pub(crate) footer: Option<(&'static str, &'static str)>,
}

const fn bind(
    place: Place,
    keys: &'static [(KeyCode, Command)],
    shown: &'static str,
    does: &'static str,
    footer: Option<(&'static str, &'static str)>,
) -> Binding {
    Binding { place, keys, shown, does, footer }
}

use KeyCode::{BackTab, Char, End, Enter, Esc, Home, Left, Right, Tab};
use Place::{Everywhere, Study, Worklist};

/// Every key, in the order of the help.
pub(crate) const BINDINGS: &[Binding] = &[
    bind(
        Everywhere,
        &[
            (KeyCode::Up, Command::Up),
            (Char('k'), Command::Up),
            (KeyCode::Down, Command::Down),
            (Char('j'), Command::Down),
        ],
        "Up Down k j",
        "one row, one slice",
        None,
    ),
    bind(
        Everywhere,
        &[(KeyCode::PageUp, Command::PageUp), (KeyCode::PageDown, Command::PageDown)],
        "PgUp PgDn",
        "one screen, five slices",
        None,
    ),
    bind(
        Everywhere,
        &[
            (Home, Command::First),
            (Char('g'), Command::First),
            (End, Command::Last),
            (Char('G'), Command::Last),
        ],
        "Home End g G",
        "first, last",
        None,
    ),
    bind(
        Worklist,
        &[(Enter, Command::Open)],
        "Enter",
        "open the study",
        Some(("Enter", "open")),
    ),
    bind(
        Study,
        &[(Esc, Command::Back), (Char('q'), Command::Back)],
        "Esc q",
        "back to the list",
        Some(("q", "back")),
    ),
    bind(
        Study,
        &[
            (Left, Command::PreviousStudy),
            (Char('h'), Command::PreviousStudy),
            (Right, Command::NextStudy),
            (Char('l'), Command::NextStudy),
        ],
        "Left Right h l",
        "study above, study below",
        None,
    ),
    bind(
        Everywhere,
        &[(Char('a'), Command::Acknowledge), (Char('A'), Command::Withdraw)],
        "a A",
        "I have seen this verdict; A takes it back",
        Some(("a", "seen")),
    ),
    bind(Everywhere, &[(Char('n'), Command::Note)], "n", "write a note", Some(("n", "note"))),
    bind(
        Everywhere,
        &[
            (Char('p'), Command::Raise),
            (Char('+'), Command::Raise),
            (Char('P'), Command::Lower),
            (Char('-'), Command::Lower),
        ],
        "p + P -",
        "priority up, down: 9 comes first, -9 last",
        Some(("p", "priority")),
    ),
    bind(
        Everywhere,
        &[(Char('r'), Command::Rescore)],
        "r",
        "ask the engine to score it again",
        Some(("r", "re-score")),
    ),
    bind(
        Study,
        &[(Char('c'), Command::Clinical)],
        "c",
        "clinical values: onset, pressure, drugs",
        Some(("c", "clinical")),
    ),
    bind(
        Worklist,
        &[(Char('/'), Command::Filter)],
        "/",
        "only rows with these words; Esc: all",
        Some(("/", "filter")),
    ),
    bind(Worklist, &[(Esc, Command::Back)], "Esc", "leave the filter", None),
    bind(
        Study,
        &[(Tab, Command::Layout), (BackTab, Command::Layout)],
        "Tab",
        "picture and text, picture, text",
        Some(("Tab", "layout")),
    ),
    bind(
        Study,
        &[
            (Char('1'), Command::Window(0)),
            (Char('2'), Command::Window(1)),
            (Char('3'), Command::Window(2)),
            (Char('4'), Command::Window(3)),
        ],
        "1 2 3 4",
        "window: brain, blood, stroke, bone",
        Some(("1-4", "window")),
    ),
    bind(Study, &[(Char('m'), Command::Contour)], "m", "contour of the hematoma on, off", None),
    bind(
        Study,
        &[(Char('K'), Command::PanelUp), (Char('J'), Command::PanelDown)],
        "K J",
        "text up, down",
        None,
    ),
    bind(Everywhere, &[], "Ctrl-L", "draw the screen anew", None),
    bind(
        Worklist,
        &[(Char('q'), Command::Quit)],
        "q Ctrl-C",
        "quit; Ctrl-C from everywhere",
        Some(("q", "quit")),
    ),
    bind(
        Worklist,
        &[(Char('t'), Command::Profiles)],
        "t",
        "threshold profiles: see, choose",
        Some(("t", "profiles")),
    ),
    bind(Everywhere, &[(Char('?'), Command::Help)], "?", "this help", Some(("?", "help"))),
];

/// Keys held with `Ctrl`; they work while something is typed, too.
const CONTROL: &[(char, Command)] = &[('l', Command::Redraw), ('c', Command::Quit)];

/// What `key` means at `place`, if anything.
pub(crate) fn command(key: KeyEvent, place: Place) -> Option<Command> {
    if key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER) {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return control(key);
    }
    BINDINGS
        .iter()
        .filter(|binding| binding.place == Everywhere || binding.place == place)
        .flat_map(|binding| binding.keys)
        .find(|(code, _)| *code == key.code)
        .map(|(_, command)| *command)
}

/// What `key` means with `Ctrl`.
pub(crate) fn control(key: KeyEvent) -> Option<Command> {
    let Char(c) = key.code else { return None };
    if !key.modifiers.contains(KeyModifiers::CONTROL) {
        return None;
    }
    let lower = c.to_ascii_lowercase();
    CONTROL.iter().find(|(known, _)| *known == lower).map(|(_, command)| *command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_has_two_meanings_in_one_place() {
        for place in [Worklist, Study] {
            let holds =
                |binding: &&Binding| binding.place == Everywhere || binding.place == place;
            let keys: Vec<KeyCode> = BINDINGS
                .iter()
                .filter(holds)
                .flat_map(|binding| binding.keys.iter().map(|(code, _)| *code))
                .collect();
            for (at, key) in keys.iter().enumerate() {
                assert!(!keys[..at].contains(key), "{key:?} in {place:?}");
            }
        }
    }

    #[test]
    fn q_leaves_the_study_and_quits_the_list() {
        let q = KeyEvent::new(Char('q'), KeyModifiers::NONE);
        assert_eq!(command(q, Study), Some(Command::Back));
        assert_eq!(command(q, Worklist), Some(Command::Quit));
        let control_c = KeyEvent::new(Char('c'), KeyModifiers::CONTROL);
        assert_eq!(command(control_c, Study), Some(Command::Quit));
        let control_q = KeyEvent::new(Char('q'), KeyModifiers::CONTROL);
        assert_eq!(command(control_q, Worklist), None);
    }
}
