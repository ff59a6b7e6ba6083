//! Numbers and texts in messages: little endian, lists behind their length.
//!
//! Reading never trusts a length: what is not there is [`Short`], and no list is reserved that
//! the remaining bytes could not fill.

/// The bytes end before the message does, or are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short;

/// Writes a message.
#[derive(Debug, Default)]
pub(crate) struct Encoder(pub(crate) Vec<u8>);

impl Encoder {
    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn f64(&mut self, value: f64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.0.extend(text.as_bytes());
    }

    pub(crate) fn texts(&mut self, texts: &[String]) {
        self.u32(texts.len() as u32);
        for text in texts {
            self.text(text);
        }
    }

    pub(crate) fn values(&mut self, values: &[f64]) {
        self.u32(values.len() as u32);
        for value in values {
            self.f64(*value);
        }
    }
}

/// Reads a message.
#[derive(Debug)]
pub(crate) struct Decoder<'a>(pub(crate) &'a [u8]);

impl Decoder<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(Short)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Short> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Short> {
        self.take().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Short> {
        self.take().map(u64::from_le_bytes)
    }

    pub(crate) fn f64(&mut self) -> Result<f64, Short> {
        self.take().map(f64::from_le_bytes)
    }

    pub(crate) fn text(&mut self) -> Result<String, Short> {
        let len = self.u32()? as usize;
        let (head, tail) = self.0.split_at_checked(len).ok_or(Short)?;
        self.0 = tail;
        String::from_utf8(head.to_vec()).map_err(|_| Short)
    }

    /// The length of a list whose items take at least `item` bytes each.
    pub(crate) fn len(&mut self, item: usize) -> Result<usize, Short> {
        let len = self.u32()? as usize;
        if len > self.0.len() / item { Err(Short) } else { Ok(len) }
    }

    pub(crate) fn texts(&mut self) -> Result<Vec<String>, Short> {
        (0..self.len(4)?).map(|_| self.text()).collect()
    }

    pub(crate) fn values(&mut self) -> Result<Vec<f64>, Short> {
        (0..self.len(8)?).map(|_| self.f64()).collect()
    }

    /// Fails when bytes are left over.
    pub(crate) fn end(&self) -> Result<(), Short> {
        if self.0.is_empty() { Ok(()) } else { Err(Short) }
    }
}
