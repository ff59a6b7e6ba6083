//! JSON as scripts read it: one value, indented, and a line end.

use std::io::Write;

use serde::Serialize;

use crate::error::Error;

/// Prints `value`.
pub(crate) fn print(value: &impl Serialize, out: &mut dyn Write) -> Result<(), Error> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}
