//! The help: every key of the table, over whatever screen is open.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
    widgets::{Block, Clear, Widget},
};

use super::keys::{BINDINGS, Place};
use crate::{text::pad, theme::Theme};

/// Columns of the keys' names.
const KEYS: usize = 16;
/// Columns of the whole.
const WIDTH: u16 = 68;

/// Draws the help in the middle of `area`; all of it fits 80x24.
pub(crate) fn draw(theme: Theme, area: Rect, buf: &mut Buffer) {
    let height = (BINDINGS.len() as u16 + 2).min(area.height);
    let width = WIDTH.min(area.width);
    let frame = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    Clear.render(frame, buf);
    let block = Block::bordered().title(" Keys ").title_bottom(" any key closes ");
    let inside = block.inner(frame);
    block.render(frame, buf);
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
