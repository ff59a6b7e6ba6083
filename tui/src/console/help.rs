//! The help: every key of the table, over whatever screen is open.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

use super::{
    dialog::frame,
    keys::{BINDINGS, Place},
};
use crate::{text::pad, theme::Theme};

/// Columns of the keys' names.
const KEYS: usize = 16;
/// Columns of the whole.
const WIDTH: u16 = 68;

/// Draws the help in the middle of `area`; all of it fits 80x24.
pub(crate) fn draw(theme: Theme, area: Rect, buf: &mut Buffer) {
    let size = (WIDTH - 2, BINDINGS.len() as u16);
    let inside = frame(" Keys ", " any key closes ", size, area, buf);
    for (binding, line) in BINDINGS.iter().zip(inside.rows()) {
        let place = match binding.place {
            Place::Everywhere => "",
            Place::Worklist => "list",
            Place::Study => "study",
        };
        let room = usize::from(line.width);
        let bold = Style::new().add_modifier(Modifier::BOLD);
        buf.set_stringn(line.x, line.y, pad(binding.shown, KEYS, false), room, bold);
        let text = format!("{} {}", pad(place, 5, false), binding.does);
        let after = room.saturating_sub(KEYS);
        buf.set_stringn(line.x + KEYS as u16, line.y, text, after, theme.dim());
    }
}
