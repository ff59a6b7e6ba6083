//! Unique identifiers (PS3.5 section 9 and annex B).

use sha2::{Digest, Sha256};

/// Explicit VR little endian.
pub(crate) const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
/// Implicit VR little endian.
pub(crate) const IMPLICIT_LITTLE: &str = "1.2.840.10008.1.2";
/// Explicit VR big endian, retired.
pub(crate) const EXPLICIT_BIG: &str = "1.2.840.10008.1.2.2";
/// The data set itself is deflated: not even its header is read.
pub(crate) const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
/// One CT slice.
pub(crate) const CT_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.2";
/// Enhanced and legacy converted CT: many frames in one object.
pub(crate) const ENHANCED_CT: [&str; 2] =
    ["1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"];
/// C-ECHO.
pub(crate) const VERIFICATION: &str = "1.2.840.10008.1.1";
/// Everything that is stored lies below.
pub(crate) const STORAGE: &str = "1.2.840.10008.5.1.4.1.1.";
/// Everything that the standard defines lies below.
pub(crate) const STANDARD: &str = "1.2.840.10008.";
/// Who wrote a file: us.
pub(crate) const IMPLEMENTATION: &str = "2.25.251119852607279507410625723793752900243";

/// Whether pixels in this transfer syntax lie as plain numbers.
pub(crate) fn is_uncompressed(transfer_syntax: &str) -> bool {
    [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG].contains(&transfer_syntax)
}

/// Whether `text` can stand as a UID and, unchanged, as a file name: 1 to 64 letters, digits,
/// dots, hyphens, underscores, one of them a letter or digit. PS3.5 knows digits and dots only;
/// scanners with the rest exist, and their studies must not be lost.
pub(crate) fn is_uid(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
        && text.bytes().any(|b| b.is_ascii_alphanumeric())
        && !text.starts_with('.')
}

/// A UID that is always the same for the same `seed`: `2.25.` and 128 bits of its SHA-256 in
/// decimal, at most 44 characters (PS3.5 annex B.2).
pub fn derive_uid(seed: &str) -> String {
    let hash = Sha256::digest(seed.as_bytes());
    let number = hash.iter().take(16).fold(0_u128, |sum, &byte| (sum << 8) | u128::from(byte));
    format!("2.25.{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_uid_is_valid_and_repeats() {
        let uid = derive_uid("clinical/7/3");
        assert!(is_uid(&uid) && uid.len() <= 44);
        assert_eq!(uid, derive_uid("clinical/7/3"));
        assert_ne!(uid, derive_uid("clinical/7/4"));
        assert_eq!(derive_uid("ichor implementation"), IMPLEMENTATION);
    }

    #[test]
    fn nothing_that_leaves_a_folder_is_a_uid() {
        for bad in ["", ".", "..", "../1.2", "1/2", "1\\2", "1\0", ".hidden", "é", "---"] {
            assert!(!is_uid(bad), "{bad:?}");
        }
        assert!(!is_uid(&"1".repeat(65)));
        assert!(is_uid("1.2.840.10008.1.1") && is_uid("1.2.A-7_0"));
    }
}
