//! Where the surface of a mask runs through a cube of eight voxel centres.
//!
//! Marching cubes (Lorensen & Cline 1987) on a mask: every vertex lies half-way between a voxel
//! inside and one outside, so all coordinates are whole numbers of half voxels. The 256 patterns
//! of corners are worked out by rule instead of being looked up, and agree with pyradiomics 3.0.1:
//!
//! - a face with two inside corners across from each other keeps them apart when the cube's
//!   corner (1, 1, 0) lies outside, and joins them when it lies inside;
//! - a polygon is cut into a fan about the vertex with the longest diagonals, and a heptagon
//!   about the vertex whose two neighbours lie closest together.

use std::collections::BTreeMap;

/// A vertex, `(z, y, x)`, in half voxels from the cube's first corner.
pub(crate) type Vertex = [i64; 3];

/// Corners in a triangle's order, which is counter-clockwise as seen from outside the mask in a
/// frame where `z`, `y` and `x` are right-handed.
pub(crate) type Triangle = [Vertex; 3];

/// Bit `4z + 2y + x` of a pattern says whether that corner lies in the mask.
const JOINING_CORNER: u8 = 1 << 6;

/// The triangles of one pattern of corners.
pub(crate) fn triangles(pattern: u8) -> Vec<Triangle> {
    if pattern & JOINING_CORNER != 0 {
        let outside = triangles(!pattern);
        return outside.into_iter().map(|[a, b, c]| [a, c, b]).collect();
    }
    polygons(pattern).iter().flat_map(|polygon| fan(polygon)).collect()
}

/// Closed rings of vertices that part the inside corners from the others.
fn polygons(pattern: u8) -> Vec<Vec<Vertex>> {
    let mut follows: BTreeMap<Vertex, Vertex> = (0..3)
        .flat_map(|axis| [(axis, 0), (axis, 1)])
        .flat_map(|(axis, side)| segments(pattern, &face(axis, side)))
        .collect();
    let mut rings = Vec::new();
    while let Some((first, mut vertex)) = follows.pop_first() {
        let mut ring = vec![first];
        while let Some(next) = follows.remove(&vertex) {
            ring.push(vertex);
            vertex = next;
        }
        rings.push(ring);
    }
    rings
}

/// The four corners of a face, clockwise as seen from outside the cube.
fn face(axis: usize, side: i64) -> [Vertex; 4] {
    let mut ring = [[0, 0], [0, 1], [1, 1], [1, 0]];
    if side == 0 {
        ring.reverse();
    }
    ring.map(|[second, third]| {
        let mut corner = [0; 3];
        corner[axis] = side;
        corner[(axis + 1) % 3] = second;
        corner[(axis + 2) % 3] = third;
        corner
    })
}

/// One segment for each run of inside corners on a face's ring, from where it ends to where it
/// begins, so that the segments of all faces join into rings.
fn segments(pattern: u8, ring: &[Vertex; 4]) -> Vec<(Vertex, Vertex)> {
    let inside = |at: usize| {
        let [z, y, x] = ring[at % 4];
        pattern & (1 << (4 * z + 2 * y + x)) != 0
    };
    let middle =
        |at: usize| std::array::from_fn(|axis| ring[at % 4][axis] + ring[(at + 1) % 4][axis]);
    (0..4)
        .filter(|&before| !inside(before) && inside(before + 1))
        .filter_map(|before| {
            let last = (before + 1..before + 4).find(|&at| !inside(at + 1))?;
            Some((middle(last), middle(before)))
        })
        .collect()
}

fn fan(ring: &[Vertex]) -> Vec<Triangle> {
    let n = ring.len();
    let squared = |a: usize, b: usize| -> i64 {
        ring[a % n].iter().zip(&ring[b % n]).map(|(p, q)| (p - q).pow(2)).sum()
    };
    let merit = |apex: usize| -> i64 {
        if n == 7 {
            -squared(apex + 1, apex + n - 1)
        } else {
            (2..n - 1).map(|step| squared(apex, apex + step)).sum()
        }
    };
    // The first of the best: which one of a tie is taken changes neither area nor volume.
    let apex = (0..n).rev().max_by_key(|&apex| merit(apex)).unwrap_or(0);
    (1..n - 1).map(|step| [apex, apex + step, apex + step + 1].map(|at| ring[at % n])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_polygons(pattern: u8, lengths: &[usize]) {
        let mut found: Vec<usize> = polygons(pattern).iter().map(Vec::len).collect();
        found.sort_unstable();
        assert_eq!(found, lengths, "{pattern:08b}");
    }

    #[test]
    fn one_corner_is_cut_off_by_one_triangle() {
        check_polygons(0b0000_0001, &[3]);
        check_polygons(0b0000_0011, &[4]);
        check_polygons(0b0000_0111, &[5]);
        check_polygons(0b0000_1111, &[4]);
    }

    #[test]
    fn corners_across_a_face_stay_apart_unless_the_joining_corner_is_inside() {
        check_polygons(0b0000_1001, &[3, 3]);
        assert_eq!(triangles(0b0000_1001).len(), 2);
        // The same face seen from a cube whose corner (1, 1, 0) is inside: its complement has the
        // two others of that face, which stay apart, so that these two are joined.
        assert_eq!(triangles(!0b0000_0110).len(), 2);
    }

    #[test]
    fn every_ring_closes_and_has_at_most_seven_vertices() {
        for pattern in 0..=255_u8 {
            let rings = polygons(pattern);
            let crossed: usize = (0..8_u8)
                .flat_map(|corner| [1_u8, 2, 4].map(|bit| (corner, corner ^ bit)))
                .filter(|&(a, b)| a < b && (pattern >> a & 1) != (pattern >> b & 1))
                .count();
            assert_eq!(rings.iter().map(Vec::len).sum::<usize>(), crossed);
            assert!(rings.iter().all(|ring| (3..=7).contains(&ring.len())));
        }
    }
}
