//! Slices to a volume.
//!
//! Sorted along the slice normal, the cross product of row and column directions (PS3.3
//! C.7.6.2.1.1); neither instance number nor `SliceLocation` decides an order. Under gantry tilt
//! every slice keeps its own origin.

use std::path::PathBuf;

use ichor_core::{Grid, PixelSpacing, Volume, Withheld};
use ndarray::{Array3, Axis};

use crate::Slice;
use crate::candidates::SAME_POSITION_MM;
use crate::gaps::{is_uneven, missing_slice};

/// Directions nearer than this are the same: headers round to a few digits.
const SAME_DIRECTION: f64 = 1e-3;
/// Pixel spacings nearer than this are the same, in millimetres.
const SAME_SPACING_MM: f64 = 1e-4;

/// A volume and what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Stacked {
    /// The voxels on their grid.
    pub volume: Volume,
    /// The files of the slices, in slice order.
    pub files: Vec<PathBuf>,
    /// What a reader of the verdict may want to know: copies dropped, uneven steps.
    pub warnings: Vec<String>,
}

/// Stacks the slices of one series, given in any order. Withheld when they do not make one
/// volume: shapes or directions differ, two slices claim one place, or one is missing.
pub fn stack(slices: Vec<Slice>) -> Result<Stacked, Withheld> {
    let frame = Frame::shared(&slices)?;
    let mut placed: Vec<(f64, [f64; 3], Slice)> = Vec::with_capacity(slices.len());
    for slice in slices {
        let origin =
            slice.header.position.ok_or_else(|| geometry("a slice has no position"))?;
        placed.push((dot(origin, frame.normal), origin, slice));
    }
    placed.sort_by(|a, b| {
        a.0.total_cmp(&b.0).then_with(|| a.2.header.sop_uid.cmp(&b.2.header.sop_uid))
    });
    let mut warnings = Vec::new();
    let placed = without_copies(placed, &mut warnings)?;
    let positions: Vec<f64> = placed.iter().map(|(at, _, _)| *at).collect();
    let instances: Option<Vec<i64>> =
        placed.iter().map(|(_, _, slice)| slice.header.instance_number).collect();
    if let Some(gap) = missing_slice(&positions, instances.as_deref()) {
        let (gap_mm, step_mm) = (gap.gap_mm, gap.step_mm);
        return Err(Withheld::IncompleteSeries { gap_mm, step_mm });
    }
    if is_uneven(&positions) {
        warnings.push(uneven(&positions));
    }
    frame.volume(placed, warnings)
}

/// What all slices of a stack share.
struct Frame {
    rows: usize,
    columns: usize,
    spacing: PixelSpacing,
    row: [f64; 3],
    column: [f64; 3],
    normal: [f64; 3],
}

impl Frame {
    fn shared(slices: &[Slice]) -> Result<Self, Withheld> {
        let first = slices.first().ok_or(Withheld::TooFewSlices { slices: 0 })?;
        let (Some([row, column]), Some(spacing)) =
            (first.header.orientation, first.header.spacing)
        else {
            return Err(geometry("a slice has no orientation or no pixel spacing"));
        };
        let (rows, columns) = first.hu.dim();
        let normal = cross(row, column);
        let frame = Self { rows, columns, spacing, row, column, normal };
        for slice in slices {
            frame.check(slice)?;
        }
        Ok(frame)
    }

    fn check(&self, slice: &Slice) -> Result<(), Withheld> {
        let (rows, columns) = slice.hu.dim();
        if (rows, columns) != (self.rows, self.columns) {
            let (y, x) = (self.rows, self.columns);
            return Err(geometry(&format!(
                "slices of {y} x {x} and of {rows} x {columns} pixels in one series"
            )));
        }
        let same_spacing = slice.header.spacing.is_some_and(|spacing| {
            (spacing.y - self.spacing.y).abs() < SAME_SPACING_MM
                && (spacing.x - self.spacing.x).abs() < SAME_SPACING_MM
        });
        if !same_spacing {
            return Err(geometry("pixel spacings differ within the series"));
        }
        let near = |a: [f64; 3], b: [f64; 3]| {
            a.iter().zip(b).all(|(a, b)| (a - b).abs() < SAME_DIRECTION)
        };
        let same_direction = slice
            .header
            .orientation
            .is_some_and(|[row, column]| near(row, self.row) && near(column, self.column));
        if !same_direction {
            return Err(geometry("slices point in different directions"));
        }
        Ok(())
    }

    fn volume(
        &self,
        placed: Vec<(f64, [f64; 3], Slice)>,
        warnings: Vec<String>,
    ) -> Result<Stacked, Withheld> {
        let mut hu = Array3::zeros((placed.len(), self.rows, self.columns));
        let mut origins = Vec::with_capacity(placed.len());
        let mut files = Vec::with_capacity(placed.len());
        let thickness_mm = placed.first().and_then(|(_, _, slice)| slice.header.thickness_mm);
        for (z, (_, origin, slice)) in placed.into_iter().enumerate() {
            hu.index_axis_mut(Axis(0), z).assign(&slice.hu);
            origins.push(origin);
            files.push(slice.path);
        }
        let thickness_mm = thickness_mm.unwrap_or(1.0);
        let volume = Grid::new(self.spacing, self.row, self.column, origins, thickness_mm)
            .map_err(|error| geometry(&error.to_string()))
            .and_then(|grid| Volume::new(hu, grid).map_err(|e| geometry(&e.to_string())))?;
        Ok(Stacked { volume, files, warnings })
    }
}

/// Of slices that lie in one place, one is kept if their pixels are the same.
fn without_copies(
    sorted: Vec<(f64, [f64; 3], Slice)>,
    warnings: &mut Vec<String>,
) -> Result<Vec<(f64, [f64; 3], Slice)>, Withheld> {
    let mut kept: Vec<(f64, [f64; 3], Slice)> = Vec::with_capacity(sorted.len());
    let mut copies = 0_usize;
    for (at, origin, slice) in sorted {
        match kept.last() {
            Some((below, _, twin)) if at - below < SAME_POSITION_MM => {
                if twin.hu != slice.hu {
                    return Err(geometry(&format!("two different slices lie at {at:.2} mm")));
                }
                copies += 1;
            }
            _ => kept.push((at, origin, slice)),
        }
    }
    if copies > 0 {
        warnings.push(format!("{copies} copies of slices with the same pixels dropped"));
    }
    Ok(kept)
}

fn uneven(positions: &[f64]) -> String {
    let steps = positions.windows(2).map(|pair| pair[1] - pair[0]);
    let (low, high) = steps
        .fold((f64::INFINITY, 0.0_f64), |(low, high), step| (low.min(step), high.max(step)));
    format!("uneven steps of {low:.1} to {high:.1} mm")
}

fn geometry(why: &str) -> Withheld {
    Withheld::Geometry { why: why.to_owned() }
}

/// Scalar product.
pub(crate) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Vector product.
pub(crate) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Folder, Numbers, files, shared, tags, volume};
    use crate::{read_slice, write_ct_series};

    fn slices(n_slices: usize) -> Vec<Slice> {
        let folder = Folder::new();
        let files =
            write_ct_series(&volume(n_slices, 4, 6), &tags("stack"), folder.path()).unwrap();
        files.iter().map(|path| read_slice(path).unwrap()).collect()
    }

    #[test]
    fn any_order_of_slices_gives_the_same_volume() {
        let straight = stack(slices(9)).unwrap();
        assert_eq!(straight.volume, volume(9, 4, 6));
        let mut numbers = Numbers(7);
        for _ in 0..20 {
            let mut shuffled = slices(9);
            for index in (1..shuffled.len()).rev() {
                shuffled.swap(index, numbers.below(index + 1));
            }
            let stacked = stack(shuffled).unwrap();
            assert_eq!(stacked.volume, straight.volume);
        }
    }

    #[test]
    fn copies_are_dropped_and_contradictions_refused() {
        let mut twice = slices(6);
        twice.extend(slices(6).into_iter().take(2));
        let stacked = stack(twice.clone()).unwrap();
        assert_eq!(stacked.volume.dim(), (6, 4, 6));
        assert_eq!(stacked.warnings, ["2 copies of slices with the same pixels dropped"]);
        twice[7].hu[[0, 0]] += 1;
        let why = "two different slices lie at 5.00 mm".to_owned();
        assert_eq!(stack(twice).unwrap_err(), Withheld::Geometry { why });
    }

    #[test]
    fn a_missing_slice_withholds() {
        let mut holed = slices(9);
        holed.remove(4);
        let withheld = Withheld::IncompleteSeries { gap_mm: 10.0, step_mm: 5.0 };
        assert_eq!(stack(holed).unwrap_err(), withheld);
    }

    #[test]
    fn slices_that_do_not_fit_together_withhold() {
        let check = |change: &dyn Fn(&mut Slice), why: &str| {
            let mut odd = slices(6);
            change(&mut odd[3]);
            let why = why.to_owned();
            assert_eq!(stack(odd).unwrap_err(), Withheld::Geometry { why });
        };
        check(
            &|slice| slice.hu = ndarray::Array2::zeros((4, 5)),
            "slices of 4 x 6 and of 4 x 5 pixels in one series",
        );
        check(
            &|slice| slice.header.spacing = Some(PixelSpacing { y: 0.5, x: 0.5 }),
            "pixel spacings differ within the series",
        );
        check(
            &|slice| slice.header.orientation = Some([[1.0, 0.0, 0.0], [0.0, 0.9, 0.4359]]),
            "slices point in different directions",
        );
        check(&|slice| slice.header.position = None, "a slice has no position");
    }

    #[test]
    fn a_real_tilted_head_with_two_steps_stacks_whole() {
        let Some(folder) = shared("head-ct/ge-head-tilted") else { return };
        let read = files(&folder).iter().map(|path| read_slice(path).unwrap()).collect();
        let stacked = stack(read).unwrap();
        let grid = stacked.volume.grid();
        assert_eq!(stacked.volume.dim(), (28, 512, 512));
        assert!((grid.tilt_degrees() - 18.5).abs() < 0.01, "{}", grid.tilt_degrees());
        let steps: Vec<f64> = grid.positions_mm().windows(2).map(|p| p[1] - p[0]).collect();
        assert!((steps[0] - 4.0).abs() < 0.01 && (steps[26] - 7.0).abs() < 0.01, "{steps:?}");
        assert_eq!(stacked.warnings, ["uneven steps of 1.1 to 7.0 mm"]);
        let padding = stacked.volume.hu().iter().filter(|&&hu| hu == -1024).count();
        assert!(stacked.volume.hu().iter().all(|&hu| hu != -1500) && padding > 100_000);
    }
}
