//! The 18 first-order features, as pyradiomics 3.0.1 defines them.
//!
//! `X` are the grey values of the `N` voxels in the mask, `m` their mean, `μk = Σ (X - m)^k / N`, `Pq`
//! the value below which `q` percent lie, linear between neighbours, `p` the shares of the bins that
//! hold any. Nothing hangs on where the voxels lie.

use ichor_plugin::Refused;

use crate::bins::Levels;
use crate::feature::{Feature, feature};
use crate::pace::{Pace, in_parts};

/// Values that are parted at once: some milliseconds of work.
const LONG: usize = 1 << 18;

/// What the first-order features are computed from.
#[derive(Debug)]
pub(crate) struct FirstOrder {
    minimum: f64,
    maximum: f64,
    mean: f64,
    squares: f64,
    absolute: f64,
    robust: f64,
    /// `P10`, `P25`, `P50`, `P75`, `P90`.
    percentiles: [f64; 5],
    /// Of the orders 2, 3 and 4.
    moments: [f64; 3],
    bins: Vec<f64>,
    n: f64,
    voxel_mm3: f64,
}

/// In pyradiomics' order.
pub(crate) const FIRST_ORDER: [Feature<FirstOrder>; 18] = [
    feature("10Percentile", "P10", "HU", "QG58", |grey| grey.percentiles[0]),
    feature("90Percentile", "P90", "HU", "8DWT", |grey| grey.percentiles[4]),
    feature("Energy", "Σ X²", "HU2", "N8CA", |grey| grey.squares),
    feature("Entropy", "-Σ p log2(p + ε)", "bit", "TLU2", FirstOrder::entropy),
    feature("InterquartileRange", "P75 - P25", "HU", "SALO", |grey| {
        grey.percentiles[3] - grey.percentiles[1]
    }),
    feature("Kurtosis", "μ4 / μ2², 0 for one grey value", "1", "IPH6 + 3", |grey| {
        let [second, _, fourth] = grey.moments;
        if second == 0.0 { 0.0 } else { fourth / (second * second) }
    }),
    feature("Maximum", "max X", "HU", "84IY", |grey| grey.maximum),
    feature("MeanAbsoluteDeviation", "Σ |X - m| / N", "HU", "4FUA", |grey| grey.absolute),
    feature("Mean", "m = Σ X / N", "HU", "Q4LE", |grey| grey.mean),
    feature("Median", "P50", "HU", "Y12H", |grey| grey.percentiles[2]),
    feature("Minimum", "min X", "HU", "1GSF", |grey| grey.minimum),
    feature("Range", "max X - min X", "HU", "2OJQ", |grey| grey.maximum - grey.minimum),
    feature(
        "RobustMeanAbsoluteDeviation",
        "Σ |X' - m'| / N' over the X' in P10 <= X' <= P90",
        "HU",
        "1128",
        |grey| grey.robust,
    ),
    feature("RootMeanSquared", "√(Σ X² / N)", "HU", "5ZWQ", |grey| {
        (grey.squares / grey.n).sqrt()
    }),
    feature("Skewness", "μ3 / μ2^1.5, 0 for one grey value", "1", "KE2M", |grey| {
        let [second, third, _] = grey.moments;
        if second == 0.0 { 0.0 } else { third / second.powf(1.5) }
    }),
    feature("TotalEnergy", "Σ X² times the volume of a voxel", "HU2 mm3", "", |grey| {
        grey.squares * grey.voxel_mm3
    }),
    feature("Uniformity", "Σ p²", "1", "BJ5W", |grey| grey.bins.iter().map(|p| p * p).sum()),
    feature("Variance", "μ2", "HU2", "ECT3", |grey| grey.moments[0]),
];

impl FirstOrder {
    /// Describes `values`, of which there is at least one.
    pub(crate) fn measure(
        values: &[f64],
        levels: &Levels,
        voxel_mm3: f64,
        pace: &dyn Pace,
    ) -> Result<Self, Refused> {
        let n = values.len() as f64;
        let (mut sum, mut minimum, mut maximum) = (0.0, f64::INFINITY, f64::NEG_INFINITY);
        in_parts(values, pace, |part| {
            for &value in part {
                sum += value;
                minimum = minimum.min(value);
                maximum = maximum.max(value);
            }
        })?;
        let mean = sum / n;
        let (mut squares, mut absolute, mut moments) = (0.0, 0.0, [0.0; 3]);
        in_parts(values, pace, |part| {
            for value in part {
                let apart = value - mean;
                let squared = apart * apart;
                squares += value * value;
                absolute += apart.abs();
                moments[0] += squared;
                moments[1] += squared * apart;
                moments[2] += squared * squared;
            }
        })?;
        let percentiles = percentiles(values, pace)?;
        Ok(Self {
            robust: robust_deviation(values, percentiles[0], percentiles[4], pace)?,
            bins: levels.counts[1..].iter().map(|count| *count as f64 / n).collect(),
            moments: moments.map(|moment| moment / n),
            absolute: absolute / n,
            minimum,
            maximum,
            mean,
            squares,
            percentiles,
            n,
            voxel_mm3,
        })
    }

    fn entropy(&self) -> f64 {
        -self.bins.iter().map(|p| p * (p + f64::EPSILON).log2()).sum::<f64>()
    }
}

/// numpy's default: at rank `share (n - 1)`, counted from 0, linear between neighbours.
fn percentiles(values: &[f64], pace: &dyn Pace) -> Result<[f64; 5], Refused> {
    let mut values = values.to_vec();
    let mut passed = 0;
    let mut percentiles = [0.10, 0.25, 0.50, 0.75, 0.90];
    for share in &mut percentiles {
        let rank = *share * (values.len() - 1) as f64;
        let floor = rank.floor() as usize;
        select(&mut values[passed..], floor - passed, pace)?;
        passed = floor;
        let low = values[floor];
        let mut high = f64::INFINITY;
        in_parts(&values[floor + 1..], pace, |part| {
            high = part.iter().copied().fold(high, f64::min);
        })?;
        let high = if floor + 1 < values.len() { high } else { low };
        let part = rank - rank.floor();
        *share = if part < 0.5 {
            low + (high - low) * part
        } else {
            high - (high - low) * (1.0 - part)
        };
    }
    Ok(percentiles)
}

/// Brings the value of `rank` to its place, smaller ones before it and larger ones behind it.
fn select(values: &mut [f64], rank: usize, pace: &dyn Pace) -> Result<(), Refused> {
    let (mut values, mut rank) = (values, rank);
    // Halves of a long list are parted in steps, so that the host is asked in between.
    while values.len() > LONG {
        let step = values.len() / 1000;
        let mut sample: Vec<f64> = values.iter().copied().step_by(step).collect();
        sample.sort_unstable_by(f64::total_cmp);
        let pivot = sample[(rank / step).min(sample.len() - 1)];
        let mut sides = [Vec::new(), Vec::new(), Vec::new()];
        in_parts(values, pace, |part| {
            for value in part {
                sides[(value.total_cmp(&pivot) as i8 + 1) as usize].push(*value);
            }
        })?;
        let (n_below, n_equal) = (sides[0].len(), sides[1].len());
        for (slot, value) in values.iter_mut().zip(sides.iter().flatten()) {
            *slot = *value;
        }
        if rank < n_below {
            values = &mut values[..n_below];
        } else if rank < n_below + n_equal {
            return Ok(());
        } else {
            rank -= n_below + n_equal;
            values = &mut values[n_below + n_equal..];
        }
    }
    pace.check()?;
    values.select_nth_unstable_by(rank, f64::total_cmp);
    Ok(())
}

/// Over the closed range; missing where no voxel lies there, as in two voxels of different grey.
fn robust_deviation(
    values: &[f64],
    low: f64,
    high: f64,
    pace: &dyn Pace,
) -> Result<f64, Refused> {
    let inner = |part: &[f64], of: &mut dyn FnMut(f64)| {
        part.iter().filter(|value| (low..=high).contains(*value)).for_each(|value| of(*value));
    };
    let (mut n, mut sum, mut apart) = (0.0, 0.0, 0.0);
    in_parts(values, pace, |part| {
        inner(part, &mut |value| {
            n += 1.0;
            sum += value;
        });
    })?;
    let mean = sum / n;
    in_parts(values, pace, |part| inner(part, &mut |value| apart += (value - mean).abs()))?;
    Ok(apart / n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bins::Binning;
    use crate::pace::Endless;
    use crate::testing::Noise;

    fn check(hu: &[f64], expected: &[(&str, f64)]) {
        let levels = Levels::sort(hu, Binning::Width(25.0), false, &Endless).unwrap();
        let grey = FirstOrder::measure(hu, &levels, 2.0, &Endless).unwrap();
        for (name, value) in expected {
            let row = FIRST_ORDER.iter().find(|row| row.name == *name).unwrap();
            let found = (row.of)(&grey);
            let equal = (found - value).abs() <= 1e-12 || found.is_nan() && value.is_nan();
            assert!(equal, "{name} of {hu:?}: {found} for {value}");
        }
    }

    #[test]
    fn four_grey_values_are_described_by_hand() {
        check(
            &[30.0, 10.0, 40.0, 20.0],
            &[
                ("Mean", 25.0),
                ("Variance", 125.0),
                ("Energy", 3000.0),
                ("TotalEnergy", 6000.0),
                ("RootMeanSquared", 750.0_f64.sqrt()),
                ("MeanAbsoluteDeviation", 10.0),
                ("Skewness", 0.0),
                ("Kurtosis", 25_625.0 / 125.0_f64.powi(2)),
                ("10Percentile", 13.0),
                ("90Percentile", 37.0),
                ("Median", 25.0),
                ("InterquartileRange", 15.0),
                ("RobustMeanAbsoluteDeviation", 5.0),
                ("Entropy", 1.0),
                ("Uniformity", 0.5),
                ("Range", 30.0),
            ],
        );
    }

    #[test]
    fn one_grey_value_has_no_spread_and_no_shape() {
        check(
            &[60.0, 60.0, 60.0],
            &[("Variance", 0.0), ("Skewness", 0.0), ("Kurtosis", 0.0), ("Uniformity", 1.0)],
        );
    }

    #[test]
    fn two_different_voxels_leave_nothing_between_their_percentiles() {
        check(&[50.0, 70.0], &[("RobustMeanAbsoluteDeviation", f64::NAN), ("Median", 60.0)]);
    }

    #[test]
    fn a_long_list_has_the_percentiles_of_the_sorted_one() {
        let mut noise = Noise::new(41);
        let values: Vec<f64> = (0..LONG + 5000).map(|_| noise.below(1 << 20) as f64).collect();
        let found = percentiles(&values, &Endless).unwrap();
        let mut sorted = values;
        sorted.sort_unstable_by(f64::total_cmp);
        for (found, share) in found.iter().zip([0.10, 0.25, 0.50, 0.75, 0.90]) {
            let rank = share * (sorted.len() - 1) as f64;
            let [low, high] = [rank.floor(), rank.ceil()].map(|rank| sorted[rank as usize]);
            assert!((low..=high).contains(found), "{found} for {low} to {high}");
        }
    }
}
