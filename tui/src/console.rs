//! The console: a worklist in a terminal.
//!
//! One loop: an event changes the state, the state is drawn. The loop waits for nothing but
//! events; keys, signals and the store each have a thread that sends them.

mod app;
mod chooser;
mod chrome;
mod desk;
mod dialog;
#[cfg(test)]
mod dialog_screens;
mod event;
mod form;
mod help;
mod keys;
mod listing;
#[cfg(test)]
mod phantom;
mod picture;
mod prompt;
mod screen;
#[cfg(test)]
mod screens;
#[cfg(test)]
#[path = "../tests/commands/site.rs"]
mod site;
mod slices;
mod study;
mod viewer;
mod worklist;

use std::{
    io::IsTerminal,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
};

use ichor_store::Store;
use ratatui::{buffer::Buffer, layout::Rect};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    iterator::Signals,
};

pub(crate) use self::app::ENGINE_SILENT_S;
use self::{
    app::App,
    desk::Desk,
    event::{Event, Wish},
    screen::Screen,
};
use crate::{clock, error::Error, profile::Shelf, settings::Settings, theme::Theme};

/// Runs the console until it is quit. With `wait` it opens before there is a database.
pub(crate) fn run(settings: &Settings, wait: bool) -> Result<(), Error> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Error::NoTerminal);
    }
    if !wait {
        Store::open_existing(&settings.layout.database())?;
    }
    let theme = Theme::of(&|key| std::env::var(key).ok());
    let mut app = App::new(settings.user(), theme, clock::local_zone(), clock::now());
    app.size = crossterm::terminal::size().map_err(Error::Terminal)?;
    let (events, happened) = channel();
    let (wishes, wished) = channel();
    let desk = Desk {
        layout: settings.layout.clone(),
        user: settings.user(),
        shelf: Shelf::of(settings),
        zone: clock::local_zone(),
        events: events.clone(),
        wishes: wished,
    };
    let mut screen = Screen::enter()?;
    screen::watch_for_faults(events.clone());
    send_signals(events.clone())?;
    thread::spawn(move || desk.run());
    thread::spawn(move || send_input(&events));
    loop {
        app.now = clock::now();
        screen.paint(draw(&app)).map_err(Error::Terminal)?;
        let first = match happened.recv_timeout(app.stays()) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        app.now = clock::now();
        for event in first.into_iter().chain(happened.try_iter()) {
            if let Event::Lost(words) = event {
                return Err(Error::Lost(words));
            }
            for wish in app.update(event) {
                match wish {
                    Wish::Quit => return Ok(()),
                    Wish::Redraw => screen.forget(),
                    // Without its desk the console is ending: `Lost` is on its way.
                    wish => drop(wishes.send(wish)),
                }
            }
        }
    }
}

/// The whole screen.
fn draw(app: &App) -> Buffer {
    let area = Rect::new(0, 0, app.size.0, app.size.1);
    let mut buf = Buffer::empty(area);
    if area.height < 8 || area.width < 30 {
        buf.set_stringn(0, 0, "the terminal is too small", area.width.into(), app.theme.loud());
        return buf;
    }
    let inside = chrome::draw(app, area, &mut buf);
    match &app.viewer {
        Some(viewer) => study::draw(app, viewer, inside, &mut buf),
        None => worklist::draw(app, inside, &mut buf),
    }
    if let Some(dialog) = &app.dialog {
        let detail = app.viewer.as_ref().and_then(|viewer| viewer.detail.as_ref());
        dialog.draw(detail, app.theme, &app.zone, area, &mut buf);
    }
    if app.help {
        help::draw(app.theme, area, &mut buf);
    }
    buf
}

/// Sends keys, pastes and sizes until the terminal is gone.
fn send_input(events: &Sender<Event>) {
    while let Ok(input) = crossterm::event::read() {
        if events.send(Event::Input(input)).is_err() {
            return;
        }
    }
    let _ = events.send(Event::Stop);
}

/// Ends in order when the system asks for it or the connection is cut.
fn send_signals(events: Sender<Event>) -> Result<(), Error> {
    let mut signals =
        Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT]).map_err(Error::Terminal)?;
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            let _ = events.send(Event::Stop);
        }
    });
    Ok(())
}
