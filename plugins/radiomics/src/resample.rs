//! A scan and its mask on another grid, as pyradiomics' `resampleImage` makes it with ITK.
//!
//! Grey values follow a cubic B-spline (Unser 1999, "Splines: a perfect fit for signal and image
//! processing", IEEE SPM 16:22) through the voxels, mirrored at the borders, and lose what follows the
//! point, as ITK's cast to whole numbers has it; the mask takes the nearest voxel. The corner of the grid is the corner of the scan.
#![expect(clippy::cast_possible_wrap, reason = "no axis has 2^63 voxels")]

use ichor_plugin::Refused;

use crate::pace::Pace;
use crate::region::bounds;
use crate::scan::Scan;

/// Pole of the cubic B-spline.
const POLE: f64 = -0.267_949_192_431_122_7;
/// Voxels around what is wanted that still count: the pole's power is 2e-14 there.
const MARGIN: i64 = 24;
/// Voxels that a resampled scan may have.
const MOST_VOXELS: f64 = 5e8;

/// New samples along one axis.
struct Axis {
    /// Where each lies among the old ones.
    at: Vec<f64>,
    /// Old samples that count, from `first` on.
    first: usize,
    n: usize,
}

/// The voxels around the mask on a grid of `wanted_mm`, `pad` of them on every side where the scan
/// has them; 0 keeps an axis, and so does a mask of one voxel along it.
pub(crate) fn resampled(
    scan: &Scan<'_>,
    mask: &[u8],
    wanted_mm: [f64; 3],
    pad: usize,
    pace: &dyn Pace,
) -> Result<(Scan<'static>, Vec<u8>), Refused> {
    let Some((low, high)) = bounds(mask, scan.shape) else {
        return Err(Refused::input("the mask is empty: there is no hematoma to describe"));
    };
    let spacing_mm: [f64; 3] = std::array::from_fn(|axis| {
        let keeps = wanted_mm[axis] == 0.0 || low[axis] == high[axis];
        if keeps { scan.spacing_mm[axis] } else { wanted_mm[axis] }
    });
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-8 + 1e-5 * b.abs();
    if (0..3).all(|axis| near(scan.spacing_mm[axis], spacing_mm[axis])) {
        return crate::crop::cropped(scan, mask, pad);
    }
    let range = |axis: usize| {
        let ratio = scan.spacing_mm[axis] / spacing_mm[axis];
        let pad = pad as f64;
        let last = (scan.shape[axis] as f64 * ratio).ceil() - 1.0;
        let from = ((low[axis] as f64 - 0.5) * ratio - pad).floor().max(0.0);
        let to = ((high[axis] as f64 + 0.5) * ratio + pad).ceil().min(last);
        (ratio, from, to - from + 1.0)
    };
    let voxels: f64 = (0..3).map(|axis| range(axis).2.max(0.0)).product();
    if !(1.0..=MOST_VOXELS).contains(&voxels) {
        return Err(Refused::input(format!(
            "{voxels} voxels of {spacing_mm:?} mm (z, y, x) would be needed: resample coarser"
        )));
    }
    let axes: [Axis; 3] = std::array::from_fn(|axis| {
        let (ratio, from, n) = range(axis);
        let corner = 0.5 * (spacing_mm[axis] - scan.spacing_mm[axis]) / scan.spacing_mm[axis];
        let origin = corner + from / ratio;
        Axis::new((0..n as usize).map(|at| origin + at as f64 / ratio), scan.shape[axis])
    });
    let shape = [axes[0].at.len(), axes[1].at.len(), axes[2].at.len()];
    let hu = interpolated(scan, &axes, pace)?;
    let mask = nearest(mask, scan.shape, &axes);
    Ok((Scan { hu: hu.into(), shape, spacing_mm }, mask))
}

impl Axis {
    fn new(at: impl Iterator<Item = f64>, length: usize) -> Self {
        let at: Vec<f64> = at.collect();
        let within = |place: f64, by: i64| {
            (place.floor() as i64).saturating_add(by).clamp(0, length as i64 - 1) as usize
        };
        let lowest = at.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = at.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let first = within(lowest, -MARGIN);
        let n = within(highest, MARGIN) + 1 - first;
        Self { at, first, n }
    }

    /// Whether new sample `idx` lies in the scan; what does not is 0, as in ITK.
    fn holds(&self, idx: usize, length: usize) -> bool {
        (-0.5..length as f64 - 0.5).contains(&self.at[idx])
    }
}

fn interpolated(
    scan: &Scan<'_>,
    axes: &[Axis; 3],
    pace: &dyn Pace,
) -> Result<Vec<i16>, Refused> {
    let mut shape = [axes[0].n, axes[1].n, axes[2].n];
    let mut data = Vec::with_capacity(shape.iter().product());
    for z in axes[0].first..axes[0].first + axes[0].n {
        for y in axes[1].first..axes[1].first + axes[1].n {
            let from = (z * scan.shape[1] + y) * scan.shape[2] + axes[2].first;
            data.extend(scan.hu[from..from + axes[2].n].iter().map(|&hu| f64::from(hu)));
        }
    }
    for (axis, samples) in axes.iter().enumerate().rev() {
        data = along(&data, shape, axis, samples, pace)?;
        shape[axis] = samples.at.len();
    }
    let [_, ny, nx] = shape;
    let inside = |place: usize| {
        let at = [place / (ny * nx), place / nx % ny, place % nx];
        (0..3).all(|axis| axes[axis].holds(at[axis], scan.shape[axis]))
    };
    let hu = data
        .iter()
        .enumerate()
        .map(|(place, &value)| if inside(place) { value as i16 } else { 0 });
    Ok(hu.collect())
}

/// Coefficients and then new samples along one axis.
fn along(
    data: &[f64],
    shape: [usize; 3],
    axis: usize,
    samples: &Axis,
    pace: &dyn Pace,
) -> Result<Vec<f64>, Refused> {
    let n = shape[axis];
    let width: usize = shape[axis + 1..].iter().product();
    let n_new = samples.at.len();
    // What lies far outside is not used; with odd spacings it lies beyond all numbers.
    let near = |at: &f64| (at - samples.first as f64).clamp(-2.0, n as f64 + 1.0);
    let taps: Vec<([usize; 4], [f64; 4])> =
        samples.at.iter().map(|at| taps(near(at), n)).collect();
    let mut out = vec![0.0; data.len() / n * n_new];
    let mut line = vec![0.0; n];
    let lines = shape[..axis].iter().product::<usize>() * width;
    for line_idx in 0..lines {
        if line_idx % 256 == 0 {
            pace.check()?;
        }
        let (outer, inner) = (line_idx / width, line_idx % width);
        for (at, slot) in line.iter_mut().enumerate() {
            *slot = data[(outer * n + at) * width + inner];
        }
        coefficients(&mut line);
        for (at, (places, weights)) in taps.iter().enumerate() {
            let parts = places.iter().zip(weights).map(|(&place, weight)| line[place] * weight);
            out[(outer * n_new + at) * width + inner] = parts.sum();
        }
    }
    Ok(out)
}

/// Samples to B-spline coefficients, in place.
fn coefficients(line: &mut [f64]) {
    let n = line.len();
    if n < 2 {
        return;
    }
    let gain = (1.0 - POLE) * (1.0 - 1.0 / POLE);
    for value in line.iter_mut() {
        *value *= gain;
    }
    // The sum over the mirrored line, which goes on without end.
    let period = 2 * n - 2;
    let mirrored = |at: usize| if at < n { at } else { period - at };
    let mut power = 1.0;
    let mut first = 0.0;
    for at in 0..period.min(60) {
        first += power * line[mirrored(at)];
        power *= POLE;
    }
    if period <= 60 {
        first /= 1.0 - POLE.powi(period as i32);
    }
    line[0] = first;
    for at in 1..n {
        line[at] += POLE * line[at - 1];
    }
    line[n - 1] = POLE / (POLE * POLE - 1.0) * (POLE * line[n - 2] + line[n - 1]);
    for at in (0..n - 1).rev() {
        line[at] = POLE * (line[at + 1] - line[at]);
    }
}

/// The four coefficients around `at` and their weights.
fn taps(at: f64, n: usize) -> ([usize; 4], [f64; 4]) {
    let floor = at.floor();
    let part = at - floor;
    let rest = 1.0 - part;
    let mirrored = |place: i64| {
        let last = n as i64 - 1;
        let place = if last == 0 { 0 } else { place.rem_euclid(2 * last) };
        place.min(2 * last - place) as usize
    };
    let first = floor as i64 - 1;
    let places = std::array::from_fn(|tap| mirrored(first + tap as i64));
    let cube = |x: f64| x * x * x / 6.0;
    let inner = |x: f64| 2.0 / 3.0 - x * x * (2.0 - x) / 2.0;
    (places, [cube(rest), inner(part), inner(rest), cube(part)])
}

fn nearest(mask: &[u8], shape: [usize; 3], axes: &[Axis; 3]) -> Vec<u8> {
    let place = |axis: usize, idx: usize| {
        let at = (axes[axis].at[idx] + 0.5).floor();
        axes[axis].holds(idx, shape[axis]).then_some(at as usize)
    };
    let mut out = Vec::with_capacity(axes.iter().map(|axis| axis.at.len()).product());
    for z in 0..axes[0].at.len() {
        for y in 0..axes[1].at.len() {
            for x in 0..axes[2].at.len() {
                let at = (place(0, z), place(1, y), place(2, x));
                let (Some(z), Some(y), Some(x)) = at else {
                    out.push(0);
                    continue;
                };
                out.push(mask[(z * shape[1] + y) * shape[2] + x]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Endless;

    #[test]
    fn the_spline_goes_through_its_samples() {
        for n in [2, 3, 5, 40, 70] {
            let samples: Vec<f64> = (0..n).map(|at| f64::from((at * 37) % 11)).collect();
            let mut line = samples.clone();
            coefficients(&mut line);
            for (at, sample) in samples.iter().enumerate() {
                let (places, weights) = taps(at as f64, n as usize);
                let found: f64 = places.iter().zip(weights).map(|(&p, w)| line[p] * w).sum();
                assert!((found - sample).abs() < 1e-10, "{n}: {found} for {sample}");
            }
        }
    }

    #[test]
    fn half_the_spacing_doubles_the_voxels_and_keeps_a_slope() {
        let hu: Vec<i16> = (0..20 * 20 * 20).map(|at| (at % 20) as i16 * 100).collect();
        let scan = Scan { hu: (&hu[..]).into(), shape: [20; 3], spacing_mm: [1.0; 3] };
        let mut mask = vec![0; 8000];
        for at in [8, 9, 10, 11] {
            mask[(at * 20 + at) * 20 + at] = 1;
        }
        let (new, inside) = resampled(&scan, &mask, [0.0, 0.0, 0.5], 2, &Endless).unwrap();
        // From voxel 7.5 to 11.5 with two new voxels on both sides: 13 to 25 of the new grid.
        assert_eq!(new.shape, [10, 10, 13]);
        assert_eq!(inside.iter().map(|&voxel| usize::from(voxel)).sum::<usize>(), 8);
        // The first lies at (13 + 0.5) / 2 - 0.5 = 6.25 old voxels; what follows the point is cut off.
        for (found, expected) in new.hu.iter().zip([625, 675, 725]) {
            assert!((expected - 1..=expected).contains(found), "{found} for {expected}");
        }
    }
}
