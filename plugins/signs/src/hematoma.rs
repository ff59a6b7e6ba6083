//! The hematoma cut out of its volume, slice by slice.
//!
//! Every slice is a window of the same size around the whole mask, 12 mm wider on each side so
//! that the brain around can be seen; beyond the volume there is neither grey value nor mask.

use ichor_plugin::{Refused, VolumeView};

use crate::components::filled;
use crate::distance::distance_mm;
use crate::histogram::Histogram;
use crate::pace::Pace;
use crate::plane::Plane;
use crate::smooth::smooth;

/// Width of the brain that is kept around the hematoma.
const AROUND_MM: f64 = 12.0;
/// More pixels to a side than any head CT needs for it.
const AROUND_PIXELS: usize = 64;
/// Nearer to the hematoma there is blood in part and oedema.
const BESIDE_MM: f32 = 3.0;
/// Grey values of brain: neither fluid nor blood.
const BRAIN_HU: std::ops::RangeInclusive<i16> = 15..=45;
/// Grey values beyond these are metal or a fault.
const SANE_HU: (i16, i16) = (-1024, 3071);

/// Where the mask lies in a volume, and how dense it and the brain around it are.
#[derive(Debug)]
pub(crate) struct Hematoma<'a> {
    volume: &'a VolumeView<'a>,
    pub(crate) plane: Plane,
    corner: Corner,
    slices: std::ops::RangeInclusive<usize>,
    /// Median of the mask, in HU.
    pub(crate) clot_hu: f64,
    /// Median of the brain around, in HU; none where there is none.
    pub(crate) brain_hu: Option<f64>,
    /// The slice with the largest area.
    pub(crate) largest: usize,
    /// Volume of the mask in millilitres, by the median step.
    pub(crate) volume_ml: f64,
}

/// Where a window begins: `margin` rows and columns before `low`, which may be before the volume.
#[derive(Debug, Clone, Copy)]
struct Corner {
    low: [usize; 2],
    margin: [usize; 2],
}

impl Corner {
    /// Row and column in the volume of a row and column of the window; none before the volume.
    fn place(self, y: usize, x: usize) -> Option<[usize; 2]> {
        let [rows, columns] = self.margin;
        Some([(self.low[0] + y).checked_sub(rows)?, (self.low[1] + x).checked_sub(columns)?])
    }
}

/// One slice of a hematoma.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) z: usize,
    pub(crate) plane: Plane,
    corner: Corner,
    /// The mask with its holes: what a network leaves out for being dark still belongs.
    pub(crate) inside: Vec<bool>,
    /// Grey values inside in HU, smoothed within the hematoma; 0 outside.
    pub(crate) hu: Vec<f32>,
    /// Millimetres to the nearest pixel outside.
    pub(crate) depth_mm: Vec<f32>,
}

impl<'a> Hematoma<'a> {
    /// Finds the mask and measures it and the brain around.
    pub(crate) fn find(
        volume: &'a VolumeView<'a>,
        pace: &mut Pace<'_, '_>,
    ) -> Result<Self, Refused> {
        check_shape(volume)?;
        let Some((low, high)) = bounds(volume, pace)? else {
            return Err(Refused::input("the mask is empty: there is no hematoma to look at"));
        };
        let spacing_mm = [volume.spacing_mm[1], volume.spacing_mm[2]];
        let margin =
            spacing_mm.map(|step| ((AROUND_MM / step).ceil() as usize).clamp(1, AROUND_PIXELS));
        let corner = Corner { low: [low[1], low[2]], margin };
        let side = [0, 1].map(|axis| high[axis + 1] - low[axis + 1] + 1 + 2 * margin[axis]);
        let mut hematoma = Self {
            volume,
            plane: Plane { rows: side[0], columns: side[1], spacing_mm },
            corner,
            slices: low[0]..=high[0],
            clot_hu: 0.0,
            brain_hu: None,
            largest: low[0],
            volume_ml: 0.0,
        };
        hematoma.measure(pace)?;
        Ok(hematoma)
    }

    /// Indices of the slices from the first to the last that the mask meets.
    pub(crate) fn slices(&self) -> std::ops::RangeInclusive<usize> {
        self.slices.clone()
    }

    /// Slice `z`; none where the mask does not meet it.
    pub(crate) fn slice(
        &self,
        z: usize,
        sigma_mm: f64,
        pace: &mut Pace<'_, '_>,
    ) -> Result<Option<Slice>, Refused> {
        let (hu, mask) = self.window(z);
        if !mask.contains(&true) {
            return Ok(None);
        }
        let plane = self.plane;
        let inside = filled(&plane, &mask, pace)?;
        let hu: Vec<f32> = hu.into_iter().map(|hu| f32::from(hu.unwrap_or(0))).collect();
        let outside: Vec<bool> = inside.iter().map(|&inside| !inside).collect();
        let depth_mm = distance_mm(&plane, &outside, pace)?;
        let hu = smooth(&plane, &hu, &inside, sigma_mm, pace)?;
        Ok(Some(Slice { z, plane, corner: self.corner, inside, hu, depth_mm }))
    }

    /// Grey values, none beyond the volume, and mask of slice `z`.
    fn window(&self, z: usize) -> (Vec<Option<i16>>, Vec<bool>) {
        let [_, rows, columns] = self.volume.shape;
        let mut hu = Vec::with_capacity(self.plane.len());
        let mut mask = Vec::with_capacity(self.plane.len());
        for at in 0..self.plane.len() {
            let (y, x) = self.plane.row_column(at);
            let voxel = self
                .corner
                .place(y, x)
                .filter(|&[y, x]| y < rows && x < columns)
                .map(|[y, x]| (z * rows + y) * columns + x);
            hu.push(voxel.map(|at| self.volume.hu[at].clamp(SANE_HU.0, SANE_HU.1)));
            mask.push(voxel.is_some_and(|at| self.volume.mask[at] != 0));
        }
        (hu, mask)
    }

    fn measure(&mut self, pace: &mut Pace<'_, '_>) -> Result<(), Refused> {
        let (mut clot, mut brain) = (Histogram::default(), Histogram::default());
        let (mut most, mut n_voxels) = (0, 0);
        for z in self.slices() {
            let (hu, mask) = self.window(z);
            let n = mask.iter().filter(|&&inside| inside).count();
            if n == 0 {
                continue;
            }
            n_voxels += n;
            if n > most {
                (most, self.largest) = (n, z);
            }
            let away = distance_mm(&self.plane, &mask, pace)?;
            for ((hu, inside), away) in hu.into_iter().zip(mask).zip(away) {
                let Some(hu) = hu else { continue };
                if inside {
                    clot.add(hu);
                } else if (BESIDE_MM..=AROUND_MM as f32).contains(&away)
                    && BRAIN_HU.contains(&hu)
                {
                    brain.add(hu);
                }
            }
        }
        self.clot_hu = clot.median().unwrap_or(f64::NAN);
        self.brain_hu = brain.median();
        self.volume_ml =
            n_voxels as f64 * self.volume.spacing_mm.iter().product::<f64>() / 1000.0;
        Ok(())
    }
}

impl Slice {
    /// Index `(z, y, x)` in the volume of pixel `at`; a filled hole never leaves the volume.
    pub(crate) fn place(&self, at: usize) -> [usize; 3] {
        let (y, x) = self.plane.row_column(at);
        let [y, x] = self.corner.place(y, x).unwrap_or([0, 0]);
        [self.z, y, x]
    }

    /// Grey values of `pixels`, in HU.
    pub(crate) fn hu_of(&self, pixels: &[usize]) -> Vec<f32> {
        pixels.iter().map(|&at| self.hu[at]).collect()
    }

    /// Pixels more than `rim_mm` under the surface, where no voxel is blood in part.
    pub(crate) fn interior(&self, rim_mm: f64) -> Vec<bool> {
        let deep = |(&inside, &depth): (&bool, &f32)| inside && f64::from(depth) > rim_mm;
        self.inside.iter().zip(&self.depth_mm).map(deep).collect()
    }
}

fn check_shape(volume: &VolumeView<'_>) -> Result<(), Refused> {
    let [nz, ny, nx] = volume.shape;
    let voxels = nz.checked_mul(ny).and_then(|plane| plane.checked_mul(nx));
    if voxels != Some(volume.hu.len()) || voxels != Some(volume.mask.len()) {
        return Err(Refused::input(format!(
            "{nz} x {ny} x {nx} voxels were announced, {} grey values and {} mask values came",
            volume.hu.len(),
            volume.mask.len()
        )));
    }
    match volume.spacing_mm.iter().find(|step| !(1e-3..=1e3).contains(*step)) {
        Some(step) => Err(Refused::input(format!("{step} mm is no distance between voxels"))),
        None => Ok(()),
    }
}

/// The lowest and the highest index along `(z, y, x)`.
type Bounds = ([usize; 3], [usize; 3]);

/// The bounds of the mask; none of an empty one.
fn bounds(volume: &VolumeView<'_>, pace: &mut Pace<'_, '_>) -> Result<Option<Bounds>, Refused> {
    let [_, rows, columns] = volume.shape;
    let mut found: Option<Bounds> = None;
    for (row_idx, row) in volume.mask.chunks_exact(columns.max(1)).enumerate() {
        pace.work(columns / 8)?;
        let Some(first) = row.iter().position(|&voxel| voxel != 0) else { continue };
        let last = row.iter().rposition(|&voxel| voxel != 0).unwrap_or(first);
        let (z, y) = (row_idx / rows, row_idx % rows);
        let (low, high) = found.unwrap_or(([z, y, first], [z, y, last]));
        found = Some((
            [low[0], low[1].min(y), low[2].min(first)],
            [z, high[1].max(y), high[2].max(last)],
        ));
    }
    Ok(found)
}
