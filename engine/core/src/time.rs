//! Points in time, as data.
//!
//! The clock is read at the edge of the program and handed in; here time is only compared and
//! written out as an age.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// The moment `seconds` later (earlier when negative), held at the ends of the range.
    #[must_use]
    pub fn plus_s(self, seconds: f64) -> Self {
        Self(self.0.saturating_add((seconds * 1000.0) as i64))
    }

    /// Seconds from `earlier` to here; negative when `earlier` lies later.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1000.0
    }
}

/// An age in at most six columns: `45 s`, `12 min`, `3h05`, `4 d`; a dash when unknown or in the
/// future by more than a minute (a scanner's clock that runs ahead).
pub fn age_text(now: UnixMs, then: Option<UnixMs>) -> String {
    let Some(then) = then else { return "-".to_owned() };
    let seconds = now.seconds_since(then);
    if seconds < -60.0 {
        return "-".to_owned();
    }
    let minutes = (seconds.max(0.0) / 60.0) as i64;
    match minutes {
        0 => format!("{} s", seconds.max(0.0) as i64),
        1..60 => format!("{minutes} min"),
        60..2880 => format!("{}h{:02}", minutes / 60, minutes % 60),
        _ => format!("{} d", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_fits_six_columns() {
        let now = UnixMs(1_000_000_000_000);
        let check = |seconds: f64, text: &str| {
            assert_eq!(age_text(now, Some(now.plus_s(-seconds))), text);
            assert!(text.len() <= 6);
        };
        check(0.0, "0 s");
        check(59.9, "59 s");
        check(60.0, "1 min");
        check(3599.0, "59 min");
        check(11_100.0, "3h05");
        check(172_799.0, "47h59");
        check(172_800.0, "2 d");
        check(-120.0, "-");
        assert_eq!(age_text(now, None), "-");
    }
}
