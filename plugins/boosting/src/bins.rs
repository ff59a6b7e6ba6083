//! Values in at most 63 bins a column, so that a split is sought among bins and not among values.

/// Bins of a column, the one for missing values included.
pub(crate) const BINS: usize = 64;

/// Training rows, one bin for each value.
#[derive(Debug)]
pub(crate) struct Binned {
    pub(crate) columns: Vec<Column>,
    pub(crate) n_rows: usize,
}

/// One input of all training rows.
#[derive(Debug)]
pub(crate) struct Column {
    /// The bin of each row: 0 is missing, the others rise with the value.
    pub(crate) bins: Vec<u8>,
    /// Rising: values below `thresholds[k]` lie in bin `k + 1` or lower.
    pub(crate) thresholds: Vec<f32>,
}

impl Binned {
    /// Bins `rows`, which all have `n_columns` values and none infinite in single precision, in
    /// which they are compared; NaN is missing.
    pub(crate) fn new(rows: &[Vec<f64>], n_columns: usize) -> Self {
        let columns = (0..n_columns)
            .map(|column| {
                let values: Vec<f32> = rows.iter().map(|row| row[column] as f32).collect();
                let thresholds = thresholds(&values);
                let bins = values.iter().map(|&value| bin(value, &thresholds)).collect();
                Column { bins, thresholds }
            })
            .collect();
        Self { columns, n_rows: rows.len() }
    }
}

fn bin(value: f32, thresholds: &[f32]) -> u8 {
    if value.is_nan() { 0 } else { 1 + thresholds.partition_point(|&cut| cut <= value) as u8 }
}

/// Cuts between values that leave about the same number of rows in each bin.
fn thresholds(values: &[f32]) -> Vec<f32> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let mut cuts = Vec::new();
    let (mut left, mut filled) = (sorted.len(), 0);
    for equal in sorted.chunk_by(|a, b| a >= b) {
        // What is left to share out decides how full a bin has to be.
        let full = filled as f64 >= left as f64 / (BINS - 1 - cuts.len()) as f64;
        if filled > 0 && full && cuts.len() < BINS - 2 {
            cuts.push(between(sorted[sorted.len() - left + filled - 1], equal[0]));
            left -= filled;
            filled = 0;
        }
        filled += equal.len();
    }
    cuts
}

/// A number with `low < it <= high`, half-way where there is one.
fn between(low: f32, high: f32) -> f32 {
    let middle = low / 2.0 + high / 2.0;
    if low < middle { middle.min(high) } else { high }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn few_values_get_a_bin_each_and_missing_ones_their_own() {
        let values = [3.0, f32::NAN, 1.0, 3.0, 2.0, 1.0];
        assert_eq!(thresholds(&values), [1.5, 2.5]);
        assert_eq!(values.map(|value| bin(value, &[1.5, 2.5])), [3, 0, 1, 3, 2, 1]);
    }

    #[test]
    fn many_values_fill_63_bins_evenly() {
        let values: Vec<f32> = (0_u16..6300).map(f32::from).collect();
        let cuts = thresholds(&values);
        assert_eq!(cuts.len(), 62);
        let mut filled = [0; BINS];
        for value in values {
            filled[usize::from(bin(value, &cuts))] += 1;
        }
        assert!(filled[1..].iter().all(|rows| (99..=101).contains(rows)), "{filled:?}");
    }

    #[test]
    fn a_value_that_most_rows_share_leaves_bins_for_the_others() {
        let values: Vec<f32> = (0..1000_i16).map(|row| f32::from((row - 700).max(0))).collect();
        assert!(thresholds(&values).len() > 50);
    }

    #[test]
    fn a_cut_between_neighbouring_numbers_parts_them() {
        let high = 1.0_f32.next_up();
        assert_eq!(between(1.0, high), high);
        assert!(between(f32::MIN, f32::MAX).is_finite());
        assert_eq!(thresholds(&[1.0; 9]), [0.0_f32; 0]);
        assert_eq!(thresholds(&[f32::NAN; 9]), [0.0_f32; 0]);
    }
}
