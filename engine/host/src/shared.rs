//! A volume as workers see it: copied once into sealed memory, mapped by each of them once.

use std::hash::{Hash, Hasher};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use ichor_core::{Grid, Mask, Volume};

use crate::message::Geometry;
use crate::{HostError, memory};

/// A volume with its mask, ready for the extractors of any number of plugins.
///
/// A worker keeps it mapped until it is asked about another one.
#[derive(Debug)]
pub struct SharedVolume<'a> {
    volume: &'a Volume,
    mask: &'a Mask,
    pub(crate) memory: OwnedFd,
    pub(crate) geometry: Geometry,
    /// Never 0, and never the same twice in a process.
    pub(crate) number: u64,
}

impl<'a> SharedVolume<'a> {
    /// Copies both; fails when they are not of one shape, or there is no memory.
    pub fn new(volume: &'a Volume, mask: &'a Mask) -> Result<Self, HostError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        if volume.dim() != mask.voxels().dim() {
            let (mask, volume) = (mask.voxels().dim(), volume.dim());
            return Err(HostError::Shape { mask, volume });
        }
        let memory = memory::sealed_volume(volume, mask).map_err(HostError::Share)?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Self { volume, mask, memory, geometry: geometry(volume), number })
    }
}

impl Hash for SharedVolume<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.volume.hu().hash(state);
        self.mask.voxels().hash(state);
    }
}

fn geometry(volume: &Volume) -> Geometry {
    let grid: &Grid = volume.grid();
    let (nz, ny, nx) = volume.dim();
    let direction = [grid.normal(), grid.column(), grid.row()].concat();
    Geometry {
        shape: [nz as u32, ny as u32, nx as u32],
        spacing_mm: [grid.step_mm(), grid.pixel().y, grid.pixel().x],
        direction: std::array::from_fn(|at| direction[at]),
        slice_origin_mm: grid.origins().concat(),
        slice_pos_mm: grid.positions_mm().to_vec(),
    }
}
