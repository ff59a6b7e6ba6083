//! The worklist's screen. Only the visible rows are looked at.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

use super::app::{App, Link};
use crate::{
    columns::{self, Column, Line, Meaning, Reader},
    text::{clean, pad, wrap},
    words,
};

/// Draws titles and the visible rows of `app` into `area`, in the order of the store.
pub(crate) fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    let (n_shown, n_rows) = app.listing.sizes();
    let room = usize::from(area.width).saturating_sub(1);
    let chosen = columns::fitting(Reader::Console, room, n_rows);
    if let Link::Waiting(why) = &app.link {
        words_instead(&format!("{why}."), app, area, buf);
        return;
    }
    if n_shown == 0 {
        let text = if n_rows == 0 {
            "No studies yet. They appear here as the scanner or PACS sends them."
        } else {
            "No study holds all these words. Esc shows all."
        };
        words_instead(text, app, area, buf);
        return;
    }
    titles(&chosen, app, area, buf);
    let height = usize::from(area.height.saturating_sub(1));
    for (place, (rank, row, selected)) in app.listing.visible(height).enumerate() {
        let y = area.y + 1 + place as u16;
        let line = Line { rank, row, now: app.now };
        let unseen = row.acknowledged_by.is_none();
        let reversed = Style::new().add_modifier(Modifier::REVERSED);
        let base = if selected { reversed } else { Style::new() };
        buf.set_style(Rect { y, height: 1, ..area }, base);
        buf.set_string(area.x, y, if selected { ">" } else { " " }, base);
        let mut x = area.x + 1;
        for (column, width) in &chosen {
            let mut style = base;
            if column.meaning == Meaning::Verdict {
                style = app.theme.tone(words::tone(row)).patch(base);
                if !unseen {
                    style = style.remove_modifier(Modifier::BOLD);
                }
            }
            let text = pad(&(column.text)(&line), *width, column.right);
            buf.set_stringn(x, y, text, usize::from(area.right().saturating_sub(x)), style);
            x = x.saturating_add(*width as u16 + 1).min(area.right());
        }
    }
}

fn titles(chosen: &[(&Column, usize)], app: &App, area: Rect, buf: &mut Buffer) {
    let mut x = area.x + 1;
    for (column, width) in chosen {
        let text = pad(column.title, *width, column.right);
        let room = usize::from(area.right().saturating_sub(x));
        buf.set_stringn(x, area.y, text, room, app.theme.title());
        x = x.saturating_add(*width as u16 + 1).min(area.right());
    }
}

/// A sentence in the middle of an empty screen.
fn words_instead(text: &str, app: &App, area: Rect, buf: &mut Buffer) {
    let lines = wrap(&clean(text), usize::from(area.width).saturating_sub(4));
    let top = area.y + area.height.saturating_sub(lines.len() as u16) / 2;
    for (at, line) in lines.iter().enumerate() {
        let y = top + at as u16;
        if y < area.bottom() {
            buf.set_string(area.x + 2, y, line, app.theme.title());
        }
    }
}
