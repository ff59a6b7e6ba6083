//! The 18 first-order features, as pyradiomics 3.0.1 defines them.
//!
//! `X` are the grey values of the `N` voxels in the mask, `m` their mean, `p` the shares of the
//! bins that hold any. Nothing hangs on where the voxels lie.

use crate::histogram::Histogram;

/// What the first-order features are computed from.
#[derive(Debug)]
pub(crate) struct FirstOrder {
    grey: Histogram,
    /// Shares of the voxels in the bins that hold any.
    bins: Vec<f64>,
    mean: f64,
    voxel_mm3: f64,
}

type Formula = fn(&FirstOrder) -> f64;

/// Name and formula of every first-order feature, in pyradiomics' order.
pub(crate) const FIRST_ORDER: [(&str, Formula); 18] = [
    ("original_firstorder_10Percentile", percentile_10),
    ("original_firstorder_90Percentile", percentile_90),
    ("original_firstorder_Energy", energy),
    ("original_firstorder_Entropy", entropy),
    ("original_firstorder_InterquartileRange", interquartile_range),
    ("original_firstorder_Kurtosis", kurtosis),
    ("original_firstorder_Maximum", maximum),
    ("original_firstorder_MeanAbsoluteDeviation", mean_absolute_deviation),
    ("original_firstorder_Mean", mean),
    ("original_firstorder_Median", median),
    ("original_firstorder_Minimum", minimum),
    ("original_firstorder_Range", range),
    ("original_firstorder_RobustMeanAbsoluteDeviation", robust_mean_absolute_deviation),
    ("original_firstorder_RootMeanSquared", root_mean_squared),
    ("original_firstorder_Skewness", skewness),
    ("original_firstorder_TotalEnergy", total_energy),
    ("original_firstorder_Uniformity", uniformity),
    ("original_firstorder_Variance", variance),
];

impl FirstOrder {
    /// Counts `hu`, in bins of `bin_width` HU; nothing when there are none.
    pub(crate) fn measure(hu: &[i16], voxel_mm3: f64, bin_width: f64) -> Option<Self> {
        let grey = Histogram::count(hu)?;
        let bins = grey.shares(bin_width);
        let mean = grey.sum(|x| x) / grey.n();
        Some(Self { grey, bins, mean, voxel_mm3 })
    }

    fn central_moment(&self, order: i32) -> f64 {
        self.grey.sum(|x| (x - self.mean).powi(order)) / self.grey.n()
    }
}

/// `P10` in HU, linear between neighbours; IBSI QG58.
fn percentile_10(grey: &FirstOrder) -> f64 {
    grey.grey.percentile(0.10)
}

/// `P90` in HU, linear between neighbours; IBSI 8DWT.
fn percentile_90(grey: &FirstOrder) -> f64 {
    grey.grey.percentile(0.90)
}

/// `Σ X²` in HU²; IBSI N8CA. Nothing is added to `X` first (`voxelArrayShift` 0).
fn energy(grey: &FirstOrder) -> f64 {
    grey.grey.sum(|x| x * x)
}

/// `-Σ p log2(p + ε)` in bits, with `ε` = 2⁻⁵²; IBSI TLU2.
fn entropy(grey: &FirstOrder) -> f64 {
    -grey.bins.iter().map(|p| p * (p + f64::EPSILON).log2()).sum::<f64>()
}

/// `P75 - P25` in HU; IBSI SALO.
fn interquartile_range(grey: &FirstOrder) -> f64 {
    grey.grey.percentile(0.75) - grey.grey.percentile(0.25)
}

/// `μ4 / μ2²`, no unit, 3 for a normal distribution, 0 for one grey value; IBSI IPH6 plus 3.
fn kurtosis(grey: &FirstOrder) -> f64 {
    let variance = variance(grey);
    if variance == 0.0 { 0.0 } else { grey.central_moment(4) / variance.powi(2) }
}

/// `max X` in HU; IBSI 84IY.
fn maximum(grey: &FirstOrder) -> f64 {
    grey.grey.maximum()
}

/// `Σ |X - m| / N` in HU; IBSI 4FUA.
fn mean_absolute_deviation(grey: &FirstOrder) -> f64 {
    grey.grey.sum(|x| (x - grey.mean).abs()) / grey.grey.n()
}

/// `m = Σ X / N` in HU; IBSI Q4LE.
fn mean(grey: &FirstOrder) -> f64 {
    grey.mean
}

/// `P50` in HU; IBSI Y12H.
fn median(grey: &FirstOrder) -> f64 {
    grey.grey.percentile(0.50)
}

/// `min X` in HU; IBSI 1GSF.
fn minimum(grey: &FirstOrder) -> f64 {
    grey.grey.minimum()
}

/// `max X - min X` in HU; IBSI 2OJQ.
fn range(grey: &FirstOrder) -> f64 {
    grey.grey.maximum() - grey.grey.minimum()
}

/// `Σ |X' - m'| / N'` in HU over the voxels `X'` with `P10 <= X' <= P90`; IBSI 1128.
///
/// Missing where no voxel lies there, as in two voxels of different grey.
fn robust_mean_absolute_deviation(grey: &FirstOrder) -> f64 {
    let (low, high) = (percentile_10(grey), percentile_90(grey));
    let inner = |of: &dyn Fn(f64) -> f64| {
        grey.grey.sum(|x| if (low..=high).contains(&x) { of(x) } else { 0.0 })
    };
    let n = inner(&|_| 1.0);
    let mean = inner(&|x| x) / n;
    inner(&|x| (x - mean).abs()) / n
}

/// `sqrt(Σ X² / N)` in HU; IBSI 5ZWQ.
fn root_mean_squared(grey: &FirstOrder) -> f64 {
    (energy(grey) / grey.grey.n()).sqrt()
}

/// `μ3 / μ2^1.5`, no unit, 0 for one grey value; IBSI KE2M.
fn skewness(grey: &FirstOrder) -> f64 {
    let variance = variance(grey);
    if variance == 0.0 { 0.0 } else { grey.central_moment(3) / variance.powf(1.5) }
}

/// `Σ X²` times the volume of a voxel, in HU² mm³; not in IBSI.
fn total_energy(grey: &FirstOrder) -> f64 {
    energy(grey) * grey.voxel_mm3
}

/// `Σ p²`, no unit, 1 when one bin holds all; IBSI BJ5W.
fn uniformity(grey: &FirstOrder) -> f64 {
    grey.bins.iter().map(|p| p * p).sum()
}

/// `μ2 = Σ (X - m)² / N` in HU²; IBSI ECT3.
fn variance(grey: &FirstOrder) -> f64 {
    grey.central_moment(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hu: &[i16], expected: &[(&str, f64)]) {
        let grey = FirstOrder::measure(hu, 2.0, 25.0).unwrap();
        for (name, value) in expected {
            let (_, formula) =
                FIRST_ORDER.iter().find(|(known, _)| known.ends_with(name)).unwrap();
            let found = formula(&grey);
            let equal = (found - value).abs() <= 1e-12 || found.is_nan() && value.is_nan();
            assert!(equal, "{name} of {hu:?}: {found} for {value}");
        }
    }

    #[test]
    fn four_grey_values_are_described_by_hand() {
        check(
            &[10, 20, 30, 40],
            &[
                ("_Mean", 25.0),
                ("_Variance", 125.0),
                ("_Energy", 3000.0),
                ("_TotalEnergy", 6000.0),
                ("_RootMeanSquared", 750.0_f64.sqrt()),
                ("_MeanAbsoluteDeviation", 10.0),
                ("_Skewness", 0.0),
                ("_Kurtosis", 25_625.0 / 125.0_f64.powi(2)),
                ("_10Percentile", 13.0),
                ("_90Percentile", 37.0),
                ("_InterquartileRange", 15.0),
                ("_RobustMeanAbsoluteDeviation", 5.0),
                ("_Entropy", 1.0),
                ("_Uniformity", 0.5),
                ("_Range", 30.0),
            ],
        );
    }

    #[test]
    fn one_grey_value_has_no_spread_and_no_shape() {
        check(
            &[60, 60, 60],
            &[("_Variance", 0.0), ("_Skewness", 0.0), ("_Kurtosis", 0.0), ("_Uniformity", 1.0)],
        );
    }

    #[test]
    fn two_different_voxels_leave_nothing_between_their_percentiles() {
        check(&[50, 70], &[("_RobustMeanAbsoluteDeviation", f64::NAN), ("_Median", 60.0)]);
    }
}
