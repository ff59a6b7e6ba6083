//! The clock, read here and nowhere else.

use ichor_core::UnixMs;

/// The present moment.
#[expect(
    clippy::disallowed_methods,
    reason = "the program's edge: from here on time is an argument"
)]
pub(crate) fn now() -> UnixMs {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixMs(since.map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)))
}
