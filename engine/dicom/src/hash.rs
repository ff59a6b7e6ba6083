//! Hashes that tie a verdict to its image bytes.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::DicomError;

/// SHA-256 of a file, hex.
pub fn sha256(path: &Path) -> Result<String, DicomError> {
    sha256_of(std::slice::from_ref(&path.to_owned()))
}

/// SHA-256 over the bytes of `files` one after the other, hex: the identity of a scored series
/// when the files come in slice order.
pub fn sha256_of(files: &[PathBuf]) -> Result<String, DicomError> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    for path in files {
        let mut file = File::open(path).map_err(DicomError::file("open", path))?;
        loop {
            let n = file.read(&mut buffer).map_err(DicomError::file("read", path))?;
            if n == 0 {
                break;
            }
            hash.update(&buffer[..n]);
        }
    }
    Ok(hex(&hash.finalize()))
}

/// Bytes as lower case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
