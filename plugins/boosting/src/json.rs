//! JSON (RFC 8259), and the bare `NaN` and `Infinity` that XGBoost writes.

use std::borrow::Cow;

use crate::error::BoostingError;
use crate::value::{DEEPEST_NESTING, MOST_VALUES, Value};

/// Reads `bytes`, which hold one value and nothing else.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value<'_>, BoostingError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| BoostingError::Byte { at: e.valid_up_to(), wrong: "no UTF-8" })?;
    let mut parser = Parser { text, at: 0, n_values: 0 };
    let value = parser.value(0)?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.wrong("the model has ended and the file has not"));
    }
    Ok(value)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    n_values: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, BoostingError> {
        self.n_values += 1;
        if depth > DEEPEST_NESTING {
            return Err(self.wrong("nested deeper than any model"));
        }
        if self.n_values > MOST_VALUES {
            return Err(self.wrong("more values than any model has"));
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::Text),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, BoostingError> {
        let mut fields = Vec::new();
        self.at += 1;
        if !self.takes(b'}') {
            loop {
                self.space();
                if self.peek() != Some(b'"') {
                    return Err(self.wrong("a key in quotes is needed"));
                }
                let key = self.string()?;
                self.needs(b':', "a colon is needed")?;
                fields.push((key, self.value(depth + 1)?));
                if self.takes(b'}') {
                    break;
                }
                self.needs(b',', "a comma or the end of an object is needed")?;
            }
        }
        if let Some(wrong) = repeated(&fields) {
            return Err(self.wrong(wrong));
        }
        Ok(Value::Object(fields))
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>, BoostingError> {
        let mut values = Vec::new();
        self.at += 1;
        if !self.takes(b']') {
            loop {
                values.push(self.value(depth + 1)?);
                if self.takes(b']') {
                    break;
                }
                self.needs(b',', "a comma or the end of an array is needed")?;
            }
        }
        Ok(Value::Array(values))
    }

    /// A number or a name of a value.
    fn word(&mut self) -> Result<Value<'a>, BoostingError> {
        let rest = &self.text[self.at..];
        let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let word = &rest[..rest.find(|c| !inside(c)).unwrap_or(rest.len())];
        let value = match word {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "NaN" | "Infinity" | "-Infinity" => Value::Written(word),
            _ if is_number(word) => Value::Written(word),
            _ => return Err(self.wrong("a value is needed")),
        };
        self.at += word.len();
        Ok(value)
    }

    fn string(&mut self) -> Result<Cow<'a, str>, BoostingError> {
        self.at += 1;
        let start = self.at;
        let mut read: Option<String> = None;
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ');
            let Some(plain) = plain else { return Err(self.wrong("a text has no end")) };
            if let Some(read) = &mut read {
                read.push_str(&rest[..plain]);
            }
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    let whole = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(read.map_or(Cow::Borrowed(whole), Cow::Owned));
                }
                Some(b'\\') => {
                    let before = &self.text[start..self.at];
                    let c = self.escape()?;
                    read.get_or_insert_with(|| before.to_owned()).push(c);
                }
                _ => return Err(self.wrong("a control character in a text")),
            }
        }
    }

    /// What the escape at the parser's place stands for.
    fn escape(&mut self) -> Result<char, BoostingError> {
        let c = self.text.as_bytes().get(self.at + 1).copied();
        self.at += 2;
        Ok(match c {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let unit = self.hex()?;
                let code = if (0xd800..0xdc00).contains(&unit)
                    && self.text.get(self.at..self.at + 2) == Some("\\u")
                {
                    self.at += 2;
                    let low = self.hex()?;
                    0x10000 + ((unit - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff)
                } else {
                    unit
                };
                char::from_u32(code).ok_or_else(|| self.wrong("half a character"))?
            }
            _ => {
                self.at -= 2;
                return Err(self.wrong("an unknown escape"));
            }
        })
    }

    fn hex(&mut self) -> Result<u32, BoostingError> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.wrong("four hexadecimal digits are needed"))?;
        self.at += 4;
        Ok(unit)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn takes(&mut self, byte: u8) -> bool {
        self.space();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn needs(&mut self, byte: u8, wrong: &'static str) -> Result<(), BoostingError> {
        if self.takes(byte) { Ok(()) } else { Err(self.wrong(wrong)) }
    }

    fn wrong(&self, wrong: &'static str) -> BoostingError {
        BoostingError::Byte { at: self.at, wrong }
    }
}

/// Words for an object that has a key twice.
pub(crate) fn repeated(fields: &[(Cow<'_, str>, Value<'_>)]) -> Option<&'static str> {
    let mut keys: Vec<&str> = fields.iter().map(|(key, _)| key.as_ref()).collect();
    keys.sort_unstable();
    let twice = keys.windows(2).any(|pair| pair[0] == pair[1]);
    twice.then_some("an object has a key twice")
}

/// Whether `word` is `-? digits (. digits)? (e sign? digits)?` with no leading zero.
fn is_number(word: &str) -> bool {
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|part| digits(part.strip_prefix(['+', '-']).unwrap_or(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(text: &str, expected: &str) {
        assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), expected);
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let text = r#" { "a" : [1, -2.5E-3, NaN], "b\u00e9\n\ud83e\udde0": [ ], "c":{}, "d":true, "e":null } "#;
        let Value::Object(fields) = parse(text.as_bytes()).unwrap() else { panic!() };
        let keys: Vec<&str> = fields.iter().map(|(key, _)| key.as_ref()).collect();
        assert_eq!(keys, ["a", "bé\n🧠", "c", "d", "e"]);
        let numbers = ["1", "-2.5E-3", "NaN"].map(Value::Written).to_vec();
        assert_eq!(fields[0].1, Value::Array(numbers));
        assert_eq!(fields[4].1, Value::Null);
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_byte() {
        check_refused("", "byte 0 of the model: a value is needed");
        check_refused("[1,]", "byte 3 of the model: a value is needed");
        check_refused("[01]", "byte 1 of the model: a value is needed");
        check_refused("[1 2]", "byte 3 of the model: a comma or the end of an array is needed");
        check_refused("{\"a\" 1}", "byte 5 of the model: a colon is needed");
        check_refused("{a:1}", "byte 1 of the model: a key in quotes is needed");
        check_refused("{\"a\":1,\"a\":2}", "byte 13 of the model: an object has a key twice");
        check_refused("[\"\\x\"]", "byte 2 of the model: an unknown escape");
        check_refused("[\"\\ud800\"]", "byte 8 of the model: half a character");
        check_refused("\"", "byte 1 of the model: a text has no end");
        check_refused("[] x", "byte 3 of the model: the model has ended and the file has not");
        check_refused(&"[".repeat(100), "byte 33 of the model: nested deeper than any model");
    }

    #[test]
    fn only_what_json_calls_a_number_is_one() {
        for word in ["0", "-0.5", "1e9", "1.25E-07", "10"] {
            assert!(is_number(word), "{word}");
        }
        for word in ["", "-", "+1", ".5", "5.", "1e", "1e+", "0x1", "inf", "1.2.3"] {
            assert!(!is_number(word), "{word}");
        }
    }
}
