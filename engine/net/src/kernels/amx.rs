//! The matrix units of recent Xeons (AMX): tiles of 16 rows of 64 bytes, bf16 in, f32 sums.
//!
//! Intel SDM volume 1, chapter 18; `TDPBF16PS`. The tiles are registers that the compiler does not
//! use, so they keep their values between the blocks of assembly below. Everything but the
//! products goes the way of [`Avx512Bf16`], which every CPU with AMX has.

use std::arch::asm;
use std::arch::x86_64::{
    __cpuid_count, __m512, __m512bh, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_max_ps, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_sub_ps,
};
use std::marker::PhantomData;
use std::sync::OnceLock;

use half::bf16;

use super::lanes::{Lanes, Work};
use super::tiles::{Sums, Unit, WIDE};
use super::x86::{Avx512Bf16, avx512_vectors};

/// AVX-512 with bf16 for vectors and `U` for products.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tiled<U>(PhantomData<U>);

/// The unit itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amx;

/// Palette 1, eight tiles of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration([u8; 64]);

static CONFIGURATION: Configuration = {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        bytes[16 + 2 * tile] = 64;
        bytes[48 + tile] = 16;
        tile += 1;
    }
    Configuration(bytes)
};

/// Whether the CPU has AMX with bf16 and the kernel lets this process use it.
pub(crate) fn is_available() -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    *ALLOWED.get_or_init(|| {
        let features = __cpuid_count(7, 0).edx;
        let (with_bf16, tiles) = (features & 1 << 22 != 0, features & 1 << 24 != 0);
        with_bf16 && tiles && asked_for()
    })
}

/// Asks Linux for the 8 KiB of tile registers: `arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA)`,
/// which holds for every thread that this process starts.
#[cfg(target_os = "linux")]
fn asked_for() -> bool {
    let mut result: i64 = 158;
    // SAFETY: system call 158 with these arguments changes no memory of ours; it answers in rax
    // and may overwrite rcx and r11.
    unsafe {
        asm!("syscall", inlateout("rax") result, in("rdi") 0x1023_u64, in("rsi") 18_u64,
            out("rcx") _, out("r11") _, options(nostack));
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn asked_for() -> bool {
    false
}

// SAFETY: the registers are the unit's, which a thread has between `configure` and `release`.
unsafe impl Unit for Amx {
    #[inline(always)]
    unsafe fn configure() {
        // SAFETY: below `with`; 64 bytes that describe eight tiles.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack)) }
    }

    #[inline(always)]
    unsafe fn release() {
        // SAFETY: below `with`.
        unsafe { asm!("tilerelease", options(nostack, nomem)) }
    }

    #[inline(always)]
    unsafe fn zero(_: &mut Sums) {
        // SAFETY: configured.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                options(nostack, nomem)
            );
        }
    }

    #[inline(always)]
    unsafe fn multiply<const TWO: bool>(
        _: &mut Sums,
        pixels: *const bf16,
        weights: [*const bf16; 2],
    ) {
        // SAFETY: configured; 16 or 32 pixels and twice 16 rows of weights of 64 bytes each lie
        // there, which is the caller's promise.
        unsafe {
            if TWO {
                asm!(
                    "tileloadd tmm6, [{v} + {st}]", "tileloadd tmm4, [{p} + {st}]",
                    "tileloadd tmm7, [{w} + {st}]", "tileloadd tmm5, [{p} + {st} + 1024]",
                    "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6", "tdpbf16ps tmm3, tmm5, tmm7",
                    p = in(reg) pixels, v = in(reg) weights[0], w = in(reg) weights[1],
                    st = in(reg) 64_usize, options(nostack, readonly));
            } else {
                asm!(
                    "tileloadd tmm6, [{v} + {st}]", "tileloadd tmm4, [{p} + {st}]",
                    "tileloadd tmm7, [{w} + {st}]",
                    "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7",
                    p = in(reg) pixels, v = in(reg) weights[0], w = in(reg) weights[1],
                    st = in(reg) 64_usize, options(nostack, readonly));
            }
        }
    }

    #[inline(always)]
    unsafe fn finish(sums: &mut Sums) {
        // SAFETY: configured; `sums` has room for four tiles of 1024 bytes.
        unsafe {
            asm!(
                "tilestored [{s} + {st}], tmm0", "tilestored [{s} + {st} + 1024], tmm1",
                "tilestored [{s} + {st} + 2048], tmm2", "tilestored [{s} + {st} + 3072], tmm3",
                s = in(reg) sums.0.as_mut_ptr(), st = in(reg) 64_usize, options(nostack));
        }
    }
}

// SAFETY: `with` is that of `Avx512Bf16`, whose vectors these are.
unsafe impl<U: Unit + Copy + Send + Sync + 'static> Lanes for Tiled<U> {
    type Number = bf16;
    type Weights = __m512bh;
    type Pixel = __m512bh;
    type Unit = U;

    const STEP: usize = 2;
    const MAPS: usize = WIDE;
    const WINOGRAD: bool = false;

    #[inline]
    unsafe fn with<W: Work<Self>>(work: W) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        unsafe fn go<L: Lanes, W: Work<L>>(work: W) {
            // SAFETY: called from `with`, with the instructions enabled.
            unsafe { work.run() }
        }
        // SAFETY: the caller says that the CPU has them.
        unsafe { go::<Self, W>(work) }
    }

    avx512_vectors!();

    #[inline(always)]
    unsafe fn read(from: *const bf16) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { Avx512Bf16::read(from) }
    }

    #[inline(always)]
    unsafe fn write(vector: __m512, to: *mut bf16) {
        // SAFETY: the caller's promise.
        unsafe { Avx512Bf16::write(vector, to) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const bf16) -> __m512bh {
        // SAFETY: the caller's promise.
        unsafe { Avx512Bf16::weights(from) }
    }

    #[inline(always)]
    unsafe fn pixel(from: *const bf16) -> __m512bh {
        // SAFETY: the caller's promise.
        unsafe { Avx512Bf16::pixel(from) }
    }

    #[inline(always)]
    unsafe fn sum(sum: __m512, w: __m512bh, p: __m512bh) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { Avx512Bf16::sum(sum, w, p) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ndarray::Array2;

    use super::super::tiles::Emulated;
    use super::*;
    use crate::Path;
    use crate::cpu::unet::Cpu;
    use crate::forward::Slice;
    use crate::plan::Plan;
    use crate::shape::Shape;

    /// The network of `width` on lanes `L`, with weights that look random.
    fn network<L: Lanes>(width: usize) -> Cpu<L> {
        let shape = Shape::new(width, 2).unwrap();
        let mut seed = 1_u32;
        let mut number = |scale: f32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((seed >> 8) as f32 / (1 << 24) as f32 - 0.5) * scale
        };
        let tensors: BTreeMap<String, Vec<f32>> = shape
            .tensors()
            .into_iter()
            .map(|(name, dims)| {
                let seen: usize = dims[1..].iter().product();
                let scale = 3.0 / (seen.max(1) as f32).sqrt();
                let values = (0..dims.iter().product()).map(|_| number(scale)).collect();
                (name, values)
            })
            .collect();
        let of = |name: &str| tensors.get(name).map_or(&[][..], Vec::as_slice);
        Cpu::new(Path::AmxBf16, Plan::unet(shape), &of)
    }

    fn slice(wanted: bool) -> Slice {
        let value = |y: usize, x: usize| {
            let inside = y.abs_diff(40).pow(2) + x.abs_diff(50).pow(2) < 400;
            if inside { ((y * 7 + x * 3) % 11) as f32 / 11.0 } else { 0.0 }
        };
        let windowed = Array2::from_shape_fn((96, 112), |(y, x)| value(y, x));
        let wanted = wanted.then(|| windowed.mapv(|v| v > 0.0));
        Slice { windowed, wanted }
    }

    fn check(width: usize) {
        let probability = |cpu: &Cpu<Tiled<Emulated>>, slice: &Slice| {
            cpu.probability(&mut cpu.work(slice.windowed.dim()), slice).unwrap()
        };
        let vectors = network::<Avx512Bf16>(width);
        let whole = slice(false);
        let expected =
            vectors.probability(&mut vectors.work(whole.windowed.dim()), &whole).unwrap();
        let tiled = network::<Tiled<Emulated>>(width);
        let found = probability(&tiled, &whole);
        let spread = expected.iter().fold(0.0_f32, |most, p| most.max((p - 0.5).abs()));
        assert!(spread > 0.05, "{spread}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 4e-3, "{found}, not {expected}");
        }
        let part = probability(&tiled, &slice(true));
        for ((part, whole), &value) in part.iter().zip(&found).zip(&whole.windowed) {
            assert!(value == 0.0 || part.to_bits() == whole.to_bits(), "{part}, not {whole}");
        }
    }

    #[test]
    fn tiles_give_what_vectors_give_and_parts_the_bits_of_the_whole() {
        if !Path::Avx512Bf16.is_available() {
            println!("skipped: this CPU has no avx512-bf16");
            return;
        }
        check(32);
        check(20);
    }
}
