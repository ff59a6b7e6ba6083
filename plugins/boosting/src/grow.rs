//! Growing one tree, level by level.

use crate::bins::{BINS, Binned};
use crate::forest::{Node, Test};
use crate::histogram::{Cut, Rules, Sums, accumulate};
use crate::sapling;

/// What one tree is grown from.
pub(crate) struct Ground<'a> {
    pub(crate) binned: &'a Binned,
    /// A word for every row, drawn or not.
    pub(crate) words: &'a [i64],
    /// Columns that may be split.
    pub(crate) columns: &'a [u32],
    pub(crate) rules: Rules,
    pub(crate) depth: usize,
    /// What a leaf's step is multiplied with.
    pub(crate) rate: f64,
}

/// A node that is still being made; `split` is missing in a leaf.
#[derive(Debug, Default)]
struct Sprout {
    split: Option<Split>,
    value: f32,
    rows: u32,
}

#[derive(Debug, Clone, Copy)]
struct Split {
    column: u32,
    cut: Cut,
    left: usize,
    right: usize,
}

/// A node that may be split, with the drawn rows that reached it.
struct Open {
    sprout: usize,
    rows: Vec<u32>,
    total: i64,
    sums: Vec<Sums>,
}

impl Ground<'_> {
    /// Grows a tree on the `drawn` rows and adds its values to the `log_odds` of all rows.
    pub(crate) fn grow(&self, drawn: Vec<u32>, log_odds: &mut [f32]) -> Vec<sapling::Sprout> {
        let mut sprouts = vec![Sprout::default()];
        let total = drawn.iter().map(|&row| self.words[row as usize]).sum();
        let mut sums = vec![[0; BINS]; self.columns.len()];
        self.sum(&drawn, &mut sums);
        let mut level = vec![Open { sprout: 0, rows: drawn, total, sums }];
        for depth in 0..=self.depth {
            let mut next = Vec::new();
            for open in level {
                sprouts[open.sprout].value = self.step(open.total);
                let best = if depth < self.depth { self.best(&open) } else { None };
                let Some((column, cut)) = best else { continue };
                let (left, right) = (sprouts.len(), sprouts.len() + 1);
                sprouts.resize_with(right + 1, Sprout::default);
                sprouts[open.sprout].split = Some(Split { column, cut, left, right });
                next.extend(self.part(
                    open,
                    column,
                    cut,
                    [left, right],
                    depth + 1 < self.depth,
                ));
            }
            level = next;
        }
        self.settle(&mut sprouts, log_odds);
        sprouts.iter().map(|sprout| self.ready(sprout)).collect()
    }

    /// Newton's step for a leaf, shrunk.
    fn step(&self, total: i64) -> f32 {
        let (gradient, hessian) = self.rules.scale.unpack(total);
        (-self.rate * gradient / (hessian + self.rules.l2)) as f32
    }

    fn sum(&self, rows: &[u32], sums: &mut [Sums]) {
        let words: Vec<i64> = rows.iter().map(|&row| self.words[row as usize]).collect();
        for (&column, sums) in self.columns.iter().zip(sums) {
            accumulate(&self.binned.columns[column as usize].bins, rows, &words, sums);
        }
    }

    /// The column and the cut with the greatest gain; the first of a tie.
    fn best(&self, open: &Open) -> Option<(u32, Cut)> {
        let mut best: Option<(u32, Cut)> = None;
        for (&column, sums) in self.columns.iter().zip(&open.sums) {
            let last = self.binned.columns[column as usize].thresholds.len() + 1;
            if let Some(cut) = self.rules.best(sums, open.total, last)
                && best.is_none_or(|(_, known)| cut.gain > known.gain)
            {
                best = Some((column, cut));
            }
        }
        best
    }

    /// Both sides of a split; `sums` says whether they will be split in turn.
    fn part(
        &self,
        open: Open,
        column: u32,
        cut: Cut,
        sprouts: [usize; 2],
        sums: bool,
    ) -> [Open; 2] {
        let bins = &self.binned.columns[column as usize].bins;
        let (left, right): (Vec<u32>, Vec<u32>) =
            open.rows.into_iter().partition(|&row| goes_left(bins[row as usize], cut));
        let left_total = left.iter().map(|&row| self.words[row as usize]).sum();
        let totals = [left_total, open.total - left_total];
        let (mut left_sums, mut right_sums) = (Vec::new(), open.sums);
        if sums {
            left_sums.resize(self.columns.len(), [0; BINS]);
            self.sum(if left.len() <= right.len() { &left } else { &right }, &mut left_sums);
            for (whole, part) in right_sums.iter_mut().zip(&left_sums) {
                for (sum, part) in whole.iter_mut().zip(part) {
                    *sum -= part;
                }
            }
            if left.len() > right.len() {
                std::mem::swap(&mut left_sums, &mut right_sums);
            }
        }
        [
            Open { sprout: sprouts[0], rows: left, total: totals[0], sums: left_sums },
            Open { sprout: sprouts[1], rows: right, total: totals[1], sums: right_sums },
        ]
    }

    /// Sends every row down the tree, drawn or not.
    fn settle(&self, sprouts: &mut [Sprout], log_odds: &mut [f32]) {
        for (row, log_odds) in log_odds.iter_mut().enumerate() {
            let mut at = 0;
            while let Some(split) = sprouts[at].split {
                let bin = self.binned.columns[split.column as usize].bins[row];
                at = if goes_left(bin, split.cut) { split.left } else { split.right };
            }
            sprouts[at].rows += 1;
            *log_odds += sprouts[at].value;
        }
    }

    /// The node as a forest takes it.
    fn ready(&self, sprout: &Sprout) -> sapling::Sprout {
        let Some(Split { column, cut, left, right }) = sprout.split else {
            let (value, cover) = (f64::from(sprout.value), f64::from(sprout.rows));
            return sapling::Sprout::Leaf { value, cover };
        };
        let value = self.binned.columns[column as usize].thresholds[cut.last_left - 1];
        let node = Node {
            value: f64::from(value),
            input: column,
            right: 0,
            test: Test::Threshold,
            missing_left: cut.missing_left,
        };
        sapling::Sprout::Split { node, gain: cut.gain as f32, left, right }
    }
}

fn goes_left(bin: u8, cut: Cut) -> bool {
    if bin == 0 { cut.missing_left } else { usize::from(bin) <= cut.last_left }
}
