//! A network as a list of steps over feature maps: one description for every way to run it.
//!
//! The forward pass, its gradient, what the head needs of it, its cost and its peak of memory
//! are all read off this list.

use crate::cnn::shape::{CHANNELS, CnnShape};
use crate::shape::Shape;

/// A set of feature maps: its level (each halves the image) and the channels it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Poolings above it.
    pub(crate) level: usize,
    /// Channels, by what is concatenated.
    pub(crate) groups: Vec<usize>,
}

/// One step; slots are indices into [`Plan::slots`], each written once but for the halves of a
/// concatenation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// 3x3 convolution and rectifier, into group 0 of `target`.
    Convolve {
        /// Name of its weights, without `.weight`.
        name: String,
        source: usize,
        target: usize,
        channels: usize,
        dilation: usize,
    },
    /// 2x2 max-pooling of group 0 of `source`.
    Pool { source: usize, target: usize },
    /// 2x2 up-convolution with stride 2, into group 1 of `target`.
    Up { name: String, source: usize, target: usize, channels: usize },
    /// 1x1 convolution to the logit of every pixel.
    Logits { name: String, source: usize },
}

impl Step {
    /// The slot it reads.
    pub(crate) fn source(&self) -> usize {
        match *self {
            Self::Convolve { source, .. }
            | Self::Pool { source, .. }
            | Self::Up { source, .. }
            | Self::Logits { source, .. } => source,
        }
    }

    /// The slot it writes; none for the last.
    pub(crate) fn target(&self) -> Option<usize> {
        match *self {
            Self::Convolve { target, .. }
            | Self::Pool { target, .. }
            | Self::Up { target, .. } => Some(target),
            Self::Logits { .. } => None,
        }
    }

    /// Name of its weights, or what it does.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Convolve { name, .. } | Self::Up { name, .. } | Self::Logits { name, .. } => {
                name
            }
            Self::Pool { .. } => "pool",
        }
    }
}

/// Slots and steps of a network; slot 0 is its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) slots: Vec<Slot>,
    pub(crate) steps: Vec<Step>,
    depth: usize,
}

impl Plan {
    /// The U-Net of Teng et al. 2021, figure 3.
    pub(crate) fn unet(shape: Shape) -> Self {
        let mut plan = Self::of_input(1, shape.depth());
        let mut skipped = Vec::new();
        let mut seen = 0;
        for level in 0..shape.depth() {
            let channels = shape.channels(level);
            let inner = plan.slot(level, &[channels]);
            plan.convolve(&format!("d.{level}.c1"), seen, inner, channels, 1);
            let joined = plan.slot(level, &[channels, channels]);
            plan.convolve(&format!("d.{level}.c2"), inner, joined, channels, 2);
            seen = plan.slot(level + 1, &[channels]);
            plan.steps.push(Step::Pool { source: joined, target: seen });
            skipped.push(joined);
        }
        let (level, channels) = (shape.depth(), shape.channels(shape.depth()));
        seen = plan.double("bot", seen, level, channels);
        for (level, joined) in skipped.into_iter().enumerate().rev() {
            let channels = shape.channels(level);
            let name = format!("t.{level}");
            plan.steps.push(Step::Up { name, source: seen, target: joined, channels });
            seen = plan.double(&format!("u.{level}"), joined, level, channels);
        }
        plan.steps.push(Step::Logits { name: "out".to_owned(), source: seen });
        plan
    }

    /// The U-Net's way down, to the last maps.
    pub(crate) fn cnn(shape: CnnShape) -> Self {
        let mut plan = Self::of_input(CHANNELS, shape.depth());
        let mut seen = 0;
        for level in 0..shape.depth() {
            let channels = shape.channels(level);
            let inner = plan.slot(level, &[channels]);
            plan.convolve(&format!("d.{level}.c1"), seen, inner, channels, 1);
            let out = plan.slot(level, &[channels]);
            plan.convolve(&format!("d.{level}.c2"), inner, out, channels, 2);
            seen = plan.slot(level + 1, &[channels]);
            plan.steps.push(Step::Pool { source: out, target: seen });
        }
        plan
    }

    fn of_input(channels: usize, depth: usize) -> Self {
        let input = Slot { level: 0, groups: vec![channels] };
        Self { slots: vec![input], steps: Vec::new(), depth }
    }

    fn slot(&mut self, level: usize, groups: &[usize]) -> usize {
        self.slots.push(Slot { level, groups: groups.to_vec() });
        self.slots.len() - 1
    }

    fn convolve(
        &mut self,
        name: &str,
        source: usize,
        target: usize,
        channels: usize,
        dilation: usize,
    ) {
        let name = name.to_owned();
        self.steps.push(Step::Convolve { name, source, target, channels, dilation });
    }

    /// Two plain convolutions one after the other.
    fn double(&mut self, name: &str, source: usize, level: usize, channels: usize) -> usize {
        let inner = self.slot(level, &[channels]);
        self.convolve(&format!("{name}.c1"), source, inner, channels, 1);
        let out = self.slot(level, &[channels]);
        self.convolve(&format!("{name}.c2"), inner, out, channels, 1);
        out
    }

    /// Two to the number of poolings: what sides must be multiples of.
    pub(crate) fn multiple(&self) -> usize {
        1 << self.depth
    }

    /// Rows and columns of a slot, for an input of `(y, x)`.
    pub(crate) fn dim(&self, slot: usize, (y, x): (usize, usize)) -> (usize, usize) {
        let level = self.slots[slot].level;
        (y >> level, x >> level)
    }

    /// Multiplications and additions of each step for one output pixel of its own.
    pub(crate) fn flops_a_pixel(&self, step: &Step) -> usize {
        let channels_in: usize = self.slots[step.source()].groups.iter().sum();
        match *step {
            Step::Convolve { channels, .. } => 2 * 9 * channels_in * channels,
            Step::Up { channels, .. } => 2 * channels_in * channels,
            Step::Logits { .. } => 2 * channels_in,
            Step::Pool { .. } => 0,
        }
    }

    /// Multiplications and additions for an input of `dim`, `(y, x)`.
    pub(crate) fn flop(&self, dim: (usize, usize)) -> f64 {
        let of = |step: &Step| {
            // An up-convolution has a product for each pixel that it writes, as the others.
            let (y, x) = self.dim(step.target().unwrap_or(0), dim);
            self.flops_a_pixel(step) as f64 * (y * x) as f64
        };
        self.steps.iter().map(of).sum()
    }

    /// The last step that reads each slot.
    pub(crate) fn last_reads(&self) -> Vec<usize> {
        let mut last = vec![0; self.slots.len()];
        for (at, step) in self.steps.iter().enumerate() {
            last[step.source()] = at;
        }
        last
    }
}
