//! Points and weights that integrate polynomials over 0 to 1 exactly.
//!
//! Gauss-Legendre (Golub & Welsch 1969 name the points as zeros of Legendre polynomials; found
//! here by Newton's method from Tricomi's guess): `n` points are exact up to degree `2n - 1`.

/// Rising points in 0 to 1, each with its weight; the weights add up to 1.
pub(crate) fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    (0..n)
        .map(|at| {
            let guess = (std::f64::consts::PI * (at as f64 + 0.75) / (n as f64 + 0.5)).cos();
            let mut x = guess;
            // The guess is good to 1e-3 and better, and every step squares what is left.
            for _ in 0..5 {
                let (value, slope) = legendre(n, x);
                x -= value / slope;
            }
            let (_, slope) = legendre(n, x);
            ((1.0 - x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

/// Legendre's polynomial of degree `n` and its slope, `x` inside -1 to 1.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (0.0, 1.0);
    for k in 0..n {
        let k = k as f64;
        let next = ((2.0 * k + 1.0) * x * value - k * before) / (k + 1.0);
        (before, value) = (value, next);
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_integrated_exactly_up_to_twice_the_number_of_points() {
        for n in [1, 2, 3, 4, 8, 31, 64] {
            let points = gauss_legendre(n);
            for power in 0..2 * n as u16 {
                let sum: f64 = points.iter().map(|(x, w)| w * x.powi(i32::from(power))).sum();
                let expected = 1.0 / (f64::from(power) + 1.0);
                assert!((sum - expected).abs() < 1e-14, "{n} points, power {power}: {sum}");
            }
            assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }
}
