//! The instruction sets of x86-64: AVX2 with FMA, AVX-512, AVX-512 with bf16.

#![expect(clippy::cast_ptr_alignment, reason = "every load and store takes any alignment")]

use std::arch::x86_64::{
    __m256, __m256bh, __m256i, __m512, __m512bh, __m512i, _mm256_add_ps, _mm256_fmadd_ps,
    _mm256_loadu_ps, _mm256_loadu_si256, _mm256_max_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_storeu_ps, _mm256_storeu_si256, _mm256_sub_ps, _mm512_add_ps, _mm512_castsi512_ps,
    _mm512_cvtepu16_epi32, _mm512_cvtneps_pbh, _mm512_dpbf16_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_max_ps, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_slli_epi32, _mm512_storeu_ps, _mm512_sub_ps,
};
use std::mem::transmute;

use half::bf16;

use super::lanes::{Lanes, Work};
use super::maps::BLOCK;
use super::tiles::NoUnit;

/// AVX2 with FMA, f32: a vector is two registers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2;

/// AVX-512, f32.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512;

/// AVX-512 with `vdpbf16ps`: maps and weights in bf16, sums in f32.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512Bf16;

// SAFETY: `with` enables AVX2 and FMA, and nothing below needs more.
unsafe impl Lanes for Avx2 {
    type Number = f32;
    type Vector = [__m256; 2];
    type Weights = [__m256; 2];
    type Pixel = __m256;
    type Unit = NoUnit;

    const STEP: usize = 1;
    const MAPS: usize = BLOCK;
    const PIXELS: usize = 6;
    const TWO_BLOCKS: bool = false;
    const WINOGRAD: bool = true;
    const SUMS: usize = 4;

    #[inline]
    unsafe fn with<W: Work<Self>>(work: W) {
        #[target_feature(enable = "avx2,fma")]
        unsafe fn go<W: Work<Avx2>>(work: W) {
            // SAFETY: called from `with`, with the instructions enabled.
            unsafe { work.run() }
        }
        // SAFETY: the caller says that the CPU has them.
        unsafe { go(work) }
    }

    #[inline(always)]
    unsafe fn zero() -> Self::Vector {
        // SAFETY: below `with`.
        unsafe { [_mm256_setzero_ps(); 2] }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::Vector {
        // SAFETY: below `with`; the caller has sixteen f32 there.
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }

    #[inline(always)]
    unsafe fn save(vector: Self::Vector, to: *mut f32) {
        // SAFETY: below `with`; the caller has room for sixteen f32 there.
        unsafe {
            _mm256_storeu_ps(to, vector[0]);
            _mm256_storeu_ps(to.add(8), vector[1]);
        }
    }

    #[inline(always)]
    unsafe fn read(from: *const f32) -> Self::Vector {
        // SAFETY: the caller has sixteen f32 there.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn write(vector: Self::Vector, to: *mut f32) {
        // SAFETY: the caller has room for sixteen f32 there.
        unsafe { Self::save(vector, to) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const f32) -> Self::Weights {
        // SAFETY: the caller has sixteen f32 there.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn pixel(from: *const f32) -> __m256 {
        // SAFETY: below `with`; the caller has an f32 there.
        unsafe { _mm256_set1_ps(from.read()) }
    }

    #[inline(always)]
    unsafe fn sum(sum: Self::Vector, w: Self::Weights, p: __m256) -> Self::Vector {
        // SAFETY: below `with`.
        unsafe { [_mm256_fmadd_ps(w[0], p, sum[0]), _mm256_fmadd_ps(w[1], p, sum[1])] }
    }

    #[inline(always)]
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        // SAFETY: below `with`.
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: below `with`.
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn subtract(a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: below `with`.
        unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: below `with`.
        unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
    }
}

/// What all AVX-512 paths do alike.
macro_rules! avx512_vectors {
    () => {
        type Vector = __m512;

        const PIXELS: usize = 14;
        const TWO_BLOCKS: bool = true;
        const SUMS: usize = 16;

        #[inline(always)]
        unsafe fn zero() -> __m512 {
            // SAFETY: below `with`.
            unsafe { _mm512_setzero_ps() }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> __m512 {
            // SAFETY: below `with`; the caller has sixteen f32 there.
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn save(vector: __m512, to: *mut f32) {
            // SAFETY: below `with`; the caller has room for sixteen f32 there.
            unsafe { _mm512_storeu_ps(to, vector) }
        }

        #[inline(always)]
        unsafe fn multiply_add(a: __m512, b: __m512, c: __m512) -> __m512 {
            // SAFETY: below `with`.
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }

        #[inline(always)]
        unsafe fn add(a: __m512, b: __m512) -> __m512 {
            // SAFETY: below `with`.
            unsafe { _mm512_add_ps(a, b) }
        }

        #[inline(always)]
        unsafe fn subtract(a: __m512, b: __m512) -> __m512 {
            // SAFETY: below `with`.
            unsafe { _mm512_sub_ps(a, b) }
        }

        #[inline(always)]
        unsafe fn max(a: __m512, b: __m512) -> __m512 {
            // SAFETY: below `with`.
            unsafe { _mm512_max_ps(a, b) }
        }
    };
}
pub(crate) use avx512_vectors;

// SAFETY: `with` enables AVX-512 F, and nothing below needs more.
unsafe impl Lanes for Avx512 {
    type Number = f32;
    type Weights = __m512;
    type Pixel = __m512;
    type Unit = NoUnit;

    const STEP: usize = 1;
    const MAPS: usize = BLOCK;
    const WINOGRAD: bool = true;

    #[inline]
    unsafe fn with<W: Work<Self>>(work: W) {
        #[target_feature(enable = "avx512f")]
        unsafe fn go<W: Work<Avx512>>(work: W) {
            // SAFETY: called from `with`, with the instructions enabled.
            unsafe { work.run() }
        }
        // SAFETY: the caller says that the CPU has them.
        unsafe { go(work) }
    }

    avx512_vectors!();

    #[inline(always)]
    unsafe fn read(from: *const f32) -> __m512 {
        // SAFETY: the caller has sixteen f32 there.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn write(vector: __m512, to: *mut f32) {
        // SAFETY: the caller has room for sixteen f32 there.
        unsafe { Self::save(vector, to) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const f32) -> __m512 {
        // SAFETY: the caller has sixteen f32 there.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn pixel(from: *const f32) -> __m512 {
        // SAFETY: below `with`; the caller has an f32 there.
        unsafe { _mm512_set1_ps(from.read()) }
    }

    #[inline(always)]
    unsafe fn sum(sum: __m512, w: __m512, p: __m512) -> __m512 {
        // SAFETY: below `with`.
        unsafe { _mm512_fmadd_ps(w, p, sum) }
    }
}

// SAFETY: `with` enables AVX-512 F, BW, VL and bf16, and nothing below needs more.
unsafe impl Lanes for Avx512Bf16 {
    type Number = bf16;
    type Weights = __m512bh;
    type Pixel = __m512bh;
    type Unit = NoUnit;

    const STEP: usize = 2;
    const MAPS: usize = BLOCK;
    const WINOGRAD: bool = false;

    #[inline]
    unsafe fn with<W: Work<Self>>(work: W) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        unsafe fn go<W: Work<Avx512Bf16>>(work: W) {
            // SAFETY: called from `with`, with the instructions enabled.
            unsafe { work.run() }
        }
        // SAFETY: the caller says that the CPU has them.
        unsafe { go(work) }
    }

    avx512_vectors!();

    #[inline(always)]
    unsafe fn read(from: *const bf16) -> __m512 {
        // SAFETY: below `with`; the caller has sixteen bf16 there. A bf16 is
        // the upper half of the f32 of the same value.
        unsafe {
            let halves = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast::<__m256i>()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(halves))
        }
    }

    #[inline(always)]
    unsafe fn write(vector: __m512, to: *mut bf16) {
        // SAFETY: below `with`; the caller has room for sixteen bf16 there, which is what 32
        // bytes of `__m256bh` are.
        unsafe {
            let rounded = transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(vector));
            _mm256_storeu_si256(to.cast::<__m256i>(), rounded);
        }
    }

    #[inline(always)]
    unsafe fn weights(from: *const bf16) -> __m512bh {
        // SAFETY: below `with`; the caller has 32 bf16 there, which is what `__m512bh` holds.
        unsafe { transmute::<__m512i, __m512bh>(_mm512_loadu_si512(from.cast::<__m512i>())) }
    }

    #[inline(always)]
    unsafe fn pixel(from: *const bf16) -> __m512bh {
        // SAFETY: below `with`; the caller has two bf16 there.
        unsafe {
            transmute::<__m512i, __m512bh>(_mm512_set1_epi32(
                from.cast::<i32>().read_unaligned(),
            ))
        }
    }

    #[inline(always)]
    unsafe fn sum(sum: __m512, w: __m512bh, p: __m512bh) -> __m512 {
        // SAFETY: below `with`.
        unsafe { _mm512_dpbf16_ps(sum, w, p) }
    }
}
