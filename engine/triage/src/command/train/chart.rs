//! A curve as a PNG: axes, ticks, lines; digits of three by five pixels, no font.

use std::path::Path;

use crate::TriageError;

/// Size of the picture in pixels.
const WIDTH: i32 = 960;
const HEIGHT: i32 = 480;
/// Room for the ticks' numbers, left and below; above and right there is only air.
const LEFT: i32 = 76;
const BELOW: i32 = 36;
const AIR: i32 = 16;
/// Ticks an axis has at most.
const MOST_TICKS: f64 = 8.0;
/// Side of a digit's pixel.
const DOT: i32 = 2;

/// Colours, red green blue.
pub(super) const DARK: [u8; 3] = [20, 60, 120];
pub(super) const LIGHT: [u8; 3] = [190, 205, 225];
pub(super) const RED: [u8; 3] = [190, 60, 40];
const INK: [u8; 3] = [60, 60, 60];
const FAINT: [u8; 3] = [225, 225, 225];

/// One line of a chart.
pub(super) struct Line {
    /// `(x, y)`, left to right.
    pub(super) points: Vec<(f64, f64)>,
    /// Its colour.
    pub(super) color: [u8; 3],
    /// Its thickness in pixels.
    pub(super) thick: i32,
}

/// Writes `lines` over axes from 0 to the largest x, and over the y that they span, 0 included.
pub(super) fn write(lines: &[Line], path: &Path) -> Result<(), TriageError> {
    let pixels = draw(lines).pixels;
    let failed = |source| TriageError::file("write", path, source);
    let file = std::fs::File::create(path).map_err(failed)?;
    let mut encoder = png::Encoder::new(file, WIDTH.unsigned_abs(), HEIGHT.unsigned_abs());
    encoder.set_color(png::ColorType::Rgb);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&pixels).and_then(|()| writer.finish()));
    written.map_err(|error| failed(error.into()))
}

fn draw(lines: &[Line]) -> Canvas {
    let points = || lines.iter().flat_map(|line| &line.points);
    let most_x = points().fold(1.0, |most: f64, point| most.max(point.0));
    let most_y = points().fold(0.0, |most: f64, point| most.max(point.1));
    let axes = Axes { most_x, most_y: if most_y > 0.0 { most_y } else { 1.0 } };
    let mut canvas = Canvas { pixels: vec![255; (WIDTH * HEIGHT * 3) as usize] };
    axes.draw(&mut canvas);
    for line in lines {
        for pair in line.points.windows(2) {
            canvas.line(axes.place(pair[0]), axes.place(pair[1]), line.color, line.thick);
        }
    }
    canvas
}

/// Where numbers lie in the picture.
struct Axes {
    most_x: f64,
    most_y: f64,
}

impl Axes {
    fn place(&self, (x, y): (f64, f64)) -> (i32, i32) {
        let wide = f64::from(WIDTH - LEFT - AIR);
        let high = f64::from(HEIGHT - BELOW - AIR);
        let right = f64::from(LEFT) + wide * (x / self.most_x);
        let down = f64::from(AIR) + high * (1.0 - y / self.most_y);
        (right.round() as i32, down.round() as i32)
    }

    fn draw(&self, canvas: &mut Canvas) {
        for (value, text) in ticks(self.most_y) {
            let (left, down) = self.place((0.0, value));
            canvas.line((left, down), (WIDTH - AIR, down), FAINT, 1);
            canvas.text((left - 8 - text_width(&text), down - 5), &text);
        }
        for (value, text) in ticks(self.most_x) {
            let (right, down) = self.place((value, 0.0));
            canvas.line((right, down), (right, down + 6), INK, 1);
            canvas.text((right - text_width(&text) / 2, down + 12), &text);
        }
        let corner = self.place((0.0, 0.0));
        canvas.line(corner, self.place((self.most_x, 0.0)), INK, 1);
        canvas.line(corner, self.place((0.0, self.most_y)), INK, 1);
    }
}

/// Round numbers from 0 to `most`, with their text.
fn ticks(most: f64) -> Vec<(f64, String)> {
    let rough = most / MOST_TICKS;
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|times| times * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * power);
    let n_decimals = (-step.log10().floor()).max(0.0) as usize;
    let count = (most / step + 1e-9).floor() as usize;
    (0..=count)
        .map(|at| (at as f64 * step, format!("{:.n_decimals$}", at as f64 * step)))
        .collect()
}

fn text_width(text: &str) -> i32 {
    text.chars().map(|_| 4 * DOT).sum()
}

/// Three bits a row, top to bottom.
fn glyph(letter: char) -> [u8; 5] {
    match letter {
        '0' => [7, 5, 5, 5, 7],
        '1' => [2, 6, 2, 2, 7],
        '2' => [7, 1, 7, 4, 7],
        '3' => [7, 1, 3, 1, 7],
        '4' => [5, 5, 7, 1, 1],
        '5' => [7, 4, 7, 1, 7],
        '6' => [7, 4, 7, 5, 7],
        '7' => [7, 1, 1, 2, 2],
        '8' => [7, 5, 7, 5, 7],
        '9' => [7, 5, 7, 1, 7],
        '.' => [0, 0, 0, 0, 2],
        _ => [0; 5],
    }
}

/// The picture, red green blue.
struct Canvas {
    pixels: Vec<u8>,
}

impl Canvas {
    /// Paints a pixel; outside of the picture there is nothing to paint.
    fn dot(&mut self, x: i32, y: i32, color: [u8; 3]) {
        if (0..WIDTH).contains(&x) && (0..HEIGHT).contains(&y) {
            let at = ((y * WIDTH + x) * 3) as usize;
            self.pixels[at..at + 3].copy_from_slice(&color);
        }
    }

    fn line(&mut self, from: (i32, i32), to: (i32, i32), color: [u8; 3], thick: i32) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let n_steps = dx.abs().max(dy.abs()).max(1);
        for step in 0..=n_steps {
            let (x, y) = (from.0 + dx * step / n_steps, from.1 + dy * step / n_steps);
            for down in 0..thick {
                for right in 0..thick {
                    self.dot(x + right, y + down, color);
                }
            }
        }
    }

    fn text(&mut self, (x, y): (i32, i32), text: &str) {
        for (place, letter) in (0..).zip(text.chars()) {
            for (row, bits) in (0..).zip(glyph(letter)) {
                for column in (0..3).filter(|column| bits >> (2 - column) & 1 == 1) {
                    for dot in 0..DOT * DOT {
                        let right = (place * 4 + column) * DOT + dot % DOT;
                        let down = row * DOT + dot / DOT;
                        self.dot(x + right, y + down, INK);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(most: f64, expected: &[&str]) {
        let texts: Vec<String> = ticks(most).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn ticks_are_round_numbers() {
        check(1.0, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        check(4000.0, &["0", "500", "1000", "1500", "2000", "2500", "3000", "3500", "4000"]);
        check(0.07, &["0.00", "0.01", "0.02", "0.03", "0.04", "0.05", "0.06", "0.07"]);
    }

    #[test]
    fn a_line_is_where_its_points_are() {
        let line = Line { points: vec![(0.0, 0.0), (10.0, 2.0)], color: RED, thick: 1 };
        let axes = Axes { most_x: 10.0, most_y: 2.0 };
        assert_eq!(axes.place((10.0, 2.0)), (WIDTH - AIR, AIR));
        let canvas = draw(&[line]);
        let (x, y) = axes.place((5.0, 1.0));
        let at = ((y * WIDTH + x) * 3) as usize;
        assert_eq!(canvas.pixels[at..at + 3], RED);
    }
}
