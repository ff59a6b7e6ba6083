//! Principal axes of the voxel centres of a mask.

use ichor_plugin::Refused;

use crate::pace::{Pace, in_parts};
use crate::region::Region;

/// Eigenvalues, the largest first, of the population covariance of the voxel centres in square
/// millimetres; never negative.
pub(crate) fn eigenvalues(region: &Region, pace: &dyn Pace) -> Result<[f64; 3], Refused> {
    let mut values = eigenvalues_of(covariance(region, pace)?);
    values.sort_by(|a, b| b.total_cmp(a));
    Ok(values.map(|value| value.max(0.0)))
}

/// Sums over indices are whole and exact; only the last division rounds.
fn covariance(region: &Region, pace: &dyn Pace) -> Result<[[f64; 3]; 3], Refused> {
    let mut sums = [0_i128; 3];
    let mut products = [[0_i128; 3]; 3];
    let [_, ny, nx] = region.shape;
    in_parts(&region.places, pace, |part| {
        for &at in part {
            let at = at as usize;
            let place = [at / (ny * nx), at / nx % ny, at % nx].map(|index| index as i128);
            for row in 0..3 {
                sums[row] += place[row];
                for column in 0..=row {
                    products[row][column] += place[row] * place[column];
                }
            }
        }
    })?;
    let n = region.n_voxels() as i128;
    let entry = |row: usize, column: usize| {
        let (row, column) = (row.max(column), row.min(column));
        let centred = n * products[row][column] - sums[row] * sums[column];
        centred as f64 / (n * n) as f64 * region.spacing_mm[row] * region.spacing_mm[column]
    };
    Ok(std::array::from_fn(|row| std::array::from_fn(|column| entry(row, column))))
}

/// Jacobi's rotations; a symmetric 3 x 3 matrix is diagonal to the last bit after a few sweeps.
fn eigenvalues_of(mut matrix: [[f64; 3]; 3]) -> [f64; 3] {
    for _ in 0..32 {
        for (p, q, other) in [(0, 1, 2), (0, 2, 1), (1, 2, 0)] {
            if matrix[p][q] == 0.0 {
                continue;
            }
            let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
            let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
            let cosine = 1.0 / tangent.hypot(1.0);
            let sine = tangent * cosine;
            matrix[p][p] -= tangent * matrix[p][q];
            matrix[q][q] += tangent * matrix[p][q];
            matrix[p][q] = 0.0;
            matrix[q][p] = 0.0;
            let (a, b) = (matrix[p][other], matrix[q][other]);
            matrix[p][other] = cosine * a - sine * b;
            matrix[q][other] = sine * a + cosine * b;
            matrix[other][p] = matrix[p][other];
            matrix[other][q] = matrix[q][other];
        }
    }
    [matrix[0][0], matrix[1][1], matrix[2][2]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eigenvalues_of_a_rotated_ellipsoid_are_its_own() {
        // R diag(9, 4, 1) R' with R a turn by 0.6 about z and then by 0.3 about x.
        let (s, c) = 0.6_f64.sin_cos();
        let (t, d) = 0.3_f64.sin_cos();
        let turn = [[c, -s, 0.0], [d * s, d * c, -t], [t * s, t * c, d]];
        let matrix = std::array::from_fn(|row| {
            std::array::from_fn(|column| {
                [9.0, 4.0, 1.0]
                    .iter()
                    .enumerate()
                    .map(|(k, value)| value * turn[row][k] * turn[column][k])
                    .sum()
            })
        });
        let mut values = eigenvalues_of(matrix);
        values.sort_by(f64::total_cmp);
        for (value, expected) in values.iter().zip([1.0, 4.0, 9.0]) {
            assert!((value - expected).abs() < 1e-14, "{values:?}");
        }
    }
}
