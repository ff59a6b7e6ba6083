//! What the CNN is shown: squares around the hematoma, one for every slice that shows some of it.
//!
//! A square of 96 mm holds bleeds up to about 100 ml (a ball of 100 ml is 58 mm wide, a lobar bleed
//! of that volume rarely over 90) with the brain around them, and 128 pixels of 0.75 mm leave maps
//! of 8 x 8 after four poolings. The scale is fixed, because size tells. All squares have their
//! middle at the centroid of the whole bleed, in rows and columns, so that what lies above each
//! other in the head does so in the crops. They are resampled bilinearly; beyond the image is air.

use ichor_core::{Mask, PixelSpacing, Volume};
use ndarray::{Array2, Axis, s};

use crate::NetError;

/// Pixels along a side of a crop.
pub(crate) const SIDE: usize = 128;
/// Millimetres from a pixel of a crop to the next.
const PIXEL_MM: f64 = 0.75;
/// Millimetres around the middle that are kept, in each direction: enough to turn the square.
const KEPT_MM: f64 = 60.0;
/// The bit that marks hematoma; the others hold 0 to 100 HU.
const BLOOD: u8 = 128;

/// What one slice shows to the network, `(y, x)` each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Crop {
    /// 0 to 100 HU as `0.0..=1.0`.
    pub(crate) pixels: Array2<f32>,
    /// Share of the pixel that is hematoma.
    pub(crate) blood: Array2<f32>,
}

/// Where the pixels of a crop come from: turned, mirrored and shifted around the middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Placing {
    /// Rows of the source by row and column of the crop, then its columns.
    pub(crate) matrix: [[f64; 2]; 2],
    /// Millimetres, `[y, x]`.
    pub(crate) shift_mm: [f64; 2],
}

impl Placing {
    /// As it was scanned.
    pub(crate) const PLAIN: Self =
        Self { matrix: [[1.0, 0.0], [0.0, 1.0]], shift_mm: [0.0, 0.0] };
}

/// A hematoma and what lies around it, slice by slice, one byte a pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct Bleed {
    spacing: PixelSpacing,
    /// Where the centroid lies in each piece, in rows and columns.
    middle: [f64; 2],
    pieces: Vec<Piece>,
}

/// One slice of a hematoma.
#[derive(Debug, Clone, PartialEq)]
struct Piece {
    pixels: Array2<u8>,
    /// Blood that the slice stands for, in cubic millimetres.
    blood_mm3: f64,
}

impl Bleed {
    /// Cuts what `mask` marks out of `volume`.
    ///
    /// Fails when the mask has another shape than the volume, or marks nothing.
    pub fn cut(volume: &Volume, mask: &Mask) -> Result<Self, NetError> {
        let (n_z, n_y, n_x) = volume.dim();
        if mask.voxels().dim() != volume.dim() {
            let (z, y, x) = mask.voxels().dim();
            return Err(NetError::MaskShape { mask: [z, y, x], volume: [n_z, n_y, n_x] });
        }
        let blood_mm3: Vec<f64> = (0..n_z)
            .map(|z| {
                let slice = mask.voxels().index_axis(Axis(0), z);
                let n_voxels = slice.iter().filter(|&&inside| inside).count();
                n_voxels as f64 * volume.grid().voxel_mm3(z)
            })
            .collect();
        let [y, x] = centroid(volume, mask).ok_or(NetError::NoHematoma)?;
        let spacing = volume.grid().pixel();
        let rows = around(y, KEPT_MM / spacing.y, n_y);
        let columns = around(x, KEPT_MM / spacing.x, n_x);
        let middle = [y - rows.start as f64, x - columns.start as f64];
        let piece = |z: usize| {
            let hu = volume.slice(z);
            let blood = mask.voxels().index_axis(Axis(0), z);
            let area = s![rows.clone(), columns.clone()];
            let mut pixels = hu.slice(area).mapv(|hu| hu.clamp(0, 100) as u8);
            pixels.zip_mut_with(&blood.slice(area), |pixel, &inside| {
                *pixel |= if inside { BLOOD } else { 0 };
            });
            Piece { pixels, blood_mm3: blood_mm3[z] }
        };
        let pieces = (0..n_z).filter(|&z| blood_mm3[z] > 0.0).map(piece).collect();
        Ok(Self { spacing, middle, pieces })
    }

    /// Number of slices that show it; at least one.
    pub fn n_slices(&self) -> usize {
        self.pieces.len()
    }

    /// Its volume in millilitres.
    pub fn volume_ml(&self) -> f64 {
        self.pieces.iter().map(|piece| piece.blood_mm3).sum::<f64>() / 1000.0
    }

    /// Blood that each slice stands for, in cubic millimetres.
    pub(crate) fn blood_mm3(&self, slice: usize) -> f64 {
        self.pieces[slice].blood_mm3
    }

    /// All bytes of a slice, row by row.
    pub(crate) fn bytes(&self, slice: usize) -> impl Iterator<Item = u8> + '_ {
        self.pieces[slice].pixels.iter().copied()
    }

    /// What the network is shown of one slice.
    pub(crate) fn crop(&self, slice: usize, placing: &Placing) -> Crop {
        let mut crop =
            Crop { pixels: Array2::zeros((SIDE, SIDE)), blood: Array2::zeros((SIDE, SIDE)) };
        let of_middle = |at: usize| (at as f64 - (SIDE - 1) as f64 / 2.0) * PIXEL_MM;
        let piece = &self.pieces[slice].pixels;
        for row in 0..SIDE {
            for column in 0..SIDE {
                let from = [of_middle(row), of_middle(column)];
                let [y_mm, x_mm]: [f64; 2] = std::array::from_fn(|axis| {
                    let [by_row, by_column] = placing.matrix[axis];
                    by_row * from[0] + by_column * from[1] + placing.shift_mm[axis]
                });
                let y = y_mm / self.spacing.y + self.middle[0];
                let x = x_mm / self.spacing.x + self.middle[1];
                let [pixel, blood] = between(piece, y, x);
                crop.pixels[(row, column)] = pixel;
                crop.blood[(row, column)] = blood;
            }
        }
        crop
    }
}

/// Row and column of the middle of all blood, slices weighed by what they stand for; none without.
fn centroid(volume: &Volume, mask: &Mask) -> Option<[f64; 2]> {
    let (mut sums, mut all) = ([0.0; 2], 0.0);
    for ((z, y, x), _) in mask.voxels().indexed_iter().filter(|&(_, &inside)| inside) {
        let weight = volume.grid().voxel_mm3(z);
        sums[0] += weight * y as f64;
        sums[1] += weight * x as f64;
        all += weight;
    }
    (all > 0.0).then(|| sums.map(|sum| sum / all))
}

/// Indices of an axis of `n` that lie within `reach` of `middle`.
fn around(middle: f64, reach: f64, n: usize) -> std::ops::Range<usize> {
    let first = (middle - reach).floor().max(0.0) as usize;
    let end = ((middle + reach).ceil() + 1.0).min(n as f64) as usize;
    first..end
}

/// Windowed pixel and share of hematoma between four pixels; beyond the edge is air.
fn between(piece: &Array2<u8>, y: f64, x: f64) -> [f32; 2] {
    let (top, left) = (y.floor(), x.floor());
    let (down, right) = ((y - top) as f32, (x - left) as f32);
    let (n_y, n_x) = piece.dim();
    let mut sums = [0.0; 2];
    for (row, by_row) in [(top, 1.0 - down), (top + 1.0, down)] {
        for (column, by_column) in [(left, 1.0 - right), (left + 1.0, right)] {
            let inside = row >= 0.0 && column >= 0.0 && row < n_y as f64 && column < n_x as f64;
            if inside {
                let byte = piece[(row as usize, column as usize)];
                let weight = by_row * by_column;
                sums[0] += weight * f32::from(byte & !BLOOD);
                sums[1] += weight * f32::from(u8::from(byte & BLOOD > 0));
            }
        }
    }
    [sums[0] / 100.0, sums[1]]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ichor_core::Grid;
    use ndarray::Array3;

    /// A brain of 30 HU with a box of 60 HU in the slices `z`, rows and columns from `first`.
    pub(crate) fn boxed(
        pixel: PixelSpacing,
        z: std::ops::Range<usize>,
        first: (usize, usize),
        size: usize,
    ) -> (Volume, Mask) {
        let grid = Grid::axial(6, 5.0, pixel).unwrap();
        let inside = |(slice, y, x): (usize, usize, usize)| {
            z.contains(&slice)
                && (first.0..first.0 + size).contains(&y)
                && (first.1..first.1 + size).contains(&x)
        };
        let hu = Array3::from_shape_fn((6, 200, 220), |at| if inside(at) { 60 } else { 30 });
        let mask = Mask::new(Array3::from_shape_fn((6, 200, 220), inside), &grid).unwrap();
        (Volume::new(hu, grid).unwrap(), mask)
    }

    #[test]
    fn the_bleed_lies_in_the_middle_at_its_size_in_millimetres() {
        let pixel = PixelSpacing { y: 0.5, x: 0.6 };
        let (volume, mask) = boxed(pixel, 2..4, (60, 100), 40);
        let bleed = Bleed::cut(&volume, &mask).unwrap();
        assert_eq!(bleed.n_slices(), 2);
        assert!((bleed.volume_ml() - mask.volume().ml()).abs() < 1e-9);
        let crop = bleed.crop(0, &Placing::PLAIN);
        let area_mm2 = f64::from(crop.blood.sum()) * PIXEL_MM * PIXEL_MM;
        assert!((area_mm2 - 20.0 * 24.0).abs() < 5.0, "{area_mm2}");
        // The same to the left as to the right, and up as down.
        for axis in [Axis(0), Axis(1)] {
            let sums = crop.blood.sum_axis(axis);
            for at in 0..SIDE {
                assert!((sums[at] - sums[SIDE - 1 - at]).abs() < 1e-3, "{at}");
            }
        }
        assert!((crop.pixels[(64, 64)] - 0.6).abs() < 1e-6);
        assert!((crop.pixels[(64, 20)] - 0.3).abs() < 1e-6);
    }

    #[test]
    fn beyond_the_image_is_air() {
        let (volume, mask) = boxed(PixelSpacing { y: 0.5, x: 0.5 }, 0..1, (0, 0), 10);
        let crop = Bleed::cut(&volume, &mask).unwrap().crop(0, &Placing::PLAIN);
        assert!(crop.pixels[(10, 10)] == 0.0 && crop.pixels[(80, 80)] > 0.25);
    }

    #[test]
    fn a_turn_by_a_right_angle_moves_rows_to_columns() {
        let (volume, mask) = boxed(PixelSpacing { y: 0.5, x: 0.5 }, 1..2, (60, 100), 41);
        let bleed = Bleed::cut(&volume, &mask).unwrap();
        let turned = Placing { matrix: [[0.0, 1.0], [-1.0, 0.0]], ..Placing::PLAIN };
        let (plain, turned) = (bleed.crop(0, &Placing::PLAIN), bleed.crop(0, &turned));
        for row in 0..SIDE {
            for column in 0..SIDE {
                let expected = plain.pixels[(column, SIDE - 1 - row)];
                assert!((turned.pixels[(row, column)] - expected).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_mask_of_another_volume_or_of_nothing_is_refused() {
        let (volume, mask) = boxed(PixelSpacing { y: 0.5, x: 0.5 }, 1..2, (60, 100), 10);
        let grid = Grid::axial(1, 5.0, PixelSpacing { y: 1.0, x: 1.0 }).unwrap();
        let other = Mask::new(Array3::from_elem((1, 4, 4), true), &grid).unwrap();
        assert!(matches!(Bleed::cut(&volume, &other), Err(NetError::MaskShape { .. })));
        let none = mask.voxels().mapv(|_| false);
        let none = Mask::new(none, volume.grid()).unwrap();
        assert_eq!(
            Bleed::cut(&volume, &none).unwrap_err().to_string(),
            "the mask marks no voxel: there is no hematoma to describe"
        );
    }
}
