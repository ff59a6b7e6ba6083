//! Less noise: a Gaussian over the pixels of a set, and nothing from outside of it.

use ichor_plugin::Refused;

use crate::pace::Pace;
use crate::plane::Plane;

/// More pixels to a side are no slice of a head; the Gaussian is cut off there.
const WIDEST: usize = 32;

/// `hu` within `set`, smoothed by a Gaussian of `sigma_mm` that sees `set` alone; 0 outside.
pub(crate) fn smooth(
    plane: &Plane,
    hu: &[f32],
    set: &[bool],
    sigma_mm: f64,
    pace: &mut Pace<'_, '_>,
) -> Result<Vec<f32>, Refused> {
    let mut sum: Vec<f32> =
        hu.iter().zip(set).map(|(&hu, &s)| if s { hu } else { 0.0 }).collect();
    let mut weight: Vec<f32> = set.iter().map(|&s| if s { 1.0 } else { 0.0 }).collect();
    for axis in 0..2 {
        let kernel = kernel(sigma_mm / plane.spacing_mm[axis]);
        for values in [&mut sum, &mut weight] {
            *values = along(plane, values, &kernel, axis, pace)?;
        }
    }
    let shares = sum.iter().zip(&weight).zip(set);
    Ok(shares.map(|((sum, weight), &s)| if s { sum / weight } else { 0.0 }).collect())
}

/// The half of a Gaussian from its middle outwards, `sigma` in pixels.
fn kernel(sigma: f64) -> Vec<f32> {
    let reach = ((3.0 * sigma).ceil() as usize).min(WIDEST);
    (0..=reach).map(|i| (-0.5 * (i as f64 / sigma.max(1e-6)).powi(2)).exp() as f32).collect()
}

fn along(
    plane: &Plane,
    values: &[f32],
    kernel: &[f32],
    axis: usize,
    pace: &mut Pace<'_, '_>,
) -> Result<Vec<f32>, Refused> {
    let step = if axis == 0 { plane.columns } else { 1 };
    let length = if axis == 0 { plane.rows } else { plane.columns };
    let mut out = vec![0.0; values.len()];
    for y in 0..plane.rows {
        pace.work(plane.columns * kernel.len() / 4)?;
        for x in 0..plane.columns {
            let at = y * plane.columns + x;
            let place = if axis == 0 { y } else { x };
            let mut sum = kernel[0] * values[at];
            for (i, &weight) in kernel.iter().enumerate().skip(1) {
                if place >= i {
                    sum += weight * values[at - i * step];
                }
                if place + i < length {
                    sum += weight * values[at + i * step];
                }
            }
            out[at] = sum;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{drawn, unhurried};

    #[test]
    fn what_lies_outside_of_the_set_does_not_reach_in() {
        let (plane, set) = drawn("......\n.####.\n.####.\n......");
        let hu: Vec<f32> = set.iter().map(|&s| if s { 60.0 } else { -1000.0 }).collect();
        let smoothed = unhurried(|pace| smooth(&plane, &hu, &set, 1.5, pace)).unwrap();
        for (at, &hu) in smoothed.iter().enumerate() {
            assert!((hu - if set[at] { 60.0 } else { 0.0 }).abs() < 1e-4, "{hu}");
        }
    }

    #[test]
    fn a_gaussian_of_no_width_changes_nothing() {
        let (plane, set) = drawn("###\n###");
        let hu = [1.0, 5.0, -3.0, 8.0, 0.5, 2.0];
        let smoothed = unhurried(|pace| smooth(&plane, &hu, &set, 1e-9, pace)).unwrap();
        assert_eq!(smoothed, hu);
    }
}
