//! Things counted by level and by size: runs, zones, dependent neighbours.
//!
//! `P(i, j)` is how many things of level `i` and size `j` there are, `N` their number, `Np` the
//! voxels in them, `p = P / N`, `g(i)` and `s(j)` the sums of `P` over the sizes and over the levels.
//! GLRLM (Galloway 1975), GLSZM (Thibault 2009) and GLDM (Sun & Wee 1983) share these formulas.

/// A counted matrix and its sums.
#[derive(Debug, PartialEq)]
pub(crate) struct Sizes {
    /// Level, size and count, rising; no count is 0.
    cells: Vec<[f64; 3]>,
    /// Level and `g`, rising.
    levels: Vec<[f64; 2]>,
    /// Size and `s`, rising.
    widths: Vec<[f64; 2]>,
    n: f64,
}

impl Sizes {
    /// From `counts[rank][size]`, each row of `width`.
    pub(crate) fn dense(counts: &[u32], width: usize, numbers: &[u32]) -> Self {
        let mut cells = Vec::new();
        for (row, number) in counts.chunks_exact(width).zip(numbers).skip(1) {
            let filled = row.iter().enumerate().filter(|(_, count)| **count > 0);
            cells.extend(
                filled
                    .map(|(size, &count)| [f64::from(*number), size as f64, f64::from(count)]),
            );
        }
        Self::new(cells)
    }

    /// From the rank and size of each thing.
    pub(crate) fn listed(mut things: Vec<(u16, u64)>, numbers: &[u32]) -> Self {
        things.sort_unstable();
        let cells = things.chunk_by(|a, b| a == b).map(|equal| {
            let (rank, size) = equal[0];
            [f64::from(numbers[usize::from(rank)]), size as f64, equal.len() as f64]
        });
        Self::new(cells.collect())
    }

    fn new(cells: Vec<[f64; 3]>) -> Self {
        let n = cells.iter().map(|[_, _, count]| count).sum();
        let levels = cells.chunk_by(|a, b| a[0].total_cmp(&b[0]).is_eq());
        let levels = levels.map(|row| [row[0][0], row.iter().map(|cell| cell[2]).sum()]);
        let levels = levels.collect();
        let mut by_size: Vec<[f64; 2]> =
            cells.iter().map(|&[_, size, count]| [size, count]).collect();
        by_size.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]));
        let sizes = by_size.chunk_by(|a, b| a[0].total_cmp(&b[0]).is_eq());
        let sizes = sizes.map(|column| [column[0][0], column.iter().map(|cell| cell[1]).sum()]);
        let widths = sizes.collect();
        Self { cells, levels, widths, n }
    }

    /// Voxels in all things.
    pub(crate) fn voxels(&self) -> f64 {
        self.widths.iter().map(|[size, count]| size * count).sum()
    }

    fn mean_of_sizes(&self, of: impl Fn(f64) -> f64) -> f64 {
        self.widths.iter().map(|&[size, count]| of(size) * count).sum::<f64>() / self.n
    }

    fn mean_of_levels(&self, of: impl Fn(f64) -> f64) -> f64 {
        self.levels.iter().map(|&[level, count]| of(level) * count).sum::<f64>() / self.n
    }

    fn mean(&self, of: impl Fn(f64, f64) -> f64) -> f64 {
        let sum: f64 = self.cells.iter().map(|&[i, j, count]| of(i, j) * count).sum();
        sum / self.n
    }

    pub(crate) fn small(&self) -> f64 {
        self.mean_of_sizes(|j| 1.0 / (j * j))
    }

    pub(crate) fn large(&self) -> f64 {
        self.mean_of_sizes(|j| j * j)
    }

    pub(crate) fn low(&self) -> f64 {
        self.mean_of_levels(|i| 1.0 / (i * i))
    }

    pub(crate) fn high(&self) -> f64 {
        self.mean_of_levels(|i| i * i)
    }

    pub(crate) fn small_low(&self) -> f64 {
        self.mean(|i, j| 1.0 / (i * i * (j * j)))
    }

    pub(crate) fn small_high(&self) -> f64 {
        self.mean(|i, j| i * i / (j * j))
    }

    pub(crate) fn large_low(&self) -> f64 {
        self.mean(|i, j| j * j / (i * i))
    }

    pub(crate) fn large_high(&self) -> f64 {
        self.mean(|i, j| i * i * (j * j))
    }

    pub(crate) fn level_non_uniformity(&self) -> f64 {
        self.levels.iter().map(|[_, count]| count * count).sum::<f64>() / self.n
    }

    pub(crate) fn level_non_uniformity_normalized(&self) -> f64 {
        self.level_non_uniformity() / self.n
    }

    pub(crate) fn size_non_uniformity(&self) -> f64 {
        self.widths.iter().map(|[_, count]| count * count).sum::<f64>() / self.n
    }

    pub(crate) fn size_non_uniformity_normalized(&self) -> f64 {
        self.size_non_uniformity() / self.n
    }

    pub(crate) fn level_variance(&self) -> f64 {
        let mean = self.mean_of_levels(|i| i);
        self.mean_of_levels(|i| (i - mean) * (i - mean))
    }

    pub(crate) fn size_variance(&self) -> f64 {
        let mean = self.mean_of_sizes(|j| j);
        self.mean_of_sizes(|j| (j - mean) * (j - mean))
    }

    pub(crate) fn entropy(&self) -> f64 {
        let shares = self.cells.iter().map(|[_, _, count]| count / self.n);
        -shares.map(|p| p * (p + f64::EPSILON).log2()).sum::<f64>()
    }

    pub(crate) fn percentage(&self) -> f64 {
        self.n / self.voxels()
    }
}
