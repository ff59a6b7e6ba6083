//! Grey values counted: all that the first-order features need to know.

/// How often each grey value occurs; never empty.
#[derive(Debug)]
pub(crate) struct Histogram {
    /// The smallest grey value, in HU.
    lowest: i16,
    /// Voxels with `lowest`, `lowest + 1`, ... HU; neither the first nor the last is 0.
    counts: Vec<u64>,
    n: u64,
}

impl Histogram {
    /// Counts `hu`; nothing when there are none.
    pub(crate) fn count(hu: &[i16]) -> Option<Self> {
        let (&lowest, &highest) = (hu.iter().min()?, hu.iter().max()?);
        let at = |value: i16| (i32::from(value) - i32::from(lowest)) as usize;
        let mut counts = vec![0; at(highest) + 1];
        for &value in hu {
            counts[at(value)] += 1;
        }
        Some(Self { lowest, counts, n: hu.len() as u64 })
    }

    /// Grey values that occur and how often, rising.
    pub(crate) fn levels(&self) -> impl Iterator<Item = (f64, u64)> {
        let lowest = f64::from(self.lowest);
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(move |(step, count)| (lowest + step as f64, *count))
    }

    /// Number of voxels.
    pub(crate) fn n(&self) -> f64 {
        self.n as f64
    }

    /// The smallest grey value.
    pub(crate) fn minimum(&self) -> f64 {
        f64::from(self.lowest)
    }

    /// The largest grey value.
    pub(crate) fn maximum(&self) -> f64 {
        self.minimum() + (self.counts.len() - 1) as f64
    }

    /// Sum over all voxels of `of(value)`, in rising order of the value.
    pub(crate) fn sum(&self, of: impl Fn(f64) -> f64) -> f64 {
        self.levels().map(|(value, count)| count as f64 * of(value)).sum()
    }

    /// The grey value below which `share` of the voxels lie, linear between neighbours.
    ///
    /// numpy's default: rank `share (n - 1)`, counted from 0.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let rank = share * (self.n() - 1.0);
        let below = self.at_rank(rank.floor() as u64);
        let above = self.at_rank((rank.floor() as u64 + 1).min(self.n - 1));
        let part = rank - rank.floor();
        if part < 0.5 {
            below + (above - below) * part
        } else {
            above - (above - below) * (1.0 - part)
        }
    }

    fn at_rank(&self, rank: u64) -> f64 {
        let mut seen = 0;
        for (value, count) in self.levels() {
            seen += count;
            if seen > rank {
                return value;
            }
        }
        self.maximum()
    }

    /// Shares of the voxels in the bins of `width` HU that hold any, rising.
    ///
    /// Bins begin at multiples of `width`, so 0 HU is always an edge; an edge belongs to the bin
    /// above it.
    pub(crate) fn shares(&self, width: f64) -> Vec<f64> {
        let bin = |value: f64| (value / width).floor() as i64;
        let mut shares: Vec<(i64, u64)> = Vec::new();
        for (value, count) in self.levels() {
            match shares.last_mut() {
                Some((last, total)) if *last == bin(value) => *total += count,
                _ => shares.push((bin(value), count)),
            }
        }
        shares.into_iter().map(|(_, total)| total as f64 / self.n()).collect()
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_linear_between_neighbours() {
        let histogram = Histogram::count(&[10, 40, 20, 30]).unwrap();
        assert_eq!(histogram.percentile(0.5), 25.0);
        assert_eq!(histogram.percentile(0.25), 17.5);
        assert_eq!(histogram.percentile(1.0), 40.0);
    }

    #[test]
    fn bins_begin_at_multiples_of_their_width_below_zero_too() {
        let histogram = Histogram::count(&[-26, -25, -1, 0, 24, 25]).unwrap();
        assert_eq!(histogram.shares(25.0), [1.0, 2.0, 2.0, 1.0].map(|n| n / 6.0));
    }

    #[test]
    fn the_whole_range_of_a_voxel_fits() {
        let histogram = Histogram::count(&[i16::MIN, i16::MAX]).unwrap();
        assert_eq!(histogram.maximum() - histogram.minimum(), 65_535.0);
        assert_eq!(histogram.levels().count(), 2);
    }
}
