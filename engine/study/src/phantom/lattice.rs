//! Band-limited noise: normal numbers on a lattice, joined by cubic B-splines.
//!
//! The wavelength is about twice the step. B-splines are separable, so that a whole slice costs
//! two narrow passes: along x over the rows of the lattice, then along y over those of the slice.

use crate::random::Random;

/// Standard deviation of the sum of unit nodes weighed by cubic B-splines along three axes.
const SPLINE_DEVIATION: f64 = 0.33;

/// Four nodes and what each adds at one coordinate.
struct Tap {
    nodes: [usize; 4],
    weights: [f32; 4],
}

/// Coordinates along one axis, in millimetres, and the lattice under them.
pub(crate) struct Axis {
    taps: Vec<Tap>,
    n_nodes: usize,
}

impl Axis {
    /// A lattice that covers rising `coordinates`, its first node two steps below the first.
    pub(crate) fn covering(coordinates: &[f32], step: f32) -> Self {
        let first = coordinates.first().copied().unwrap_or(0.0) - 2.0 * step;
        let last = coordinates.last().copied().unwrap_or(0.0);
        let n_nodes = ((last - first) / step) as usize + 5;
        Self::new(coordinates, first, step, n_nodes)
    }

    /// `n_nodes` nodes from `first` on; coordinates beyond either end take the nodes from the
    /// other, so that an angle closes on itself.
    pub(crate) fn new(coordinates: &[f32], first: f32, step: f32, n_nodes: usize) -> Self {
        let tap = |&coordinate: &f32| {
            let t = (coordinate - first) / step;
            let whole = t.floor();
            let low = whole.rem_euclid(n_nodes as f32) as usize;
            Tap {
                nodes: std::array::from_fn(|k| (low + k) % n_nodes),
                weights: spline(t - whole),
            }
        };
        Self { taps: coordinates.iter().map(tap).collect(), n_nodes }
    }
}

/// Weights of the four nodes around a point `u` of the way between the inner two.
fn spline(u: f32) -> [f32; 4] {
    let v = 1.0 - u;
    [
        v * v * v / 6.0,
        (3.0 * u * u * u - 6.0 * u * u + 4.0) / 6.0,
        (3.0 * v * v * v - 6.0 * v * v + 4.0) / 6.0,
        u * u * u / 6.0,
    ]
}

/// A noise field over the rows and columns of a slice, for any height.
pub(crate) struct Lattice {
    nodes: Vec<f32>,
    rows: Axis,
    columns: Axis,
    z_first: f32,
    z_step: f32,
    n_z: usize,
}

impl Lattice {
    /// Noise of standard deviation `deviation` for heights from `z.0` to `z.1`.
    pub(crate) fn new(
        random: &mut Random,
        (rows, columns): (Axis, Axis),
        z: (f32, f32),
        z_step: f32,
        deviation: f64,
    ) -> Self {
        let z_first = z.0 - 2.0 * z_step;
        let n_z = ((z.1 - z_first) / z_step) as usize + 5;
        let scale = deviation / SPLINE_DEVIATION;
        let n = n_z * rows.n_nodes * columns.n_nodes;
        let nodes = (0..n).map(|_| (random.normal() * scale) as f32).collect();
        Self { nodes, rows, columns, z_first, z_step, n_z }
    }

    /// The field at height `z`, row after row.
    pub(crate) fn slice(&self, z: f32) -> Vec<f32> {
        let n_columns = self.columns.taps.len();
        let wide = self.widened(&self.at_height(z));
        let mut field = vec![0.0; self.rows.taps.len() * n_columns];
        for (row, tap) in field.chunks_exact_mut(n_columns.max(1)).zip(&self.rows.taps) {
            let lines = tap.nodes.map(|node| &wide[node * n_columns..][..n_columns]);
            let [a, b, c, d] = tap.weights;
            let lines = lines[0].iter().zip(lines[1]).zip(lines[2]).zip(lines[3]);
            for (value, (((&p, &q), &r), &s)) in row.iter_mut().zip(lines) {
                *value = a * p + b * q + c * r + d * s;
            }
        }
        field
    }

    /// The plane of nodes at height `z`; beyond the ends, the outermost.
    fn at_height(&self, z: f32) -> Vec<f32> {
        let size = self.rows.n_nodes * self.columns.n_nodes;
        let t = ((z - self.z_first) / self.z_step).clamp(0.0, self.n_z as f32 - 4.0);
        let low = (t as usize).min(self.n_z - 4);
        let mut plane = vec![0.0; size];
        for (k, weight) in spline(t - low as f32).into_iter().enumerate() {
            let nodes = &self.nodes[(low + k) * size..][..size];
            for (value, &node) in plane.iter_mut().zip(nodes) {
                *value += weight * node;
            }
        }
        plane
    }

    /// Rows of nodes drawn out to all columns.
    fn widened(&self, plane: &[f32]) -> Vec<f32> {
        let mut wide = Vec::with_capacity(self.rows.n_nodes * self.columns.taps.len());
        for line in plane.chunks_exact(self.columns.n_nodes) {
            wide.extend(self.columns.taps.iter().map(|tap| {
                let [a, b, c, d] = tap.nodes.map(|node| line[node]);
                a * tap.weights[0]
                    + b * tap.weights[1]
                    + c * tap.weights[2]
                    + d * tap.weights[3]
            }));
        }
        wide
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_the_deviation_asked_for() {
        let axis = || Axis::covering(&(0..200).map(|i| i as f32).collect::<Vec<_>>(), 5.0);
        let field =
            Lattice::new(&mut Random::keyed(&[3]), (axis(), axis()), (0.0, 100.0), 5.0, 2.0);
        let (mut sum, mut square, mut n) = (0.0, 0.0, 0.0);
        for z in 0..20 {
            for value in field.slice(z as f32 * 5.0) {
                sum += f64::from(value);
                square += f64::from(value) * f64::from(value);
                n += 1.0;
            }
        }
        let deviation = (square / n - (sum / n) * (sum / n)).sqrt();
        assert!((deviation - 2.0).abs() < 0.1, "{deviation}");
    }

    #[test]
    fn an_axis_that_closes_has_no_seam() {
        let rows = Axis::new(&[0.0, 99.99], -20.0, 10.0, 10);
        let columns = Axis::covering(&[0.0], 10.0);
        let field =
            Lattice::new(&mut Random::keyed(&[4]), (rows, columns), (0.0, 1.0), 5.0, 1.0);
        let values = field.slice(0.5);
        assert!((values[0] - values[1]).abs() < 0.01, "{values:?}");
    }
}
