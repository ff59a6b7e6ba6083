//! The loss of a batch: weighted cross-entropy, and Dice over all of its pixels.
//!
//! With logits z, p = sigmoid(z), labels y and weights w (Milletari et al. 2016, arXiv
//! 1606.04797, for Dice):
//!
//! `loss = bce * sum(w * H(y, p)) / sum(w) + 1 - (2 * sum(w * p * y) + 1) / (sum(w * p) + sum(w * y) + 1)`
//!
//! Both parts divide by sums of the whole batch, so the sums of all samples come before the first
//! gradient.

use ndarray::{Array2, Zip};

use super::augment::Sample;

/// Sums over the pixels of a sample or a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sums {
    entropy: f64,
    weight: f64,
    both: f64,
    either: f64,
}

impl Sums {
    /// The sums of one sample, whose `logits` have its shape.
    pub(super) fn of(logits: &Array2<f32>, sample: &Sample) -> Self {
        let mut sums = Self::default();
        Zip::from(logits).and(&sample.blood).and(&sample.weight).for_each(|&z, &y, &w| {
            let (z, y, w) = (f64::from(z), f64::from(y), f64::from(w));
            // Of either sign, the exponential is at most 1.
            let entropy = z.max(0.0) - z * y + (-z.abs()).exp().ln_1p();
            let p = sigmoid(z);
            sums.entropy += w * entropy;
            sums.weight += w;
            sums.both += w * p * y;
            sums.either += w * (p + y);
        });
        sums
    }

    /// Adds the sums of another sample.
    pub(super) fn add(&mut self, other: Self) {
        self.entropy += other.entropy;
        self.weight += other.weight;
        self.both += other.both;
        self.either += other.either;
    }

    /// The loss of a batch of these sums, with `bce` times the cross-entropy.
    pub(super) fn loss(self, bce: f64) -> f64 {
        let dice = (2.0 * self.both + 1.0) / (self.either + 1.0);
        bce * self.entropy / self.weight.max(1.0) + 1.0 - dice
    }

    /// Gradient of the batch's loss by the `logits` of one of its samples.
    pub(super) fn by_logits(
        self,
        bce: f64,
        logits: &Array2<f32>,
        sample: &Sample,
    ) -> Array2<f32> {
        let entropy = bce / self.weight.max(1.0);
        let (above, below) = (2.0 * self.both + 1.0, self.either + 1.0);
        Zip::from(logits).and(&sample.blood).and(&sample.weight).map_collect(|&z, &y, &w| {
            let (y, w, p) = (f64::from(y), f64::from(w), sigmoid(f64::from(z)));
            let dice = (2.0 * y * below - above) / (below * below);
            (w * (entropy * (p - y) - dice * p * (1.0 - p))) as f32
        })
    }
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two samples of different size, with soft labels and weights.
    fn batch() -> Vec<(Array2<f32>, Sample)> {
        [(3, 4), (2, 5)]
            .into_iter()
            .map(|dim| {
                let of = |a: usize, b: usize| {
                    Array2::from_shape_fn(dim, |(y, x)| ((y * a + x * b) % 7) as f32 / 6.0)
                };
                let sample = Sample { pixels: of(1, 1), blood: of(3, 2), weight: of(2, 5) };
                (of(5, 3).mapv(|v| 4.0 * v - 2.0), sample)
            })
            .collect()
    }

    fn sums(batch: &[(Array2<f32>, Sample)]) -> Sums {
        let mut sums = Sums::default();
        for (logits, sample) in batch {
            sums.add(Sums::of(logits, sample));
        }
        sums
    }

    #[test]
    fn the_gradient_is_what_finite_differences_say() {
        let batch = batch();
        for slot in 0..batch.len() {
            let (logits, sample) = &batch[slot];
            let gradient = sums(&batch).by_logits(2.0, logits, sample);
            for (at, &found) in gradient.indexed_iter() {
                let moved = |by: f32| {
                    let mut batch = batch.clone();
                    batch[slot].0[at] += by;
                    sums(&batch).loss(2.0)
                };
                let step = 1.0 / 512.0;
                let expected = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
                assert!((f64::from(found) - expected).abs() < 1e-6, "{found}, not {expected}");
            }
        }
    }

    #[test]
    fn a_hand_computed_loss() {
        // Two pixels at z = 0, one of them blood: entropy ln 2, Dice (2 * 0.5 + 1) / (2 + 1).
        let sample = Sample {
            pixels: Array2::zeros((1, 2)),
            blood: ndarray::array![[0.0, 1.0]],
            weight: Array2::ones((1, 2)),
        };
        let loss = Sums::of(&Array2::zeros((1, 2)), &sample).loss(2.0);
        assert!((loss - (2.0 * 2.0_f64.ln() + 1.0 - 2.0 / 3.0)).abs() < 1e-12, "{loss}");
    }

    #[test]
    fn logits_far_out_give_numbers() {
        let sample = Sample {
            pixels: Array2::zeros((1, 2)),
            blood: ndarray::array![[0.0, 1.0]],
            weight: Array2::ones((1, 2)),
        };
        let logits = ndarray::array![[1e4, -1e4]];
        let sums = Sums::of(&logits, &sample);
        assert!(sums.loss(2.0).is_finite());
        assert!(sums.by_logits(2.0, &logits, &sample).iter().all(|v| v.is_finite()));
    }
}
