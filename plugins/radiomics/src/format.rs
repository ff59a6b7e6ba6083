//! The text of a signature: `signature.model`.
//!
//! ```text
//! ichor signature 1
//! trained 1899 894 0.02
//! intercept -0.1234
//! inputs 2
//! original_shape_Elongation 0.71 0.13 -0.2
//! original_shape_Flatness 0.55 0.12 0.1
//! ```
//!
//! Rows, cases that grew and L1 penalty; log-odds; number of inputs; one line an input: name, mean,
//! standard deviation, weight. Numbers are written so that they are read back to the same bits.

use std::fmt::Write;

use crate::error::SignatureError;
use crate::signature::{Signature, Term, Trained};

const FIRST_LINE: &str = "ichor signature 1";
const MOST_INPUTS: usize = 10_000;

impl Signature {
    /// The text that [`Signature::from_text`] reads.
    pub fn to_text(&self) -> String {
        let Trained { rows, positives, l1 } = self.trained;
        let mut text = format!(
            "{FIRST_LINE}\ntrained {rows} {positives} {l1}\nintercept {}\ninputs {}\n",
            self.intercept,
            self.terms.len()
        );
        for Term { name, mean, deviation, weight } in &self.terms {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name} {mean} {deviation} {weight}");
        }
        text
    }

    /// Reads what [`Signature::to_text`] wrote, and nothing else.
    pub fn from_text(text: &str) -> Result<Self, SignatureError> {
        let mut lines = Lines { text: text.lines(), line: 0 };
        lines.next(FIRST_LINE, |line| (line == FIRST_LINE).then_some(()))?;
        let trained = lines.next("trained ROWS POSITIVES PENALTY", |line| {
            let [rows, positives, l1] = words(line.strip_prefix("trained ")?)?;
            let (rows, positives) = (rows.parse().ok()?, positives.parse().ok()?);
            (positives <= rows).then_some(Trained { rows, positives, l1: finite(l1)? })
        })?;
        let intercept =
            lines.next("intercept NUMBER", |line| finite(line.strip_prefix("intercept ")?))?;
        let count = lines.next("inputs COUNT, at most 10000", |line| {
            let count = line.strip_prefix("inputs ")?.parse().ok()?;
            (count <= MOST_INPUTS).then_some(count)
        })?;
        let mut terms = Vec::new();
        for _ in 0..count {
            terms.push(lines.next("NAME MEAN DEVIATION WEIGHT", term)?);
        }
        let mut names: Vec<&str> = terms.iter().map(|term| term.name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            let expected = "an input with a name of its own";
            return Err(SignatureError::Malformed { line: lines.line, expected });
        }
        if lines.text.next().is_some() {
            let expected = "the end of the file";
            return Err(SignatureError::Malformed { line: lines.line + 1, expected });
        }
        Ok(Self::new(intercept, terms, trained))
    }
}

struct Lines<'a> {
    text: std::str::Lines<'a>,
    line: usize,
}

impl<'a> Lines<'a> {
    fn next<T>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, SignatureError> {
        self.line += 1;
        let malformed = SignatureError::Malformed { line: self.line, expected };
        self.text.next().and_then(read).ok_or(malformed)
    }
}

fn term(line: &str) -> Option<Term> {
    let [name, mean, deviation, weight] = words(line)?;
    let (name, mean, weight) = (name.to_owned(), finite(mean)?, finite(weight)?);
    let deviation = finite(deviation).filter(|deviation| *deviation > 0.0)?;
    Some(Term { name, mean, deviation, weight })
}

/// Exactly `N` words with one space between them.
fn words<const N: usize>(line: &str) -> Option<[&str; N]> {
    let words: Vec<&str> = line.splitn(N + 1, ' ').collect();
    <[&str; N]>::try_from(words).ok().filter(|words| words.iter().all(|word| !word.is_empty()))
}

fn finite(word: &str) -> Option<f64> {
    word.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;

    const TEXT: &str = "ichor signature 1\ntrained 1899 894 0.02\nintercept -0.1234\ninputs 2\n\
        original_shape_Elongation 0.71 0.13 -0.2\noriginal_shape_Flatness 0.55 0.12 1e-300\n";

    fn check_malformed(from: &str, to: &str, line: usize, expected: &'static str) {
        let malformed = SignatureError::Malformed { line, expected };
        assert_eq!(Signature::from_text(&TEXT.replacen(from, to, 1)), Err(malformed));
    }

    #[test]
    fn a_signature_is_read_back_to_the_same_bits() {
        let signature = Signature::from_text(TEXT).unwrap();
        assert_eq!(signature.terms.len(), 2);
        assert_eq!(Signature::from_text(&signature.to_text()), Ok(signature));
    }

    #[test]
    fn what_is_no_signature_is_refused_with_its_line() {
        check_malformed("signature 1", "signature 2", 1, FIRST_LINE);
        check_malformed("894", "2000", 2, "trained ROWS POSITIVES PENALTY");
        check_malformed("-0.1234", "nan", 3, "intercept NUMBER");
        check_malformed("inputs 2", "inputs 3", 7, "NAME MEAN DEVIATION WEIGHT");
        check_malformed("inputs 2", "inputs 1", 6, "the end of the file");
        check_malformed("0.13", "0", 5, "NAME MEAN DEVIATION WEIGHT");
        check_malformed("Flatness", "Elongation", 6, "an input with a name of its own");
    }

    #[test]
    fn no_mutation_of_a_signature_brings_the_reader_down() {
        let mut noise = Noise::new(11);
        let read = (0..20_000).filter(|_| {
            let mutated = noise.mutated(TEXT.as_bytes());
            let Ok(text) = std::str::from_utf8(&mutated) else { return false };
            let Ok(signature) = Signature::from_text(text) else { return false };
            assert_eq!(Signature::from_text(&signature.to_text()), Ok(signature));
            true
        });
        assert!((1..19_000).contains(&read.count()));
    }
}
