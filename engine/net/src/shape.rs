//! Which tensors a U-Net of a width and a depth has.
//!
//! Level 0 has `width` channels, each level below twice as many. Names are those of the PyTorch
//! recipe: `d` down, `bot` the bottleneck, `t` up-convolutions, `u` up, `out` the 1x1 at the end.

use crate::NetError;

/// The two numbers that fix every shape of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    width: usize,
    depth: usize,
}

impl Shape {
    /// Width 1 to 256, depth 1 to 6, so that a frame of 512 pixels is at least 8 at the bottom.
    pub(crate) fn new(width: usize, depth: usize) -> Result<Self, NetError> {
        if (1..=256).contains(&width) && (1..=6).contains(&depth) {
            Ok(Self { width, depth })
        } else {
            Err(NetError::Size { width, depth })
        }
    }

    /// Number of poolings.
    pub(crate) fn depth(self) -> usize {
        self.depth
    }

    /// What the sides of an input must be multiples of.
    pub(crate) fn multiple(self) -> usize {
        1 << self.depth
    }

    /// Channels at a level; the bottleneck is level `depth`.
    pub(crate) fn channels(self, level: usize) -> usize {
        self.width << level
    }

    /// Number of weights and biases.
    pub(crate) fn n_parameters(self) -> usize {
        self.tensors().iter().map(|(_, dims)| dims.iter().product::<usize>()).sum()
    }

    /// Every tensor by name with its shape: convolutions `(out, in, y, x)`, up-convolutions
    /// `(in, out, y, x)`, biases `(out)`.
    pub(crate) fn tensors(self) -> Vec<(String, Vec<usize>)> {
        let mut tensors = Vec::new();
        let mut block = |name: &str, c_in: usize, c_out: usize| {
            for (part, c_in) in [("c1", c_in), ("c2", c_out)] {
                tensors.push((format!("{name}.{part}.weight"), vec![c_out, c_in, 3, 3]));
                tensors.push((format!("{name}.{part}.bias"), vec![c_out]));
            }
        };
        for level in 0..self.depth {
            let c_in = if level == 0 { 1 } else { self.channels(level - 1) };
            block(&format!("d.{level}"), c_in, self.channels(level));
            block(&format!("u.{level}"), 2 * self.channels(level), self.channels(level));
        }
        block("bot", self.channels(self.depth - 1), self.channels(self.depth));
        for level in 0..self.depth {
            let (c_in, c_out) = (self.channels(level + 1), self.channels(level));
            tensors.push((format!("t.{level}.weight"), vec![c_in, c_out, 2, 2]));
            tensors.push((format!("t.{level}.bias"), vec![c_out]));
        }
        tensors.push(("out.weight".to_owned(), vec![1, self.width, 1, 1]));
        tensors.push(("out.bias".to_owned(), vec![1]));
        tensors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(width: usize, depth: usize, n_parameters: usize) {
        assert_eq!(Shape::new(width, depth).unwrap().n_parameters(), n_parameters);
    }

    #[test]
    fn the_papers_network_has_as_many_parameters_as_its_pytorch_twin() {
        check(16, 4, 1_940_817);
        check(1, 1, 118);
    }

    #[test]
    fn a_network_too_deep_for_the_frame_is_refused() {
        assert_eq!(
            Shape::new(16, 7).unwrap_err().to_string(),
            "a network of width 16 and depth 7: width must be 1 to 256, depth 1 to 6"
        );
    }
}
