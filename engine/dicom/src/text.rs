//! Text as it stands in DICOM, made fit for people and terminals.
//!
//! PS3.5 section 6.1 (character sets) and 6.2 (person names). Nothing leaves with control
//! characters or marks that turn the direction of text: names end up on terminals.

use dicom_encoding::text::{SpecificCharacterSet, TextCodec};

/// Decodes the text of one data set; no set where none is named, or one that is not known.
pub(crate) struct Charset(Option<SpecificCharacterSet>);

impl Charset {
    /// `SpecificCharacterSet` (0008,0005) as it stands; of several values the first that is
    /// named counts.
    pub(crate) fn new(value: &str) -> Self {
        let named = value.split('\\').map(str::trim).find(|code| !code.is_empty());
        let beyond_ascii = named.map(without_extension).filter(|code| code != "ISO_IR 6");
        Self(beyond_ascii.and_then(|code| SpecificCharacterSet::from_code(&code)))
    }

    /// Decoded, padding and control characters removed. Bytes outside of the set read as UTF-8
    /// where they are UTF-8, else as Latin-1: many scanners name no set.
    pub(crate) fn decode(&self, bytes: &[u8]) -> String {
        let decoded = self.0.as_ref().and_then(|set| set.decode(bytes).ok());
        let text = decoded.filter(|text| !text.contains('\u{fffd}')).unwrap_or_else(|| {
            std::str::from_utf8(bytes)
                .map_or_else(|_| bytes.iter().map(|&b| char::from(b)).collect(), str::to_owned)
        });
        clean(&text)
    }
}

/// `ISO 2022 IR 100` means the same as `ISO_IR 100` as long as no escape follows.
fn without_extension(code: &str) -> String {
    match code.strip_prefix("ISO 2022 IR ") {
        Some(number) => format!("ISO_IR {number}"),
        None => code.to_owned(),
    }
}

/// Without control characters (C0, C1), marks of direction and zero width, and outer spaces.
pub(crate) fn clean(text: &str) -> String {
    let kept: String = text
        .chars()
        .map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c })
        .filter(|&c| !c.is_control() && !is_mark(c))
        .collect();
    kept.trim().to_owned()
}

/// Marks that change the order or the width of text and show nothing themselves.
fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A person's name as people read it: family, given and middle name of the first component
/// group that has any. `Doe^Jane^M^Dr` reads `Doe Jane M`.
pub(crate) fn person(name: &str) -> String {
    let readable = |group: &str| {
        let parts: Vec<&str> =
            group.split('^').take(3).map(str::trim).filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    };
    name.split('=').map(readable).find(|group| !group.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(charset: &str, bytes: &[u8], text: &str) {
        assert_eq!(Charset::new(charset).decode(bytes), text);
    }

    #[test]
    fn names_come_out_in_the_character_sets_of_europe_and_utf8() {
        check("ISO_IR 100", b"M\xfcller^J\xf6rg ", "Müller^Jörg");
        check("ISO 2022 IR 100", b"M\xfcller", "Müller");
        check("ISO_IR 192", "Müller^Jörg".as_bytes(), "Müller^Jörg");
        check("ISO_IR 144", b"\xb8\xd2\xd0\xdd", "Иван");
        check("ISO_IR 192\\ISO_IR 100", "Ångström".as_bytes(), "Ångström");
    }

    #[test]
    fn bytes_that_no_set_announced_are_guessed() {
        check("", "Müller".as_bytes(), "Müller");
        check("", b"M\xfcller", "Müller");
        check("NONSENSE", b"M\xfcller", "Müller");
    }

    #[test]
    fn no_terminal_command_survives() {
        check("", b"\x1b[2JDoe\x07^Jane\0", "[2JDoe^Jane");
        check("ISO_IR 192", "Doe\u{202e}enaJ\u{9b}31m".as_bytes(), "DoeenaJ31m");
        check("", b"line one\r\nline two", "line one  line two");
    }

    #[test]
    fn a_name_reads_family_then_given() {
        assert_eq!(person("Doe^Jane^M^Dr^PhD"), "Doe Jane M");
        assert_eq!(person("Doe^^"), "Doe");
        assert_eq!(person("=山田^太郎"), "山田 太郎");
        assert_eq!(person("^^^^"), "");
    }
}
