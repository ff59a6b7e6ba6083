//! The grey values that features are computed from, and the box of them that matters.

use std::borrow::Cow;

use ichor_plugin::{Refused, VolumeView};

/// A whole image, as it was given or after resampling.
#[derive(Debug, Clone)]
pub(crate) struct Scan<'a> {
    /// Hounsfield units, `x` fastest.
    pub(crate) hu: Cow<'a, [i16]>,
    /// Voxels, `(z, y, x)`.
    pub(crate) shape: [usize; 3],
    /// Distance between voxel centres, `(z, y, x)`.
    pub(crate) spacing_mm: [f64; 3],
}

impl<'a> Scan<'a> {
    /// The image of `volume`; fails where its arrays or its spacing cannot be.
    pub(crate) fn of(volume: &VolumeView<'a>) -> Result<Self, Refused> {
        let [nz, ny, nx] = volume.shape;
        let voxels = nz.checked_mul(ny).and_then(|plane| plane.checked_mul(nx));
        if voxels != Some(volume.hu.len()) || voxels != Some(volume.mask.len()) {
            return Err(Refused::input(format!(
                "{nz} x {ny} x {nx} voxels were announced, {} grey values and {} mask values came",
                volume.hu.len(),
                volume.mask.len()
            )));
        }
        match volume.spacing_mm.iter().find(|&&step| !(step.is_finite() && step > 0.0)) {
            Some(step) => {
                Err(Refused::input(format!("{step} mm is no distance between voxels")))
            }
            None => Ok(Self {
                hu: volume.hu.into(),
                shape: volume.shape,
                spacing_mm: volume.spacing_mm,
            }),
        }
    }
}

/// A box of voxels in a [`Scan`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Its first voxel.
    pub(crate) low: [usize; 3],
    /// Voxels along each axis.
    pub(crate) extent: [usize; 3],
}

impl Bounds {
    /// One past the last voxel along `axis`.
    pub(crate) fn high(&self, axis: usize) -> usize {
        self.low[axis] + self.extent[axis]
    }
}
