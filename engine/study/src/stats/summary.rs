//! Means, medians, intervals.

/// An interval of 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The arithmetic mean; none of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The median; none of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (!sorted.is_empty()).then(|| quantile(&sorted, 0.5))
}

/// Quantile `q` of sorted values that are not empty, by linear interpolation (type 7, as numpy).
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() as f64 - 1.0);
    let low = (place as usize).min(sorted.len() - 1);
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        let mut values = [15.0, 14.0, 8.0, 7.0, 9.0, 13.0, 8.0, 8.0, 6.0, 10.0];
        assert_eq!(median(&values), Some(8.5));
        values.sort_by(f64::total_cmp);
        assert_eq!((quantile(&values, 0.25), quantile(&values, 0.75)), (8.0, 12.25));
    }

    #[test]
    fn nothing_has_no_mean() {
        assert_eq!((mean(&[]), median(&[])), (None, None));
        assert_eq!(mean(&[1.0, 2.0, 6.0]), Some(3.0));
    }
}
