//! UBJSON (draft 12) as far as XGBoost writes it: big-endian, with counted and typed arrays.
//!
//! No number of the text is believed before the bytes that it speaks of are there, so a file
//! cannot ask for more memory than a few times its own size.

use std::borrow::Cow;

use crate::error::BoostingError;
use crate::json::repeated;
use crate::value::{DEEPEST_NESTING, MOST_VALUES, Packed, Value, number, width};

/// Reads `bytes`, which hold one value and nothing else.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value<'_>, BoostingError> {
    let mut parser = Parser { bytes, at: 0, n_values: 0 };
    let marker = parser.byte()?;
    let value = parser.value(marker, 0)?;
    if parser.at < bytes.len() {
        return Err(parser.wrong("the model has ended and the file has not"));
    }
    Ok(value)
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    n_values: usize,
}

impl<'a> Parser<'a> {
    /// The value whose `marker` has been taken.
    fn value(&mut self, marker: u8, depth: usize) -> Result<Value<'a>, BoostingError> {
        self.n_values += 1;
        if depth > DEEPEST_NESTING {
            return Err(self.wrong("nested deeper than any model"));
        }
        if self.n_values > MOST_VALUES {
            return Err(self.wrong("more values than any model has"));
        }
        match marker {
            b'Z' => Ok(Value::Null),
            b'T' => Ok(Value::Bool(true)),
            b'F' => Ok(Value::Bool(false)),
            b'S' => self.text().map(Value::Text),
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            _ => self.number(marker),
        }
    }

    fn number(&mut self, marker: u8) -> Result<Value<'a>, BoostingError> {
        let Some(width) = width(marker) else {
            self.at -= 1;
            return Err(self.wrong("no marker of a value"));
        };
        let bytes = self.take(width)?;
        number(marker, bytes).ok_or_else(|| self.wrong("no marker of a value"))
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, BoostingError> {
        let mut fields = Vec::new();
        let mut left = if self.takes(b'#') { Some(self.count()?) } else { None };
        loop {
            match &mut left {
                Some(0) => break,
                Some(left) => *left -= 1,
                None if self.takes(b'}') => break,
                None => {}
            }
            let key = self.text()?;
            let marker = self.byte()?;
            fields.push((key, self.value(marker, depth + 1)?));
        }
        if let Some(wrong) = repeated(&fields) {
            return Err(self.wrong(wrong));
        }
        Ok(Value::Object(fields))
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>, BoostingError> {
        if self.takes(b'$') {
            let marker = self.byte()?;
            let width = width(marker).ok_or_else(|| self.wrong("an array of no numbers"))?;
            if !self.takes(b'#') {
                return Err(self.wrong("a typed array needs a count"));
            }
            let n_bytes = self.count()?.checked_mul(width);
            let n_bytes = n_bytes.ok_or_else(|| self.wrong("a count beyond any file"))?;
            return Ok(Value::Packed(Packed { marker, bytes: self.take(n_bytes)? }));
        }
        let mut values = Vec::new();
        if self.takes(b'#') {
            for _ in 0..self.count()? {
                let marker = self.byte()?;
                values.push(self.value(marker, depth + 1)?);
            }
        } else {
            while !self.takes(b']') {
                let marker = self.byte()?;
                values.push(self.value(marker, depth + 1)?);
            }
        }
        Ok(Value::Array(values))
    }

    /// A length and as many bytes of UTF-8.
    fn text(&mut self) -> Result<Cow<'a, str>, BoostingError> {
        let length = self.count()?;
        let start = self.at;
        let bytes = self.take(length)?;
        let text = std::str::from_utf8(bytes).map_err(|e| BoostingError::Byte {
            at: start + e.valid_up_to(),
            wrong: "no UTF-8",
        })?;
        Ok(Cow::Borrowed(text))
    }

    fn count(&mut self) -> Result<usize, BoostingError> {
        let marker = self.byte()?;
        let count = match self.number(marker)? {
            Value::Integer(count) => usize::try_from(count).ok(),
            _ => None,
        };
        count.ok_or_else(|| self.wrong("a length has to be a whole number of at least 0"))
    }

    fn takes(&mut self, byte: u8) -> bool {
        let there = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(there);
        there
    }

    fn byte(&mut self) -> Result<u8, BoostingError> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], BoostingError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..length).ok_or_else(|| self.wrong("the file ends too early"))?;
        self.at += length;
        Ok(taken)
    }

    fn wrong(&self, wrong: &'static str) -> BoostingError {
        BoostingError::Byte { at: self.at, wrong }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(bytes: &[u8], expected: &str) {
        assert_eq!(parse(bytes).unwrap_err().to_string(), expected);
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let bytes = b"{i\x01a[#U\x03i\xffI\x01\x00Ti\x01b[$d#i\x01\x3f\x80\x00\x00U\x01cSi\x02xyi\x01d[Z]}";
        let Value::Object(fields) = parse(bytes).unwrap() else { panic!() };
        let whole = vec![Value::Integer(-1), Value::Integer(256), Value::Bool(true)];
        assert_eq!(fields[0], ("a".into(), Value::Array(whole)));
        let packed = Packed { marker: b'd', bytes: &[0x3f, 0x80, 0, 0] };
        assert_eq!(fields[1], ("b".into(), Value::Packed(packed)));
        assert_eq!(fields[2], ("c".into(), Value::Text("xy".into())));
        assert_eq!(fields[3], ("d".into(), Value::Array(vec![Value::Null])));
        assert_eq!(parse(b"{#i\x01i\x01aT").unwrap(), {
            Value::Object(vec![("a".into(), Value::Bool(true))])
        });
    }

    #[test]
    fn what_is_no_ubjson_is_refused_with_its_byte() {
        check_refused(b"", "byte 0 of the model: the file ends too early");
        check_refused(b"x", "byte 0 of the model: no marker of a value");
        check_refused(
            b"[$d#L\x7f\0\0\0\0\0\0\0",
            "byte 13 of the model: a count beyond any file",
        );
        check_refused(b"[$d#l\x0f\0\0\0", "byte 9 of the model: the file ends too early");
        check_refused(b"[#l\x0f\0\0\0", "byte 7 of the model: the file ends too early");
        check_refused(b"[$T#i\x01", "byte 3 of the model: an array of no numbers");
        check_refused(b"[$di\x01", "byte 3 of the model: a typed array needs a count");
        check_refused(
            b"Si\xff",
            "byte 3 of the model: a length has to be a whole number of at least 0",
        );
        check_refused(b"Si\x01\xff", "byte 3 of the model: no UTF-8");
        check_refused(b"TT", "byte 1 of the model: the model has ended and the file has not");
        check_refused(&b"[".repeat(99), "byte 34 of the model: nested deeper than any model");
        check_refused(b"{i\x01aTi\x01aT}", "byte 10 of the model: an object has a key twice");
    }
}
