//! Coefficients of a recursive filter that approximates a Gaussian and its second derivative.
//!
//! Fourth order, Deriche's way (Farnebäck & Westin 2006, "Improving Deriche-style recursive
//! Gaussian filters", J. Math. Imaging Vis. 26:293, table 1), with the normalisation of ITK's
//! `RecursiveGaussianImageFilter`: the zeroth order has unit sum, the second order the second
//! moment of a second derivative.

/// Constants of one order: amplitudes `a`, `b` of the two damped oscillations.
struct Series {
    a: [f64; 2],
    b: [f64; 2],
}

const SMOOTHING: Series = Series { a: [1.3530, -0.3531], b: [1.8151, 0.0902] };
const SECOND: Series = Series { a: [-1.3563, 0.3446], b: [5.2318, -2.2355] };
/// Frequencies and decays of the two oscillations, in units of `1 / sigma`.
const FREQUENCY: [f64; 2] = [0.6681, 2.0787];
const DECAY: [f64; 2] = [-1.3932, -1.3732];

/// `y[i] = Σ n[k] x[i-k] - Σ d[k] y[i-1-k]` forwards, plus
/// `y[i] = Σ m[k] x[i+1+k] - Σ d[k] y[i+1+k]` backwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Recursion {
    pub(crate) n: [f64; 4],
    pub(crate) m: [f64; 4],
    pub(crate) d: [f64; 4],
}

/// Sum, first and second moment of coefficients over their index.
fn moments(first: f64, rest: &[f64]) -> [f64; 3] {
    let weighted = |of: fn(f64) -> f64| -> f64 {
        rest.iter().enumerate().map(|(at, value)| of(at as f64 + 1.0) * value).sum()
    };
    [first + weighted(|_| 1.0), weighted(|k| k), weighted(|k| k * k)]
}

impl Recursion {
    /// A Gaussian of `sigma` voxels.
    pub(crate) fn smoothing(sigma: f64) -> Self {
        let d = denominator(sigma);
        let n = numerator(sigma, &SMOOTHING);
        let [sn, ..] = moments(n[0], &n[1..]);
        let [sd, ..] = moments(1.0, &d);
        let alpha = 2.0 * sn / sd - n[0];
        Self::symmetric(n.map(|value| value / alpha), d)
    }

    /// The second derivative of a Gaussian of `sigma` voxels, times `scale`.
    pub(crate) fn second_derivative(sigma: f64, scale: f64) -> Self {
        let d = denominator(sigma);
        let (n0, n2) = (numerator(sigma, &SMOOTHING), numerator(sigma, &SECOND));
        let [sd, dd, ed] = moments(1.0, &d);
        let (m0, m2) = (moments(n0[0], &n0[1..]), moments(n2[0], &n2[1..]));
        let beta = -(2.0 * m2[0] - sd * n2[0]) / (2.0 * m0[0] - sd * n0[0]);
        let n: [f64; 4] = std::array::from_fn(|k| n2[k] + beta * n0[k]);
        let [sn, dn, en]: [f64; 3] = std::array::from_fn(|k| m2[k] + beta * m0[k]);
        let alpha = en * sd * sd - ed * sn * sd - 2.0 * dn * dd * sd + 2.0 * dd * dd * sn;
        let factor = scale / (alpha / (sd * sd * sd));
        Self::symmetric(n.map(|value| value * factor), d)
    }

    fn symmetric(n: [f64; 4], d: [f64; 4]) -> Self {
        let next = [n[1], n[2], n[3], 0.0];
        Self { n, m: std::array::from_fn(|k| next[k] - d[k] * n[0]), d }
    }

    /// Value that the forward and the backward half take on a constant 1.
    pub(crate) fn steady(&self) -> [f64; 2] {
        let below = 1.0 + self.d.iter().sum::<f64>();
        [self.n.iter().sum::<f64>() / below, self.m.iter().sum::<f64>() / below]
    }
}

/// Cosines, sines and decays for one voxel.
fn oscillations(sigma: f64) -> ([f64; 2], [f64; 2], [f64; 2]) {
    let angle = FREQUENCY.map(|frequency| frequency / sigma);
    (angle.map(f64::cos), angle.map(f64::sin), DECAY.map(|decay| (decay / sigma).exp()))
}

fn numerator(sigma: f64, Series { a, b }: &Series) -> [f64; 4] {
    let (cos, sin, exp) = oscillations(sigma);
    let pair = a[0] + a[1];
    let first = exp[1] * (b[1] * sin[1] - (a[1] + 2.0 * a[0]) * cos[1])
        + exp[0] * (b[0] * sin[0] - (a[0] + 2.0 * a[1]) * cos[0]);
    let crossed = pair * cos[1] * cos[0] - (b[0] * cos[1] * sin[0] + b[1] * cos[0] * sin[1]);
    let second =
        crossed * (2.0 * exp[0] * exp[1]) + (a[1] * exp[0] * exp[0] + a[0] * exp[1] * exp[1]);
    let third = exp[1] * exp[0] * exp[0] * (b[1] * sin[1] - a[1] * cos[1])
        + exp[0] * exp[1] * exp[1] * (b[0] * sin[0] - a[0] * cos[0]);
    [pair, first, second, third]
}

fn denominator(sigma: f64) -> [f64; 4] {
    let (cos, _, exp) = oscillations(sigma);
    let [slow, fast] = exp;
    [
        -2.0 * (fast * cos[1] + slow * cos[0]),
        4.0 * cos[1] * cos[0] * slow * fast + (slow * slow + fast * fast),
        -2.0 * cos[0] * slow * fast * fast - 2.0 * cos[1] * fast * slow * slow,
        slow * slow * fast * fast,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_is_kept_by_smoothing_and_taken_away_by_the_second_derivative() {
        for sigma in [0.2, 1.0, 2.2, 13.0] {
            let [forward, backward] = Recursion::smoothing(sigma).steady();
            assert!((forward + backward - 1.0).abs() < 1e-9, "{sigma}");
            let [forward, backward] = Recursion::second_derivative(sigma, 1.0).steady();
            assert!((forward + backward).abs() < 1e-9, "{sigma}");
        }
    }
}
