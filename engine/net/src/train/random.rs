//! Random numbers of a training: a stream for every purpose, so that batch n needs no other.
//!
//! xoshiro256++ (Blackman and Vigna 2018), seeded through splitmix64.

/// What a stream is for; a number, once given, stays.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Start = 1,
    Widen = 2,
    Hold = 3,
    Sample = 4,
    Order = 5,
}

/// One stream of random numbers.
pub(super) struct Random {
    state: [u64; 4],
    spare: Option<f64>,
}

impl Random {
    /// The stream of one purpose; any difference in `stream` or `key` gives an unrelated one.
    pub(super) fn keyed(stream: Stream, key: &[u64]) -> Self {
        let start = mix(stream as u64 ^ ((key.len() as u64) << 32));
        let mut mixed = key.iter().fold(start, |hash, &word| mix(hash ^ mix(word)));
        let state = std::array::from_fn(|_| {
            mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(mixed)
        });
        Self { state, spare: None }
    }

    fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let drawn = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        drawn
    }

    /// Uniform in `0.0..1.0`.
    pub(super) fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform between `low` and `high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// An index below `n`, which is small against 2^32 and not 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// True with probability `p`.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Normal with mean 0 and standard deviation 1 (Marsaglia's polar method).
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (u, v) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                let scale = (-2.0 * s.ln() / s).sqrt();
                self.spare = Some(v * scale);
                return u * scale;
            }
        }
    }
}

/// The finalizer of splitmix64.
fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_published_sequence() {
        let mut random = Random { state: [1, 2, 3, 4], spare: None };
        let drawn: Vec<u64> = (0..4).map(|_| random.bits()).collect();
        assert_eq!(
            drawn,
            [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]
        );
    }

    #[test]
    fn normals_have_mean_0_and_deviation_1() {
        let mut random = Random::keyed(Stream::Sample, &[7]);
        let drawn: Vec<f64> = (0..100_000).map(|_| random.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / 1e5;
        let variance = drawn.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.015 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn keys_and_purposes_that_differ_give_other_streams() {
        let first = |stream, key: &[u64]| Random::keyed(stream, key).bits();
        assert_ne!(first(Stream::Sample, &[1, 2]), first(Stream::Sample, &[2, 1]));
        assert_ne!(first(Stream::Sample, &[1]), first(Stream::Sample, &[1, 0]));
        assert_ne!(first(Stream::Sample, &[1]), first(Stream::Start, &[1]));
    }
}
