//! The pixels on which anatomy is drawn, and how the head lies in the scanner.
//!
//! Anatomy is drawn at 256 x 256 in a window around the head and interpolated to 512 x 512. The
//! frame is in millimetres: x to the patient's left, y to the back, z up from the skull base.

use super::curves::Bounds;
use crate::random::Random;

/// Pixels along a side where anatomy is drawn.
pub(crate) const COARSE: usize = 256;

/// Size of a head and how it lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Build {
    /// Half width of the skull's inside, in millimetres.
    pub(crate) half_width: f32,
    /// Half length of the skull's inside.
    pub(crate) half_length: f32,
    /// Height of the vertex over the widest level.
    pub(crate) crown: f32,
    yaw: f32,
    shift: (f32, f32),
    /// Side of the field of view in millimetres.
    pub(crate) field: f32,
}

impl Build {
    /// Draws one head.
    pub(crate) fn draw(random: &mut Random) -> Self {
        let size = random.around(1.0, 0.035);
        let half_length = (83.0 * size * random.around(1.0, 0.02)) as f32;
        Self {
            half_width: (67.0 * size) as f32,
            half_length,
            crown: (69.0 * size) as f32,
            yaw: random.around(0.0, 0.05) as f32,
            shift: (random.around(0.0, 3.0) as f32, random.around(-2.0, 4.0) as f32),
            field: random.around(232.0, 8.0).clamp(215.0, 250.0) as f32,
        }
    }
}

/// Pixels of the window around the head, with their places in both frames.
pub(crate) struct Frame {
    /// Side of a pixel in millimetres.
    pub(crate) pixel_mm: f32,
    /// First row and column of the window among the 256.
    pub(crate) first: (usize, usize),
    /// Columns' places in the scanner.
    pub(crate) xs: Vec<f32>,
    /// Rows' places in the scanner.
    pub(crate) ys: Vec<f32>,
    /// Each pixel's x in the head.
    pub(crate) x: Vec<f32>,
    /// Each pixel's y in the head.
    pub(crate) y: Vec<f32>,
    sine: f32,
    cosine: f32,
    shift: (f32, f32),
}

impl Frame {
    /// The window that holds the head of `build`.
    pub(crate) fn new(build: &Build) -> Self {
        let pixel_mm = build.field / COARSE as f32;
        let (x_mid, y_mid) = (build.shift.0, build.shift.1 - 2.0);
        let columns = span(x_mid, build.half_width * 1.05 + 22.0, pixel_mm);
        let rows = span(y_mid, build.half_length + 24.0, pixel_mm);
        let place = |i: usize| (i as f32 - (COARSE as f32 - 1.0) / 2.0) * pixel_mm;
        let first = (rows.start, columns.start);
        let xs: Vec<f32> = columns.map(place).collect();
        let ys: Vec<f32> = rows.map(place).collect();
        let (sine, cosine) = (libm::sinf(build.yaw), libm::cosf(build.yaw));
        let mut frame = Self {
            pixel_mm,
            first,
            x: Vec::new(),
            y: Vec::new(),
            xs,
            ys,
            sine,
            cosine,
            shift: build.shift,
        };
        let all = frame.ys.iter().flat_map(|&y| frame.xs.iter().map(move |&x| (x, y)));
        (frame.x, frame.y) = all.map(|(x, y)| frame.to_head(x, y)).unzip();
        frame
    }

    /// Number of pixels.
    pub(crate) fn len(&self) -> usize {
        self.x.len()
    }

    /// From the scanner's frame to the head's.
    pub(crate) fn to_head(&self, x: f32, y: f32) -> (f32, f32) {
        let (x, y) = (x - self.shift.0, y - self.shift.1);
        (x * self.cosine + y * self.sine, y * self.cosine - x * self.sine)
    }

    /// From the head's frame to the scanner's.
    pub(crate) fn to_scanner(&self, x: f32, y: f32) -> (f32, f32) {
        let (sx, sy) = self.shift;
        (x * self.cosine - y * self.sine + sx, x * self.sine + y * self.cosine + sy)
    }

    /// Calls `f` for every pixel that may lie within `bounds` of the head's frame, with the
    /// values of three planes there.
    pub(crate) fn paint(
        &self,
        bounds: Bounds,
        planes: [&[f32]; 3],
        onto: &mut [f32],
        f: impl Fn([f32; 3], &mut f32),
    ) {
        let corners = [
            self.to_scanner(bounds.x0, bounds.y0),
            self.to_scanner(bounds.x0, bounds.y1),
            self.to_scanner(bounds.x1, bounds.y0),
            self.to_scanner(bounds.x1, bounds.y1),
        ];
        let (x0, x1) = range(corners.map(|c| c.0), &self.xs);
        let (y0, y1) = range(corners.map(|c| c.1), &self.ys);
        let n_columns = self.xs.len();
        for row in y0..y1 {
            let (start, end) = (row * n_columns + x0, row * n_columns + x1);
            let [a, b, c] = planes.map(|plane| &plane[start..end]);
            for (((value, &a), &b), &c) in onto[start..end].iter_mut().zip(a).zip(b).zip(c) {
                f([a, b, c], value);
            }
        }
    }
}

/// Indices among the 256 that lie within `half` of `mid`.
fn span(mid: f32, half: f32, pixel_mm: f32) -> std::ops::Range<usize> {
    let index = |place: f32| (place / pixel_mm + COARSE as f32 / 2.0).max(0.0) as usize;
    index(mid - half)..index(mid + half).min(COARSE)
}

/// Indices of the rising `places` between the least and the greatest of `ends`, half-open.
fn range(ends: [f32; 4], places: &[f32]) -> (usize, usize) {
    let low = ends.into_iter().fold(f32::INFINITY, f32::min);
    let high = ends.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let start = places.partition_point(|&place| place < low);
    (start, places.partition_point(|&place| place <= high).max(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_scanner_frames_undo_each_other() {
        let frame = Frame::new(&Build::draw(&mut Random::keyed(&[1])));
        let (x, y) = frame.to_head(12.0, -30.0);
        let (x, y) = frame.to_scanner(x, y);
        assert!((x - 12.0).abs() < 1e-4 && (y + 30.0).abs() < 1e-4);
    }

    #[test]
    fn paint_reaches_exactly_what_lies_near_the_bounds() {
        let frame = Frame::new(&Build::draw(&mut Random::keyed(&[2])));
        let mut hits = vec![0.0; frame.len()];
        let bounds = Bounds { x0: -10.0, x1: 10.0, y0: 0.0, y1: 5.0 };
        frame.paint(bounds, [&frame.x, &frame.y, &frame.x], &mut hits, |_, hit| *hit += 1.0);
        for ((&x, &y), &hit) in frame.x.iter().zip(&frame.y).zip(&hits) {
            let inside = x.abs() <= 10.0 && (0.0..=5.0).contains(&y);
            assert!(!inside || (hit - 1.0).abs() < 1e-6, "{x} {y}");
            assert!(hit < 0.5 || x.abs() < 14.0, "{x} {y}");
        }
    }
}
