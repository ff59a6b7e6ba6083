//! Gradients summed by bin, and the best split to be read off the sums.
//!
//! A row's gradient and hessian are rounded to whole numbers and packed into one word, the
//! gradient in its upper half. Sums of words are exact: their order does not matter, and a node
//! less one child is the other child to the last bit.

use crate::bins::BINS;

/// Sums of one column of one node, by bin.
pub(crate) type Sums = [i64; BINS];

/// How gradients become whole numbers: `n` rows cannot overflow half a word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    gradient: f64,
    hessian: f64,
}

/// The most rows whose gradients keep three digits.
pub(crate) const MOST_ROWS: usize = 1 << 21;

impl Scale {
    /// For `n_rows` rows of a logistic loss, whose gradients lie in -1 to 1 and hessians in 0 to
    /// 1/4.
    pub(crate) fn new(n_rows: usize) -> Self {
        let gradient = (f64::from(i32::MAX) / n_rows.max(1) as f64).floor();
        Self { gradient, hessian: 4.0 * gradient }
    }

    /// One row's word.
    pub(crate) fn pack(self, gradient: f64, hessian: f64) -> i64 {
        let whole = |value: f64, scale: f64| (value * scale).round() as i64;
        (whole(gradient, self.gradient) << 32) + whole(hessian, self.hessian)
    }

    /// Sum of the gradients and sum of the hessians.
    pub(crate) fn unpack(self, word: i64) -> (f64, f64) {
        let gradient = f64::from((word >> 32) as i32) / self.gradient;
        (gradient, f64::from(word as i32) / self.hessian)
    }
}

/// Adds the `words` of `rows`, in the same order, to the bins of a column.
pub(crate) fn accumulate(bins: &[u8], rows: &[u32], words: &[i64], sums: &mut Sums) {
    for (&row, &word) in rows.iter().zip(words) {
        sums[usize::from(bins[row as usize]) % BINS] += word;
    }
}

/// What a split has to keep to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) scale: Scale,
    /// Added to every sum of hessians.
    pub(crate) l2: f64,
    /// The least sum of hessians on either side.
    pub(crate) least_hessian: f64,
}

/// Where a column parts the rows of a node best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cut {
    /// Rows in this bin and lower ones go left.
    pub(crate) last_left: usize,
    /// Rows without a value go left.
    pub(crate) missing_left: bool,
    /// How much the split takes off the loss, times two.
    pub(crate) gain: f64,
}

impl Rules {
    /// `G² / (H + l2)`: what a node takes off the loss, times two.
    pub(crate) fn merit(&self, word: i64) -> f64 {
        let (gradient, hessian) = self.scale.unpack(word);
        gradient * gradient / (hessian + self.l2)
    }

    /// The best cut of a column whose values lie in bins 1 to `last`, if any cut helps.
    pub(crate) fn best(&self, sums: &Sums, total: i64, last: usize) -> Option<Cut> {
        let cut = |start: i64, missing_left: bool| {
            let (last_left, merit) = self.best_from(sums, total, start, last)?;
            let gain = merit - self.merit(total);
            (gain > 0.0).then_some(Cut { last_left, missing_left, gain })
        };
        let missing_right = cut(0, false);
        if sums[0] == 0 {
            return missing_right;
        }
        let missing_left = cut(sums[0], true);
        match (missing_right, missing_left) {
            (Some(right), Some(left)) if left.gain <= right.gain => Some(right),
            (right, left) => left.or(right),
        }
    }

    /// The bin after which to cut, and the merit of both sides, with `start` already on the left.
    fn best_from(
        &self,
        sums: &Sums,
        total: i64,
        start: i64,
        last: usize,
    ) -> Option<(usize, f64)> {
        let (mut left, mut words) = (start, [0_i64; BINS]);
        for (word, sum) in words.iter_mut().zip(sums).take(last).skip(1) {
            left += sum;
            *word = left;
        }
        let merits = words.map(|left| self.merit_of_both(left, total));
        let mut best = None;
        for (bin, merit) in merits.into_iter().enumerate().take(last).skip(1) {
            if best.is_none_or(|(_, known)| merit > known) {
                best = Some((bin, merit));
            }
        }
        best
    }

    /// The merit of both sides together, with a single division.
    #[inline]
    fn merit_of_both(&self, left: i64, total: i64) -> f64 {
        let (left_gradient, left_hessian) = self.scale.unpack(left);
        let (right_gradient, right_hessian) = self.scale.unpack(total - left);
        let allowed = left_hessian.min(right_hessian) >= self.least_hessian;
        let (a, b) = (left_hessian + self.l2, right_hessian + self.l2);
        let merit =
            (left_gradient * left_gradient * b + right_gradient * right_gradient * a) / (a * b);
        if allowed { merit } else { f64::NEG_INFINITY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules { scale: Scale::new(8), l2: 1.0, least_hessian: 0.4 }
    }

    /// Rows as (bin, gradient), each with hessian 1/4.
    fn check(rows: &[(u8, f64)], expected: Option<(usize, bool)>) {
        let rules = rules();
        let mut sums = [0; BINS];
        let bins: Vec<u8> = rows.iter().map(|(bin, _)| *bin).collect();
        let words: Vec<i64> =
            rows.iter().map(|(_, gradient)| rules.scale.pack(*gradient, 0.25)).collect();
        let order: Vec<u32> = (0..rows.len() as u32).collect();
        accumulate(&bins, &order, &words, &mut sums);
        let total = words.iter().sum();
        let cut = rules.best(&sums, total, 3);
        assert_eq!(cut.map(|cut| (cut.last_left, cut.missing_left)), expected, "{rows:?}");
    }

    #[test]
    fn sums_come_back_from_their_words() {
        let scale = Scale::new(1000);
        let word = (0..1000).map(|_| scale.pack(-1.0, 0.25)).sum();
        assert_eq!(scale.unpack(word), (-1000.0, 250.0));
        let mixed = scale.pack(-0.5, 0.25) + scale.pack(0.25, 0.0);
        let (gradient, hessian) = scale.unpack(mixed);
        assert!((gradient - -0.25).abs() < 1e-6 && (hessian - 0.25).abs() < 1e-6);
    }

    #[test]
    fn the_cut_falls_where_the_gradients_change_sign() {
        check(&[(1, -0.5), (1, -0.5), (2, -0.5), (3, 0.5), (3, 0.5)], Some((2, false)));
        check(&[(1, -0.5), (1, -0.5), (2, 0.5), (3, 0.5), (3, 0.5)], Some((1, false)));
    }

    #[test]
    fn rows_without_a_value_go_where_they_fit() {
        check(
            &[(0, -0.5), (0, -0.5), (1, -0.5), (1, -0.5), (3, 0.5), (3, 0.5)],
            Some((1, true)),
        );
        check(
            &[(0, 0.5), (0, 0.5), (1, -0.5), (1, -0.5), (3, 0.5), (3, 0.5)],
            Some((1, false)),
        );
    }

    #[test]
    fn a_side_that_weighs_too_little_is_no_side() {
        check(&[(1, -0.5), (3, 0.5), (3, 0.5)], None);
    }
}
