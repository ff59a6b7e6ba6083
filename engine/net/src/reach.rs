//! What of a network must be computed to know the pixels that are wanted.
//!
//! Walking the plan backwards from the wanted pixels gives, step by step, the outputs that can
//! reach one of them. Walking it forwards gives the outputs that see nothing but air, far from
//! the border of the image: each is the same vector, which is written instead of computed. The
//! wanted pixels get the bits of the whole pass.

use crate::bits::Bits;
use crate::kernels::maps::Span;
use crate::plan::{Plan, Step};

/// What one step has to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// Pixels to compute; of an up-convolution, those of its source.
    pub(crate) spans: Vec<Span>,
    /// Pixels that hold what air gives.
    pub(crate) air: Vec<Span>,
}

impl Part {
    /// Number of pixels to compute.
    pub(crate) fn n_pixels(&self) -> usize {
        self.spans.iter().map(|span| span.x1 - span.x0).sum()
    }
}

/// What each step has to do for every pixel of an input of `dim`, `(y, x)`.
pub(crate) fn whole(plan: &Plan, dim: (usize, usize)) -> Vec<Part> {
    let part = |step: &Step| {
        let slot = match step {
            Step::Up { source, .. } | Step::Logits { source, .. } => *source,
            _ => step.target().unwrap_or(0),
        };
        Part { spans: Span::all(plan.dim(slot, dim)), air: Vec::new() }
    };
    plan.steps.iter().map(part).collect()
}

/// What each step has to do for the `wanted` pixels, where the input is 0 in `air`.
pub(crate) fn parts(plan: &Plan, wanted: &Bits, air: &Bits, dim: (usize, usize)) -> Vec<Part> {
    let only_air = only_air(plan, air);
    let mut needed: Vec<Bits> =
        (0..plan.slots.len()).map(|slot| Bits::none(plan.dim(slot, dim))).collect();
    let mut parts = vec![Part::default(); plan.steps.len()];
    for (at, step) in plan.steps.iter().enumerate().rev() {
        let source = step.source();
        match *step {
            Step::Logits { .. } => {
                parts[at].spans = wanted.cells().spans();
                needed[source].add(wanted);
            }
            Step::Up { target, .. } => {
                let from = needed[target].halved_any();
                parts[at].spans = from.cells().spans();
                needed[source].add(&from);
            }
            Step::Convolve { target, .. } | Step::Pool { target, .. } => {
                let needed_here = &needed[target];
                let cells = match &only_air[at] {
                    Some(air) => needed_here.without(air).cells(),
                    None => needed_here.cells(),
                };
                parts[at].air = needed_here.without(&cells).spans();
                parts[at].spans = cells.spans();
                let computed = needed_here.and(&cells);
                let seen = match *step {
                    Step::Convolve { dilation, .. } => computed.seen(dilation),
                    _ => computed.doubled(),
                };
                needed[source].add(&seen);
            }
        }
    }
    parts
}

/// Of each step the outputs that see only air; none after the first up-convolution, whose
/// outputs differ by corner.
fn only_air(plan: &Plan, air: &Bits) -> Vec<Option<Bits>> {
    let mut of_slot: Vec<Option<Bits>> = vec![None; plan.slots.len()];
    of_slot[0] = Some(air.clone());
    plan.steps
        .iter()
        .map(|step| {
            let source = of_slot[step.source()].as_ref();
            let of_step = match *step {
                // What is joined to the skipped half is no constant.
                Step::Convolve { .. } if plan.slots[step.source()].groups.len() > 1 => None,
                Step::Convolve { dilation, .. } => source.map(|air| air.seeing_only(dilation)),
                Step::Pool { .. } => source.map(Bits::halved_all),
                Step::Up { .. } | Step::Logits { .. } => return None,
            };
            if let Some(target) = step.target() {
                of_slot[target].clone_from(&of_step);
            }
            of_step
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Shape;

    #[test]
    fn a_wanted_pixel_needs_a_cone_and_the_whole_needs_everything() {
        let plan = Plan::unet(Shape::new(8, 4).unwrap());
        let dim = (512, 512);
        let nowhere = Bits::none(dim);
        let cone = parts(&plan, &Bits::one(dim, (256, 256)), &nowhere, dim);
        let everything = whole(&plan, dim);
        // The last 1x1 computes one cell, and everything else more but never all.
        assert_eq!(cone.last().unwrap().n_pixels(), 8);
        for (part, whole) in cone.iter().zip(&everything) {
            assert!(part.air.is_empty());
            assert!((8..whole.n_pixels()).contains(&part.n_pixels()), "{}", part.n_pixels());
        }
        let all = Bits::none(dim).without(&nowhere);
        assert_eq!(all.count(), 0);
    }
}
