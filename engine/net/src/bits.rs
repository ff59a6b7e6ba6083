//! Sets of pixels of one map, a bit each.

use ndarray::ArrayView2;

use crate::kernels::maps::Span;

/// A set of pixels of a map of `(y, x)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bits {
    y: usize,
    x: usize,
    /// Words of a row.
    n_words: usize,
    words: Vec<u64>,
}

impl Bits {
    /// No pixel.
    pub(crate) fn none((y, x): (usize, usize)) -> Self {
        let n_words = x.div_ceil(64);
        Self { y, x, n_words, words: vec![0; y * n_words] }
    }

    /// The pixels where `here` holds.
    pub(crate) fn of<T>(map: ArrayView2<'_, T>, here: impl Fn(&T) -> bool) -> Self {
        let mut bits = Self::none(map.dim());
        for ((y, x), value) in map.indexed_iter() {
            bits.words[y * bits.n_words + x / 64] |= u64::from(here(value)) << (x % 64);
        }
        bits
    }

    /// One pixel.
    pub(crate) fn one(dim: (usize, usize), (y, x): (usize, usize)) -> Self {
        let mut bits = Self::none(dim);
        bits.words[y * bits.n_words + x / 64] |= 1 << (x % 64);
        bits
    }

    fn row(&self, y: usize) -> &[u64] {
        &self.words[y * self.n_words..(y + 1) * self.n_words]
    }

    /// Bits of a row's last word that are pixels.
    fn last(&self) -> u64 {
        u64::MAX >> ((64 - self.x % 64) % 64)
    }

    /// Adds `other`.
    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, other) in self.words.iter_mut().zip(&other.words) {
            *mine |= other;
        }
    }

    /// Those that are in `other` too.
    pub(crate) fn and(&self, other: &Self) -> Self {
        self.with(other, |a, b| a & b)
    }

    /// Those that are not in `other`.
    pub(crate) fn without(&self, other: &Self) -> Self {
        self.with(other, |a, b| a & !b)
    }

    fn with(&self, other: &Self, join: impl Fn(u64, u64) -> u64) -> Self {
        let words = self.words.iter().zip(&other.words).map(|(&a, &b)| join(a, b)).collect();
        Self { words, ..*self }
    }

    /// The set moved by `(rows, columns)`; what leaves the map is lost.
    fn moved(&self, rows: isize, columns: isize) -> Self {
        let mut out = Self::none((self.y, self.x));
        let by = columns.unsigned_abs() as u32;
        let last = self.last();
        for y in 0..self.y {
            let Some(from) = y.checked_add_signed(-rows).filter(|&from| from < self.y) else {
                continue;
            };
            let source = self.row(from);
            let target = &mut out.words[y * self.n_words..(y + 1) * self.n_words];
            for (i, word) in target.iter_mut().enumerate() {
                *word = match columns {
                    0 => source[i],
                    1.. => {
                        let before = if i > 0 { source[i - 1] } else { 0 };
                        source[i] << by | before >> (64 - by)
                    }
                    _ => {
                        let after = source.get(i + 1).copied().unwrap_or(0);
                        source[i] >> by | after << (64 - by)
                    }
                };
            }
            if let Some(word) = target.last_mut() {
                *word &= last;
            }
        }
        out
    }

    /// All pixels that a 3x3 kernel of this dilation sees from here.
    pub(crate) fn seen(&self, dilation: usize) -> Self {
        let d = dilation.cast_signed();
        let mut rows = self.moved(0, d);
        rows.add(self);
        rows.add(&self.moved(0, -d));
        let mut all = rows.moved(d, 0);
        all.add(&rows);
        all.add(&rows.moved(-d, 0));
        all
    }

    /// Pixels whose whole 3x3 kernel of this dilation lies in the set and in the map.
    pub(crate) fn seeing_only(&self, dilation: usize) -> Self {
        let d = dilation.cast_signed();
        let rows = self.and(&self.moved(0, d)).and(&self.moved(0, -d));
        rows.and(&rows.moved(d, 0)).and(&rows.moved(-d, 0))
    }

    /// Twice the size: four pixels for each.
    pub(crate) fn doubled(&self) -> Self {
        let mut out = Self::none((self.y * 2, self.x * 2));
        for y in 0..out.y {
            for i in 0..out.n_words {
                let half = self.row(y / 2)[i / 2] >> (i % 2 * 32);
                let spread = spread(half as u32);
                out.words[y * out.n_words + i] = spread | spread << 1;
            }
        }
        out
    }

    /// Half the size: pixels of which any of the four is in the set.
    pub(crate) fn halved_any(&self) -> Self {
        self.halved(|a, b| a | b)
    }

    /// Half the size: pixels of which all four are in the set.
    pub(crate) fn halved_all(&self) -> Self {
        self.halved(|a, b| a & b)
    }

    fn halved(&self, join: impl Fn(u64, u64) -> u64) -> Self {
        let mut out = Self::none((self.y / 2, self.x / 2));
        for y in 0..out.y {
            for i in 0..self.n_words {
                let both = join(self.row(2 * y)[i], self.row(2 * y + 1)[i]);
                let half = u64::from(gather(join(both, both >> 1)));
                if i / 2 < out.n_words {
                    out.words[y * out.n_words + i / 2] |= half << (i % 2 * 32);
                }
            }
        }
        out
    }

    /// All pixels of every cell that holds one: eight pixels of a row, aligned, which are
    /// computed together.
    pub(crate) fn cells(&self) -> Self {
        let last = self.last();
        let mut out = self.clone();
        for (at, word) in out.words.iter_mut().enumerate() {
            let mut any = *word | *word >> 4;
            any |= any >> 2;
            any = (any | any >> 1) & 0x0101_0101_0101_0101;
            *word = any * 0xff;
            if at % self.n_words == self.n_words - 1 {
                *word &= last;
            }
        }
        out
    }

    /// The set as runs, row by row.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for y in 0..self.y {
            let row = self.row(y);
            let mut x = 0;
            while let Some(x0) = next(row, x, self.x, true) {
                let x1 = next(row, x0, self.x, false).unwrap_or(self.x);
                spans.push(Span { y, x0, x1 });
                x = x1;
            }
        }
        spans
    }

    /// Number of pixels.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }
}

/// First bit from `x` on that is `set`, before `end`.
fn next(row: &[u64], mut x: usize, end: usize, set: bool) -> Option<usize> {
    while x < end {
        let word = if set { row[x / 64] } else { !row[x / 64] } >> (x % 64);
        if word != 0 {
            return Some(x + word.trailing_zeros() as usize).filter(|&x| x < end);
        }
        x = (x / 64 + 1) * 64;
    }
    None
}

/// Every bit to twice its place.
fn spread(bits: u32) -> u64 {
    let mut x = u64::from(bits);
    for (by, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        x = (x | x << by) & mask;
    }
    x
}

/// Every even bit to half its place.
fn gather(bits: u64) -> u32 {
    let mut x = bits & 0x5555_5555_5555_5555;
    for (by, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        x = (x | x >> by) & mask;
    }
    x as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// A set that looks random, and the same as an array.
    fn set(y: usize, x: usize) -> (Bits, Array2<bool>) {
        let map = Array2::from_shape_fn((y, x), |(y, x)| (y * 31 + x * 17 + y * x) % 7 < 3);
        (Bits::of(map.view(), |&here| here), map)
    }

    fn check(found: &Bits, expected: impl Fn(usize, usize) -> bool) {
        let expected = Array2::from_shape_fn((found.y, found.x), |(y, x)| expected(y, x));
        assert_eq!(*found, Bits::of(expected.view(), |&here| here));
    }

    #[test]
    fn sets_grow_shrink_and_change_size_as_arrays_do() {
        for (y, x) in [(4, 6), (8, 64), (6, 70), (10, 130), (16, 512)] {
            let (bits, map) = set(y, x);
            let at = |y: isize, x: isize| {
                let inside = y >= 0 && x >= 0;
                inside && map.get((y as usize, x as usize)).copied().unwrap_or(false)
            };
            for d in [1, 2] {
                let d_at = usize::cast_signed(d);
                let nine = |y: usize, x: usize| {
                    (0..9).map(move |k| {
                        at(
                            y.cast_signed() + (k / 3 - 1) * d_at,
                            x.cast_signed() + (k % 3 - 1) * d_at,
                        )
                    })
                };
                check(&bits.seen(d), |y, x| nine(y, x).any(|here| here));
                check(&bits.seeing_only(d), |y, x| nine(y, x).all(|here| here));
            }
            let four =
                |y: usize, x: usize| [0, 1, 2, 3].map(|k| map[(2 * y + k / 2, 2 * x + k % 2)]);
            check(&bits.halved_any(), |y, x| four(y, x).contains(&true));
            check(&bits.halved_all(), |y, x| !four(y, x).contains(&false));
            check(&bits.doubled(), |y, x| map[(y / 2, x / 2)]);
            check(&bits.cells(), |y, x| {
                (x / 8 * 8..(x / 8 * 8 + 8).min(map.dim().1)).any(|x| map[(y, x)])
            });
            let mut n = 0;
            for span in bits.spans() {
                assert!((span.x0..span.x1).all(|x| map[(span.y, x)]));
                n += span.x1 - span.x0;
            }
            assert_eq!(n, map.iter().filter(|&&here| here).count());
        }
    }
}
