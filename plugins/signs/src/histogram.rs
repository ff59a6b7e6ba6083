//! Medians, and the level that best parts a set of grey values in two.

use std::collections::BTreeMap;

/// Counts of whole HU.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    counts: BTreeMap<i16, u64>,
}

impl Histogram {
    pub(crate) fn add(&mut self, hu: i16) {
        *self.counts.entry(hu).or_default() += 1;
    }

    /// The lower median; none of none.
    pub(crate) fn median(&self) -> Option<f64> {
        let n: u64 = self.counts.values().sum();
        let mut below = 0;
        let middle = self.counts.iter().find(|(_, count)| {
            below += **count;
            2 * below >= n
        });
        middle.map(|(&hu, _)| f64::from(hu))
    }
}

/// The median of `values`, the upper one of an even number; none of none.
pub(crate) fn median(mut values: Vec<f32>) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    Some(f64::from(*values.select_nth_unstable_by(middle, f32::total_cmp).1))
}

/// Two classes of grey values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Parted {
    /// Values below belong to the darker class.
    pub(crate) level_hu: f32,
    /// Share of the variance that lies between the classes, `0.0..=1.0`.
    pub(crate) explained: f64,
}

/// Otsu 1979, IEEE Trans. Syst. Man Cybern. 9:62: the level that leaves least variance within
/// the two classes; none where all values are equal.
pub(crate) fn otsu(values: &[f32]) -> Option<Parted> {
    const BINS: usize = 512;
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if low.partial_cmp(&high) != Some(std::cmp::Ordering::Less) {
        return None;
    }
    let width = (high - low) / BINS as f32;
    let mut bins = vec![(0.0_f64, 0.0_f64); BINS];
    let (mut sum, mut squares) = (0.0, 0.0);
    for &value in values {
        let bin = (((value - low) / width) as usize).min(BINS - 1);
        let value = f64::from(value);
        bins[bin].0 += 1.0;
        bins[bin].1 += value;
        sum += value;
        squares += value * value;
    }
    let n = values.len() as f64;
    let total = squares / n - (sum / n).powi(2);
    let (mut n_below, mut sum_below) = (0.0, 0.0);
    let mut best = (0.0, 0);
    for (bin, (count, of_bin)) in bins.iter().enumerate().take(BINS - 1) {
        n_below += count;
        sum_below += of_bin;
        let n_above = n - n_below;
        if n_below > 0.0 && n_above > 0.0 {
            let apart = sum_below / n_below - (sum - sum_below) / n_above;
            let between = n_below * n_above / (n * n) * apart * apart;
            if between > best.0 {
                best = (between, bin + 1);
            }
        }
    }
    let explained = (best.0 / total.max(1e-12)).clamp(0.0, 1.0);
    Some(Parted { level_hu: low + width * best.1 as f32, explained })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_needs_a_value() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.median(), None);
        for hu in [50, 60, -1024, 61] {
            histogram.add(hu);
        }
        assert_eq!(histogram.median(), Some(50.0));
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn two_heaps_are_parted_between_them() {
        let values: Vec<f32> =
            (0..100).map(|i| if i < 30 { 40.0 } else { 60.0 } + (i % 3) as f32).collect();
        let parted = otsu(&values).unwrap();
        assert!((42.0..60.0).contains(&parted.level_hu), "{parted:?}");
        assert!(parted.explained > 0.98, "{parted:?}");
        assert_eq!(otsu(&[5.0; 9]), None);
        assert_eq!(otsu(&[]), None);
    }
}
