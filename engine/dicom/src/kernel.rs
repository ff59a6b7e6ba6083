//! What the words of a series say about it: kernel, contrast, body part.
//!
//! These texts are free; they only order series against each other. What a kernel's name means
//! is the vendors' own: GE spells it out, Siemens numbers sharpness, Canon counts FC, Philips
//! uses letters.

use crate::Header;

/// Whether the reconstruction kernel shows soft tissue. Unknown names count as soft: head
/// protocols name the sharp one.
pub(crate) fn is_soft(header: &Header) -> bool {
    let kernel = header.kernel.to_ascii_uppercase();
    let first = kernel.split('\\').next().unwrap_or_default().trim();
    let description = header.series_description.to_ascii_uppercase();
    let spelled = ["BONE", "LUNG", "EDGE", "DETAIL", "SHARP", "ULTRA", "INNER"];
    let said = |text: &str| spelled.iter().any(|word| text.contains(word));
    let philips = ["D", "E", "L", "YA", "YB", "YC", "YD", "YE"].contains(&first);
    !(said(first) || said(&description) || philips || is_sharp_by_number(first))
}

/// Siemens (`H60s`, `Hr59`, `J70h`, `B80f`): 50 and more is sharp. Canon (`FC30`, `FC81`): the
/// thirties, fifties and eighties are.
fn is_sharp_by_number(kernel: &str) -> bool {
    let letters = kernel.bytes().take_while(u8::is_ascii_alphabetic).count();
    let digits: String = kernel[letters..].chars().take_while(char::is_ascii_digit).collect();
    let Ok(number) = digits.parse::<u32>() else { return false };
    match &kernel[..letters] {
        "FC" => matches!(number, 30..=39 | 50..=59 | 80..=89),
        "H" | "HR" | "HV" | "HC" | "J" | "B" | "BR" | "BV" | "BL" | "U" | "UB" => number >= 50,
        _ => false,
    }
}

/// Whether the header names a contrast agent.
pub(crate) fn has_contrast(header: &Header) -> bool {
    let agent = header.contrast_agent.to_ascii_uppercase();
    !["", "NONE", "NO", "N", "NO CONTRAST", "WITHOUT", "0"].contains(&agent.trim())
}

/// Whether the series' description sounds like contrast: it then ranks behind one that does not.
pub(crate) fn sounds_like_contrast(header: &Header) -> bool {
    let text = header.series_description.to_ascii_uppercase();
    let plain = ["NON", "W/O", "WITHOUT", "NATIV", "PLAIN", "UNENH"];
    let given = ["CTA", "ANGIO", "C+", "+C", "CONTRAST", "POST", "PERF", "VENO", "ARTERIAL"];
    !plain.iter().any(|word| text.contains(word))
        && given.iter().any(|word| text.contains(word))
}

/// Whether the header names the head.
pub(crate) fn names_head(header: &Header) -> bool {
    let texts = [&header.body_part, &header.series_description];
    let words =
        ["HEAD", "BRAIN", "SKULL", "CRAN", "CEREB", "KOPF", "SCHAEDEL", "SCHÄDEL", "TETE"];
    texts.iter().any(|text| {
        let text = text.to_uppercase();
        words.iter().any(|word| text.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::header;

    #[test]
    fn sharp_kernels_of_four_vendors_are_known() {
        let check = |kernel: &str, soft: bool| {
            let header = Header { kernel: kernel.to_owned(), ..header() };
            assert_eq!(is_soft(&header), soft, "{kernel}");
        };
        for soft in
            ["STANDARD", "STD+", "SOFT", "H31s", "Hr38\\3", "J40s", "FC21", "FC64", "UB"]
        {
            check(soft, true);
        }
        for sharp in ["BONEPLUS", "LUNG", "H60s", "Hr59", "B80f", "FC30", "FC81", "YC", "D"] {
            check(sharp, false);
        }
        check("", true);
        check("é7", true);
    }

    #[test]
    fn contrast_is_what_is_given_and_not_what_is_denied() {
        let check = |agent: &str, given: bool| {
            let header = Header { contrast_agent: agent.to_owned(), ..header() };
            assert_eq!(has_contrast(&header), given, "{agent}");
        };
        check("", false);
        check("NONE", false);
        check("No", false);
        check("ULTRAVIST 370", true);
        check("CE", true);
    }
}
