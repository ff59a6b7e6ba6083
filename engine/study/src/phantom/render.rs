//! From a case to the volume that a scanner would give.

use ichor_core::{Grid, GridError, Mask, MaskError, PixelSpacing, Volume, VolumeError};
use ndarray::Array3;
use serde::{Deserialize, Serialize};

use super::bleed::{Bleed, N_CUTS, cuts};
use super::cohort::{Case, Stream};
use super::curves::{bell, blend, ramp};
use super::fourier::{Fourier, SIDE};
use super::head::{Cut, Head};
use super::hematoma::Hematoma;
use super::scanner::{AIR_LOUDNESS, Kernel, Noise, blur, hardening, loudness, slice_loudness};
use super::shake::shake;
use super::upsample::{Window, upsample};
use super::warp::{Mass, Push};
use crate::random::Random;

/// Height of the lowest slice over the skull base, in millimetres.
const LOWEST: f32 = 3.0;

/// Why a phantom was not rendered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PhantomError {
    /// A setting of the scan out of its range.
    #[error("scan.{setting} = {value}: must be {must}")]
    Scan {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: f64,
        /// What would be taken.
        must: &'static str,
    },
    /// The slices make no grid.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// The voxels make no volume.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// The voxels make no mask.
    #[error(transparent)]
    Mask(#[from] MaskError),
}

/// How a phantom is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scan {
    /// Reconstruction kernel.
    pub kernel: Kernel,
    /// Dose against a usual head CT; noise falls with its square root.
    pub dose: f64,
    /// Standard deviation of the head's shift during the scan, in millimetres; 0: still.
    pub motion_mm: f64,
    /// Number of slices.
    pub n_slices: usize,
    /// Distance between slices, and their thickness.
    pub step_mm: f64,
}

impl Default for Scan {
    /// A still head at usual dose, 26 slices of 5 mm.
    fn default() -> Self {
        let kernel = Kernel::Standard;
        Self { kernel, dose: 1.0, motion_mm: 0.0, n_slices: 26, step_mm: 5.0 }
    }
}

impl Scan {
    /// How `case` is scanned: scanners vary from case to case in kernel and dose, .7 to 1.4, by the
    /// case's own seed. The head is still.
    pub fn of(case: &Case) -> Self {
        let kernel = match case.seed % 4 {
            0 => Kernel::Soft,
            1 => Kernel::Sharp,
            _ => Kernel::Standard,
        };
        let dose = 0.7 + 0.1 * ((case.seed / 4) % 8) as f64;
        Self { kernel, dose, ..Self::default() }
    }

    pub(super) fn checked(self) -> Result<Self, PhantomError> {
        let out = |setting, value, must| Err(PhantomError::Scan { setting, value, must });
        if !(0.01..=100.0).contains(&self.dose) {
            return out("dose", self.dose, "0.01 to 100");
        }
        if !(0.0..=50.0).contains(&self.motion_mm) {
            return out("motion_mm", self.motion_mm, "0 to 50");
        }
        if !(1..=1000).contains(&self.n_slices) {
            return out("n_slices", self.n_slices as f64, "1 to 1000");
        }
        if !(0.1..=20.0).contains(&self.step_mm) {
            return out("step_mm", self.step_mm, "0.1 to 20");
        }
        Ok(self)
    }
}

/// A rendered case.
#[derive(Debug, Clone, PartialEq)]
pub struct Phantom {
    /// The scan.
    pub volume: Volume,
    /// The hematoma, without blood in the ventricles.
    pub hematoma: Mask,
    /// Blood in the ventricles.
    pub ivh: Mask,
}

impl Case {
    /// Scans the case. The same case and scan give the same bits on every machine.
    ///
    /// Fails when a setting of `scan` is out of its range.
    pub fn render(&self, scan: &Scan) -> Result<Phantom, PhantomError> {
        Renderer::new(self, scan.checked()?).render()
    }
}

/// Everything that the slices of one scan share.
struct Renderer {
    scan: Scan,
    zs: Vec<f32>,
    head: Head,
    bleed: Option<Bleed>,
    push: Option<Push>,
    centre_z: f32,
    /// How full the ventricles are of blood; 0 without any.
    fill: f32,
    random: Random,
    fourier: Fourier,
    noise: Noise,
}

/// One finished slice.
struct Slice {
    hu: Vec<f32>,
    blood: Vec<bool>,
    ivh: Vec<bool>,
}

impl Renderer {
    fn new(case: &Case, scan: Scan) -> Self {
        let step_mm = scan.step_mm as f32;
        let zs: Vec<f32> = (0..scan.n_slices).map(|k| LOWEST + step_mm * k as f32).collect();
        let latents = &case.latents;
        let top = LOWEST + step_mm * scan.n_slices as f32 + 5.0;
        let head = Head::new(&mut case.stream(Stream::Anatomy), latents.age_years, (-5.0, top));
        let mut shape = case.stream(Stream::Hematoma);
        let fill = if latents.ivh { shape.between(0.35, 1.0) as f32 } else { 0.0 };
        let hematoma = Hematoma::new(&mut shape, latents);
        let mass = hematoma.as_ref().map(|hematoma| Mass {
            centre: hematoma.centre,
            radius_cubed: hematoma.radius.powi(3),
        });
        let sizes = (latents.volume_ml as f32, latents.oedema_mm as f32);
        let depth = |z: f32| head.depth(z);
        let bleed =
            hematoma.map(|shape| Bleed::new(shape, &head.frame, (&zs, step_mm), sizes, depth));
        let (mut random, fourier) = (case.stream(Stream::Scanner), Fourier::new());
        let field_mm = head.frame.pixel_mm * SIDE as f32 / 2.0;
        let noise = Noise::new(&mut random, &fourier, scan.kernel, field_mm);
        let centre_z = mass.map_or(0.0, |mass| mass.centre[2]);
        let push = mass.map(Push::new);
        Self { scan, zs, head, bleed, push, centre_z, fill, random, fourier, noise }
    }

    fn render(mut self) -> Result<Phantom, PhantomError> {
        let size = (self.zs.len(), SIDE, SIDE);
        let mut hu = Vec::with_capacity(size.0 * SIDE * SIDE);
        let mut blood = Vec::with_capacity(hu.capacity());
        let mut ivh = Vec::with_capacity(hu.capacity());
        for slice_idx in 0..self.zs.len() {
            let slice = self.slice(slice_idx);
            hu.extend(slice.hu.iter().map(|&hu| whole(hu)));
            blood.extend(slice.blood);
            ivh.extend(slice.ivh);
        }
        let grid = self.grid()?;
        let array = |voxels| Array3::from_shape_vec(size, voxels).unwrap_or_default();
        let hu = Array3::from_shape_vec(size, hu).unwrap_or_default();
        let hematoma = Mask::new(array(blood), &grid)?;
        let ivh = Mask::new(array(ivh), &grid)?;
        Ok(Phantom { volume: Volume::new(hu, grid)?, hematoma, ivh })
    }

    fn grid(&self) -> Result<Grid, GridError> {
        let pixel = f64::from(self.head.frame.pixel_mm) / 2.0;
        let corner = -pixel * (SIDE as f64 - 1.0) / 2.0;
        let origins = self.zs.iter().map(|&z| [corner, corner, f64::from(z)]).collect();
        let spacing = PixelSpacing { y: pixel, x: pixel };
        Grid::new(spacing, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], origins, self.scan.step_mm)
    }

    /// One slice: cut, bled into, hardened, shaken, blurred, made noisy.
    fn slice(&mut self, slice_idx: usize) -> Slice {
        let z = self.zs[slice_idx];
        let heights = cuts(z, self.scan.step_mm as f32);
        let mut sections = heights.map(|z| self.head.cut(z, self.push.as_ref()));
        let ventricles = self.fill_ventricles(heights, &mut sections);
        let depth = self.head.depth(z);
        let n_columns = self.head.frame.xs.len();
        let stain = self.bleed.as_ref().and_then(|bleed| {
            let cuts = [sections[0].hu.as_slice(), sections[1].hu.as_slice()];
            bleed.stain(slice_idx, heights, cuts, &depth, n_columns).map(|s| (s, bleed.window))
        });
        let mut coarse = mean(&sections);
        hardening(&self.head.frame, z, &depth, &mut coarse);
        let mut hu = self.spread(&coarse, -1000.0);
        let mut blood = vec![false; SIDE * SIDE];
        if let Some((stain, window)) = stain {
            self.over(window, |i, at| {
                hu[at] += stain.hu[i];
                blood[at] = stain.blood[i] > 0.5;
            });
        }
        let ivh = match ventricles {
            Some(share) => {
                let share = self.spread(&share, 0.0);
                share.iter().zip(&blood).map(|(&s, &b)| s > 0.5 && !b).collect()
            }
            None => vec![false; SIDE * SIDE],
        };
        self.acquire(z, &depth, &mut hu);
        Slice { hu, blood, ivh }
    }

    /// Blood in the ventricles settles at the back and lies near the hematoma. Gives the share of
    /// each coarse pixel that it fills.
    fn fill_ventricles(&self, z: [f32; N_CUTS], cuts: &mut [Cut; N_CUTS]) -> Option<Vec<f32>> {
        if self.fill <= 0.0 {
            return None;
        }
        let surface = -34.0 + 62.0 * (1.0 - self.fill);
        let mut mean = vec![0.0; self.head.frame.len()];
        for (cut, z) in cuts.iter_mut().zip(z) {
            let near = 1.3 * bell((z - self.centre_z) / 38.0);
            let pixels = cut.hu.iter_mut().zip(&cut.ventricles).zip(&self.head.frame.y);
            for (((hu, &ventricle), &y), mean) in pixels.zip(&mut mean) {
                let share = (ventricle * ramp(y - surface, 6.0) * near).clamp(0.0, 1.0);
                if share > 0.25 {
                    blend(hu, 57.0, share);
                    *mean += share / N_CUTS as f32;
                }
            }
        }
        Some(mean)
    }

    /// Motion, kernel, noise.
    fn acquire(&mut self, z: f32, depth: &[f32], hu: &mut [f32]) {
        let scan = self.scan;
        if scan.motion_mm > 0.0 {
            let motion = (scan.motion_mm, self.head.frame.pixel_mm / 2.0);
            shake(&mut self.random, &self.fourier, motion, hu);
        }
        blur(scan.kernel, hu, SIDE);
        let level = scan.kernel.noise_hu() / (scan.dose as f32).sqrt() * slice_loudness(z);
        let loud: Vec<f32> = depth.iter().map(|&depth| loudness(depth)).collect();
        let loud = self.spread(&loud, AIR_LOUDNESS);
        self.noise.add(&mut self.random, level, &loud, hu);
    }

    /// A coarse plane on the 512 x 512 pixels, `around` where the frame does not reach.
    fn spread(&self, coarse: &[f32], around: f32) -> Vec<f32> {
        let frame = &self.head.frame;
        let window = Window { y0: 0, y1: frame.ys.len(), x0: 0, x1: frame.xs.len() };
        let fine = upsample(coarse, frame.xs.len(), window);
        let mut plane = vec![around; SIDE * SIDE];
        let (top, left) = (2 * frame.first.0, 2 * frame.first.1);
        for (y, line) in fine.chunks_exact(2 * frame.xs.len()).enumerate() {
            plane[(top + y) * SIDE + left..][..line.len()].copy_from_slice(line);
        }
        plane
    }

    /// Calls `f` with the index in a window of coarse pixels and in the slice, for every fine
    /// pixel of the window.
    fn over(&self, window: Window, mut f: impl FnMut(usize, usize)) {
        let first = self.head.frame.first;
        let (top, left) = (2 * (first.0 + window.y0), 2 * (first.1 + window.x0));
        let width = 2 * (window.x1 - window.x0);
        for y in 0..2 * (window.y1 - window.y0) {
            for x in 0..width {
                f(y * width + x, (top + y) * SIDE + left + x);
            }
        }
    }
}

fn mean(cuts: &[Cut; N_CUTS]) -> Vec<f32> {
    let [a, b] = cuts;
    a.hu.iter().zip(&b.hu).map(|(&a, &b)| f32::midpoint(a, b)).collect()
}

/// Whole HU, as stored in 12 bits.
pub(super) fn whole(hu: f32) -> i16 {
    // Adding and taking away 1.5 * 2^23 rounds to the nearest even, on every machine alike.
    ((hu.clamp(-1024.0, 3071.0) + 12_582_912.0) - 12_582_912.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phantom::Cohort;

    /// Slices around the basal ganglia and up; enough for the hematomas used here.
    fn scan() -> Scan {
        Scan { n_slices: 22, ..Scan::default() }
    }

    /// Mean HU of the voxels for which `wanted` says so.
    fn mean_hu(volume: &Volume, wanted: impl Fn((usize, usize, usize)) -> bool) -> f64 {
        let (sum, n) = volume
            .hu()
            .indexed_iter()
            .filter(|&(at, _)| wanted(at))
            .fold((0.0, 0.0), |(sum, n), (_, &hu)| (sum + f64::from(hu), n + 1.0));
        sum / n
    }

    #[test]
    fn the_mask_has_the_volume_asked_for() {
        let cohort = Cohort::clinical(6, 7);
        let check = |case: &Case| {
            let phantom = case.render(&scan()).unwrap();
            let share = phantom.hematoma.volume().ml() / case.latents.volume_ml;
            assert!((0.93..=1.03).contains(&share), "{share} of {case:?}");
        };
        cohort.cases().for_each(|case| check(&case));
        check(&cohort.case(0).with_volume(2.0));
        check(&cohort.case(3).with_volume(100.0));
    }

    #[test]
    fn tissues_have_their_hounsfield_units() {
        let case = Cohort::clinical(1, 7).case(0);
        let phantom = case.render(&scan()).unwrap();
        let blood = phantom.hematoma.voxels();
        let hu = mean_hu(&phantom.volume, |at| blood[at]);
        assert!((hu - case.latents.clot_hu).abs() < 6.0, "clot {hu}");
        let head = ichor_core::Head::find(&phantom.volume);
        assert!(head.is_head());
        // The middle of a slice through the centrum semiovale: white matter, a little cortex.
        let white = mean_hu(&phantom.volume, |(z, y, x)| {
            z == 18 && (250..270).contains(&y) && (180..220).contains(&x)
        });
        assert!((26.0..36.0).contains(&white), "white matter {white}");
        let air = mean_hu(&phantom.volume, |(_, y, x)| y < 20 && x < 20);
        assert!((air + 1000.0).abs() < 0.5, "air {air}");
        let bone = phantom.volume.hu().iter().filter(|&&hu| hu > 500).count();
        assert!(bone > 50_000, "{bone} voxels of bone");
    }

    #[test]
    fn a_case_renders_to_the_same_bits_and_its_noise_differs_at_the_next_visit() {
        let case = Cohort::development(3, 2).case(2);
        let scan = Scan { n_slices: 3, ..Scan::default() };
        let first = case.render(&scan).unwrap();
        assert_eq!(first, case.render(&scan).unwrap());
        let mut later = case;
        later.visit = 1;
        let later = later.render(&scan).unwrap();
        let differ = first.volume.hu().iter().zip(later.volume.hu()).filter(|(a, b)| a != b);
        assert!(differ.count() > 100_000);
    }

    #[test]
    fn a_head_without_a_bleed_has_none() {
        let case = Cohort::clinical(2, 7).case(1).without_bleed();
        let phantom = case.render(&scan()).unwrap();
        assert!(phantom.hematoma.is_empty() && phantom.ivh.is_empty());
        let (_, n_y, n_x) = phantom.volume.dim();
        let clot = mean_hu(&phantom.volume, |(z, y, x)| {
            (9..13).contains(&z) && y.abs_diff(n_y / 2) < 60 && x.abs_diff(n_x / 2) < 60
        });
        assert!((20.0..40.0).contains(&clot), "{clot}");
    }

    #[test]
    fn a_scan_out_of_its_range_is_refused() {
        let scan = Scan { dose: 0.0, ..Scan::default() };
        let refused = Cohort::clinical(1, 7).case(0).render(&scan);
        assert_eq!(refused.unwrap_err().to_string(), "scan.dose = 0: must be 0.01 to 100");
    }
}
