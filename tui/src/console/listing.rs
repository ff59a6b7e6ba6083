//! The state of the worklist: rows, filter, cursor. The cursor stays with its study while the
//! list is put into another order under it.

use ichor_core::UnixMs;
use ichor_store::{Row, VerdictKind};

use crate::words;

/// The worklist as it stands.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    rows: Vec<Row>,
    /// Places in `rows` that the filter leaves.
    shown: Vec<usize>,
    filter: String,
    /// The study under the cursor; none until the cursor was moved: then it stays on top.
    held: Option<i64>,
    cursor: usize,
    top: usize,
}

impl Listing {
    /// Takes new rows in the order of the store; `height` rows are visible.
    pub(crate) fn replace(&mut self, rows: Vec<Row>, height: usize) {
        self.rows = rows;
        self.sieve();
        self.settle(height);
    }

    /// Shows only rows with all words of `filter`.
    pub(crate) fn set_filter(&mut self, filter: &str, height: usize) {
        filter.clone_into(&mut self.filter);
        self.sieve();
        self.settle(height);
    }

    /// The words that rows are held against; empty: all are shown.
    pub(crate) fn filter(&self) -> &str {
        &self.filter
    }

    /// Moves the cursor by `step` rows, as far as the list goes.
    pub(crate) fn step(&mut self, step: isize, height: usize) {
        let last = self.shown.len().saturating_sub(1);
        self.cursor = self.cursor.saturating_add_signed(step).min(last);
        self.hold();
        self.scroll(height);
    }

    /// Keeps the cursor on its study from now on.
    pub(crate) fn hold(&mut self) {
        self.held = self.selected().map(|row| row.study);
    }

    /// Scrolls so that the cursor is among the `height` visible rows.
    pub(crate) fn scroll(&mut self, height: usize) {
        let height = height.max(1);
        let deepest = self.shown.len().saturating_sub(height);
        let least = (self.cursor + 1).saturating_sub(height);
        self.top = self.top.clamp(least, self.cursor.max(least)).min(deepest.max(least));
    }

    /// The row under the cursor.
    pub(crate) fn selected(&self) -> Option<&Row> {
        self.shown.get(self.cursor).map(|at| &self.rows[*at])
    }

    /// The visible rows with their rank in the whole list, and whether the cursor is on them.
    pub(crate) fn visible(&self, height: usize) -> impl Iterator<Item = (usize, &Row, bool)> {
        let window = self.shown.iter().enumerate().skip(self.top).take(height);
        window.map(|(place, at)| (at + 1, &self.rows[*at], place == self.cursor))
    }

    /// Rows that the filter leaves, and all.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.shown.len(), self.rows.len())
    }

    /// Studies expected to grow that nobody has seen.
    pub(crate) fn n_unseen(&self) -> usize {
        self.rows.iter().filter(|row| is_unseen(row)).count()
    }

    /// The first row that is expected to grow, unseen, and was not so in `self`.
    pub(crate) fn first_new<'a>(&self, rows: &'a [Row]) -> Option<&'a Row> {
        let known: std::collections::BTreeSet<i64> =
            self.rows.iter().filter(|row| is_unseen(row)).map(|row| row.study).collect();
        rows.iter().find(|row| is_unseen(row) && !known.contains(&row.study))
    }

    /// The time since the scan of each visible row.
    pub(crate) fn visible_scans(&self, height: usize) -> impl Iterator<Item = UnixMs> {
        self.visible(height).filter_map(|(_, row, _)| row.scan)
    }

    fn sieve(&mut self) {
        let words: Vec<String> =
            self.filter.split_whitespace().map(str::to_lowercase).collect();
        let shown = self.rows.iter().enumerate().filter(|(_, row)| {
            words.is_empty() || {
                let text = searched(row);
                words.iter().all(|word| text.contains(word))
            }
        });
        self.shown = shown.map(|(at, _)| at).collect();
    }

    fn settle(&mut self, height: usize) {
        let held = self
            .held
            .and_then(|study| self.shown.iter().position(|at| self.rows[*at].study == study));
        let last = self.shown.len().saturating_sub(1);
        self.cursor = match (held, self.held) {
            (Some(place), _) => place,
            (None, None) => 0,
            (None, Some(_)) => self.cursor.min(last),
        };
        self.scroll(height);
    }
}

fn is_unseen(row: &Row) -> bool {
    row.kind == Some(VerdictKind::Expands) && row.acknowledged_by.is_none()
}

/// What the filter looks through, in lower case.
fn searched(row: &Row) -> String {
    let seen = if row.acknowledged_by.is_some() { "seen" } else { "unseen" };
    let simulated = if row.phantom { "sim" } else { "" };
    [
        &words::patient(row),
        &words::patient_id(row),
        &words::row_word(row),
        &words::priority(row),
        words::state_word(row.state),
        &words::reason(row).unwrap_or_default(),
        &words::seen_by(row),
        seen,
        simulated,
        &row.study_uid,
        &format!("#{}", row.study),
    ]
    .join("\n")
    .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn listing(n_rows: i64) -> Listing {
        let mut listing = Listing::default();
        listing.replace((1..=n_rows).map(sample::waiting).collect(), 5);
        listing
    }

    fn visible(listing: &Listing) -> Vec<usize> {
        listing.visible(5).map(|(rank, ..)| rank).collect()
    }

    #[test]
    fn the_cursor_stays_with_its_study() {
        let mut listing = listing(4);
        listing.step(2, 5);
        let mut rows: Vec<Row> = (1..=4).map(sample::waiting).collect();
        rows.insert(0, sample::expands(9, 0.9));
        listing.replace(rows, 5);
        assert_eq!(listing.selected().unwrap().study, 3);
    }

    #[test]
    fn an_unmoved_cursor_stays_on_the_most_urgent_row() {
        let mut listing = listing(4);
        listing.replace(vec![sample::expands(9, 0.9), sample::waiting(1)], 5);
        assert_eq!(listing.selected().unwrap().study, 9);
    }

    #[test]
    fn the_cursor_is_always_visible() {
        let mut listing = listing(20);
        listing.step(7, 5);
        assert_eq!(visible(&listing), [4, 5, 6, 7, 8]);
        listing.step(-2, 5);
        assert_eq!(visible(&listing), [4, 5, 6, 7, 8]);
        listing.step(-3, 5);
        assert_eq!(visible(&listing), [3, 4, 5, 6, 7]);
        listing.step(isize::MAX, 5);
        assert_eq!(visible(&listing), [16, 17, 18, 19, 20]);
        listing.scroll(10);
        assert_eq!(listing.visible(10).next().map(|(rank, ..)| rank), Some(11));
        listing.step(isize::MIN, 5);
        assert_eq!(visible(&listing), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_filter_holds_all_its_words_and_keeps_the_ranks() {
        let mut listing = Listing::default();
        listing.replace(sample::list(), 5);
        listing.set_filter("expands sim", 5);
        assert_eq!(visible(&listing), [3]);
        listing.set_filter("UNSEEN expands", 5);
        assert_eq!(visible(&listing), [2]);
        listing.set_filter("nobody", 5);
        assert!(listing.selected().is_none());
        listing.step(1, 5);
        listing.set_filter("", 5);
        assert_eq!(listing.sizes(), (8, 8));
    }

    #[test]
    fn a_new_expanding_study_is_found_once() {
        let listing = listing(2);
        let rows = vec![sample::expands(2, 0.8), sample::waiting(1)];
        assert_eq!(listing.first_new(&rows).unwrap().study, 2);
        let mut later = Listing::default();
        later.replace(rows.clone(), 5);
        assert!(later.first_new(&rows).is_none());
        assert_eq!(later.n_unseen(), 1);
    }
}
