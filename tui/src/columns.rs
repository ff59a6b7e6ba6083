//! The columns of the worklist, in one table: the console and `ichor list` read it alike.

use ichor_core::{UnixMs, age_text};
use ichor_store::Row;

use crate::words;

/// What a column may look at.
pub(crate) struct Line<'a> {
    /// Place in the list, from 1.
    pub(crate) rank: usize,
    /// The study.
    pub(crate) row: &'a Row,
    /// Now, for ages.
    pub(crate) now: UnixMs,
}

/// What stands in a column; some are treated in a way of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Rank,
    Study,
    Verdict,
    Other,
}

/// Who reads the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Staff, who move a cursor: rows are counted.
    Console,
    /// The command line, where a study is named by its number: that stands first.
    Command,
}

/// One column.
pub(crate) struct Column {
    /// Its title, one word.
    pub(crate) title: &'static str,
    /// What stands in it.
    pub(crate) meaning: Meaning,
    /// Columns of the terminal that it takes.
    width: usize,
    /// Its share of what is left over; 0: none.
    share: usize,
    /// True for numbers, which end at the right.
    pub(crate) right: bool,
    /// The narrowest terminal that shows it.
    from: usize,
    /// Its text.
    pub(crate) text: fn(&Line) -> String,
}

const fn fixed(
    title: &'static str,
    from: usize,
    width: usize,
    text: fn(&Line) -> String,
) -> Column {
    Column { title, meaning: Meaning::Other, width, share: 0, right: false, from, text }
}

const fn number(
    title: &'static str,
    from: usize,
    width: usize,
    text: fn(&Line) -> String,
) -> Column {
    Column { right: true, ..fixed(title, from, width, text) }
}

/// All columns, from left to right.
const COLUMNS: &[Column] = &[
    Column { meaning: Meaning::Rank, ..number("#", 0, 2, |line| line.rank.to_string()) },
    Column {
        meaning: Meaning::Study,
        ..number("STUDY", 170, 5, |line| line.row.study.to_string())
    },
    fixed("P", 0, 3, |line| words::priority(line.row)),
    Column { share: 1, ..fixed("PATIENT", 0, 12, patient) },
    fixed("MRN", 120, 23, |line| words::patient_id(line.row)),
    number("AGE/SEX", 100, 7, |line| words::age_and_sex(line.row)),
    number("SCAN", 0, 6, |line| age_text(line.now, line.row.scan)),
    number("ML", 0, 6, |line| words::ml(line.row.volume)),
    number("RISK", 0, 5, |line| words::risk(line.row.risk)),
    number("THRESHOLD", 110, 9, |line| words::threshold(line.row.threshold)),
    Column {
        meaning: Meaning::Verdict,
        ..fixed("VERDICT", 0, 16, |line| words::row_word(line.row))
    },
    Column {
        share: 3,
        ..fixed("REASON", 170, 12, |line| words::reason(line.row).unwrap_or_default())
    },
    fixed("PROFILE", 150, 9, |line| {
        line.row.profile.as_deref().map_or_else(|| "-".to_owned(), crate::text::clean)
    }),
    number("IMAGES", 130, 6, |line| line.row.n_images.to_string()),
    fixed("STATE", 140, 9, |line| words::state_word(line.row.state).to_owned()),
    fixed("SEEN BY", 70, 9, |line| words::seen_by(line.row)),
];

/// The patient, with a mark before those that are simulated.
fn patient(line: &Line) -> String {
    let name = words::patient(line.row);
    if line.row.phantom { format!("SIM {name}") } else { name }
}

/// The columns that fit a terminal of `width`, with their widths; one blank goes between them.
pub(crate) fn fitting(
    reader: Reader,
    width: usize,
    n_rows: usize,
) -> Vec<(&'static Column, usize)> {
    let mut chosen: Vec<(&Column, usize)> = COLUMNS
        .iter()
        .filter(|column| match (column.meaning, reader) {
            (Meaning::Rank, Reader::Command) => false,
            (Meaning::Study, Reader::Command) => true,
            _ => column.from <= width,
        })
        .map(|column| match column.meaning {
            Meaning::Rank => (column, column.width.max(n_rows.to_string().len())),
            _ => (column, column.width),
        })
        .collect();
    let taken: usize = chosen.iter().map(|(_, width)| width + 1).sum();
    let mut left = (width + 1).saturating_sub(taken);
    let mut shares: usize = chosen.iter().map(|(column, _)| column.share).sum();
    for (column, width) in &mut chosen {
        if column.share > 0 {
            let more = left * column.share / shares;
            *width += more;
            left -= more;
            shares -= column.share;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fill_every_terminal_and_never_run_over() {
        for width in 68..=240 {
            let chosen = fitting(Reader::Console, width, 12);
            let used: usize = chosen.iter().map(|(_, columns)| columns + 1).sum();
            assert_eq!(used, width + 1, "{width}");
        }
    }

    #[test]
    fn the_verdict_is_shown_on_every_terminal() {
        for width in [40, 80, 200] {
            assert!(
                fitting(Reader::Command, width, 3)
                    .iter()
                    .any(|(column, _)| column.title == "VERDICT")
            );
        }
    }

    #[test]
    fn a_long_list_has_wider_ranks() {
        assert_eq!(fitting(Reader::Console, 80, 10_000)[0].1, 5);
    }
}
