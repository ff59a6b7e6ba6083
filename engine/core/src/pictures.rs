//! The pictures of a scored study, as the engine writes them and the console reads them.
//!
//! They lie in [`crate::Layout::artefacts`]: `slice-000.png` (16-bit grey, HU + 1024, so that
//! every window preset works), `mask-000.png` (1-bit grey, set where hematoma; only for slices
//! that hold some), and [`Pictures`] as `pictures.json`. Slices count from the lowest.

use serde::{Deserialize, Serialize};

/// What the console must know about the pictures of one study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pictures {
    /// Rows of every picture.
    pub rows: usize,
    /// Columns of every picture.
    pub columns: usize,
    /// Distance between pixel centres, `[y, x]`.
    pub pixel_mm: [f64; 2],
    /// Positions of the slices along their normal, rising; one a slice.
    pub positions_mm: Vec<f64>,
    /// Area of the hematoma on each slice.
    pub hematoma_mm2: Vec<f64>,
    /// True where +x of the pictures points to the patient's left (the radiological view).
    pub left_on_right: bool,
}

impl Pictures {
    /// Name of the file that holds this.
    pub const INDEX: &'static str = "pictures.json";
    /// Added to HU before they are stored as unsigned numbers.
    pub const HU_OFFSET: i32 = 1024;

    /// File name of slice `z`.
    pub fn slice_file(z: usize) -> String {
        format!("slice-{z:03}.png")
    }

    /// File name of the mask of slice `z`.
    pub fn mask_file(z: usize) -> String {
        format!("mask-{z:03}.png")
    }

    /// The slice with most hematoma; the middle one where there is none.
    pub fn best_slice(&self) -> usize {
        let largest = self.hematoma_mm2.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        match largest {
            Some((z, &area)) if area > 0.0 => z,
            _ => self.positions_mm.len() / 2,
        }
    }
}
