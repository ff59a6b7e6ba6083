//! What the tests of this crate read and write: folders that vanish, real DICOM where the
//! checkout has it, a plain header, a plain volume.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use ichor_core::{Grid, PixelSpacing, UnixMs, Volume};
use ndarray::Array3;

use crate::{Header, PrivateText, SeriesTags};

/// A folder of its own, removed when it goes out of scope.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ichor-dicom-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A folder of the shared data; none, with a word, where it is absent.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no shared data {name}");
    None
}

/// The files below a folder, sorted by path.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Header of an axial CT slice at the origin.
pub(crate) fn header() -> Header {
    let folder = Folder::new();
    let files =
        crate::write_ct_series(&volume(1, 4, 6), &tags("plain"), folder.path()).unwrap();
    crate::read_header(&files[0]).unwrap()
}

/// A volume whose voxels all differ from their neighbours.
pub(crate) fn volume(n_slices: usize, rows: usize, columns: usize) -> Volume {
    let hu = Array3::from_shape_fn((n_slices, rows, columns), |(z, y, x)| {
        i16::try_from((z * 131 + y * 17 + x * 3) % 4096).unwrap() - 1024
    });
    let grid = Grid::axial(n_slices, 5.0, PixelSpacing { y: 0.45, x: 0.4 }).unwrap();
    Volume::new(hu, grid).unwrap()
}

/// Tags of a phantom's series.
pub(crate) fn tags(seed: &str) -> SeriesTags {
    SeriesTags {
        study_seed: format!("study {seed}"),
        series_seed: "series".to_owned(),
        patient_name: "PHANTOM^Jörg".to_owned(),
        patient_id: format!("PHANTOM-test-1-{seed}"),
        birth_date: "19500206".to_owned(),
        sex: "F".to_owned(),
        age: String::new(),
        scan: UnixMs(1_423_214_924_000),
        accession: "A1".to_owned(),
        study_id: "1".to_owned(),
        study_description: "HEAD".to_owned(),
        series_description: "HEAD 5.0".to_owned(),
        series_number: 2,
        manufacturer: "PHANTOM".to_owned(),
        model: "test".to_owned(),
        body_part: "HEAD".to_owned(),
        kernel: "H31s".to_owned(),
        kvp: 120.0,
        comments: "PHANTOM".to_owned(),
        contrast_agent: String::new(),
        private: Some(PrivateText {
            creator: "HE_PHANTOM".to_owned(),
            text: "{\"volume_ml\":21.5}".to_owned(),
        }),
    }
}

/// Numbers that look random and are always the same (xorshift, Marsaglia 2003).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}
