//! The discrete Fourier transform of a square of 512 x 512 pixels.
//!
//! Our own, and not a library's, because a library picks its kernel by the processor and so gives
//! other last bits on another machine. Radix 2, decimation in frequency (Stockham), run down the
//! rows of a strip of columns at a time: every operation is on neighbouring numbers.

/// Pixels along a side.
pub(crate) const SIDE: usize = 512;
/// Columns transformed together; two buffers of a strip stay in the first cache.
const STRIP: usize = 8;

/// Real and imaginary parts, row after row.
pub(crate) struct Plane {
    /// Real parts.
    pub(crate) re: Vec<f32>,
    /// Imaginary parts.
    pub(crate) im: Vec<f32>,
}

impl Plane {
    /// All zero.
    pub(crate) fn zero() -> Self {
        Self { re: vec![0.0; SIDE * SIDE], im: vec![0.0; SIDE * SIDE] }
    }

    fn transpose(&mut self) {
        for part in [&mut self.re, &mut self.im] {
            for y0 in (0..SIDE).step_by(16) {
                for x0 in (y0..SIDE).step_by(16) {
                    swap_block(part, y0, x0);
                }
            }
        }
    }
}

fn swap_block(part: &mut [f32], y0: usize, x0: usize) {
    for y in y0..y0 + 16 {
        for x in x0.max(y + 1)..x0 + 16 {
            part.swap(y * SIDE + x, x * SIDE + y);
        }
    }
}

/// Turns of the unit circle, computed once.
pub(crate) struct Fourier {
    cosine: Vec<f32>,
    sine: Vec<f32>,
}

impl Fourier {
    /// The twiddle factors.
    pub(crate) fn new() -> Self {
        let angle = |k: usize| std::f64::consts::TAU * k as f64 / SIDE as f64;
        Self {
            cosine: (0..SIDE / 2).map(|k| libm::cos(angle(k)) as f32).collect(),
            sine: (0..SIDE / 2).map(|k| libm::sin(angle(k)) as f32).collect(),
        }
    }

    /// From `(y, x)` to frequencies, stored transposed: `(kx, ky)`. No scaling.
    pub(crate) fn forward(&self, plane: &mut Plane) {
        self.down(plane, -1.0);
        plane.transpose();
        self.down(plane, -1.0);
    }

    /// From frequencies `(kx, ky)` to `(y, x)`. No scaling: forward and back gives `SIDE^2` times
    /// the plane.
    pub(crate) fn backward(&self, plane: &mut Plane) {
        self.down(plane, 1.0);
        plane.transpose();
        self.down(plane, 1.0);
    }

    /// Transforms every column.
    fn down(&self, plane: &mut Plane, sign: f32) {
        let mut from = vec![[[0.0_f32; STRIP]; 2]; SIDE];
        let mut to = from.clone();
        for x in (0..SIDE).step_by(STRIP) {
            for (y, cell) in from.iter_mut().enumerate() {
                cell[0].copy_from_slice(&plane.re[y * SIDE + x..][..STRIP]);
                cell[1].copy_from_slice(&plane.im[y * SIDE + x..][..STRIP]);
            }
            let mut half = SIDE / 2;
            while half > 0 {
                self.pass(&from, &mut to, half, sign);
                std::mem::swap(&mut from, &mut to);
                half /= 2;
            }
            for (y, cell) in from.iter().enumerate() {
                plane.re[y * SIDE + x..][..STRIP].copy_from_slice(&cell[0]);
                plane.im[y * SIDE + x..][..STRIP].copy_from_slice(&cell[1]);
            }
        }
    }

    /// One pass: sequences of `2 * half` become two of `half`, interleaved.
    fn pass(
        &self,
        from: &[[[f32; STRIP]; 2]],
        to: &mut [[[f32; STRIP]; 2]],
        half: usize,
        sign: f32,
    ) {
        let stride = SIDE / 2 / half;
        for p in 0..half {
            let (c, s) = (self.cosine[p * stride], sign * self.sine[p * stride]);
            for q in 0..stride {
                let a = &from[q + stride * p];
                let b = &from[q + stride * (p + half)];
                let mut sum = [[0.0; STRIP]; 2];
                let mut turned = [[0.0; STRIP]; 2];
                for lane in 0..STRIP {
                    let (dr, di) = (a[0][lane] - b[0][lane], a[1][lane] - b[1][lane]);
                    sum[0][lane] = a[0][lane] + b[0][lane];
                    sum[1][lane] = a[1][lane] + b[1][lane];
                    turned[0][lane] = dr * c - di * s;
                    turned[1][lane] = dr * s + di * c;
                }
                to[q + stride * 2 * p] = sum;
                to[q + stride * (2 * p + 1)] = turned;
            }
        }
    }
}

/// Cycles over the side that index `k` stands for; the upper half is negative.
pub(crate) fn cycles(k: usize) -> f32 {
    if k <= SIDE / 2 { k as f32 } else { k as f32 - SIDE as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_has_one_frequency_and_comes_back() {
        let fourier = Fourier::new();
        let mut plane = Plane::zero();
        for y in 0..SIDE {
            for x in 0..SIDE {
                let turn = (3 * x + 507 * y) as f64 / SIDE as f64 * std::f64::consts::TAU;
                plane.re[y * SIDE + x] = turn.cos() as f32;
                plane.im[y * SIDE + x] = turn.sin() as f32;
            }
        }
        let before = plane.re.clone();
        fourier.forward(&mut plane);
        let area = (SIDE * SIDE) as f32;
        assert!((plane.re[3 * SIDE + 507] / area - 1.0).abs() < 1e-4);
        let rest: f32 = plane.re.iter().map(|v| v.abs()).sum::<f32>() - area;
        assert!(rest / area < 0.1, "{rest}");
        fourier.backward(&mut plane);
        let worst = before.iter().zip(&plane.re).map(|(a, b)| (a - b / area).abs());
        assert!(worst.fold(0.0, f32::max) < 1e-4);
    }
}
