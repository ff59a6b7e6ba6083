//! The 24 features of the gray level co-occurrence matrix (Haralick 1973).
//!
//! `p(i, j)` is the share of the pairs of neighbours along one of 13 angles that have the levels `i`
//! and `j`, each pair counted in both orders; `p(i)` its sum over `j`, `μ` the mean of `p(i)`, `s(k)` and
//! `d(k)` the sums of `p(i, j)` with `i + j = k` and `|i - j| = k`, `G` the highest level. Sums run over
//! all levels, entropies are `H(q) = -Σ q log2(q + ε)`. Each feature is the mean over the angles
//! that have pairs (IBSI: 3D, averaged).

use crate::bins::Levels;
use crate::eigen::second_largest;
use crate::feature::{Feature, feature};
use crate::neighbours::Pair;

/// The matrix of one angle and its sums.
#[derive(Debug)]
pub(crate) struct Joint {
    /// `i`, `j` and `p(i, j)` for `i <= j`; what is not here is 0.
    cells: Vec<[f64; 3]>,
    /// Ranks of `i` and `j` of each cell.
    ranks: Vec<[u16; 2]>,
    /// `p(i)` by rank, from 1 on.
    marginal: Vec<f64>,
    mean: f64,
    /// `k` and `s(k)`, rising; `k` and `d(k)`, rising.
    sums: Vec<[f64; 2]>,
    differences: Vec<[f64; 2]>,
    highest: f64,
    /// `H(p(i, j))` and `H(p(i))`.
    entropy: f64,
    marginal_entropy: f64,
    /// `-ΣΣ p(i, j) log2(p(i) p(j) + ε)` and the same with `p(i) p(j)` in front.
    crossed: [f64; 2],
}

/// In the order of the set: pyradiomics gives a list of chosen features back as it is written.
pub(crate) const GLCM: [Feature<Joint>; 24] = [
    feature("Autocorrelation", "ΣΣ i j p(i, j)", "1", "QWB0", |m| m.over_pairs(|i, j| i * j)),
    feature("JointAverage", "μ = Σ i p(i)", "1", "60VM", |m| m.mean),
    feature("ClusterProminence", "Σ (k - 2μ)⁴ s(k)", "1", "AE86", |m| m.cluster(4)),
    feature("ClusterShade", "Σ (k - 2μ)³ s(k)", "1", "7NFM", |m| m.cluster(3)),
    feature("ClusterTendency", "Σ (k - 2μ)² s(k)", "1", "DG8W", |m| m.cluster(2)),
    feature("Contrast", "Σ k² d(k)", "1", "ACUI", |m| m.over_differences(|k| k * k)),
    feature(
        "Correlation",
        "ΣΣ (i - μ) (j - μ) p(i, j) / Σ (i - μ)² p(i), 1 for one level",
        "1",
        "NI2N",
        Joint::correlation,
    ),
    feature("DifferenceAverage", "Σ k d(k)", "1", "TF7R", |m| m.over_differences(|k| k)),
    feature("DifferenceEntropy", "H(d(k))", "bit", "NTRS", |m| shannon(&m.differences)),
    feature(
        "DifferenceVariance",
        "Σ (k - Σ k d(k))² d(k)",
        "1",
        "D3YU",
        Joint::difference_variance,
    ),
    feature("JointEnergy", "ΣΣ p(i, j)²", "1", "8ZQL", Joint::energy),
    feature("JointEntropy", "H(p(i, j))", "bit", "TU9B", |m| m.entropy),
    feature(
        "Imc1",
        "(H(p(i, j)) + ΣΣ p(i, j) log2(p(i) p(j) + ε)) / H(p(i)), 0 for one level",
        "1",
        "R8DG",
        Joint::information_1,
    ),
    feature(
        "Imc2",
        "√(1 - exp(-2 (H(p(i) p(j)) - H(p(i, j)))))",
        "1",
        "JN9H",
        Joint::information_2,
    ),
    feature("Idm", "Σ d(k) / (1 + k²)", "1", "WF0Z", |m| {
        m.over_differences(|k| 1.0 / (1.0 + k * k))
    }),
    feature("Idmn", "Σ d(k) / (1 + k² / G²)", "1", "1QCO", |m| {
        m.over_differences(|k| 1.0 / (1.0 + k * k / (m.highest * m.highest)))
    }),
    feature("Id", "Σ d(k) / (1 + k)", "1", "IB1Z", |m| {
        m.over_differences(|k| 1.0 / (1.0 + k))
    }),
    feature("Idn", "Σ d(k) / (1 + k / G)", "1", "NDRX", |m| {
        m.over_differences(|k| 1.0 / (1.0 + k / m.highest))
    }),
    feature("InverseVariance", "Σ d(k) / k² over k > 0", "1", "E8JP", |m| {
        m.over_differences(|k| if k > 0.0 { 1.0 / (k * k) } else { 0.0 })
    }),
    feature("MaximumProbability", "max p(i, j)", "1", "GYBY", |m| {
        m.cells.iter().map(|cell| cell[2]).fold(0.0, f64::max)
    }),
    feature("SumEntropy", "H(s(k))", "bit", "P6QZ", |m| shannon(&m.sums)),
    feature("SumSquares", "Σ (i - μ)² p(i)", "1", "UR99", Joint::variance),
    feature("SumAverage", "Σ k s(k)", "1", "ZGXS", |m| {
        m.sums.iter().map(|[k, share]| k * share).sum()
    }),
    feature(
        "MCC",
        "√ of the second largest eigenvalue of Q(i, j) = Σ p(i, k) p(j, k) / (p(i) p(k)), 1 for one level",
        "1",
        "",
        Joint::maximal_correlation,
    ),
];

/// How many of [`GLCM`] belong to the set `teng2021`: not `SumAverage`, twice `JointAverage`, nor MCC.
pub(crate) const IN_SET: usize = 22;

impl Joint {
    /// From the pairs of one angle; nothing when there are none.
    pub(crate) fn new(pairs: &[Pair], levels: &Levels) -> Option<Self> {
        // A pair of different levels stands for both orders.
        let orders = |i: u16, j: u16| if i == j { 1.0 } else { 2.0 };
        let total: f64 = pairs.iter().map(|&(i, j, count)| orders(i, j) * count as f64).sum();
        if pairs.is_empty() {
            return None;
        }
        let level = |rank: u16| f64::from(levels.numbers[usize::from(rank)]);
        let mut counts = vec![0.0; levels.numbers.len()];
        for &(i, j, count) in pairs {
            counts[usize::from(i)] += count as f64;
            if i != j {
                counts[usize::from(j)] += count as f64;
            }
        }
        let marginal: Vec<f64> = counts.iter().map(|count| count / total).collect();
        let cells: Vec<[f64; 3]> = pairs
            .iter()
            .map(|&(i, j, count)| [level(i), level(j), count as f64 / total])
            .collect();
        let ranks: Vec<[u16; 2]> = pairs.iter().map(|&(i, j, _)| [i, j]).collect();
        let mean = levels.numbers.iter().zip(&marginal).map(|(i, p)| f64::from(*i) * p).sum();
        let highest = levels.numbers.last().copied().unwrap_or(1);
        let by = |of: fn(&[f64; 3]) -> f64| gathered(&cells, highest, of);
        let (sums, differences) = (by(|[i, j, _]| i + j), by(|[i, j, _]| j - i));
        let crossed = [crossed_with_joint(&cells, &ranks, &marginal), crossed(&counts, total)];
        Some(Self {
            entropy: -over(&cells, |_, _, p| p * (p + f64::EPSILON).log2()),
            marginal_entropy: -marginal
                .iter()
                .map(|p| p * (p + f64::EPSILON).log2())
                .sum::<f64>(),
            highest: f64::from(highest),
            cells,
            ranks,
            marginal,
            mean,
            sums,
            differences,
            crossed,
        })
    }

    fn over_pairs(&self, of: impl Fn(f64, f64) -> f64) -> f64 {
        over(&self.cells, |i, j, p| of(i, j) * p)
    }

    fn over_differences(&self, of: impl Fn(f64) -> f64) -> f64 {
        self.differences.iter().map(|&[k, share]| of(k) * share).sum()
    }

    fn cluster(&self, order: i32) -> f64 {
        let centre = 2.0 * self.mean;
        self.sums.iter().map(|[k, share]| (k - centre).powi(order) * share).sum()
    }

    fn variance(&self) -> f64 {
        over(&self.cells, |i, j, p| {
            p * ((i - self.mean) * (i - self.mean) + (j - self.mean) * (j - self.mean)) / 2.0
        })
    }

    fn correlation(&self) -> f64 {
        let variance = self.variance();
        if variance == 0.0 {
            return 1.0;
        }
        let covariance = self.over_pairs(|i, j| (i - self.mean) * (j - self.mean));
        covariance / (variance + f64::EPSILON)
    }

    fn difference_variance(&self) -> f64 {
        let mean = self.over_differences(|k| k);
        self.over_differences(|k| (k - mean) * (k - mean))
    }

    fn energy(&self) -> f64 {
        over(&self.cells, |_, _, p| p * p)
    }

    fn information_1(&self) -> f64 {
        let apart = self.entropy - self.crossed[0];
        if self.marginal_entropy == 0.0 { 0.0 } else { apart / self.marginal_entropy }
    }

    fn information_2(&self) -> f64 {
        let gained = self.crossed[1] - self.entropy;
        if gained == 0.0 { 0.0 } else { (1.0 - (-2.0 * gained).exp()).sqrt() }
    }

    /// Missing beyond 512 levels, where the eigenvalues would take longer than all else.
    fn maximal_correlation(&self) -> f64 {
        let n = self.marginal.len() - 1;
        if n < 2 {
            return 1.0;
        }
        if n > 512 {
            return f64::NAN;
        }
        // Q is similar to the square of this symmetric matrix.
        let mut matrix = vec![0.0; n * n];
        for ([i, j], [_, _, p]) in self.ranks.iter().zip(&self.cells) {
            let (i, j) = (usize::from(*i), usize::from(*j));
            let value = p / (self.marginal[i] * self.marginal[j]).sqrt();
            matrix[(i - 1) * n + j - 1] = value;
            matrix[(j - 1) * n + i - 1] = value;
        }
        second_largest(matrix, n)
    }
}

/// Sum over all pairs of levels, in both orders.
fn over(cells: &[[f64; 3]], of: impl Fn(f64, f64, f64) -> f64) -> f64 {
    let order = |i: f64, j: f64| if i < j { 2.0 } else { 1.0 };
    cells.iter().map(|&[i, j, p]| order(i, j) * of(i, j, p)).sum()
}

/// Shares of the pairs by what `of` says of them, rising, none 0.
fn gathered(cells: &[[f64; 3]], highest: u32, of: impl Fn(&[f64; 3]) -> f64) -> Vec<[f64; 2]> {
    let mut shares = vec![0.0; 2 * highest as usize + 1];
    for cell in cells {
        let [i, j, p] = cell;
        shares[of(cell) as usize] += if i < j { 2.0 * p } else { *p };
    }
    let filled = shares.iter().enumerate().filter(|(_, share)| **share > 0.0);
    filled.map(|(k, share)| [k as f64, *share]).collect()
}

fn shannon(shares: &[[f64; 2]]) -> f64 {
    -shares.iter().map(|[_, p]| p * (p + f64::EPSILON).log2()).sum::<f64>()
}

fn crossed_with_joint(cells: &[[f64; 3]], ranks: &[[u16; 2]], marginal: &[f64]) -> f64 {
    let terms = cells.iter().zip(ranks).map(|([i, j, p], rank)| {
        let [a, b] = rank.map(|rank| marginal[usize::from(rank)]);
        let orders = if i < j { 2.0 } else { 1.0 };
        orders * p * (a * b + f64::EPSILON).log2()
    });
    -terms.sum::<f64>()
}

/// `H(p(i) p(j))`: levels that occur equally often have the same terms.
fn crossed(counts: &[f64], total: f64) -> f64 {
    let mut sorted: Vec<f64> = counts.iter().copied().filter(|count| *count > 0.0).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let groups: Vec<[f64; 2]> = sorted
        .chunk_by(|a, b| a.total_cmp(b).is_eq())
        .map(|equal| [equal[0] / total, equal.len() as f64])
        .collect();
    let mut sum = 0.0;
    for (at, [p, n]) in groups.iter().enumerate() {
        for (other, [q, m]) in groups[..=at].iter().enumerate() {
            let orders = if other == at { 1.0 } else { 2.0 };
            sum += orders * n * m * (p * q) * (p * q + f64::EPSILON).log2();
        }
    }
    -sum
}
