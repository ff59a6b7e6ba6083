//! `ichor list`: the worklist in a pipe or on a line.

use std::{
    io::{IsTerminal, Write},
    thread,
    time::Duration,
};

use ichor_core::UnixMs;
use ichor_store::{Row, Store};

use crate::{
    clock,
    columns::{self, Line, Reader},
    error::Error,
    settings::Settings,
    text::pad,
    words,
};

/// How often `--watch` asks whether anything changed.
const POLL: Duration = Duration::from_millis(500);
/// Columns in a pipe.
const PIPE_WIDTH: usize = 180;

/// Prints the worklist; with `watch` again whenever it changes, until it is interrupted.
pub(crate) fn run(
    settings: &Settings,
    watch: bool,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let store = Store::open_existing(&settings.layout.database())?;
    let mut seen = None;
    let mut printed: Option<Vec<Row>> = None;
    loop {
        let version = store.data_version()?;
        if seen != Some(version) {
            seen = Some(version);
            let rows = store.worklist()?;
            if printed.as_ref() != Some(&rows) {
                print(&rows, watch, json, out)?;
                printed = Some(rows);
            }
        }
        if !watch {
            return Ok(());
        }
        thread::sleep(POLL);
    }
}

fn print(rows: &[Row], watch: bool, json: bool, out: &mut dyn Write) -> Result<(), Error> {
    if json {
        if watch {
            serde_json::to_writer(&mut *out, rows)?;
        } else {
            serde_json::to_writer_pretty(&mut *out, rows)?;
        }
        writeln!(out)?;
        out.flush()?;
        return Ok(());
    }
    let terminal = std::io::stdout().is_terminal();
    let width = match crossterm::terminal::size() {
        Ok((columns, _)) if terminal && columns > 0 => columns.into(),
        _ => PIPE_WIDTH,
    };
    if watch && terminal {
        write!(out, "\x1b[H\x1b[2J")?;
    }
    write!(out, "{}", table(rows, clock::now(), width))?;
    out.flush()?;
    Ok(())
}

/// Titles and rows, at most `width` columns wide; the last line says what they are not.
fn table(rows: &[Row], now: UnixMs, width: usize) -> String {
    let chosen = columns::fitting(Reader::Command, width, rows.len());
    let mut text = String::new();
    let mut line = |cells: Vec<String>| {
        text.push_str(cells.join(" ").trim_end());
        text.push('\n');
    };
    line(
        chosen.iter().map(|(column, width)| pad(column.title, *width, column.right)).collect(),
    );
    for (at, row) in rows.iter().enumerate() {
        let cells = Line { rank: at + 1, row, now };
        let cell = |(column, width): &(&columns::Column, usize)| {
            pad(&(column.text)(&cells), *width, column.right)
        };
        line(chosen.iter().map(cell).collect());
    }
    line(vec![words::RESEARCH_USE.to_owned()]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{golden, sample};

    #[test]
    fn the_list_in_a_pipe() {
        golden::check("list-180", &table(&sample::list(), sample::NOW, PIPE_WIDTH));
    }

    #[test]
    fn the_list_on_a_narrow_terminal_begins_with_the_number_to_type() {
        golden::check("list-80", &table(&sample::list(), sample::NOW, 80));
    }
}
