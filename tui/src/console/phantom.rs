//! A small synthetic head as pictures, for tests: skull, brain, one bleed on one side.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use ichor_core::Pictures;
use png::{BitDepth, ColorType, Encoder};

/// The slice with most hematoma.
pub(crate) const BLEED: usize = 3;
/// Rows, columns, and the distance between rows and between columns.
const SIZE: (usize, usize) = (128, 96);
const PIXEL_MM: [f64; 2] = [1.5, 2.0];

/// Writes the pictures into a fresh folder of their own.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ichor-{name}-{}", std::process::id()));
    write(&folder);
    folder
}

/// Writes the pictures into `folder`.
pub(crate) fn write(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let radii = [0.0, 0.0, 6.0, 11.0, 7.0, 0.0];
    let mut areas = vec![];
    for (z, radius) in radii.into_iter().enumerate() {
        let (hu, mask) = slice(radius);
        let grey: Vec<u8> = hu
            .iter()
            .flat_map(|hu| ((i32::from(*hu) + Pictures::HU_OFFSET) as u16).to_be_bytes())
            .collect();
        save(&folder.join(Pictures::slice_file(z)), BitDepth::Sixteen, &grey);
        let n_set = mask.iter().filter(|set| **set).count();
        areas.push(n_set as f64 * PIXEL_MM[0] * PIXEL_MM[1]);
        if n_set > 0 {
            let bits: Vec<u8> = mask
                .chunks(8)
                .map(|eight| eight.iter().fold(0, |byte, set| byte << 1 | u8::from(*set)))
                .collect();
            save(&folder.join(Pictures::mask_file(z)), BitDepth::One, &bits);
        }
    }
    let index = Pictures {
        rows: SIZE.0,
        columns: SIZE.1,
        pixel_mm: PIXEL_MM,
        positions_mm: (0..radii.len()).map(|z| 5.0 * z as f64).collect(),
        hematoma_mm2: areas,
        left_on_right: true,
    };
    let text = serde_json::to_string(&index).unwrap();
    fs::write(folder.join(Pictures::INDEX), text).unwrap();
}

fn slice(radius: f64) -> (Vec<i16>, Vec<bool>) {
    let mut hu = vec![];
    let mut mask = vec![];
    for y in 0..SIZE.0 {
        for x in 0..SIZE.1 {
            let (dy, dx) = (y as f64 - 63.5, x as f64 - 47.5);
            let head = ((dy / 58.0).powi(2) + (dx / 36.0).powi(2)).sqrt();
            let ventricle = (dy / 16.0).powi(2) + ((dx.abs() - 5.0) / 3.0).powi(2) < 1.0;
            let bleed = (y as f64 - 50.0).hypot((x as f64 - 65.0) * 1.3) < radius;
            hu.push(match head {
                h if h > 1.0 => -1000,
                h if h > 0.92 => 1000,
                _ if bleed => 68,
                _ if ventricle => 6,
                _ => 34,
            });
            mask.push(bleed && head < 0.92);
        }
    }
    (hu, mask)
}

fn save(path: &Path, depth: BitDepth, bytes: &[u8]) {
    let mut encoder = Encoder::new(File::create(path).unwrap(), SIZE.1 as u32, SIZE.0 as u32);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(depth);
    encoder.write_header().unwrap().write_image_data(bytes).unwrap();
}
