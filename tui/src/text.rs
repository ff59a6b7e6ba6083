//! Text that came from outside, made safe for a terminal and fitted to columns.
//!
//! A patient's name may hold escape sequences, marks that turn the direction of writing, or
//! characters two columns wide. After [`clean`] a text holds none that acts on the terminal,
//! and [`fit`] never gives more columns than asked for.

use unicode_width::UnicodeWidthChar;

/// Columns that `text` takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Line breaks and tabs become blanks; every other character that would act on the terminal
/// instead of standing on it becomes a question mark, so that its presence is seen.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_control() || acts_unseen(c) => '?',
            c => c,
        })
        .collect()
}

/// Zero-width, direction and selector characters: they show nothing and move what follows.
fn acts_unseen(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// At most `columns` columns of `text`; an ellipsis ends what was cut.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used + 1 > columns {
            break;
        }
        cut.push(c);
    }
    if columns > 0 {
        cut.push('…');
    }
    cut
}

/// `text` cut to `columns` and filled up with blanks, on the left when `right` is set.
pub(crate) fn pad(text: &str, columns: usize, right: bool) -> String {
    let text = fit(text, columns);
    let blanks = " ".repeat(columns.saturating_sub(width(&text)));
    if right { blanks + &text } else { text + &blanks }
}

/// Breaks `text` between words into lines of at most `columns`; longer words are broken too.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = vec![];
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if width(&line) + c.width().unwrap_or(0) > columns {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_acts_on_the_terminal() {
        assert_eq!(clean("DOE\u{1b}[2J, J\u{9b}A\u{202e}NE"), "DOE?[2J, J?A?NE");
        assert_eq!(clean("two\nlines\tof"), "two lines of");
        assert_eq!(clean("Müller 山田"), "Müller 山田");
    }

    #[test]
    fn a_wide_name_never_takes_more_columns_than_it_has() {
        for columns in 0..12 {
            for name in ["山田太郎", "Jane Doe", "e\u{301}e\u{301}e\u{301}", "👩👩👩"]
            {
                assert!(width(&fit(name, columns)) <= columns, "{name} {columns}");
                assert_eq!(width(&pad(name, columns, true)), columns, "{name} {columns}");
            }
        }
        assert_eq!(fit("山田太郎", 6), "山田…");
    }

    #[test]
    fn words_are_wrapped_and_long_ones_broken() {
        assert_eq!(wrap("the head moved", 8), ["the head", "moved"]);
        assert_eq!(wrap("1.2.840.10008", 6), ["1.2.84", "0.1000", "8"]);
        assert_eq!(wrap("", 6), [""]);
    }
}
