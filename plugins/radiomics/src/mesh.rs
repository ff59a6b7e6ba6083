//! Area and volume of the surface of a mask, and its vertices.

use ichor_plugin::Refused;

use crate::cube::{Triangle, triangles};
use crate::pace::Pace;
use crate::region::Region;

/// What the triangles of a surface add up to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mesh {
    /// Square millimetres.
    pub(crate) area_mm2: f64,
    /// Cubic millimetres; the sum of the tetrahedra between each triangle and the first voxel of
    /// the padded box.
    pub(crate) volume_mm3: f64,
}

/// How often a pattern of corners occurs, and the sum of the places where it does.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    count: i64,
    places: [i64; 3],
}

impl Mesh {
    /// Measures the surface of `region`.
    ///
    /// A triangle's area hangs on its pattern alone, and its tetrahedron is linear in its place,
    /// so counting patterns and adding up places is enough. Both are whole numbers: the sums are
    /// exact, whatever their order.
    pub(crate) fn measure(region: &Region, pace: &dyn Pace) -> Result<Self, Refused> {
        let mut tallies = [Tally::default(); 256];
        for z in 0..region.shape[0] - 1 {
            pace.check()?;
            tally_slab(region, z, &mut tallies);
        }
        let mut mesh = Self { area_mm2: 0.0, volume_mm3: 0.0 };
        let mut tetrahedra = 0_i64;
        for (pattern, tally) in (0..=255_u8).zip(&tallies) {
            if tally.count == 0 {
                continue;
            }
            for triangle in triangles(pattern) {
                mesh.area_mm2 += tally.count as f64 * area(&triangle, region.spacing_mm);
                tetrahedra += tally.count * determinant(&triangle)
                    + 2 * dot(tally.places, normal(&triangle));
            }
        }
        // A tetrahedron is a sixth of its determinant, and a half voxel has an eighth of a voxel.
        mesh.volume_mm3 = tetrahedra as f64 / 48.0 * region.voxel_mm3();
        Ok(mesh)
    }
}

/// Counts the cubes between slices `z` and `z + 1`.
fn tally_slab(region: &Region, z: usize, tallies: &mut [Tally; 256]) {
    let [_, ny, nx] = region.shape;
    for y in 0..ny - 1 {
        let row = |z: usize, y: usize| {
            let from = (z * ny + y) * nx;
            &region.inside[from..from + nx]
        };
        let rows = [row(z, y), row(z, y + 1), row(z + 1, y), row(z + 1, y + 1)];
        let column = |x: usize| {
            rows.iter()
                .enumerate()
                .fold(0, |bits, (at, row)| bits | u8::from(row[x]) << (2 * at))
        };
        let mut left = column(0);
        for x in 0..nx - 1 {
            let right = column(x + 1);
            let pattern = left | right << 1;
            left = right;
            if pattern != 0 && pattern != 255 {
                let tally = &mut tallies[usize::from(pattern)];
                tally.count += 1;
                for (sum, place) in tally.places.iter_mut().zip([z, y, x]) {
                    *sum += i64::from(place as u32);
                }
            }
        }
    }
}

/// Calls `found` with every vertex from slice `z` on and below slice `z + 1`, `(z, y, x)` in half
/// voxels of the padded box.
///
/// There is one vertex wherever a voxel inside touches one outside.
pub(crate) fn vertices(region: &Region, z: usize, mut found: impl FnMut([u32; 3])) {
    let [_, ny, nx] = region.shape;
    for y in 0..ny - 1 {
        for x in 0..nx - 1 {
            let here = region.contains(z, y, x);
            let [hz, hy, hx] = [z, y, x].map(|at| 2 * at as u32);
            if here != region.contains(z + 1, y, x) {
                found([hz + 1, hy, hx]);
            }
            if here != region.contains(z, y + 1, x) {
                found([hz, hy + 1, hx]);
            }
            if here != region.contains(z, y, x + 1) {
                found([hz, hy, hx + 1]);
            }
        }
    }
}

fn cross(a: [i64; 3], b: [i64; 3]) -> [i64; 3] {
    [a[1] * b[2] - b[1] * a[2], a[2] * b[0] - b[2] * a[0], a[0] * b[1] - b[0] * a[1]]
}

fn dot(a: [i64; 3], b: [i64; 3]) -> i64 {
    a.iter().zip(&b).map(|(p, q)| p * q).sum()
}

fn determinant([a, b, c]: &Triangle) -> i64 {
    dot(cross(*a, *b), *c)
}

/// Twice the area, as a vector out of the mask.
fn normal([a, b, c]: &Triangle) -> [i64; 3] {
    let from_a = |p: &[i64; 3]| std::array::from_fn(|axis| p[axis] - a[axis]);
    cross(from_a(b), from_a(c))
}

fn area(triangle: &Triangle, spacing_mm: [f64; 3]) -> f64 {
    let [z, y, x] = spacing_mm.map(|step| step / 2.0);
    let twice = normal(triangle);
    let across = [twice[0] as f64 * y * x, twice[1] as f64 * x * z, twice[2] as f64 * z * y];
    across.iter().map(|part| part * part).sum::<f64>().sqrt() / 2.0
}
