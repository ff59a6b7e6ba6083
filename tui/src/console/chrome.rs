//! What stands around every screen: banner, status, message, footer.

use ichor_core::age_text;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
    text::{Line, Span},
    widgets::Widget,
};

use super::{
    app::{App, Link},
    keys::{BINDINGS, Place},
    prompt::Purpose,
};
use crate::{
    clock,
    text::{clean, fit, pad, width},
    words,
};

/// Terminals of so many columns show the engine's address.
const WIDE: u16 = 110;

/// Draws the frame and gives back what lies inside it.
pub(crate) fn draw(app: &App, area: Rect, buf: &mut Buffer) -> Rect {
    let line = |y: u16| Rect { y: area.y + y, height: 1, ..area }.intersection(area);
    banner(app, line(0), buf);
    status(app, line(1), buf);
    message(app, line(area.height.saturating_sub(2)), buf);
    footer(app, line(area.height.saturating_sub(1)), buf);
    Rect { y: area.y + 2, height: area.height.saturating_sub(4), ..area }.intersection(area)
}

fn banner(app: &App, area: Rect, buf: &mut Buffer) {
    let left = format!(" ICHOR  {}", words::RESEARCH_USE);
    let text = spread(&left, &format!("{} ", clean(&app.user)), area.width.into());
    buf.set_string(area.x, area.y, text, app.theme.banner());
}

/// `left`, and `right` at the right end where there is room for it.
fn spread(left: &str, right: &str, columns: usize) -> String {
    let free = columns.saturating_sub(width(left) + 1);
    if width(right) > free {
        return pad(left, columns, false);
    }
    format!("{left}{}", pad(right, columns - width(left), true))
}

fn status(app: &App, area: Rect, buf: &mut Buffer) {
    let (text, loud) = match &app.link {
        Link::Waiting(_) => ("waiting for the database".to_owned(), false),
        Link::Trouble(why) => {
            (format!("! DATABASE: {}; the list may be old", clean(why)), true)
        }
        Link::Good if app.engine_is_down() => (engine_down(app), true),
        Link::Good => (counts(app), false),
    };
    let now = clock::hour_text(app.now, &app.zone);
    let room = usize::from(area.width).saturating_sub(now.len() + 3);
    let text = spread(&format!(" {}", fit(&text, room)), &format!("{now} "), area.width.into());
    let style = if loud { app.theme.loud() } else { Style::new() };
    buf.set_string(area.x, area.y, text, style);
}

fn engine_down(app: &App) -> String {
    match &app.engine {
        Some(engine) => format!(
            "! ENGINE DOWN, last heard {} ago: nothing is received or scored",
            age_text(app.now, Some(engine.beat))
        ),
        None => "! ENGINE DOWN, never heard: nothing is received or scored".to_owned(),
    }
}

fn counts(app: &App) -> String {
    let counts = &app.counts;
    let (_, n_rows) = app.listing.sizes();
    let listen = app.engine.as_ref().and_then(|engine| engine.listen.as_deref());
    let mut parts = vec![match listen {
        Some(_) => "engine up".to_owned(),
        None => "engine up, NOT RECEIVING".to_owned(),
    }];
    for (count, word) in [
        (app.listing.n_unseen() as u32, "to see"),
        (counts.failed, "FAILED"),
        (counts.quarantined, "QUARANTINED"),
        (counts.receiving, "receiving"),
        (counts.queued, "queued"),
        (counts.scoring, "scoring"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    parts.push(format!("{n_rows} studies"));
    parts.extend(listen.filter(|_| app.size.0 >= WIDE).map(clean));
    parts.join(" · ")
}

/// The line that is typed, the last thing said, or the filter that holds.
fn message(app: &App, area: Rect, buf: &mut Buffer) {
    let columns = usize::from(area.width);
    if let Some(prompt) = &app.prompt {
        let room = columns.saturating_sub(width(prompt.label()) + 2);
        let line = Line::from(vec![
            Span::styled(prompt.label(), app.theme.title()),
            Span::raw(tail(&prompt.text, room)),
            Span::styled(" ", Style::new().add_modifier(Modifier::REVERSED)),
        ]);
        line.render(area, buf);
    } else if let Some((text, loud)) = &app.message {
        let style = if *loud { app.theme.loud() } else { app.theme.title() };
        buf.set_string(area.x, area.y, fit(&format!(" {} ", clean(text)), columns), style);
    } else if app.viewer.is_none() && !app.listing.filter().is_empty() {
        let (n_shown, n_rows) = app.listing.sizes();
        let text =
            format!(" filter: {} ({n_shown} of {n_rows}; Esc shows all)", app.listing.filter());
        buf.set_string(area.x, area.y, fit(&text, columns), app.theme.title());
    }
}

/// The end of `text` in at most `columns`.
fn tail(text: &str, columns: usize) -> &str {
    let mut rest = text;
    while width(rest) > columns {
        let mut characters = rest.chars();
        characters.next();
        rest = characters.as_str();
    }
    rest
}

/// The keys that hold here, as many as fit; the one for help always does.
fn footer(app: &App, area: Rect, buf: &mut Buffer) {
    let purpose = app.prompt.as_ref().map(|prompt| prompt.purpose);
    let mut keys = match (purpose, &app.dialog) {
        (Some(Purpose::Note(_)), _) => vec![("Enter", "save"), ("Esc", "drop")],
        (Some(Purpose::Filter), _) => vec![("Enter", "keep"), ("Esc", "show all")],
        (None, Some(dialog)) => dialog.keys(),
        (None, None) => here(app),
    };
    let last = keys.pop();
    let columns = |(key, word): &(&str, &str)| (width(key) + width(word) + 3) as u16;
    let room = area.width.saturating_sub(last.as_ref().map_or(0, columns));
    let mut used = 0;
    keys.retain(|entry| {
        used += columns(entry);
        used <= room
    });
    let mut x = area.x;
    for (key, word) in keys.into_iter().chain(last) {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let rest = |x: u16| usize::from(area.right().saturating_sub(x));
        let (after, _) = buf.set_stringn(x + 1, area.y, key, rest(x + 1), bold);
        buf.set_stringn(after + 1, area.y, word, rest(after + 1), app.theme.dim());
        x = (after + 2 + width(word) as u16).min(area.right() - 1);
    }
}

/// The footer's words of every key that holds on this screen.
fn here(app: &App) -> Vec<(&'static str, &'static str)> {
    let place = if app.viewer.is_some() { Place::Study } else { Place::Worklist };
    let holds = |at: Place| at == Place::Everywhere || at == place;
    let held = BINDINGS.iter().filter(|binding| holds(binding.place));
    held.filter_map(|binding| binding.footer).collect()
}
