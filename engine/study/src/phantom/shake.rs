//! Motion during the scan.
//!
//! Central slice theorem: projections in a wedge of angles were taken in a second pose, so that
//! the wedge of the slice's spectrum belongs to the slice as it lay then. For a shift that is a
//! factor of phase; exact for parallel beams.

use super::fourier::{Fourier, Plane, SIDE, cycles};
use crate::random::Random;

/// Share of the slices that a motion meets.
const STRUCK: f64 = 0.6;
/// Radians over which the wedge's edge is softened.
const EDGE: f32 = 0.02;

/// Shifts the head by normal amounts of deviation `motion_mm` along both axes during 15 to 50 %
/// of the angles of one slice, in 60 % of the slices. `hu` has 512 x 512 pixels.
pub(crate) fn shake(
    random: &mut Random,
    fourier: &Fourier,
    (motion_mm, pixel_mm): (f64, f32),
    hu: &mut [f32],
) {
    let struck = random.chance(STRUCK);
    let shift = [random.around(0.0, motion_mm), random.around(0.0, motion_mm)];
    let [dy, dx] = shift.map(|mm| mm as f32 / pixel_mm);
    let start = random.between(0.0, std::f64::consts::PI) as f32;
    let width = random.between(0.15, 0.5) as f32 * std::f32::consts::PI;
    if !struck {
        return;
    }
    let mut plane = Plane::zero();
    for (re, &hu) in plane.re.iter_mut().zip(&*hu) {
        *re = (hu + 1000.0) / (SIDE * SIDE) as f32;
    }
    fourier.forward(&mut plane);
    let turns = [phases(dx), phases(dy)];
    for kx in 0..SIDE {
        for ky in 0..SIDE {
            let share = wedge(cycles(ky), cycles(kx), start, width);
            if share > 0.0 {
                let i = kx * SIDE + ky;
                let ((ax, bx), (ay, by)) = (turns[0][kx], turns[1][ky]);
                let (cosine, sine) = (ax * ay - bx * by, ax * by + bx * ay);
                let (keep_re, keep_im) = (1.0 - share + share * cosine, share * sine);
                let (re, im) = (plane.re[i], plane.im[i]);
                plane.re[i] = re * keep_re - im * keep_im;
                plane.im[i] = re * keep_im + im * keep_re;
            }
        }
    }
    fourier.backward(&mut plane);
    for (hu, re) in hu.iter_mut().zip(&plane.re) {
        *hu = re - 1000.0;
    }
}

/// Cosine and sine of what a shift by `pixels` does to each frequency of an axis.
fn phases(pixels: f32) -> Vec<(f32, f32)> {
    (0..SIDE)
        .map(|k| {
            let angle = -std::f32::consts::TAU * cycles(k) * pixels / SIDE as f32;
            (libm::cosf(angle), libm::sinf(angle))
        })
        .collect()
}

/// Share of frequency `(ky, kx)` that lies in the wedge; the same for a frequency and its mirror.
fn wedge(ky: f32, kx: f32, start: f32, width: f32) -> f32 {
    let mut angle = libm::atan2f(ky, kx) - start;
    while angle < 0.0 {
        angle += std::f32::consts::PI;
    }
    while angle >= std::f32::consts::PI {
        angle -= std::f32::consts::PI;
    }
    ((width - angle) / EDGE + 0.5).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use crate::phantom::{Cohort, Kernel, Scan};

    /// The share of cases whose motion index lies above 0.5.
    fn struck(motion_mm: f64, kernel: Kernel, dose: f64) -> f64 {
        let cohort = Cohort::clinical(4, 12);
        let scan = Scan { kernel, dose, motion_mm, ..Scan::default() };
        let above = cohort.cases().filter(|case| {
            let volume = case.render(&scan).unwrap().volume;
            let head = ichor_core::Head::find(&volume);
            ichor_core::motion_index(&volume, &head).share() > 0.5
        });
        above.count() as f64 / 4.0
    }

    #[test]
    fn a_head_that_moves_by_2_mm_is_found_and_a_still_one_is_not() {
        assert!(struck(2.0, Kernel::Standard, 1.0) > 0.7);
        assert!(struck(0.0, Kernel::Standard, 1.0) < 0.01);
    }

    #[test]
    fn low_dose_and_a_sharp_kernel_are_no_motion() {
        assert!(struck(0.0, Kernel::Sharp, 0.3) < 0.01);
        assert!(struck(0.0, Kernel::Soft, 2.0) < 0.01);
    }
}
