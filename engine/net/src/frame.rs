//! From the image to the network's frame and back.
//!
//! The paper crops or pads every slice centrally to 512 x 512 and shows the network 0 to 100 HU.
//! Crop and pad are undone exactly, so that a probability lies on the voxel that it is about.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

/// Side of the square that the network sees, in pixels.
pub const FRAME: usize = 512;
/// What the network is shown, in HU: the first value becomes 0, the second 1.
pub const WINDOW_HU: [f32; 2] = [0.0, 100.0];

/// How rows or columns of an image of `n` lie in the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shift {
    n: usize,
    /// First frame pixel that shows the image.
    in_frame: usize,
    /// Image pixel that it shows.
    in_image: usize,
}

impl Shift {
    fn new(n: usize) -> Self {
        Self { n, in_frame: FRAME.saturating_sub(n) / 2, in_image: n.saturating_sub(FRAME) / 2 }
    }

    /// Image pixels that the frame shows.
    fn shown(self) -> Range<usize> {
        self.in_image..self.in_image + self.n.min(FRAME)
    }

    fn to_image(self, in_frame: usize) -> Option<usize> {
        let at = (in_frame + self.in_image).checked_sub(self.in_frame)?;
        self.shown().contains(&at).then_some(at)
    }
}

/// How an image lies in the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Framing {
    rows: Shift,
    columns: Shift,
}

impl Framing {
    /// Of an image of `(y, x)` pixels.
    pub(crate) fn of((y, x): (usize, usize)) -> Self {
        Self { rows: Shift::new(y), columns: Shift::new(x) }
    }

    /// Whether the frame shows pixel `(y, x)` of the image.
    pub(crate) fn shows(self, (y, x): (usize, usize)) -> bool {
        self.rows.shown().contains(&y) && self.columns.shown().contains(&x)
    }

    /// The frame, windowed to `0.0..=1.0`; air where the image ends.
    pub(crate) fn cut(self, slice: ArrayView2<'_, i16>) -> Array2<f32> {
        self.in_frame(0.0, |at| windowed(slice[at]))
    }

    /// Where the frame shows the `head`.
    pub(crate) fn cut_head(self, head: ArrayView2<'_, bool>) -> Array2<bool> {
        self.in_frame(false, |at| head[at])
    }

    /// Writes `probability` of the frame to the pixels of `out` that lie in the `head`.
    pub(crate) fn paste(
        self,
        probability: ArrayView2<'_, f32>,
        head: ArrayView2<'_, bool>,
        mut out: ArrayViewMut2<'_, f32>,
    ) {
        for ((y, x), &p) in probability.indexed_iter() {
            if let Some(at) = self.in_image(y, x).filter(|&at| head[at]) {
                out[at] = p;
            }
        }
    }

    fn in_frame<T: Clone>(self, outside: T, of: impl Fn((usize, usize)) -> T) -> Array2<T> {
        Array2::from_shape_fn((FRAME, FRAME), |(y, x)| {
            self.in_image(y, x).map_or_else(|| outside.clone(), &of)
        })
    }

    /// The image pixel that the frame's `(y, x)` shows.
    fn in_image(self, y: usize, x: usize) -> Option<(usize, usize)> {
        Some((self.rows.to_image(y)?, self.columns.to_image(x)?))
    }
}

/// HU to what the network is shown.
fn windowed(hu: i16) -> f32 {
    let [low, high] = WINDOW_HU;
    ((f32::from(hu) - low) / (high - low)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pixel that the frame shows comes back to its own place, the others stay 0.
    fn check(n_y: usize, n_x: usize, n_shown: usize) {
        // Distinct after the window: 1 to 100 HU, and neighbours always differ.
        let value = |y: usize, x: usize| ((y * 37 + x * 11) % 100 + 1) as u8;
        let slice = Array2::from_shape_fn((n_y, n_x), |(y, x)| i16::from(value(y, x)));
        let framing = Framing::of((n_y, n_x));
        let everywhere = Array2::from_elem((n_y, n_x), true);
        let mut out = Array2::zeros((n_y, n_x));
        framing.paste(framing.cut(slice.view()).view(), everywhere.view(), out.view_mut());
        let mut shown = 0;
        for ((y, x), &found) in out.indexed_iter() {
            let expected = f32::from(value(y, x)) / 100.0;
            let expected = if framing.shows((y, x)) { expected } else { 0.0 };
            assert!((found - expected).abs() < 1e-6, "({y}, {x}): {found}, not {expected}");
            shown += usize::from(found > 0.0);
        }
        assert_eq!(shown, n_shown);
    }

    #[test]
    fn crop_and_pad_are_undone_exactly() {
        check(512, 512, 512 * 512);
        check(400, 600, 400 * 512);
        check(513, 511, 512 * 511);
        check(1024, 768, 512 * 512);
        check(1, 513, 512);
    }

    #[test]
    fn the_crop_is_central_and_the_odd_pixel_falls_off_the_end() {
        assert!(Framing::of((515, 512)).shows((1, 0)));
        assert!(!Framing::of((515, 512)).shows((0, 0)));
        assert!(Framing::of((515, 512)).shows((512, 0)));
        assert!(!Framing::of((515, 512)).shows((513, 0)));
    }

    #[test]
    fn the_network_sees_0_to_100_hu() {
        let seen = [-1000, 0, 50, 100, 3071].map(|hu| windowed(hu).to_bits());
        assert_eq!(seen, [0.0_f32, 0.0, 0.5, 1.0, 1.0].map(f32::to_bits));
    }
}
