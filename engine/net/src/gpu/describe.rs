//! A plan as the library is told of it.

use ichor_cuda::Description;
use ichor_cuda::interface::{self, CONVOLVE, LOGITS, POOL, UP};

use crate::plan::{Plan, Step};

/// `plan` with its `tensors`, whose parameters follow each other in one vector.
pub(super) fn describe(
    plan: &Plan,
    tensors: &[(String, Vec<usize>)],
    parameters: Vec<f32>,
) -> Description {
    let start = |name: &str| {
        let before = tensors.iter().take_while(|(n, _)| n != name);
        before.map(|(_, dims)| dims.iter().product::<usize>() as u64).sum::<u64>()
    };
    let channels = |slot: usize| plan.slots[slot].groups.iter().sum::<usize>() as u32;
    let step = |step: &Step| {
        let (kind, group, channels_out, dilation) = match step {
            Step::Convolve { channels, dilation, .. } => (CONVOLVE, 0, *channels, *dilation),
            Step::Pool { .. } => (POOL, 0, 0, 0),
            Step::Up { channels, .. } => (UP, 1, *channels, 0),
            Step::Logits { .. } => (LOGITS, 0, 1, 0),
        };
        interface::Step {
            kind,
            source: step.source() as u32,
            target: step.target().unwrap_or(0) as u32,
            group,
            dilation: dilation as u32,
            channels_in: channels(step.source()),
            channels_out: channels_out as u32,
            weight: start(&format!("{}.weight", step.name())),
            bias: start(&format!("{}.bias", step.name())),
        }
    };
    let steps = plan.steps.iter().map(step).collect();
    Description { steps, channels: channels(0) as usize, parameters }
}

/// Bytes of maps that a slice of `dim`, `(y, x)`, needs at most while it is computed, in numbers
/// of `bytes`: what is still to be read, and four times what is written (sums, with bias,
/// rectified; cuDNN's own room).
pub(super) fn bytes_a_slice(plan: &Plan, dim: (usize, usize), bytes: usize) -> usize {
    let size = |slot: usize| {
        let (y, x) = plan.dim(slot, dim);
        plan.slots[slot].groups.iter().sum::<usize>() * y * x * bytes
    };
    let last = plan.last_reads();
    let live = |at: usize| {
        let written = |slot: usize| {
            slot == 0 || plan.steps[..at].iter().any(|step| step.target() == Some(slot))
        };
        (0..plan.slots.len()).filter(|&s| written(s) && last[s] >= at).map(size).sum::<usize>()
    };
    let peak = plan.steps.iter().enumerate().map(|(at, step)| {
        // A joined slot is copied when it is read.
        live(at) + size(step.source()) + 4 * step.target().map_or(0, size)
    });
    peak.max().unwrap_or(0)
}

/// Bytes that a slice of `dim` needs at most for its gradient, in f32: every map and the gradient
/// by it, and six times the largest step (padded, turned over for its product, and their like).
pub(super) fn bytes_to_train(plan: &Plan, dim: (usize, usize)) -> usize {
    let size = |slot: usize| {
        let (y, x) = plan.dim(slot, dim);
        plan.slots[slot].groups.iter().sum::<usize>() * y * x * size_of::<f32>()
    };
    let all: usize = (0..plan.slots.len()).map(size).sum();
    let step = |step: &Step| size(step.source()) + step.target().map_or(0, size);
    2 * all + 6 * plan.steps.iter().map(step).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FRAME;
    use crate::cnn::crop::SIDE;
    use crate::cnn::shape::CnnShape;
    use crate::shape::Shape;

    #[test]
    fn the_shipped_networks_need_less_than_half_a_gigabyte_a_slice() {
        let bytes = |width, bytes| {
            bytes_a_slice(&Plan::unet(Shape::new(width, 4).unwrap()), (FRAME, FRAME), bytes)
        };
        assert_eq!(bytes(32, 2) * 2, bytes(32, 4));
        assert!((100 << 20..256 << 20).contains(&bytes(32, 2)), "{}", bytes(32, 2));
        assert!(bytes(32, 4) < 512 << 20);
    }

    #[test]
    fn a_slice_that_trains_needs_less_than_two_gigabytes() {
        let unet = Plan::unet(Shape::new(32, 4).unwrap());
        let bytes = bytes_to_train(&unet, (FRAME, FRAME));
        assert!((1 << 30..2 << 30).contains(&bytes), "{bytes}");
        let crop = bytes_to_train(&Plan::cnn(CnnShape::new(16, 4).unwrap()), (SIDE, SIDE));
        assert!((8 << 20..32 << 20).contains(&crop), "{crop}");
    }
}
