//! The clock, read here and nowhere else, and times as people read them.

use std::time::Duration;

use ichor_core::UnixMs;
use jiff::{Timestamp, tz::TimeZone};

/// Now.
pub(crate) fn now() -> UnixMs {
    UnixMs(Timestamp::now().as_millisecond())
}

/// The person's own time zone; UTC where the system names none.
pub(crate) fn local_zone() -> TimeZone {
    TimeZone::system()
}

/// Hours and minutes in `zone`.
pub(crate) fn hour_text(at: UnixMs, zone: &TimeZone) -> String {
    written(at, zone, "%H:%M")
}

/// Day, hours and minutes in `zone`.
pub(crate) fn day_text(at: UnixMs, zone: &TimeZone) -> String {
    written(at, zone, "%Y-%m-%d %H:%M")
}

fn written(at: UnixMs, zone: &TimeZone, format: &str) -> String {
    match Timestamp::from_millisecond(at.0) {
        Ok(moment) => moment.to_zoned_datetime(zone.clone()).strftime(format).to_string(),
        Err(_) => "-".to_owned(),
    }
}

/// How long the text of an age since `then` stays as it is at `now`.
///
/// Ages are written in seconds, then minutes, so the text changes on the next full second or
/// minute of the age.
pub(crate) fn age_stays(now: UnixMs, then: UnixMs) -> Duration {
    let age_ms = now.0.saturating_sub(then.0);
    let step_ms = if age_ms < 60_000 { 1000 } else { 60_000 };
    Duration::from_millis((step_ms - age_ms.rem_euclid(step_ms)) as u64)
}

/// How long the clock shows the same minute.
pub(crate) fn minute_stays(now: UnixMs) -> Duration {
    Duration::from_millis((60_000 - now.0.rem_euclid(60_000)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_drawn_again_when_its_text_changes() {
        let now = UnixMs(1_000_000_000_000);
        let check = |age_s: f64, millis: u64| {
            let stays = age_stays(now, now.plus_s(-age_s));
            assert_eq!(stays, Duration::from_millis(millis), "{age_s}");
        };
        check(0.25, 750);
        check(59.5, 500);
        check(60.0, 60_000);
        check(3601.0, 59_000);
        check(-0.5, 500);
    }

    #[test]
    fn a_time_is_written_in_the_readers_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(day_text(UnixMs(0), &zone), "1970-01-01 02:00");
        assert_eq!(hour_text(UnixMs(i64::MAX), &zone), "-");
    }
}
