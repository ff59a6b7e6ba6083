//! Which slots share memory: those of a level that are never alive at the same time.

use crate::kernels::aligned::Number;
use crate::kernels::maps::Maps;
use crate::plan::Plan;

use super::layers::{block_of, n_blocks};

/// A buffer for every slot.
#[derive(Debug, Clone)]
pub(crate) struct Buffers {
    of_slot: Vec<usize>,
    /// Level, blocks and channels in a block of every buffer.
    sizes: Vec<(usize, usize, usize)>,
}

impl Buffers {
    /// For maps whose blocks have `block` channels: gives each slot the smallest buffer of its level that is free when it is first written.
    pub(crate) fn assign(plan: &Plan, block: usize) -> Self {
        let last_reads = plan.last_reads();
        let size = |slot: usize| {
            (plan.slots[slot].level, n_blocks(plan, slot, block), block_of(slot, block))
        };
        let mut buffers = Self { of_slot: vec![0; plan.slots.len()], sizes: vec![size(0)] };
        // When each buffer is read for the last time.
        let mut busy_until = vec![last_reads[0]];
        let mut written = vec![false; plan.slots.len()];
        for (at, step) in plan.steps.iter().enumerate() {
            let Some(slot) = step.target().filter(|&slot| !written[slot]) else { continue };
            written[slot] = true;
            let (level, n, block) = size(slot);
            let free = (0..buffers.sizes.len())
                .filter(|&b| {
                    let (its_level, its_n, its_block) = buffers.sizes[b];
                    (its_level, its_block) == (level, block) && its_n >= n && busy_until[b] < at
                })
                .min_by_key(|&b| buffers.sizes[b].1);
            let buffer = free.unwrap_or_else(|| {
                buffers.sizes.push((level, n, block));
                busy_until.push(0);
                buffers.sizes.len() - 1
            });
            buffers.of_slot[slot] = buffer;
            busy_until[buffer] = last_reads[slot];
        }
        buffers
    }

    /// The buffer of a slot.
    pub(crate) fn of(&self, slot: usize) -> usize {
        self.of_slot[slot]
    }

    /// Level, blocks and channels in a block of every buffer.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        self.sizes.iter().copied()
    }

    /// Zeroed buffers for an input of `dim`, `(y, x)`.
    pub(crate) fn maps<T: Number>(&self, plan: &Plan, (y, x): (usize, usize)) -> Vec<Maps<T>> {
        debug_assert!(y % plan.multiple() == 0 && x % plan.multiple() == 0);
        let map = |&(level, n, block): &(usize, usize, usize)| {
            Maps::zeroed(n, (y >> level, x >> level), block)
        };
        self.sizes.iter().map(map).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Shape;

    #[test]
    fn the_papers_network_needs_two_buffers_of_maps_at_level_0() {
        let buffers = Buffers::assign(&Plan::unet(Shape::new(32, 4).unwrap()), 16);
        let blocks_at = |level: usize| {
            let of_level = buffers.sizes().filter(move |size| size.0 == level && size.2 == 16);
            of_level.map(|size| size.1).collect::<Vec<_>>()
        };
        assert_eq!(blocks_at(0), [2, 4]);
        assert_eq!(blocks_at(1), [2, 4, 8]);
    }
}
