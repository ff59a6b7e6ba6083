//! Eigenvalues of a symmetric matrix, as far as the maximal correlation coefficient needs them.
//!
//! Householder's reduction to three diagonals, then bisection with Sturm's count (Golub & Van Loan,
//! *Matrix Computations*, 8.3 and 8.4).

/// The second largest absolute eigenvalue of `matrix`, `n` by `n` with `n` at least 2.
pub(crate) fn second_largest(matrix: Vec<f64>, n: usize) -> f64 {
    let (diagonal, beside) = tridiagonal(matrix, n);
    let from_top = |rank: usize| eigenvalue(&diagonal, &beside, n - 1 - rank);
    let from_bottom = |rank: usize| eigenvalue(&diagonal, &beside, rank);
    let mut ends = [from_top(0), from_top(1), from_bottom(0), from_bottom(1)].map(f64::abs);
    if n < 4 {
        // The ends overlap: take each eigenvalue once.
        let mut all: Vec<f64> = (0..n).map(|rank| from_bottom(rank).abs()).collect();
        all.sort_unstable_by(|a, b| b.total_cmp(a));
        return all[1];
    }
    ends.sort_unstable_by(|a, b| b.total_cmp(a));
    ends[1]
}

/// The diagonal and what lies beside it, after `n - 2` reflections.
fn tridiagonal(mut matrix: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut beside = Vec::with_capacity(n);
    for column in 0..n.saturating_sub(2) {
        let first = column + 1;
        let mut v: Vec<f64> = (first..n).map(|row| matrix[row * n + column]).collect();
        let length = v.iter().map(|part| part * part).sum::<f64>().sqrt();
        let alpha = if v[0] > 0.0 { -length } else { length };
        beside.push(alpha);
        v[0] -= alpha;
        let squared: f64 = v.iter().map(|part| part * part).sum();
        if squared == 0.0 {
            continue;
        }
        let times_v = |row: usize| -> f64 {
            let row = &matrix[row * n + first..(row + 1) * n];
            row.iter().zip(&v).map(|(a, b)| a * b).sum()
        };
        let w: Vec<f64> = (first..n).map(|row| 2.0 / squared * times_v(row)).collect();
        let half = w.iter().zip(&v).map(|(a, b)| a * b).sum::<f64>() / squared;
        let u: Vec<f64> = w.iter().zip(&v).map(|(a, b)| a - half * b).collect();
        for (row, (v_row, u_row)) in (first..n).zip(v.iter().zip(&u)) {
            for (slot, (v_at, u_at)) in
                matrix[row * n + first..(row + 1) * n].iter_mut().zip(v.iter().zip(&u))
            {
                *slot -= v_row * u_at + u_row * v_at;
            }
        }
    }
    beside.push(matrix[(n - 1) * n + n - 2]);
    ((0..n).map(|at| matrix[at * n + at]).collect(), beside)
}

/// The eigenvalue that `rank` others lie below, to the last bits.
fn eigenvalue(diagonal: &[f64], beside: &[f64], rank: usize) -> f64 {
    let reach = |at: usize| {
        let before = if at == 0 { 0.0 } else { beside[at - 1].abs() };
        before + beside.get(at).map_or(0.0, |next| next.abs())
    };
    let mut low = f64::INFINITY;
    let mut high = f64::NEG_INFINITY;
    for (at, value) in diagonal.iter().enumerate() {
        low = low.min(value - reach(at));
        high = high.max(value + reach(at));
    }
    for _ in 0..128 {
        let middle = low + (high - low) / 2.0;
        if n_below(diagonal, beside, middle) > rank { high = middle } else { low = middle }
    }
    low + (high - low) / 2.0
}

/// Number of eigenvalues below `value`.
fn n_below(diagonal: &[f64], beside: &[f64], value: f64) -> usize {
    let mut n = 0;
    let mut pivot = 1.0;
    for (at, entry) in diagonal.iter().enumerate() {
        let next = if at == 0 { 0.0 } else { beside[at - 1] };
        pivot = entry - value - next * next / pivot;
        if pivot == 0.0 {
            pivot = f64::MIN_POSITIVE.sqrt();
        }
        n += usize::from(pivot < 0.0);
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(matrix: &[f64], n: usize, expected: f64) {
        let found = second_largest(matrix.to_vec(), n);
        assert!((found - expected).abs() < 1e-13, "{found} for {expected}");
    }

    #[test]
    fn eigenvalues_known_by_hand_are_found() {
        check(&[2.0, 1.0, 1.0, 2.0], 2, 1.0);
        check(&[0.0, 1.0, 1.0, 0.0], 2, 1.0);
        check(&[3.0, 0.0, 0.0, 0.0, -5.0, 0.0, 0.0, 0.0, 1.0], 3, 3.0);
        // The matrix of ones has n once and 0 otherwise.
        check(&[1.0; 25], 5, 0.0);
    }

    #[test]
    fn a_chain_of_springs_has_its_cosines() {
        let n = 9;
        let mut matrix = vec![0.0; n * n];
        for at in 0..n - 1 {
            matrix[at * n + at + 1] = 1.0;
            matrix[(at + 1) * n + at] = 1.0;
        }
        // 2 cos(k π / 10): the largest twice, with both signs.
        check(&matrix, n, 2.0 * (std::f64::consts::PI / 10.0).cos());
    }
}
