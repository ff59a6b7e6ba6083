//! What a JSON or UBJSON text holds, before it is known to be a model.
//!
//! Numbers stay as they are written until a reader asks for them, so that a single-precision
//! number is rounded once. A [`Field`] knows its path, for the errors.

use std::borrow::Cow;

use crate::error::BoostingError;

/// The deepest nesting of arrays and objects; models of XGBoost need 8.
pub(crate) const DEEPEST_NESTING: usize = 32;
/// The most values of one text; 24 bytes of memory each.
pub(crate) const MOST_VALUES: usize = 10_000_000;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// A number of a JSON text, as it is written.
    Written(&'a str),
    Integer(i64),
    Single(f32),
    Double(f64),
    Text(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Packed(Packed<'a>),
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// Numbers of one type, as the bytes of a UBJSON text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Packed<'a> {
    /// The marker of the type.
    pub(crate) marker: u8,
    /// A whole number of numbers, big-endian.
    pub(crate) bytes: &'a [u8],
}

/// Bytes of one number with this marker; none: the marker is of no number.
pub(crate) fn width(marker: u8) -> Option<usize> {
    match marker {
        b'i' | b'U' => Some(1),
        b'I' => Some(2),
        b'l' | b'd' => Some(4),
        b'L' | b'D' => Some(8),
        _ => None,
    }
}

/// The number that `bytes`, as many as [`width`] says, stand for.
pub(crate) fn number<'a>(marker: u8, bytes: &[u8]) -> Option<Value<'a>> {
    Some(match marker {
        b'i' => Value::Integer(i64::from(i8::from_be_bytes(bytes.try_into().ok()?))),
        b'U' => Value::Integer(i64::from(u8::from_be_bytes(bytes.try_into().ok()?))),
        b'I' => Value::Integer(i64::from(i16::from_be_bytes(bytes.try_into().ok()?))),
        b'l' => Value::Integer(i64::from(i32::from_be_bytes(bytes.try_into().ok()?))),
        b'L' => Value::Integer(i64::from_be_bytes(bytes.try_into().ok()?)),
        b'd' => Value::Single(f32::from_be_bytes(bytes.try_into().ok()?)),
        b'D' => Value::Double(f64::from_be_bytes(bytes.try_into().ok()?)),
        _ => return None,
    })
}

impl Value<'_> {
    fn single(&self) -> Option<f32> {
        match self {
            Self::Written(text) => text.parse().ok(),
            Self::Integer(whole) => Some(*whole as f32),
            Self::Single(single) => Some(*single),
            Self::Double(double) => Some(*double as f32),
            _ => None,
        }
    }

    fn integer(&self) -> Option<i64> {
        match self {
            Self::Written(text) => text.parse().ok(),
            Self::Integer(whole) => Some(*whole),
            Self::Bool(is) => Some(i64::from(*is)),
            _ => None,
        }
    }

    /// What a person calls it.
    fn word(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Written(_) | Self::Integer(_) | Self::Single(_) | Self::Double(_) => {
                "a number"
            }
            Self::Text(_) => "a text",
            Self::Array(_) | Self::Packed(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// A value and the way to it.
#[derive(Debug, Clone)]
pub(crate) struct Field<'v, 'a> {
    path: String,
    value: &'v Value<'a>,
}

impl<'v, 'a> Field<'v, 'a> {
    /// The whole text, called `path`.
    pub(crate) fn root(path: &str, value: &'v Value<'a>) -> Self {
        Self { path: path.to_owned(), value }
    }

    /// The way to this value.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The field called `key`.
    pub(crate) fn get(&self, key: &str) -> Result<Self, BoostingError> {
        self.find(key)?.ok_or_else(|| BoostingError::Absent { path: self.below(key) })
    }

    /// The field called `key`, where there is one.
    pub(crate) fn find(&self, key: &str) -> Result<Option<Self>, BoostingError> {
        let Value::Object(fields) = self.value else { return Err(self.wrong("an object")) };
        let found = fields.iter().find(|(known, _)| known == key);
        Ok(found.map(|(_, value)| Self { path: self.below(key), value }))
    }

    /// The elements of an array.
    pub(crate) fn items(&self) -> Result<Vec<Self>, BoostingError> {
        match self.value {
            Value::Array(values) => Ok(values
                .iter()
                .enumerate()
                .map(|(at, value)| Self { path: format!("{}[{at}]", self.path), value })
                .collect()),
            Value::Packed(packed) if packed.bytes.is_empty() => Ok(Vec::new()),
            _ => Err(self.wrong("an array")),
        }
    }

    /// A text.
    pub(crate) fn text(&self) -> Result<&'v str, BoostingError> {
        match self.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.wrong("a text")),
        }
    }

    /// A whole number, as such or in a text, as XGBoost has its parameters.
    pub(crate) fn count(&self) -> Result<usize, BoostingError> {
        let read = match self.value {
            Value::Text(text) => text.parse().ok(),
            other => other.integer().and_then(|whole| usize::try_from(whole).ok()),
        };
        read.ok_or_else(|| self.wrong("a whole number of at least 0"))
    }

    /// An array of single-precision numbers.
    pub(crate) fn singles(&self) -> Result<Vec<f32>, BoostingError> {
        self.each(Value::single, "an array of numbers")
    }

    /// An array of whole numbers.
    pub(crate) fn integers(&self) -> Result<Vec<i64>, BoostingError> {
        self.each(Value::integer, "an array of whole numbers")
    }

    fn each<T>(
        &self,
        read: impl Fn(&Value<'a>) -> Option<T>,
        needed: &'static str,
    ) -> Result<Vec<T>, BoostingError> {
        let all: Option<Vec<T>> = match self.value {
            Value::Array(values) => values.iter().map(read).collect(),
            Value::Packed(Packed { marker, bytes }) => bytes
                .chunks_exact(width(*marker).unwrap_or(1))
                .map(|bytes| number(*marker, bytes).and_then(|value| read(&value)))
                .collect(),
            _ => None,
        };
        all.ok_or_else(|| self.wrong(needed))
    }

    fn below(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn wrong(&self, needed: &'static str) -> BoostingError {
        BoostingError::Field { path: self.path.clone(), needed, found: self.value.word() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_rounded_to_single_precision_once() {
        // Half-way between two singles but for its last digit; by way of a double it goes astray.
        let written = "1.00000017881393432617187500000000001";
        assert_eq!(Value::Written(written).single(), Some(1.000_000_2));
        assert_eq!(Value::Written("-Infinity").single(), Some(f32::NEG_INFINITY));
        assert_eq!(Value::Written("1.5").integer(), None);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let value = Value::Object(vec![(
            "trees".into(),
            Value::Array(vec![Value::Object(vec![("id".into(), Value::Text("x".into()))])]),
        )]);
        let root = Field::root("model", &value);
        let words = |error: BoostingError| error.to_string();
        assert_eq!(words(root.get("tree").unwrap_err()), "model.tree is missing");
        let tree = &root.get("trees").unwrap().items().unwrap()[0];
        assert_eq!(
            words(tree.get("id").unwrap().count().unwrap_err()),
            "model.trees[0].id is a text where a whole number of at least 0 is needed"
        );
    }

    #[test]
    fn packed_numbers_are_those_of_an_array() {
        let packed = Value::Packed(Packed { marker: b'I', bytes: &[0, 1, 255, 255] });
        assert_eq!(Field::root("x", &packed).integers().unwrap(), [1, -1]);
        assert_eq!(Field::root("x", &packed).singles().unwrap(), [1.0, -1.0]);
    }
}
