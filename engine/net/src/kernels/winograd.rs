//! 3x3 convolutions by Winograd's F(2x2, 3x3): 16 multiplications for four outputs, not 36.
//!
//! Lavin and Gray 2016, arXiv 1509.09308, section 4.1: `Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A` over 4x4
//! patches `d`. A convolution of dilation 2 is four interleaved plain ones: its patches take every
//! second pixel. Each output depends on its own nine inputs only, so that a part of a map gets
//! the bits of the whole. For f32 only: in bf16 the transforms would cost accuracy.

use super::aligned::{Aligned, Number};
use super::convolve::{Source, Target};
use super::lanes::{Lanes, Work};
use super::maps::{BLOCK, HALO, Maps, Span, inside, lanes_of};
use super::tile::{Shared, tile};

/// Numbers of a patch, and products of one.
const N: usize = 16;
/// Patches that are transformed together, at most.
const MOST: usize = 112;
/// Transformed numbers that stay near while the output channels go by.
const NEAR: usize = 1024 * 1024;

/// Transformed weights, `(product, output block, input channel, output channel % 16)`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transformed<T> {
    data: Aligned<T>,
    zeros: Aligned<f32>,
    n_in: usize,
    n_out: usize,
}

impl<T: Number> Transformed<T> {
    /// Transforms `weight(output channel, input channel, tap)`.
    pub(crate) fn new(
        (groups_out, groups_in): (&[usize], &[usize]),
        weight: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let (out, inputs) = (lanes_of(groups_out, BLOCK), lanes_of(groups_in, BLOCK));
        let of_product = out.len() * inputs.len();
        let mut data = Aligned::zeroed(N * of_product);
        for (o, &to) in out.iter().enumerate() {
            let Some(to) = to else { continue };
            for (i, &from) in inputs.iter().enumerate() {
                let Some(from) = from else { continue };
                let at = (o / BLOCK * inputs.len() + i) * BLOCK + o % BLOCK;
                let products = transformed(std::array::from_fn(|tap| weight(to, from, tap)));
                for (n, &product) in products.iter().enumerate() {
                    data[n * of_product + at] = T::near(product);
                }
            }
        }
        let zeros = Aligned::zeroed(out.len());
        Self { data, zeros, n_in: inputs.len() / BLOCK, n_out: out.len() / BLOCK }
    }
}

/// `G g Gᵀ`.
fn transformed(g: [f32; 9]) -> [f32; N] {
    let three = |a: f32, b: f32, c: f32| [a, (a + b + c) * 0.5, (a - b + c) * 0.5, c];
    let columns: [[f32; 4]; 3] = std::array::from_fn(|j| three(g[j], g[3 + j], g[6 + j]));
    let mut out = [0.0; N];
    for i in 0..4 {
        let row = three(columns[0][i], columns[1][i], columns[2][i]);
        out[i * 4..i * 4 + 4].copy_from_slice(&row);
    }
    out
}

/// As [`super::convolve::convolve`], for maps of blocks of sixteen channels; writes pixels beside
/// the spans too, the rest of the patches that hold them.
///
/// `room` is memory that is kept between calls.
pub(crate) fn convolve<L: Lanes>(
    (source, first): Source<'_, L::Number>,
    (weights, bias): (&Transformed<L::Number>, &Aligned<f32>),
    dilation: usize,
    rectify: bool,
    target: Target<'_, L::Number>,
    room: &mut Aligned<L::Number>,
) {
    assert!(source.dim() == target.maps.dim() && inside(target.spans, source.dim()));
    assert!((1..=HALO).contains(&dilation));
    assert!(source.block() == BLOCK && target.maps.block() == BLOCK);
    assert!(first + weights.n_in <= source.n_blocks());
    assert!(target.block + weights.n_out <= target.maps.n_blocks());
    assert!(bias.len() == weights.n_out * BLOCK && weights.zeros.len() == bias.len());
    let patches = patches(target.spans, dilation, source.dim());
    let n_near = (NEAR / (N * BLOCK * weights.n_in * size_of::<L::Number>())).clamp(56, MOST);
    let n_together = n_near / 14 * 14;
    room.resize(N * BLOCK * n_together * (weights.n_in + 2));
    let work = Convolution::<L> {
        source,
        first,
        weights,
        bias,
        dilation,
        rectify,
        patches: &patches,
        n_together,
        target,
        room,
    };
    // SAFETY: the path was chosen for this CPU; all patches begin inside the maps.
    unsafe { L::with(work) }
}

/// First pixels of the patches that hold the spans' pixels.
///
/// A patch of dilation `d` gives `(y, x)`, `(y, x + d)`, `(y + d, x)` and `(y + d, x + d)`.
fn patches(spans: &[Span], d: usize, (n_y, n_x): (usize, usize)) -> Vec<(usize, usize)> {
    let of_row = |y: usize| {
        let start = spans.partition_point(|span| span.y < y);
        spans[start..].iter().take_while(move |span| span.y == y)
    };
    let mut patches = Vec::new();
    let mut wanted = vec![false; n_x.div_ceil(2 * d)];
    for y in (0..n_y).filter(|y| (y / d).is_multiple_of(2)) {
        wanted.fill(false);
        for span in of_row(y).chain(of_row(y + d)) {
            wanted[span.x0 / (2 * d)..span.x1.div_ceil(2 * d)].fill(true);
        }
        for (group, _) in wanted.iter().enumerate().filter(|&(_, &wanted)| wanted) {
            let x = group * 2 * d;
            patches.extend((x..(x + d).min(n_x)).map(|x| (y, x)));
        }
    }
    patches
}

struct Convolution<'a, L: Lanes> {
    source: &'a Maps<L::Number>,
    first: usize,
    weights: &'a Transformed<L::Number>,
    bias: &'a Aligned<f32>,
    dilation: usize,
    rectify: bool,
    patches: &'a [(usize, usize)],
    n_together: usize,
    target: Target<'a, L::Number>,
    room: &'a mut Aligned<L::Number>,
}

impl<L: Lanes> Work<L> for Convolution<'_, L> {
    #[inline(always)]
    unsafe fn run(mut self) {
        let seen = N * BLOCK * self.n_together * self.weights.n_in;
        let room = self.room.as_mut_ptr();
        // SAFETY: `room` holds the transformed inputs, then the products of two blocks.
        let products = unsafe { room.add(seen) };
        for patches in self.patches.chunks(self.n_together) {
            // SAFETY: below `with`; `patches` are at most as many as there is room for.
            unsafe { self.see(patches, room) };
            let mut block = 0;
            while block < self.weights.n_out {
                let two = L::TWO_BLOCKS && self.weights.n_out - block >= 2;
                // SAFETY: as above.
                unsafe {
                    if two {
                        self.multiply::<2>(block, patches.len(), room, products);
                        self.give::<2>(block, patches, products);
                    } else {
                        self.multiply::<1>(block, patches.len(), room, products);
                        self.give::<1>(block, patches, products);
                    }
                }
                block += if two { 2 } else { 1 };
            }
        }
    }
}

impl<L: Lanes> Convolution<'_, L> {
    /// Writes `Bᵀ d B` of every patch, `(product, input block, patch, 16)`.
    #[inline(always)]
    unsafe fn see(&self, patches: &[(usize, usize)], seen: *mut L::Number) {
        let (d, pitch) = (self.dilation, self.source.pitch());
        let all = self.source.all();
        let of_product = self.weights.n_in * self.n_together * BLOCK;
        for block in 0..self.weights.n_in {
            for (at, &(y, x)) in patches.iter().enumerate() {
                let start = self.source.at(self.first + block, y, x) - d * (pitch + BLOCK);
                // Patches at the end of a map whose side is no multiple of theirs look past the
                // halo, at numbers that none of the kept outputs depends on.
                let last = all.len() - BLOCK;
                // SAFETY: below `with`; every address is held inside the maps, and the room for
                // what is seen was made for this many blocks and patches.
                unsafe {
                    let read = |i: usize, j: usize| {
                        let from = start + i * d * pitch + j * d * BLOCK;
                        L::read(all.as_ptr().add(from.min(last)))
                    };
                    let mut t = [[L::zero(); 4]; 4];
                    for j in 0..4 {
                        let (a, b, c, e) = (read(0, j), read(1, j), read(2, j), read(3, j));
                        t[0][j] = L::subtract(a, c);
                        t[1][j] = L::add(b, c);
                        t[2][j] = L::subtract(c, b);
                        t[3][j] = L::subtract(b, e);
                    }
                    let to = seen.add((block * self.n_together + at) * BLOCK);
                    for (i, row) in t.iter().enumerate() {
                        let to = to.add(i * 4 * of_product);
                        L::write(L::subtract(row[0], row[2]), to);
                        L::write(L::add(row[1], row[2]), to.add(of_product));
                        L::write(L::subtract(row[2], row[1]), to.add(2 * of_product));
                        L::write(L::subtract(row[1], row[3]), to.add(3 * of_product));
                    }
                }
            }
        }
    }

    /// Sums over the input channels, `(product, output block, patch, 16)`.
    #[inline(always)]
    unsafe fn multiply<const O: usize>(
        &self,
        block: usize,
        n_patches: usize,
        seen: *const L::Number,
        products: *mut L::Number,
    ) {
        let (n_in, n_together) = (self.weights.n_in, self.n_together);
        let weights_of_block = n_in * BLOCK * BLOCK;
        let of_product = weights_of_block * self.weights.n_out;
        for n in 0..N {
            // SAFETY: below `with`; room for inputs and products was made for this many, and the
            // weights hold `N` products of every block.
            unsafe {
                let shared = Shared::<L::Number, 1> {
                    taps: [0],
                    n_in,
                    source_plane: n_together * BLOCK,
                    weights_of_block,
                    target_plane: n_together * BLOCK,
                    target_step: BLOCK,
                    rectify: false,
                    bias: self.weights.zeros.as_ptr(),
                    weights: self.weights.data.as_ptr().add(n * of_product),
                };
                let source = seen.add(n * n_in * n_together * BLOCK);
                let target = products.add(n * 2 * n_together * BLOCK);
                let mut at = 0;
                while at < n_patches {
                    let (from, to) = (source.add(at * BLOCK), target.add(at * BLOCK));
                    at += many::<L, O>(&shared, block, n_patches - at, from, to);
                }
            }
        }
    }

    /// Writes `Aᵀ M A` plus the bias of every patch.
    #[inline(always)]
    unsafe fn give<const O: usize>(
        &mut self,
        block: usize,
        patches: &[(usize, usize)],
        products: *const L::Number,
    ) {
        let (n_y, n_x) = self.target.maps.dim();
        let of_product = 2 * self.n_together * BLOCK;
        let d = self.dilation;
        for o in 0..O {
            // SAFETY: below `with`; the bias has sixteen numbers for each block.
            let (bias, zero) =
                unsafe { (L::load(self.bias.as_ptr().add((block + o) * BLOCK)), L::zero()) };
            for (at, &(y, x)) in patches.iter().enumerate() {
                let to = self.target.maps.at(self.target.block + block + o, y, x);
                let pitch = self.target.maps.pitch();
                let out = self.target.maps.all_mut().as_mut_ptr();
                // SAFETY: below `with`; products were made for this many patches, and only
                // pixels inside the map are written.
                unsafe {
                    let from = products.add((o * self.n_together + at) * BLOCK);
                    let product =
                        |i: usize, j: usize| L::read(from.add((i * 4 + j) * of_product));
                    let mut s = [[L::zero(); 4]; 2];
                    for j in 0..4 {
                        let (a, b, c, e) =
                            (product(0, j), product(1, j), product(2, j), product(3, j));
                        s[0][j] = L::add(L::add(a, b), c);
                        s[1][j] = L::subtract(L::subtract(b, c), e);
                    }
                    for (i, row) in s.iter().enumerate() {
                        if y + i * d >= n_y {
                            break;
                        }
                        let left = L::add(L::add(row[0], row[1]), row[2]);
                        let right = L::subtract(L::subtract(row[1], row[2]), row[3]);
                        let finished = |sum| {
                            let sum = L::add(sum, bias);
                            if self.rectify { L::max(sum, zero) } else { sum }
                        };
                        let to = out.add(to + i * d * pitch);
                        L::write(finished(left), to);
                        if x + d < n_x {
                            L::write(finished(right), to.add(d * BLOCK));
                        }
                    }
                }
            }
        }
    }
}

/// One tile of at most `left` patches; gives how many it held.
#[inline(always)]
unsafe fn many<L: Lanes, const O: usize>(
    shared: &Shared<L::Number, 1>,
    block: usize,
    left: usize,
    source: *const L::Number,
    target: *mut L::Number,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        if L::PIXELS >= 14 && left >= 14 {
            tile::<L, O, 14, 1, BLOCK, 1>(shared, block, source, target);
            14
        } else if L::PIXELS >= 8 && left >= 8 {
            tile::<L, O, 8, 1, BLOCK, 1>(shared, block, source, target);
            8
        } else if L::PIXELS >= 6 && left >= 6 {
            tile::<L, O, 6, 1, BLOCK, 1>(shared, block, source, target);
            6
        } else if L::PIXELS >= 4 && left >= 4 {
            tile::<L, O, 4, 1, BLOCK, 1>(shared, block, source, target);
            4
        } else if left >= 2 {
            tile::<L, O, 2, 1, BLOCK, 1>(shared, block, source, target);
            2
        } else {
            tile::<L, O, 1, 1, BLOCK, 1>(shared, block, source, target);
            1
        }
    }
}
