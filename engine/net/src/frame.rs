//! From the image to the network's frame and back.
//!
//! The paper crops or pads every slice centrally to 512 x 512 and shows the network 0 to 100 HU.
//! Crop and pad are undone exactly, so that a probability lies on the voxel that it is about.

use std::ops::Range;

use ichor_core::HeadBox;
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

    /// Part of the frame that shows `range` of the image, widened by `margin` and then to
    /// multiples of `multiple`, which divides the frame. None where the frame shows none of it.
    fn around(
        self,
        range: Range<usize>,
        margin: usize,
        multiple: usize,
    ) -> Option<Range<usize>> {
        let shown = self.shown();
        let (first, last) = (range.start.max(shown.start), range.end.min(shown.end));
        if first >= last {
            return None;
        }
        let in_frame = |at: usize| at - self.in_image + self.in_frame;
        let start = in_frame(first).saturating_sub(margin) / multiple * multiple;
        let end = (in_frame(last) + margin).next_multiple_of(multiple).min(FRAME);
        Some(start..end)
    }
}

/// A rectangle of the frame, and where it lies in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patch {
    rows: (Shift, Range<usize>),
    columns: (Shift, Range<usize>),
}

impl Patch {
    /// The whole frame, for an image of `(y, x)` pixels.
    pub(crate) fn whole((y, x): (usize, usize)) -> Self {
        Self { rows: (Shift::new(y), 0..FRAME), columns: (Shift::new(x), 0..FRAME) }
    }

    /// What shows `head` with `margin` pixels around it, of an image of `(y, x)` pixels; sides are multiples of `multiple` and so are the offsets from the frame's
    /// corner, so that pooling joins the same pixels as in the whole frame.
    pub(crate) fn around(
        (y, x): (usize, usize),
        head: HeadBox,
        margin: usize,
        multiple: usize,
    ) -> Option<Self> {
        let (rows, columns) = (Shift::new(y), Shift::new(x));
        let in_rows = rows.around(head.y0..head.y1, margin, multiple)?;
        let in_columns = columns.around(head.x0..head.x1, margin, multiple)?;
        Some(Self { rows: (rows, in_rows), columns: (columns, in_columns) })
    }

    /// Whether the frame shows pixel `(y, x)` of an image of `(n_y, n_x)` pixels.
    pub(crate) fn shows((n_y, n_x): (usize, usize), (y, x): (usize, usize)) -> bool {
        Shift::new(n_y).shown().contains(&y) && Shift::new(n_x).shown().contains(&x)
    }

    /// The rectangle, windowed to `0.0..=1.0`; air where the image ends.
    pub(crate) fn cut(&self, slice: ArrayView2<'_, i16>) -> Array2<f32> {
        self.map(0.0, |at| windowed(f32::from(slice[at])))
    }

    /// The rectangle filled with the `value` of every image pixel, and `outside` where the image
    /// ends.
    pub(crate) fn map<T: Copy>(
        &self,
        outside: T,
        value: impl Fn((usize, usize)) -> T,
    ) -> Array2<T> {
        let dim = (self.rows.1.len(), self.columns.1.len());
        Array2::from_shape_fn(dim, |(y, x)| self.in_image(y, x).map_or(outside, &value))
    }

    /// Writes `probability` of the rectangle to the pixels of `out` that lie in the `head`.
    pub(crate) fn paste(
        &self,
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

    /// The image pixel that the rectangle's `(y, x)` shows.
    fn in_image(&self, y: usize, x: usize) -> Option<(usize, usize)> {
        let row = self.rows.0.to_image(self.rows.1.start + y)?;
        let column = self.columns.0.to_image(self.columns.1.start + x)?;
        Some((row, column))
    }
}

/// HU to what the network is shown.
pub(crate) fn windowed(hu: f32) -> f32 {
    let [low, high] = WINDOW_HU;
    ((hu - low) / (high - low)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pixel that the frame shows comes back to its own place, the others stay 0.
    fn check(n_y: usize, n_x: usize, n_shown: usize) {
        // Distinct after the window: 1 to 100 HU, and neighbours always differ.
        let value = |y: usize, x: usize| ((y * 37 + x * 11) % 100 + 1) as u8;
        let slice = Array2::from_shape_fn((n_y, n_x), |(y, x)| i16::from(value(y, x)));
        let head = HeadBox { y0: 0, y1: n_y, x0: 0, x1: n_x };
        let patch = Patch::around((n_y, n_x), head, 0, 16).unwrap();
        let everywhere = Array2::from_elem((n_y, n_x), true);
        let mut out = Array2::zeros((n_y, n_x));
        patch.paste(patch.cut(slice.view()).view(), everywhere.view(), out.view_mut());
        let mut shown = 0;
        for ((y, x), &found) in out.indexed_iter() {
            let expected = f32::from(value(y, x)) / 100.0;
            let expected = if Patch::shows((n_y, n_x), (y, x)) { expected } else { 0.0 };
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
        assert!(Patch::shows((515, 512), (1, 0)));
        assert!(!Patch::shows((515, 512), (0, 0)));
        assert!(Patch::shows((515, 512), (512, 0)));
        assert!(!Patch::shows((515, 512), (513, 0)));
    }

    #[test]
    fn the_rectangle_around_a_head_keeps_the_pooling_grid() {
        let head = HeadBox { y0: 101, y1: 300, x0: 3, x1: 510 };
        let patch = Patch::around((512, 512), head, 32, 16).unwrap();
        assert_eq!((patch.rows.1, patch.columns.1), (64..336, 0..512));
    }

    #[test]
    fn a_head_in_a_smaller_image_lies_in_the_middle_of_the_frame() {
        let head = HeadBox { y0: 0, y1: 256, x0: 10, x1: 20 };
        let patch = Patch::around((256, 300), head, 8, 16).unwrap();
        assert_eq!((patch.rows.1, patch.columns.1), (112..400, 96..144));
    }

    #[test]
    fn the_network_sees_0_to_100_hu() {
        let seen = [-1000.0, 0.0, 50.0, 100.0, 3071.0].map(|hu| windowed(hu).to_bits());
        assert_eq!(seen, [0.0_f32, 0.0, 0.5, 1.0, 1.0].map(f32::to_bits));
    }
}
