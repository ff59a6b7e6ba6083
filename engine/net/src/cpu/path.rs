//! Which instructions compute the networks: chosen at run time, or forced by name.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use crate::NetError;

/// A way through the CPU, from the fastest to the one that every CPU has.
///
/// The same study, build and path give the same bits, whatever the number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Path {
    /// bf16 on the matrix units of recent Xeons, sums in f32.
    AmxBf16,
    /// bf16 by `vdpbf16ps`, sums in f32.
    Avx512Bf16,
    /// f32, sixteen at a time.
    Avx512,
    /// f32, eight at a time, with FMA.
    Avx2,
    /// f32 in plain Rust.
    Portable,
    /// f32 by candle's own operations: slow, and independent of our kernels.
    Candle,
}

impl Path {
    /// Every path, the fastest first.
    pub const ALL: [Self; 6] = [
        Self::AmxBf16,
        Self::Avx512Bf16,
        Self::Avx512,
        Self::Avx2,
        Self::Portable,
        Self::Candle,
    ];

    /// The fastest that this CPU has.
    pub fn fastest() -> Self {
        Self::ALL.into_iter().find(|path| path.is_available()).unwrap_or(Self::Portable)
    }

    /// The fastest in f32 that this CPU has: what training uses.
    pub fn fastest_f32() -> Self {
        let f32 = Self::ALL.into_iter().filter(|path| !path.is_bf16());
        f32.into_iter().find(|path| path.is_available()).unwrap_or(Self::Portable)
    }

    /// The f32 path of our own kernels that stands for it.
    pub(crate) fn without_bf16(self) -> Self {
        match self {
            Self::AmxBf16 | Self::Avx512Bf16 | Self::Avx512 => Self::Avx512,
            Self::Avx2 => Self::Avx2,
            Self::Portable | Self::Candle => Self::Portable,
        }
    }

    /// Whether maps and weights are rounded to bf16.
    pub fn is_bf16(self) -> bool {
        matches!(self, Self::AmxBf16 | Self::Avx512Bf16)
    }

    /// Its name, such as `avx512-bf16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AmxBf16 => "amx-bf16",
            Self::Avx512Bf16 => "avx512-bf16",
            Self::Avx512 => "avx512-f32",
            Self::Avx2 => "avx2-f32",
            Self::Portable => "portable-f32",
            Self::Candle => "candle-f32",
        }
    }

    /// Whether this CPU and its operating system can run it.
    #[cfg(target_arch = "x86_64")]
    pub fn is_available(self) -> bool {
        let avx512 = || is_x86_feature_detected!("avx512f");
        let bf16 = || {
            avx512()
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512bf16")
        };
        match self {
            Self::AmxBf16 => bf16() && crate::kernels::amx::is_available(),
            Self::Avx512Bf16 => bf16(),
            Self::Avx512 => avx512(),
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Self::Portable | Self::Candle => true,
        }
    }

    /// Whether this CPU and its operating system can run it.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn is_available(self) -> bool {
        matches!(self, Self::Portable | Self::Candle)
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Path {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Self, NetError> {
        let path = Self::ALL.into_iter().find(|path| path.name() == text);
        path.ok_or_else(|| NetError::UnknownPath { name: text.to_owned() })
    }
}

/// Runs `$body` with `$lanes` standing for the kernels' lanes of `$path`; in f32 where a path
/// computes in bf16.
macro_rules! in_f32 {
    ($path:expr, $lanes:ident => $body:expr) => {
        match $path {
            #[cfg(target_arch = "x86_64")]
            $crate::Path::AmxBf16 | $crate::Path::Avx512Bf16 | $crate::Path::Avx512 => {
                type $lanes = $crate::kernels::x86::Avx512;
                $body
            }
            #[cfg(target_arch = "x86_64")]
            $crate::Path::Avx2 => {
                type $lanes = $crate::kernels::x86::Avx2;
                $body
            }
            _ => {
                type $lanes = $crate::kernels::portable::Portable;
                $body
            }
        }
    };
}
pub(crate) use in_f32;

/// Runs `$body` with `$lanes` standing for the kernels' lanes of `$path`.
macro_rules! on_lanes {
    ($path:expr, $lanes:ident => $body:expr) => {
        match $path {
            #[cfg(target_arch = "x86_64")]
            $crate::Path::AmxBf16 => {
                type $lanes = $crate::kernels::amx::Tiled<$crate::kernels::amx::Amx>;
                $body
            }
            #[cfg(target_arch = "x86_64")]
            $crate::Path::Avx512Bf16 => {
                type $lanes = $crate::kernels::x86::Avx512Bf16;
                $body
            }
            other => $crate::cpu::path::in_f32!(other, $lanes => $body),
        }
    };
}
pub(crate) use on_lanes;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_by_its_name() {
        for path in Path::ALL {
            assert_eq!(path.name().parse::<Path>().unwrap(), path);
        }
        assert_eq!(
            "sse9".parse::<Path>().unwrap_err().to_string(),
            "no path \"sse9\": amx-bf16, avx512-bf16, avx512-f32, avx2-f32, portable-f32 or candle-f32"
        );
    }

    #[test]
    fn every_cpu_has_a_path() {
        assert!(Path::fastest().is_available());
        assert!(!Path::fastest_f32().is_bf16());
    }
}
