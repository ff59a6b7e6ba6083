//! The convex hull of a set of pixels, and which pixels lie in it.

use crate::plane::Plane;

/// Pixels whose centre lies in the convex hull of the centres of `set`.
///
/// Andrew 1979, Inf. Process. Lett. 9:216, over the ends of the rows; then the hull is filled row
/// by row. Corners are whole pixels, so every step is exact but the last division.
pub(crate) fn hull(plane: &Plane, set: &[bool]) -> Vec<bool> {
    let mut filled = vec![false; plane.len()];
    let rows = set.chunks_exact(plane.columns.max(1)).enumerate();
    let ends: Vec<[i64; 3]> = rows
        .filter_map(|(y, row)| {
            let first = row.iter().position(|&inside| inside)?;
            let last = row.iter().rposition(|&inside| inside)?;
            Some([y, first, last].map(|at| i64::try_from(at).unwrap_or(i64::MAX)))
        })
        .collect();
    let left = chain(ends.iter().map(|&[y, first, _]| [y, first]));
    let right = chain(ends.iter().map(|&[y, _, last]| [y, -last]));
    // Rows that hold no pixel of the set lie between its parts.
    if let (Some(first), Some(last)) = (ends.first(), ends.last()) {
        for y in first[0]..=last[0] {
            if let (Some(from), Some(to)) = (across(&left, y), across(&right, y)) {
                fill(plane, &mut filled, y, from, -to);
            }
        }
    }
    filled
}

fn fill(plane: &Plane, filled: &mut [bool], y: i64, from: f64, to: f64) {
    let row = y as usize * plane.columns;
    let (from, to) = ((from - 1e-9).ceil().max(0.0) as usize, (to + 1e-9).floor() as usize);
    for x in from..=to.min(plane.columns - 1) {
        filled[row + x] = true;
    }
}

/// The corners `(y, x)` of the lower hull along `x`, by rising `y`.
fn chain(points: impl Iterator<Item = [i64; 2]>) -> Vec<[i64; 2]> {
    let mut chain: Vec<[i64; 2]> = Vec::new();
    for point in points {
        while let [.., a, b] = chain[..] {
            let turn = (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0]);
            if turn > 0 {
                break;
            }
            chain.pop();
        }
        chain.push(point);
    }
    chain
}

/// Where the chain lies at `y`.
fn across(chain: &[[i64; 2]], y: i64) -> Option<f64> {
    let next = chain.partition_point(|corner| corner[0] < y);
    let &[y1, x1] = chain.get(next)?;
    if y1 == y {
        return Some(x1 as f64);
    }
    let &[y0, x0] = chain.get(next.checked_sub(1)?)?;
    Some(x0 as f64 + (x1 - x0) as f64 * (y - y0) as f64 / (y1 - y0) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, drawn};

    #[test]
    fn a_bay_and_a_gap_belong_to_the_hull() {
        let (plane, set) = drawn("#....#\n#....#\n......\n..##..");
        let (_, expected) = drawn("######\n######\n.####.\n..##..");
        assert_eq!(hull(&plane, &set), expected);
    }

    #[test]
    fn a_hull_holds_its_set_and_is_its_own_hull() {
        let mut noise = Noise::new(5);
        for _ in 0..300 {
            let (rows, columns) = (1 + noise.below(12), 1 + noise.below(12));
            let plane = Plane { rows, columns, spacing_mm: [1.0; 2] };
            let set: Vec<bool> = (0..plane.len()).map(|_| noise.below(100) < 15).collect();
            let once = hull(&plane, &set);
            assert!(set.iter().zip(&once).all(|(set, hull)| !set || *hull));
            assert_eq!(hull(&plane, &once), once);
        }
    }
}
