//! Connected pixels of one window.

use ichor_plugin::Refused;

use crate::pace::Pace;
use crate::plane::Plane;

/// Which neighbours join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joined {
    /// Those that share an edge.
    ByEdge,
    /// Those that share an edge or a corner.
    ByCorner,
}

/// The connected parts of `wanted`, each as its pixels, in the order of their first pixel.
pub(crate) fn components(
    plane: &Plane,
    wanted: &[bool],
    joined: Joined,
    pace: &mut Pace<'_, '_>,
) -> Result<Vec<Vec<usize>>, Refused> {
    let n_ways = if joined == Joined::ByEdge { 4 } else { 8 };
    let mut left = wanted.to_vec();
    let mut found = Vec::new();
    for first in 0..plane.len() {
        pace.work(1)?;
        if !left[first] {
            continue;
        }
        left[first] = false;
        let mut pixels = vec![first];
        let mut next = 0;
        while let Some(&at) = pixels.get(next) {
            pace.work(4)?;
            next += 1;
            for near in plane.around(at) {
                if left[near] && (n_ways == 8 || shares_edge(plane, at, near)) {
                    left[near] = false;
                    pixels.push(near);
                }
            }
        }
        found.push(pixels);
    }
    Ok(found)
}

fn shares_edge(plane: &Plane, a: usize, b: usize) -> bool {
    let ((ay, ax), (by, bx)) = (plane.row_column(a), plane.row_column(b));
    ay == by || ax == bx
}

/// `mask` with every hole filled that no path along edges joins to the window's border.
pub(crate) fn filled(
    plane: &Plane,
    mask: &[bool],
    pace: &mut Pace<'_, '_>,
) -> Result<Vec<bool>, Refused> {
    let outside: Vec<bool> = mask.iter().map(|&inside| !inside).collect();
    let mut filled = mask.to_vec();
    for pixels in components(plane, &outside, Joined::ByEdge, pace)? {
        let at_border = |&at: &usize| {
            let (y, x) = plane.row_column(at);
            y == 0 || x == 0 || y + 1 == plane.rows || x + 1 == plane.columns
        };
        if !pixels.iter().any(at_border) {
            for at in pixels {
                filled[at] = true;
            }
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{drawn, unhurried};

    #[test]
    fn pixels_that_share_a_corner_join_only_when_asked_to() {
        let (plane, mask) = drawn("#..#\n.#..\n....");
        unhurried(|pace| {
            assert_eq!(components(&plane, &mask, Joined::ByEdge, pace).unwrap().len(), 3);
            let joined = components(&plane, &mask, Joined::ByCorner, pace).unwrap();
            assert_eq!(joined, [vec![0, 5], vec![3]]);
        });
    }

    #[test]
    fn a_hole_is_filled_and_a_bay_is_not() {
        let (plane, mask) = drawn("......\n.####.\n.#..#.\n.####.\n.#..#.\n......");
        let (_, expected) = drawn("......\n.####.\n.####.\n.####.\n.#..#.\n......");
        assert_eq!(unhurried(|pace| filled(&plane, &mask, pace)).unwrap(), expected);
    }
}
