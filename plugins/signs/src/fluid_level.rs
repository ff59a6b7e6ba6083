//! Fluid level.
//!
//! Pfleger et al. 1994, AJNR 15:217, and Morotti et al. 2019, Ann. Neurol. 86:480: a darker area
//! above a denser one with a straight, horizontal border: plasma over cells that have settled.
//! Down is the back of the patient, who lies on it in the scanner.

use ichor_plugin::{Refused, VolumeView};

use crate::finding::{Best, Finding};
use crate::hematoma::Slice;
use crate::histogram::otsu;
use crate::pace::Pace;
use crate::plane::Plane;

/// Each side of the border has at least this share of the slice.
const LEAST_SHARE: f64 = 0.1;
/// Thickness of the layers whose means are compared.
const LAYER_MM: f64 = 0.5;
/// A slice whose rows and columns lie this far out of the horizontal has no level to see.
const LEAST_UPRIGHT: f64 = 0.5;
/// More layers than any head holds.
const MOST_LAYERS: usize = 4096;

/// What the definition leaves open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choices {
    /// Depth under the surface from which on a pixel is wholly blood.
    pub(crate) rim_mm: f64,
    /// Smallest area of the slice's interior.
    pub(crate) smallest_mm2: f64,
    /// A horizontal line must explain this share of the variance on the slice.
    pub(crate) explained: f64,
}

/// What the slices show of the sign.
#[derive(Debug)]
pub(crate) struct FluidLevel {
    /// Millimetres down for each millimetre along `(y, x)`; none out of the horizontal.
    down: Option<[f64; 2]>,
    best: Best,
}

impl FluidLevel {
    pub(crate) fn new(volume: &VolumeView<'_>) -> Self {
        // LPS: the second axis points to the patient's back.
        let down = [volume.direction[1][1], volume.direction[2][1]];
        let length = down[0].hypot(down[1]);
        let down = (length >= LEAST_UPRIGHT).then(|| down.map(|share| share / length));
        Self { down, best: Best::default() }
    }

    pub(crate) fn look(
        &mut self,
        slice: &Slice,
        choices: Choices,
        pace: &mut Pace<'_, '_>,
    ) -> Result<(), Refused> {
        let Some(down) = self.down else { return Ok(()) };
        let interior = slice.interior(choices.rim_mm);
        let pixels = Plane::pixels(&interior);
        pace.work(4 * interior.len())?;
        if (pixels.len() as f64) * slice.plane.pixel_mm2() < choices.smallest_mm2 {
            return Ok(());
        }
        let height = |at: usize| {
            let [y, x] = slice.plane.in_mm(at);
            y * down[0] + x * down[1]
        };
        let Some(level) = Level::best(slice, &pixels, height) else { return Ok(()) };
        // No line can do better than the best level of grey: near to it, the border is the line.
        let most = otsu(&slice.hu_of(&pixels)).map_or(1.0, |parted| parted.explained);
        if level.explained >= choices.explained * most
            && level.explained >= 0.5 * choices.explained
        {
            let edge = |&at: &usize| (height(at) - level.at_mm).abs() <= LAYER_MM;
            let border: Vec<usize> = pixels.iter().copied().filter(edge).collect();
            if let Some(at) = slice.plane.middle(&border) {
                self.best.offer(level.difference_hu, slice.place(at));
            }
        }
        Ok(())
    }

    /// The largest difference across a horizontal border, in HU.
    pub(crate) fn hu(&self) -> f64 {
        self.best.value()
    }

    /// Out of the horizontal nothing can be said.
    pub(crate) fn finding(&self, difference_hu: f64) -> Finding {
        match self.down {
            Some(_) => Finding::at(self.best.place(difference_hu)),
            None => Finding { present: None, place: None },
        }
    }
}

/// The horizontal line that best parts a slice.
#[derive(Debug, Clone, Copy)]
struct Level {
    at_mm: f64,
    /// Mean below the line less mean above it.
    difference_hu: f64,
    /// Share of the variance that lies between both sides.
    explained: f64,
}

impl Level {
    fn best(slice: &Slice, pixels: &[usize], height: impl Fn(usize) -> f64) -> Option<Self> {
        let top = pixels.iter().map(|&at| height(at)).fold(f64::INFINITY, f64::min);
        let mut layers: Vec<(f64, f64)> = Vec::new();
        let (mut sum, mut squares) = (0.0, 0.0);
        for &at in pixels {
            let layer = (((height(at) - top) / LAYER_MM) as usize).min(MOST_LAYERS);
            if layers.len() <= layer {
                layers.resize(layer + 1, (0.0, 0.0));
            }
            let hu = f64::from(slice.hu[at]);
            layers[layer].0 += 1.0;
            layers[layer].1 += hu;
            sum += hu;
            squares += hu * hu;
        }
        let n = pixels.len() as f64;
        let total = (squares / n - (sum / n).powi(2)).max(1e-12);
        let (mut n_above, mut sum_above) = (0.0, 0.0);
        let mut best: Option<Self> = None;
        for (layer, (count, of_layer)) in layers.iter().enumerate() {
            n_above += count;
            sum_above += of_layer;
            let n_below = n - n_above;
            if n_above.min(n_below) < LEAST_SHARE * n {
                continue;
            }
            let difference_hu = (sum - sum_above) / n_below - sum_above / n_above;
            let explained = n_above * n_below / (n * n) * difference_hu.powi(2) / total;
            let at_mm = top + (layer + 1) as f64 * LAYER_MM;
            if difference_hu > 0.0 && best.is_none_or(|best| explained > best.explained) {
                best = Some(Self { at_mm, difference_hu, explained });
            }
        }
        best
    }
}
