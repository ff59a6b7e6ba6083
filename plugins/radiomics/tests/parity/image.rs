//! As much of NIfTI-1 and NRRD as the test images need: one file, three axes, gzip.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

/// Voxels with `x` fastest.
pub(crate) struct Image {
    pub(crate) shape: [usize; 3],
    pub(crate) spacing_mm: [f64; 3],
    pub(crate) voxels: Vec<i16>,
}

/// Reads `path`, whose ending says what it is.
pub(crate) fn read(path: &Path) -> Image {
    let bytes = fs::read(path).unwrap();
    if path.extension().unwrap() == "nrrd" { nrrd(&bytes) } else { nifti(&unpacked(&bytes)) }
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

fn nifti(bytes: &[u8]) -> Image {
    let short = |at: usize| i16::from_le_bytes(bytes[at..at + 2].try_into().unwrap());
    let float = |at: usize| f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!((short(40), float(108)), (3, 352.0), "three axes, and voxels at byte 352");
    Image {
        shape: [46, 44, 42].map(|at| short(at) as usize),
        spacing_mm: [88, 84, 80].map(|at| f64::from(float(at))),
        voxels: voxels(&bytes[352..], short(72)),
    }
}

fn nrrd(bytes: &[u8]) -> Image {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
    let header = std::str::from_utf8(&bytes[..end]).unwrap();
    let field = |name: &str| {
        header.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap()
    };
    assert_eq!((field("encoding"), field("endian")), ("gzip", "little"));
    let mut shape: Vec<usize> =
        field("sizes").split(' ').map(|size| size.parse().unwrap()).collect();
    shape.reverse();
    let mut spacing_mm: Vec<f64> = field("space directions").split(' ').map(length).collect();
    spacing_mm.reverse();
    let bits = if field("type") == "int" { 32 } else { 16 };
    Image {
        shape: shape.try_into().unwrap(),
        spacing_mm: spacing_mm.try_into().unwrap(),
        voxels: voxels(&unpacked(&bytes[end + 2..]), bits),
    }
}

/// The length of `(x,y,z)`.
fn length(vector: &str) -> f64 {
    let parts = vector.trim_matches(['(', ')']).split(',');
    parts.map(|part| part.parse::<f64>().unwrap().powi(2)).sum::<f64>().sqrt()
}

fn voxels(bytes: &[u8], bits: i16) -> Vec<i16> {
    match bits {
        8 => bytes.iter().map(|&voxel| i16::from(voxel)).collect(),
        16 => bytes.as_chunks().0.iter().map(|&voxel| i16::from_le_bytes(voxel)).collect(),
        32 => {
            bytes.as_chunks().0.iter().map(|&voxel| i32::from_le_bytes(voxel) as i16).collect()
        }
        _ => panic!("voxels of {bits} bits"),
    }
}
