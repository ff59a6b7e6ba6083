//! From the 256 x 256 pixels of anatomy to the 512 x 512 of a slice: bilinear, pixel areas
//! aligned.

/// A rectangle of coarse pixels, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// First row.
    pub(crate) y0: usize,
    /// Row after the last.
    pub(crate) y1: usize,
    /// First column.
    pub(crate) x0: usize,
    /// Column after the last.
    pub(crate) x1: usize,
}

/// Twice as many rows and columns of `window` of a plane with `n_columns` columns. At the edges
/// of the plane the outermost pixel is repeated; at those of the window its neighbours are used.
pub(crate) fn upsample(plane: &[f32], n_columns: usize, window: Window) -> Vec<f32> {
    let n_rows = plane.len() / n_columns.max(1);
    let width = 2 * (window.x1 - window.x0);
    let mut fine = Vec::with_capacity(2 * (window.y1 - window.y0) * width);
    let mut line = vec![0.0_f32; n_columns];
    for y in window.y0..window.y1 {
        for other in [y.saturating_sub(1), (y + 1).min(n_rows - 1)] {
            let near = &plane[y * n_columns..][..n_columns];
            let far = &plane[other * n_columns..][..n_columns];
            for ((value, &near), &far) in line.iter_mut().zip(near).zip(far) {
                *value = 0.75 * near + 0.25 * far;
            }
            for x in window.x0..window.x1 {
                let (left, right) = (x.saturating_sub(1), (x + 1).min(n_columns - 1));
                fine.push(0.75 * line[x] + 0.25 * line[left]);
                fine.push(0.75 * line[x] + 0.25 * line[right]);
            }
        }
    }
    fine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_stays_a_ramp() {
        let plane: Vec<f32> = (0..20).map(|i| (i % 5) as f32).collect();
        let fine = upsample(&plane, 5, Window { y0: 1, y1: 3, x0: 1, x1: 4 });
        assert_eq!(fine.len(), 4 * 6);
        assert_eq!(fine[..6], [0.75, 1.25, 1.75, 2.25, 2.75, 3.25]);
    }
}
