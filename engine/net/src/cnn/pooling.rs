//! From the maps of every slice to one vector and an answer, and back.
//!
//! The last maps of a slice become their means over `(y, x)`. Over the slices they are pooled
//! twice: the mean, each slice weighed by the blood that it stands for (area times slab), and the
//! maximum. Both are the same whatever the order of the slices, have a fixed length whatever their
//! number, and change little when the same bleed is cut into thicker or thinner slices; the mean
//! says what most of the bleed looks like, the maximum whether some slice shows a sign at all.
//! Flattened maps, as in the paper, would have none of this.
//!
//! A fully connected layer takes the vector to two logits, softmax to `P(expands)`.

use super::shape::ANSWERS;

/// The vector of one hematoma, and what its gradient needs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pooled {
    /// Means over the slices, then maxima.
    pub(crate) features: Vec<f64>,
    /// Part of all blood that each slice stands for.
    shares: Vec<f64>,
    /// The first slice that has the maximum, map by map.
    largest: Vec<usize>,
}

impl Pooled {
    /// Pools `means`, one vector a slice, by the blood that each slice stands for.
    pub(crate) fn of(means: &[Vec<f64>], blood_mm3: &[f64]) -> Self {
        let all: f64 = blood_mm3.iter().sum();
        let shares: Vec<f64> = blood_mm3.iter().map(|blood| blood / all).collect();
        let n_maps = means.first().map_or(0, Vec::len);
        let mean = |map: usize| -> f64 {
            means.iter().zip(&shares).map(|(slice, share)| share * slice[map]).sum()
        };
        let largest = |map: usize| {
            let above = |best: usize, at: usize| {
                if means[at][map] > means[best][map] { at } else { best }
            };
            (1..means.len()).fold(0, above)
        };
        let largest: Vec<usize> = (0..n_maps).map(largest).collect();
        let maxima = largest.iter().enumerate().map(|(map, &slice)| means[slice][map]);
        let features = (0..n_maps).map(mean).chain(maxima).collect();
        Self { features, shares, largest }
    }

    /// Gradient by the means of `slice`, from that by the features.
    fn back(&self, by_features: &[f64], slice: usize) -> Vec<f64> {
        let n_maps = self.largest.len();
        let of_map = |map: usize| {
            let by_maximum =
                if self.largest[map] == slice { by_features[n_maps + map] } else { 0.0 };
            self.shares[slice] * by_features[map] + by_maximum
        };
        (0..n_maps).map(of_map).collect()
    }
}

/// Probabilities of the answers, stable and expands.
///
/// `connected` is the fully connected layer: its weights `(answer, feature)`, then its biases.
pub(crate) fn answers(features: &[f64], connected: &[f32]) -> [f64; ANSWERS] {
    let n = features.len();
    let logits: [f64; ANSWERS] = std::array::from_fn(|answer| {
        let weights = &connected[answer * n..(answer + 1) * n];
        let terms = weights.iter().zip(features);
        let sum: f64 = terms.map(|(&weight, feature)| f64::from(weight) * feature).sum();
        sum + f64::from(connected[ANSWERS * n + answer])
    });
    let largest = logits.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let powers = logits.map(|logit| (logit - largest).exp());
    let sum: f64 = powers.iter().sum();
    powers.map(|power| power / sum)
}

/// Gradients of `scale` times the cross-entropy of the right answer: writes that by `connected`,
/// gives that by the features.
fn answers_back(
    features: &[f64],
    connected: &[f32],
    (expands, scale): (bool, f64),
    by_connected: &mut [f32],
) -> Vec<f64> {
    let n = features.len();
    let right = usize::from(expands);
    let mut by_features = vec![0.0; n];
    for (answer, p) in answers(features, connected).into_iter().enumerate() {
        let by_logit = scale * (p - if answer == right { 1.0 } else { 0.0 });
        for (at, feature) in features.iter().enumerate() {
            by_connected[answer * n + at] = (by_logit * feature) as f32;
            by_features[at] += by_logit * f64::from(connected[answer * n + at]);
        }
        by_connected[ANSWERS * n + answer] = by_logit as f32;
    }
    by_features
}

/// Cross-entropy of one hematoma, and its gradient, `scale` times, by the means of each of its
/// slices; writes that by `connected`.
pub(crate) fn learned(
    (means, blood_mm3): (&[Vec<f64>], &[f64]),
    connected: &[f32],
    (expands, scale): (bool, f64),
    by_connected: &mut [f32],
) -> (f64, Vec<Vec<f64>>) {
    let pooled = Pooled::of(means, blood_mm3);
    let p = answers(&pooled.features, connected)[usize::from(expands)];
    let right = (expands, scale);
    let by_features = answers_back(&pooled.features, connected, right, by_connected);
    let back = (0..means.len()).map(|slice| pooled.back(&by_features, slice));
    (-p.max(f64::MIN_POSITIVE).ln(), back.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(means: [[f64; 2]; 3], blood: [f64; 3]) -> Vec<f64> {
        Pooled::of(&means.map(|slice| slice.to_vec()), &blood).features
    }

    #[test]
    fn the_vector_does_not_hang_on_order_or_thickness() {
        let (a, b, c) = ([1.0, 0.5], [3.0, 0.0], [2.0, 0.25]);
        assert_eq!(pooled([a, b, c], [10.0, 20.0, 10.0]), [2.25, 0.1875, 3.0, 0.5]);
        assert_eq!(pooled([c, a, b], [10.0, 10.0, 20.0]), [2.25, 0.1875, 3.0, 0.5]);
        // One slice cut into two of half the thickness.
        let twice = Pooled::of(
            &[a.to_vec(), b.to_vec(), b.to_vec(), c.to_vec()],
            &[10.0, 10.0, 10.0, 10.0],
        );
        assert_eq!(twice.features, [2.25, 0.1875, 3.0, 0.5]);
    }

    #[test]
    fn the_answers_are_a_softmax() {
        let connected = [1.0, 0.0, 0.0, 2.0, 0.5, -0.5];
        // Logits 3 + 0.5 and 2 * 1 - 0.5.
        let [stable, expands] = answers(&[3.0, 1.0], &connected);
        assert!((expands - 1.0 / (1.0 + 2.0_f64.exp())).abs() < 1e-12);
        assert!((stable + expands - 1.0).abs() < 1e-12);
    }
}
