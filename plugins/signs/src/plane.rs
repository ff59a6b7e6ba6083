//! The pixels of one slice's window: rows, columns, neighbours, millimetres.

/// Rows and columns of a window and the distance between its pixels' centres; `x` fastest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plane {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Distance between pixel centres, `(y, x)`.
    pub(crate) spacing_mm: [f64; 2],
}

impl Plane {
    /// Number of pixels.
    pub(crate) fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Area of one pixel in square millimetres.
    pub(crate) fn pixel_mm2(&self) -> f64 {
        self.spacing_mm[0] * self.spacing_mm[1]
    }

    /// Row and column of pixel `at`.
    pub(crate) fn row_column(&self, at: usize) -> (usize, usize) {
        (at / self.columns, at % self.columns)
    }

    /// Place of pixel `at` in millimetres from the first pixel, `(y, x)`.
    pub(crate) fn in_mm(&self, at: usize) -> [f64; 2] {
        let (y, x) = self.row_column(at);
        [y as f64 * self.spacing_mm[0], x as f64 * self.spacing_mm[1]]
    }

    /// Pixels that share an edge with `at`, then those that share a corner.
    pub(crate) fn around(&self, at: usize) -> impl Iterator<Item = usize> {
        const WAYS: [(isize, isize); 8] =
            [(-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)];
        let (y, x) = self.row_column(at);
        let (rows, columns) = (self.rows, self.columns);
        WAYS.into_iter().filter_map(move |(dy, dx)| {
            let (y, x) = (y.checked_add_signed(dy)?, x.checked_add_signed(dx)?);
            (y < rows && x < columns).then_some(y * columns + x)
        })
    }

    /// A picture in which `pixels` are set.
    pub(crate) fn drawn(&self, pixels: &[usize]) -> Vec<bool> {
        let mut set = vec![false; self.len()];
        for &at in pixels {
            set[at] = true;
        }
        set
    }

    /// The pixels that are set in a picture.
    pub(crate) fn pixels(picture: &[bool]) -> Vec<usize> {
        (0..picture.len()).filter(|&at| picture[at]).collect()
    }

    /// The pixel of `pixels` that lies nearest to their centroid; none where there is none.
    pub(crate) fn middle(&self, pixels: &[usize]) -> Option<usize> {
        let n = pixels.len() as f64;
        let mut centroid = [0.0; 2];
        for &at in pixels {
            let place = self.in_mm(at);
            centroid[0] += place[0] / n;
            centroid[1] += place[1] / n;
        }
        let off = |at: usize| {
            let [y, x] = self.in_mm(at);
            (y - centroid[0]).powi(2) + (x - centroid[1]).powi(2)
        };
        pixels.iter().copied().min_by(|&a, &b| off(a).total_cmp(&off(b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corner_has_three_neighbours_and_the_edges_come_first() {
        let plane = Plane { rows: 3, columns: 4, spacing_mm: [1.0; 2] };
        assert_eq!(plane.around(0).collect::<Vec<_>>(), [1, 4, 5]);
        assert_eq!(plane.around(5).collect::<Vec<_>>(), [1, 4, 6, 9, 0, 2, 8, 10]);
    }

    #[test]
    fn the_middle_of_a_ring_lies_on_the_ring() {
        let plane = Plane { rows: 3, columns: 3, spacing_mm: [1.0; 2] };
        assert_eq!(plane.middle(&[0, 1, 2, 3, 5, 6, 7, 8]), Some(1));
        assert_eq!(plane.middle(&[]), None);
    }
}
