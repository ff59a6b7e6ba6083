//! Sixteen numbers at a time: what a kernel asks of an instruction set.

use super::aligned::Number;
use super::tiles::Unit;

/// An instruction set that the kernels are compiled for.
///
/// # Safety
/// `with` must run its work with every instruction enabled that the other functions use. Those
/// may be called only below `with`, and `with` only on a CPU that has the instructions.
pub(crate) unsafe trait Lanes: Copy + Send + Sync + 'static {
    /// What maps and weights are stored as.
    type Number: Number;
    /// Sixteen f32.
    type Vector: Copy;
    /// What sixteen output channels weigh `STEP` input channels with.
    type Weights: Copy;
    /// `STEP` input channels of one pixel, for every output channel.
    type Pixel: Copy;

    /// The matrix unit that computes convolutions of wide maps.
    type Unit: Unit;

    /// Input channels that one multiply-add takes in.
    const STEP: usize;
    /// Channels that lie together in the maps: 16, or 32 for a matrix unit.
    const MAPS: usize;
    /// Pixels that a tile holds at most: what fits the registers.
    const PIXELS: usize;
    /// Whether a tile holds two blocks of output channels.
    const TWO_BLOCKS: bool;
    /// Whether Winograd's products may take the place of a convolution's.
    const WINOGRAD: bool;
    /// Input channels whose weight gradients are summed in registers at once.
    const SUMS: usize;

    /// Runs `work` compiled for these instructions.
    ///
    /// # Safety
    /// The CPU must have them.
    unsafe fn with<W: Work<Self>>(work: W);

    /// Sixteen zeros.
    unsafe fn zero() -> Self::Vector;
    /// Sixteen f32.
    unsafe fn load(from: *const f32) -> Self::Vector;
    /// Sixteen f32.
    unsafe fn save(vector: Self::Vector, to: *mut f32);
    /// Sixteen stored numbers.
    unsafe fn read(from: *const Self::Number) -> Self::Vector;
    /// Sixteen numbers to be stored, each rounded to the nearest.
    unsafe fn write(vector: Self::Vector, to: *mut Self::Number);
    /// Sixteen times `STEP` weights.
    unsafe fn weights(from: *const Self::Number) -> Self::Weights;
    /// `STEP` channels of a pixel.
    unsafe fn pixel(from: *const Self::Number) -> Self::Pixel;
    /// `sum + weights · pixel`.
    unsafe fn sum(sum: Self::Vector, w: Self::Weights, p: Self::Pixel) -> Self::Vector;
    /// `a b + c`, rounded once where the CPU can.
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// `a + b`.
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a - b`.
    unsafe fn subtract(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The larger of each.
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector;
}

/// Something to compute on the instruction set `L`.
pub(crate) trait Work<L: Lanes> {
    /// Computes it; must be `#[inline(always)]`, or it is not compiled for `L`.
    ///
    /// # Safety
    /// Called from `L::with` only.
    unsafe fn run(self);
}
