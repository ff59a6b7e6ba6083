//! How far the probabilities of a path lie from those of another.

use ndarray::Array2;

/// Differences fall into bins by sign, exponent and seven bits of the fraction: a quantile is
/// known to one part in 128, whatever its size.
const N_BINS: usize = 1 << 15;

/// Differences between two paths, pixel by pixel where the probability is wanted.
#[derive(Debug, Clone)]
pub(super) struct Agreement {
    bins: Vec<u64>,
    largest: f32,
    n_blood: u64,
    n_blood_expected: u64,
}

impl Agreement {
    pub(super) fn new() -> Self {
        Self { bins: vec![0; N_BINS], largest: 0.0, n_blood: 0, n_blood_expected: 0 }
    }

    /// Takes in one slice.
    pub(super) fn add(
        &mut self,
        found: &Array2<f32>,
        expected: &Array2<f32>,
        wanted: Option<&Array2<bool>>,
    ) {
        for ((at, &found), &expected) in found.indexed_iter().zip(expected) {
            if wanted.is_some_and(|wanted| !wanted[at]) {
                continue;
            }
            let difference = (found - expected).abs();
            self.bins[(difference.to_bits() >> 16) as usize] += 1;
            self.largest = self.largest.max(difference);
            self.n_blood += u64::from(found >= 0.5);
            self.n_blood_expected += u64::from(expected >= 0.5);
        }
    }

    /// The largest difference.
    pub(super) fn largest(&self) -> f64 {
        f64::from(self.largest)
    }

    /// The difference that a share `q` of the pixels does not pass, rounded up; none of nothing.
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        let n: u64 = self.bins.iter().sum();
        let rank = (q * n as f64).ceil() as u64;
        let mut below = 0;
        let bin = self.bins.iter().position(|&in_bin| {
            below += in_bin;
            below >= rank && below > 0
        })?;
        // Difference 0 has a bin of its own but for the smallest of all numbers.
        let end = if bin == 0 { 0.0 } else { f32::from_bits(((bin as u32) << 16) | 0xffff) };
        Some(f64::from(end.min(self.largest)))
    }

    /// Pixels of at least one half against those of the other path; none where it has none.
    pub(super) fn volume_ratio(&self) -> Option<f64> {
        (self.n_blood_expected > 0).then(|| self.n_blood as f64 / self.n_blood_expected as f64)
    }
}

/// Whether two slices have the same bits wherever the probability is wanted.
pub(super) fn same_bits(
    found: &Array2<f32>,
    expected: &Array2<f32>,
    wanted: Option<&Array2<bool>>,
) -> bool {
    found.indexed_iter().zip(expected).all(|((at, found), expected)| {
        wanted.is_some_and(|wanted| !wanted[at]) || found.to_bits() == expected.to_bits()
    })
}

/// `count` indices of `n`, spread evenly; all where there are not more.
pub(super) fn spread(n: usize, count: usize) -> Vec<usize> {
    let count = count.min(n);
    (0..count).map(|i| (2 * i + 1) * n / (2 * count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn differences_count_where_the_probability_is_wanted() {
        let (found, expected) = (array![[0.6_f32, 0.2, 0.9]], array![[0.5_f32, 0.45, 0.1]]);
        let wanted = array![[true, true, false]];
        let mut agreement = Agreement::new();
        agreement.add(&found, &expected, Some(&wanted));
        assert!((agreement.largest() - 0.25).abs() < 1e-7);
        assert_eq!(agreement.volume_ratio(), Some(1.0));
        agreement.add(&found, &expected, None);
        assert_eq!(
            (agreement.volume_ratio(), agreement.quantile(1.0)),
            (Some(1.5), Some(f64::from(0.9_f32 - 0.1)))
        );
    }

    #[test]
    fn a_quantile_is_known_to_one_part_in_128() {
        let expected = Array2::zeros((1, 1000));
        let found = Array2::from_shape_fn((1, 1000), |(_, x)| (x + 1) as f32 * 1e-6);
        let mut agreement = Agreement::new();
        agreement.add(&found, &expected, None);
        for (q, exact) in [(0.5, 5e-4), (0.999, 9.99e-4), (1.0, 1e-3)] {
            let quantile = agreement.quantile(q).unwrap();
            assert!(
                (exact * 0.999_999..exact * (1.0 + 1.0 / 128.0)).contains(&quantile),
                "{quantile}"
            );
        }
    }

    #[test]
    fn of_equal_paths_nothing_differs_and_of_none_nothing_is_known() {
        let slice = array![[0.3_f32, 0.7]];
        let mut agreement = Agreement::new();
        assert_eq!((agreement.quantile(0.999), agreement.volume_ratio()), (None, None));
        agreement.add(&slice, &slice, None);
        assert_eq!((agreement.largest(), agreement.quantile(0.999)), (0.0, Some(0.0)));
        assert!(same_bits(&slice, &slice, None));
        assert!(!same_bits(&slice, &array![[0.3, 0.6]], None));
        assert!(same_bits(&slice, &array![[0.3, 0.6]], Some(&array![[true, false]])));
    }

    #[test]
    fn slices_to_check_are_spread_over_the_head() {
        assert_eq!(spread(26, 3), [4, 13, 21]);
        assert_eq!(spread(2, 3), [0, 1]);
        assert!(spread(0, 3).is_empty());
    }
}
