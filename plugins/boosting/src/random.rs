//! Random draws that a seed repeats.

/// `SplitMix64` (Steele et al. 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Starts at `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A share of `0..n`, rising, none twice, at least one where there is one.
    ///
    /// Selection sampling (Knuth, TAOCP 3.4.2, algorithm S).
    pub(crate) fn sample(&mut self, n: usize, share: f64) -> Vec<u32> {
        let wanted = ((n as f64 * share).round() as usize).clamp(n.min(1), n);
        let mut drawn = Vec::with_capacity(wanted);
        for index in 0..n {
            let open = (n - index) as f64 * self.unit();
            if open < (wanted - drawn.len()) as f64 {
                drawn.push(index as u32);
            }
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_its_size_and_favours_nobody() {
        let mut random = Random::new(7);
        let mut times = [0_u32; 10];
        for _ in 0..1000 {
            let drawn = random.sample(10, 0.3);
            assert_eq!(drawn.len(), 3);
            assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
            for index in drawn {
                times[index as usize] += 1;
            }
        }
        assert!(times.iter().all(|times| (240..=360).contains(times)), "{times:?}");
        assert_eq!(random.sample(5, 1.0), [0, 1, 2, 3, 4]);
    }
}
