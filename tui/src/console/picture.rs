//! A slice drawn with half-blocks: every cell shows two pixels, one above the other.
//!
//! Cells are taken to be twice as high as wide, so that a half cell is a square and the aspect
//! is right by the millimetres between pixels. Greys are those of the 256-colour palette;
//! without colour a ramp of characters stands for them and `X` for the contour.

use ichor_core::Pictures;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};

use super::slices::Slice;

/// A range of Hounsfield units shown from black to white.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    /// Its name.
    pub(crate) name: &'static str,
    /// Black up to here.
    pub(crate) low_hu: f64,
    /// White from here on.
    pub(crate) high_hu: f64,
}

/// The presets, in the order of their keys.
pub(crate) const WINDOWS: [Window; 4] = [
    Window { name: "brain", low_hu: 0.0, high_hu: 80.0 },
    Window { name: "blood", low_hu: -25.0, high_hu: 175.0 },
    Window { name: "stroke", low_hu: 20.0, high_hu: 60.0 },
    Window { name: "bone", low_hu: -800.0, high_hu: 2000.0 },
];

impl Window {
    /// 0 for black to 1 for white.
    fn level(self, hu: f64) -> f64 {
        ((hu - self.low_hu) / (self.high_hu - self.low_hu)).clamp(0.0, 1.0)
    }
}

/// How a slice is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// What is black and what is white.
    pub(crate) window: Window,
    /// Whether the hematoma is outlined.
    pub(crate) contour: bool,
    /// Whether the terminal has colours.
    pub(crate) colour: bool,
}

/// Orange: seen against every grey, by every kind of colour vision.
const CONTOUR: Color = Color::Indexed(208);
/// Dark to bright.
const RAMP: &[u8; 10] = b" .:-=+*#%@";

/// Draws `slice` as large as `area` allows, in its middle.
pub(crate) fn draw(slice: &Slice, index: &Pictures, look: Look, area: Rect, buf: &mut Buffer) {
    let pixels_per_cell = if look.colour { 2 } else { 1 };
    let Some((columns, rows)) = fit(index, area, pixels_per_cell) else { return };
    let sampled = Sampled::of(slice, columns, rows);
    let cell_rows = rows.div_ceil(pixels_per_cell);
    let left = area.x + (area.width - columns as u16) / 2;
    let top = area.y + (area.height - cell_rows as u16) / 2;
    for cell_y in 0..cell_rows {
        for x in 0..columns {
            let cell = &mut buf[(left + x as u16, top + cell_y as u16)];
            if look.colour {
                let upper = sampled.color(2 * cell_y, x, look);
                let below = 2 * cell_y + 1;
                let lower =
                    if below < rows { sampled.color(below, x, look) } else { Color::Reset };
                cell.set_char(if upper == lower { ' ' } else { '▀' });
                cell.set_fg(upper).set_bg(lower);
            } else {
                cell.set_char(sampled.mark(cell_y, x, look));
            }
        }
    }
    let middle = top + (cell_rows / 2) as u16;
    let (first, last) = if index.left_on_right { ("R", "L") } else { ("L", "R") };
    let style = Style::reset().add_modifier(Modifier::BOLD);
    buf.set_string(left, middle, first, style);
    buf.set_string(left + columns as u16 - 1, middle, last, style);
}

/// Columns and rows of pixels that fill `area` at the right aspect; none where it is too small.
fn fit(index: &Pictures, area: Rect, pixels_per_cell: usize) -> Option<(usize, usize)> {
    let height_mm = index.rows as f64 * index.pixel_mm[0];
    let width_mm = index.columns as f64 * index.pixel_mm[1];
    let (cells_x, cells_y) = (f64::from(area.width), f64::from(area.height));
    let mm = (width_mm / cells_x).max(height_mm / (2.0 * cells_y));
    let columns = (width_mm / mm).round() as usize;
    let rows = (height_mm / mm * pixels_per_cell as f64 / 2.0).round() as usize;
    let inside = area.width >= 4 && area.height >= 3 && columns > 0 && rows > 0;
    let most_rows = usize::from(area.height) * pixels_per_cell;
    inside.then(|| (columns.min(area.width.into()), rows.min(most_rows)))
}

/// A slice at the resolution of the screen.
struct Sampled {
    columns: usize,
    rows: usize,
    hu: Vec<f64>,
    inside: Vec<bool>,
}

impl Sampled {
    /// Means of the pixels under each point of the screen; a point is inside the hematoma when
    /// half of its pixels are. A hematoma too small for that takes every point it touches.
    fn of(slice: &Slice, columns: usize, rows: usize) -> Self {
        let mut hu = Vec::with_capacity(columns * rows);
        let mut cover = Vec::with_capacity(columns * rows);
        for y in 0..rows {
            let ys = span(y, rows, slice.rows);
            for x in 0..columns {
                let xs = span(x, columns, slice.columns);
                let mut sum = 0.0;
                let mut n_inside = 0_usize;
                for source_y in ys.clone() {
                    let line = source_y * slice.columns;
                    for at in line + xs.start..line + xs.end {
                        sum += f64::from(slice.hu[at]);
                        n_inside +=
                            usize::from(slice.mask.as_ref().is_some_and(|mask| mask[at]));
                    }
                }
                let n_pixels = (ys.len() * xs.len()) as f64;
                hu.push(sum / n_pixels);
                cover.push(n_inside as f64 / n_pixels);
            }
        }
        let least =
            if cover.iter().any(|share| *share >= 0.5) { 0.5 } else { f64::MIN_POSITIVE };
        let inside = cover.iter().map(|share| *share >= least).collect();
        Self { columns, rows, hu, inside }
    }

    /// True for points of the hematoma that touch the outside.
    fn on_contour(&self, y: usize, x: usize) -> bool {
        let inside = |y: usize, x: usize| {
            y < self.rows && x < self.columns && self.inside[y * self.columns + x]
        };
        inside(y, x)
            && !(inside(y.wrapping_sub(1), x)
                && inside(y + 1, x)
                && inside(y, x.wrapping_sub(1))
                && inside(y, x + 1))
    }

    fn color(&self, y: usize, x: usize, look: Look) -> Color {
        if look.contour && self.on_contour(y, x) {
            return CONTOUR;
        }
        grey(look.window.level(self.hu[y * self.columns + x]))
    }

    fn mark(&self, y: usize, x: usize, look: Look) -> char {
        if look.contour && self.on_contour(y, x) {
            return 'X';
        }
        let level = look.window.level(self.hu[y * self.columns + x]);
        char::from(RAMP[(level * (RAMP.len() - 1) as f64).round() as usize])
    }
}

/// The pixels of `n_from` that point `at` of `n_to` covers; never empty.
fn span(at: usize, n_to: usize, n_from: usize) -> std::ops::Range<usize> {
    let start = at * n_from / n_to;
    start..((at + 1) * n_from / n_to).max(start + 1)
}

/// The nearest grey of the 256-colour palette: the ramp of 24, and the greys of the cube.
fn grey(level: f64) -> Color {
    const CUBE: [(u8, u8); 6] =
        [(16, 0), (59, 95), (102, 135), (145, 175), (188, 215), (231, 255)];
    let wanted = level * 255.0;
    let ramp = (0..24_u8).map(|step| (232 + step, 8 + 10 * step));
    ramp.chain(CUBE)
        .min_by(|a, b| {
            (f64::from(a.1) - wanted).abs().total_cmp(&(f64::from(b.1) - wanted).abs())
        })
        .map_or(Color::Reset, |(index, _)| Color::Indexed(index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::{phantom, slices};
    use crate::golden;

    fn drawn(name: &str, look: Look, area: Rect) -> Buffer {
        let folder = phantom::folder(name);
        let index = slices::index(&folder).unwrap();
        let slice = slices::slice(&folder, &index, phantom::BLEED).unwrap();
        let mut buf = Buffer::empty(area);
        draw(&slice, &index, look, area, &mut buf);
        buf
    }

    const LOOK: Look = Look { window: WINDOWS[0], contour: true, colour: false };

    #[test]
    fn without_colour_marks_show_the_head_and_its_bleed() {
        let buf = drawn("plain", LOOK, Rect::new(0, 0, 48, 20));
        golden::check("picture-plain", &golden::text_of(&buf));
    }

    #[test]
    fn the_contour_is_orange_and_the_skull_white() {
        let look = Look { colour: true, ..LOOK };
        let buf = drawn("colour", look, Rect::new(0, 0, 48, 20));
        let count = |color: Color| {
            let cells = buf.content.iter();
            cells
                .map(|cell| u8::from(cell.fg == color) + u8::from(cell.bg == color))
                .sum::<u8>()
        };
        assert!(count(CONTOUR) > 8, "{}", count(CONTOUR));
        assert!(count(Color::Indexed(231)) > 40);
        let off = drawn("off", Look { contour: false, ..look }, Rect::new(0, 0, 48, 20));
        assert!(off.content.iter().all(|cell| cell.fg != CONTOUR && cell.bg != CONTOUR));
    }

    #[test]
    fn a_circle_in_millimetres_is_a_circle_on_the_screen() {
        let index = Pictures {
            rows: 512,
            columns: 256,
            pixel_mm: [0.5, 1.0],
            positions_mm: vec![0.0],
            hematoma_mm2: vec![0.0],
            left_on_right: true,
        };
        assert_eq!(fit(&index, Rect::new(0, 0, 80, 20), 2), Some((40, 40)));
        assert_eq!(fit(&index, Rect::new(0, 0, 30, 20), 2), Some((30, 30)));
        assert_eq!(fit(&index, Rect::new(0, 0, 80, 20), 1), Some((40, 20)));
        assert_eq!(fit(&index, Rect::new(0, 0, 2, 20), 1), None);
    }

    #[test]
    fn a_hematoma_smaller_than_a_point_is_still_seen() {
        let mut mask = vec![false; 64 * 64];
        mask[10 * 64 + 10] = true;
        let slice = Slice { rows: 64, columns: 64, hu: vec![30; 64 * 64], mask: Some(mask) };
        let sampled = Sampled::of(&slice, 8, 8);
        assert!(sampled.on_contour(1, 1));
        assert_eq!(sampled.inside.iter().filter(|inside| **inside).count(), 1);
    }

    #[test]
    fn greys_run_from_black_to_white() {
        assert_eq!(grey(0.0), Color::Indexed(16));
        assert_eq!(grey(1.0), Color::Indexed(231));
        assert_eq!(grey(0.5), Color::Indexed(244));
    }
}
