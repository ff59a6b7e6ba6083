//! The 5 features of the neighbouring gray tone difference matrix (Amadasun & King 1989).
//!
//! For the levels `i` that occur, `p` is the share of the voxels that have it, `s` the sum over these
//! voxels of the distance between `i` and the mean level of their neighbours in the mask, `N` the
//! number of voxels and `G` the number of levels. A voxel without neighbours adds 0 to `s`.

use crate::bins::Levels;
use crate::feature::{Feature, feature};

/// The matrix, one row a level.
#[derive(Debug)]
pub(crate) struct Tones {
    /// `i`, `p` and `s`.
    rows: Vec<[f64; 3]>,
    n: f64,
}

/// In pyradiomics' order.
pub(crate) const NGTDM: [Feature<Tones>; 5] = [
    feature(
        "Busyness",
        "Σ p s / ΣΣ |i p(i) - j p(j)|, 0 where that is 0",
        "1",
        "NQ30",
        Tones::busyness,
    ),
    feature("Coarseness", "1 / Σ p s, 1e6 where that is 0", "1", "QCDE", Tones::coarseness),
    feature(
        "Complexity",
        "ΣΣ |i - j| (p(i) s(i) + p(j) s(j)) / (p(i) + p(j)) / N",
        "1",
        "HDEZ",
        Tones::complexity,
    ),
    feature(
        "Contrast",
        "ΣΣ p(i) p(j) (i - j)² Σ s / (N G (G - 1)), 0 for one level",
        "1",
        "65HE",
        Tones::contrast,
    ),
    feature(
        "Strength",
        "ΣΣ (p(i) + p(j)) (i - j)² / Σ s, 0 where that is 0",
        "1",
        "1X9X",
        Tones::strength,
    ),
];

impl Tones {
    /// `distances` are the sums `s` of each rank.
    pub(crate) fn new(levels: &Levels, distances: &[f64]) -> Self {
        let n = levels.ranks.len() as f64;
        let rows = levels.numbers.iter().zip(&levels.counts).zip(distances).skip(1);
        let rows = rows.map(|((number, count), s)| [f64::from(*number), *count as f64 / n, *s]);
        Self { rows: rows.collect(), n }
    }

    fn blurred(&self) -> f64 {
        self.rows.iter().map(|[_, p, s]| p * s).sum()
    }

    fn distances(&self) -> f64 {
        self.rows.iter().map(|[_, _, s]| s).sum()
    }

    /// Twice the sum over pairs of different levels: both orders count.
    fn pairs(&self, of: impl Fn(&[f64; 3], &[f64; 3]) -> f64) -> f64 {
        let with_later = |(at, row): (usize, &[f64; 3])| -> f64 {
            self.rows[at + 1..].iter().map(|other| of(row, other)).sum()
        };
        2.0 * self.rows.iter().enumerate().map(with_later).sum::<f64>()
    }

    fn coarseness(&self) -> f64 {
        let blurred = self.blurred();
        if blurred == 0.0 { 1e6 } else { 1.0 / blurred }
    }

    fn contrast(&self) -> f64 {
        let levels = self.rows.len() as f64;
        if self.rows.len() < 2 {
            return 0.0;
        }
        let spread = self.pairs(|[i, p, _], [j, q, _]| p * q * (i - j) * (i - j));
        spread * self.distances() / self.n / (levels * (levels - 1.0))
    }

    fn busyness(&self) -> f64 {
        let changes = self.pairs(|[i, p, _], [j, q, _]| (i * p - j * q).abs());
        if changes == 0.0 { 0.0 } else { self.blurred() / changes }
    }

    fn complexity(&self) -> f64 {
        self.pairs(|[i, p, s], [j, q, t]| (i - j).abs() * (p * s + q * t) / (p + q)) / self.n
    }

    fn strength(&self) -> f64 {
        let distances = self.distances();
        let spread = self.pairs(|[i, p, _], [j, q, _]| (p + q) * (i - j) * (i - j));
        if distances == 0.0 { 0.0 } else { spread / distances }
    }
}
