//! A network of twice the width that gives the same answers (Chen, Goodfellow and Shlens 2016,
//! `Net2Net`, arXiv 1511.05641, section 2.2).
//!
//! Every channel becomes two neighbouring twins. Whatever reads a channel reads both twins, with
//! weights that add up to the old one; they are split unevenly and at random, so that the twins
//! get different gradients and part. Neighbours stay neighbours when two layers are concatenated,
//! so the upward blocks need no rule of their own.

use super::random::Random;
use crate::NetError;
use crate::shape::Shape;

/// `small`, the parameters of width `width`, at twice that width. A weight is split at a random
/// share of `0.5 * (1 - uneven)..0.5 * (1 + uneven)`.
pub(super) fn widened(
    small: &[f32],
    (width, depth): (usize, usize),
    uneven: f64,
    random: &mut Random,
) -> Result<Vec<f32>, NetError> {
    let (from, to) = (Shape::new(width, depth)?, Shape::new(2 * width, depth)?);
    let mut flat = Vec::with_capacity(to.n_parameters());
    let mut rest = small;
    for ((name, few), (_, many)) in from.tensors().into_iter().zip(to.tensors()) {
        let (tensor, after) = rest.split_at(few.iter().product());
        rest = after;
        if let ([_, _, ..], [_, _, ..]) = (few.as_slice(), many.as_slice()) {
            let (few, many) = (Kernel::new(&name, &few), Kernel::new(&name, &many));
            flat.extend(split(tensor, few, many, uneven, random));
        } else {
            // The bias of a channel is that of its twins.
            let times = many.iter().product::<usize>() / tensor.len();
            flat.extend(tensor.iter().flat_map(|&bias| std::iter::repeat_n(bias, times)));
        }
    }
    Ok(flat)
}

/// How the weights of a convolution lie in memory.
#[derive(Clone, Copy)]
struct Kernel {
    n_out: usize,
    n_in: usize,
    n_taps: usize,
    /// Up-convolutions have the input before the output.
    input_first: bool,
}

impl Kernel {
    /// `dims` as `Shape::tensors()` gives them: four for a kernel.
    fn new(name: &str, dims: &[usize]) -> Self {
        let input_first = name.starts_with("t.");
        let (n_out, n_in) = if input_first { (dims[1], dims[0]) } else { (dims[0], dims[1]) };
        Self { n_out, n_in, n_taps: dims[2..].iter().product(), input_first }
    }

    fn at(self, output: usize, input: usize, tap: usize) -> usize {
        let pair = if self.input_first {
            input * self.n_out + output
        } else {
            output * self.n_in + input
        };
        pair * self.n_taps + tap
    }
}

fn split(
    small: &[f32],
    few: Kernel,
    many: Kernel,
    uneven: f64,
    random: &mut Random,
) -> Vec<f32> {
    let mut large = vec![0.0; many.n_out * many.n_in * many.n_taps];
    for output in 0..many.n_out {
        let old_output = output * few.n_out / many.n_out;
        for input in 0..few.n_in {
            for tap in 0..few.n_taps {
                let weight = small[few.at(old_output, input, tap)];
                if few.n_in == many.n_in {
                    // The image has no twin.
                    large[many.at(output, input, tap)] = weight;
                    continue;
                }
                let share = 0.5 * (1.0 + uneven * random.between(-1.0, 1.0));
                let first = (f64::from(weight) * share) as f32;
                large[many.at(output, 2 * input, tap)] = first;
                large[many.at(output, 2 * input + 1, tap)] = weight - first;
            }
        }
    }
    large
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::random::Stream;
    use crate::train::reference;
    use ndarray::Array2;

    /// Widens a network with random weights; gives the largest change of a logit.
    fn check(width: usize, depth: usize, uneven: f64) {
        let shape = Shape::new(width, depth).unwrap();
        let mut random = Random::keyed(Stream::Start, &[3]);
        let small: Vec<f32> =
            (0..shape.n_parameters()).map(|_| 0.3 * random.normal() as f32).collect();
        let pixels = Array2::from_shape_fn((16, 20), |_| random.uniform() as f32);
        let large = widened(&small, (width, depth), uneven, &mut random).unwrap();
        let before = reference::logits(shape, &small, &pixels);
        let wide = Shape::new(2 * width, depth).unwrap();
        assert_eq!(large.len(), wide.n_parameters());
        let after = reference::logits(wide, &large, &pixels);
        let largest = before.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        let spread = before.iter().fold(f32::INFINITY, |least, v| least.min(*v));
        assert!(largest > spread, "the network says the same everywhere");
        for (before, after) in before.iter().zip(&after) {
            assert!((before - after).abs() < 1e-5 * largest.max(1.0), "{before}, then {after}");
        }
    }

    #[test]
    fn a_widened_network_gives_the_same_logits() {
        check(1, 1, 0.0);
        check(2, 2, 0.0);
        check(3, 1, 0.2);
        check(2, 2, 0.5);
    }

    #[test]
    fn twins_differ_in_what_reads_them() {
        let shape = Shape::new(1, 1).unwrap();
        let small = vec![1.0; shape.n_parameters()];
        let mut random = Random::keyed(Stream::Widen, &[1]);
        let large = widened(&small, (1, 1), 0.2, &mut random).unwrap();
        // The last convolution, before its bias.
        let [first, second] = [large[large.len() - 3], large[large.len() - 2]];
        assert!(
            (first - second).abs() > 1e-6 && (0.4..=0.6).contains(&first),
            "{first} {second}"
        );
        assert!((first + second - 1.0).abs() < 1e-6);
    }
}
