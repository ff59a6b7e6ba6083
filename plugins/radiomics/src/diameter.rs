//! Largest distances between the vertices of a surface.
//!
//! Only corners of a convex hull can lie farthest apart. Vertices are thinned to the ends of the
//! lines that they lie on, and those of one plane to their hull, exactly, on whole half voxels.
//! What is left is compared pair by pair, the outermost first.

use ichor_plugin::Refused;

use crate::mesh::vertices;
use crate::pace::Pace;
use crate::region::Region;

/// Largest distances in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Diameters {
    /// Between any two vertices.
    pub(crate) overall: f64,
    /// Between two vertices with equal `z`, equal `y` and equal `x`.
    pub(crate) in_plane: [f64; 3],
}

/// A vertex, `(z, y, x)` in half voxels of the padded box.
type Point = [u32; 3];

impl Diameters {
    /// Measures the surface of `region`.
    pub(crate) fn measure(region: &Region, pace: &dyn Pace) -> Result<Self, Refused> {
        let (mut along_x, mut along_y) = (Ends::new(region, 2), Ends::new(region, 1));
        for z in 0..region.shape[0] - 1 {
            pace.check()?;
            vertices(region, z, |vertex| {
                along_x.add(vertex);
                along_y.add(vertex);
            });
        }
        // A corner of a hull is an end of every line through it, so ends of lines along `x` do for
        // planes that hold such lines, and ends along `y` for the others.
        let mut outer = along_x.points();
        let holding = [outer.clone(), outer.clone(), along_y.points()];
        let mut in_plane = [0.0_f64; 3];
        for (axis, (widest, points)) in in_plane.iter_mut().zip(holding).enumerate() {
            for hull in hulls(points, axis) {
                pace.check()?;
                *widest = widest.max(farthest(&hull, region.spacing_mm));
            }
        }
        for axis in 0..3 {
            pace.check()?;
            outer = hulls(outer, axis).concat();
        }
        let overall = farthest_of_many(outer, region.spacing_mm, pace)?;
        Ok(Self { overall, in_plane })
    }
}

/// The first and the last vertex on every line along one axis.
struct Ends {
    axis: usize,
    /// Half voxels along the other axes.
    shape: [usize; 2],
    lines: Vec<Option<[u32; 2]>>,
}

impl Ends {
    fn new(region: &Region, axis: usize) -> Self {
        let shape = others(axis).map(|other| 2 * region.shape[other]);
        Self { axis, shape, lines: vec![None; shape[0] * shape[1]] }
    }

    fn add(&mut self, vertex: Point) {
        let [row, column] = others(self.axis).map(|other| vertex[other] as usize);
        let at = vertex[self.axis];
        let line = &mut self.lines[row * self.shape[1] + column];
        let [first, last] = line.unwrap_or([at, at]);
        *line = Some([first.min(at), last.max(at)]);
    }

    fn points(&self) -> Vec<Point> {
        let point = |line_idx: usize, at: u32| {
            let mut point = [at; 3];
            let [row, column] = others(self.axis);
            point[row] = (line_idx / self.shape[1]) as u32;
            point[column] = (line_idx % self.shape[1]) as u32;
            point
        };
        let lines = self.lines.iter().enumerate();
        let lines = lines.filter_map(|(line_idx, line)| line.map(|ends| (line_idx, ends)));
        lines.flat_map(|(line_idx, ends)| ends.map(|at| point(line_idx, at))).collect()
    }
}

fn others(axis: usize) -> [usize; 2] {
    [(axis + 1) % 3, (axis + 2) % 3]
}

/// The convex hull of each plane in which `axis` is constant.
fn hulls(mut points: Vec<Point>, axis: usize) -> Vec<Vec<Point>> {
    let plane = |point: &Point| others(axis).map(|other| i64::from(point[other]));
    points.sort_unstable_by_key(|point| (point[axis], plane(point)));
    points.chunk_by(|a, b| a[axis] == b[axis]).map(|sorted| hull(sorted, plane)).collect()
}

/// Monotone chain (Andrew 1979) over points sorted by `plane`; corners only, none twice.
fn hull(sorted: &[Point], plane: impl Fn(&Point) -> [i64; 2]) -> Vec<Point> {
    let turns_left = |a: &Point, b: &Point, c: &Point| {
        let ([a0, a1], [b0, b1], [c0, c1]) = (plane(a), plane(b), plane(c));
        (b0 - a0) * (c1 - a1) > (b1 - a1) * (c0 - a0)
    };
    let chain = |points: &mut dyn Iterator<Item = &Point>| {
        let mut chain: Vec<Point> = Vec::new();
        for point in points {
            while let [.., a, b] = chain[..] {
                if turns_left(&a, &b, point) {
                    break;
                }
                chain.pop();
            }
            chain.push(*point);
        }
        chain.pop();
        chain
    };
    if sorted.len() < 3 {
        return sorted.to_vec();
    }
    [chain(&mut sorted.iter()), chain(&mut sorted.iter().rev())].concat()
}

fn in_mm(point: &Point, spacing_mm: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| f64::from(point[axis]) * 0.5 * spacing_mm[axis])
}

fn squared(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a.iter().zip(b).map(|(p, q)| (p - q) * (p - q)).sum()
}

fn farthest(points: &[Point], spacing_mm: [f64; 3]) -> f64 {
    let points: Vec<[f64; 3]> = points.iter().map(|point| in_mm(point, spacing_mm)).collect();
    let mut best = 0.0_f64;
    for (at, a) in points.iter().enumerate() {
        for b in &points[..at] {
            best = best.max(squared(a, b));
        }
    }
    best.sqrt()
}

/// As [`farthest`], but passes over pairs that both lie too close to the centre.
fn farthest_of_many(
    points: Vec<Point>,
    spacing_mm: [f64; 3],
    pace: &dyn Pace,
) -> Result<f64, Refused> {
    let points: Vec<[f64; 3]> = points.iter().map(|point| in_mm(point, spacing_mm)).collect();
    let n = points.len().max(1) as f64;
    let centre: [f64; 3] =
        std::array::from_fn(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / n);
    let mut outermost: Vec<(f64, [f64; 3])> =
        points.into_iter().map(|point| (squared(&point, &centre).sqrt(), point)).collect();
    outermost.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut best = 0.0_f64;
    for (at, (radius, a)) in outermost.iter().enumerate() {
        // The slack covers what rounding took from the radii.
        let reach = best.sqrt() * (1.0 - 1e-12);
        if at % 256 == 0 {
            pace.check()?;
        }
        let near_enough = outermost[..at].partition_point(|(other, _)| radius + other >= reach);
        if at > 0 && near_enough == 0 {
            break;
        }
        for (_, b) in &outermost[..near_enough] {
            best = best.max(squared(a, b));
        }
    }
    Ok(best.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Endless;
    use crate::testing::Noise;

    /// Every pair of vertices, without any pruning.
    fn by_brute_force(region: &Region) -> Diameters {
        let mut points = Vec::new();
        for z in 0..region.shape[0] - 1 {
            vertices(region, z, |vertex| points.push(vertex));
        }
        let in_plane = std::array::from_fn(|axis| {
            points.sort_unstable_by_key(|point| point[axis]);
            let planes = points.chunk_by(|a, b| a[axis] == b[axis]);
            planes.map(|plane| farthest(plane, region.spacing_mm)).fold(0.0, f64::max)
        });
        Diameters { overall: farthest(&points, region.spacing_mm), in_plane }
    }

    #[test]
    fn pruning_never_changes_a_diameter() {
        let mut noise = Noise::new(3);
        for _ in 0..2000 {
            let Some(region) = noise.region(9) else { continue };
            let pruned = Diameters::measure(&region, &Endless);
            assert_eq!(pruned, Ok(by_brute_force(&region)));
        }
    }
}
