//! `ichor audit`: the trail of everything that was done.

use std::io::Write;

use ichor_store::Store;

use crate::{error::Error, settings::Settings};

/// Entries read at a time.
const PAGE: usize = 1000;

/// Computes the chain anew; an error where it was broken.
pub(crate) fn verify(
    settings: &Settings,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let store = Store::open_existing(&settings.layout.database())?;
    let check = store.audit_verify()?;
    if json {
        let value = serde_json::json!({
            "entries": check.entries, "broken_at": check.broken_at, "head": check.head,
        });
        writeln!(out, "{value}")?;
    }
    match check.broken_at {
        Some(id) => Err(Error::AuditBroken { id }),
        None if json => Ok(()),
        None => {
            let head = if check.head.is_empty() { "-" } else { &check.head };
            writeln!(out, "{} entries, each follows from the one before", check.entries)?;
            writeln!(out, "head {head}: keep it elsewhere, a later trail must contain it")?;
            Ok(())
        }
    }
}

/// Prints every entry, one JSON object a line.
pub(crate) fn export(settings: &Settings, out: &mut dyn Write) -> Result<(), Error> {
    let store = Store::open_existing(&settings.layout.database())?;
    let mut next = 1;
    loop {
        let page = store.audit(next, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        next = last.id + 1;
        for entry in &page {
            serde_json::to_writer(&mut *out, entry)?;
            writeln!(out)?;
        }
    }
}
