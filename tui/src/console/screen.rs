//! The terminal: taken over, painted, and given back whole whatever happens.
//!
//! Only cells that changed are written, and nothing at all when none did; a frame goes out
//! between the marks of DEC mode 2026, so that terminals that know it never show half of one.

use std::{
    io::{self, BufWriter, Stdout, Write, stdout},
    sync::mpsc::Sender,
    thread,
};

use crossterm::{
    cursor, event, execute, queue,
    terminal::{self, BeginSynchronizedUpdate, ClearType, EndSynchronizedUpdate},
};
use ratatui::{
    backend::{Backend, CrosstermBackend},
    buffer::Buffer,
    layout::Rect,
};

use super::event::Event;
use crate::error::Error;

/// A terminal that shows the console; dropping it gives the terminal back.
pub(crate) struct Screen {
    backend: CrosstermBackend<BufWriter<Stdout>>,
    shown: Buffer,
}

impl Screen {
    /// Takes the terminal over.
    pub(crate) fn enter() -> Result<Self, Error> {
        terminal::enable_raw_mode().map_err(Error::Terminal)?;
        let backend = CrosstermBackend::new(BufWriter::with_capacity(1 << 16, stdout()));
        let mut screen = Self { backend, shown: Buffer::empty(Rect::ZERO) };
        execute!(
            screen.backend,
            terminal::EnterAlternateScreen,
            event::EnableBracketedPaste,
            cursor::Hide
        )
        .map_err(Error::Terminal)?;
        Ok(screen)
    }

    /// Shows `next`.
    pub(crate) fn paint(&mut self, next: Buffer) -> io::Result<()> {
        let anew = self.shown.area != next.area;
        if anew {
            self.shown = Buffer::empty(next.area);
        }
        let changes = self.shown.diff(&next);
        if changes.is_empty() && !anew {
            return Ok(());
        }
        queue!(self.backend, BeginSynchronizedUpdate)?;
        if anew {
            queue!(self.backend, terminal::Clear(ClearType::All))?;
        }
        self.backend.draw(changes.into_iter())?;
        queue!(self.backend, EndSynchronizedUpdate)?;
        Write::flush(&mut self.backend)?;
        self.shown = next;
        Ok(())
    }

    /// Forgets what is shown, so that the next frame is painted whole.
    pub(crate) fn forget(&mut self) {
        self.shown = Buffer::empty(Rect::ZERO);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Gives the terminal back. What fails here has no terminal left to be shown on.
fn leave() {
    let _ = execute!(
        stdout(),
        cursor::Show,
        event::DisableBracketedPaste,
        terminal::LeaveAlternateScreen
    );
    let _ = terminal::disable_raw_mode();
}

/// A fault on the screen's own thread gives the terminal back before it is told; one on
/// another thread is told to the screen's, which ends in order.
pub(crate) fn watch_for_faults(events: Sender<Event>) {
    let screen_thread = thread::current().id();
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |fault| {
        if thread::current().id() == screen_thread {
            leave();
            tell(fault);
        } else {
            let _ = events.send(Event::Lost(fault.to_string()));
        }
    }));
}
