//! Dates and times as DICOM writes them (PS3.5 section 6.2: DA, TM, DT, AS).
//!
//! DICOM writes wall-clock time; `TimezoneOffsetFromUTC` (0008,0201) says whose, and where it is
//! absent the scanner is taken to stand in this machine's time zone.

use ichor_core::UnixMs;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use crate::DicomError;

/// A date `YYYYMMDD`; the old form `YYYY.MM.DD` too.
pub(crate) fn date(text: &str) -> Option<Date> {
    let digits: String = text.trim().chars().filter(|&c| c != '.').collect();
    if digits.len() != 8 {
        return None;
    }
    let part = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i16>().ok();
    let (month, day) = (i8::try_from(part(4..6)?).ok()?, i8::try_from(part(6..8)?).ok()?);
    Date::new(part(0..4)?, month, day).ok()
}

/// A time `HH[MM[SS[.F…]]]`; the old form with colons too. A leap second reads as the one before.
pub(crate) fn time(text: &str) -> Option<Time> {
    let plain: String = text.trim().chars().filter(|&c| c != ':').collect();
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let all_digits = whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
    if !all_digits || !matches!(whole.len(), 2 | 4 | 6) {
        return None;
    }
    let part = |at: usize| whole.get(at..at + 2).map_or(Some(0), |p| p.parse::<i8>().ok());
    let nanos: i32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Time::new(part(0)?, part(2)?, part(4)?.min(59), nanos).ok()
}

/// A date-time `YYYYMMDDHHMMSS.FFFFFF&ZZXX`; it must hold the hour at least. Its own offset goes
/// before `zone`.
pub(crate) fn date_time(text: &str, zone: &TimeZone) -> Option<UnixMs> {
    let text = text.trim();
    let (wall, own) = match text.rfind(['+', '-']) {
        Some(at) => (text.get(..at)?, Some(offset(text.get(at..)?)?)),
        None => (text, None),
    };
    moment(date(wall.get(..8)?)?, time(wall.get(8..)?)?, own.as_ref().unwrap_or(zone))
}

/// The moment that a wall clock in `zone` shows.
pub(crate) fn moment(date: Date, time: Time, zone: &TimeZone) -> Option<UnixMs> {
    let stamp = zone.to_timestamp(DateTime::from_parts(date, time)).ok()?;
    Some(UnixMs(stamp.as_millisecond()))
}

/// `&ZZXX`: a sign, hours and minutes.
pub(crate) fn offset(text: &str) -> Option<TimeZone> {
    let text = text.trim();
    let sign = match text.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let hours: i32 = text.get(1..3)?.parse().ok()?;
    let minutes: i32 = text.get(3..5)?.parse().ok()?;
    let seconds = sign * (hours * 3600 + minutes * 60);
    Offset::from_seconds(seconds).ok().map(TimeZone::fixed)
}

/// An age string `nnnD`, `nnnW`, `nnnM`, `nnnY` in years.
pub(crate) fn age(text: &str) -> Option<f64> {
    let text = text.trim();
    let number: f64 = text.get(..text.len().checked_sub(1)?)?.parse::<u16>().ok()?.into();
    match text.get(text.len() - 1..)? {
        "Y" => Some(number),
        "M" => Some(number / 12.0),
        "W" => Some(number * 7.0 / DAYS_A_YEAR),
        "D" => Some(number / DAYS_A_YEAR),
        _ => None,
    }
}

/// Whole years from birth to `day`; none when `day` lies before birth.
pub(crate) fn years_between(birth: Date, day: Date) -> Option<f64> {
    let before_birthday = (day.month(), day.day()) < (birth.month(), birth.day());
    let years = day.year() - birth.year() - i16::from(before_birthday);
    (years >= 0).then(|| f64::from(years))
}

/// Date and time of a moment in UTC as DICOM writes them: `YYYYMMDD` and `HHMMSS.FFFFFF`.
pub(crate) fn utc(moment: UnixMs) -> Result<(String, String), DicomError> {
    let stamp = jiff::Timestamp::from_millisecond(moment.0)
        .map_err(|_out_of_range| DicomError::Time(moment.0))?;
    let wall = Offset::UTC.to_datetime(stamp);
    let day = format!("{:04}{:02}{:02}", wall.year(), wall.month(), wall.day());
    let micros = wall.subsec_nanosecond() / 1000;
    let (hour, minute, second) = (wall.hour(), wall.minute(), wall.second());
    Ok((day, format!("{hour:02}{minute:02}{second:02}.{micros:06}")))
}

const DAYS_A_YEAR: f64 = 365.2425;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(date_time(text, &TimeZone::UTC), expected.map(UnixMs), "{text}");
    }

    #[test]
    fn a_date_time_is_read_with_its_own_offset_first() {
        check("20150206092844", Some(1_423_214_924_000));
        check("20150206092844.500", Some(1_423_214_924_500));
        check("20150206102844+0100", Some(1_423_214_924_000));
        check("20150206042844.000000-0500 ", Some(1_423_214_924_000));
        check("2015020609", Some(1_423_213_200_000));
        check("20150206", None);
        check("20151306092844", None);
        check("2015020609284é", None);
    }

    #[test]
    fn old_forms_and_leap_seconds_are_read() {
        assert_eq!(date("1996.04.23"), date("19960423"));
        assert_eq!(time("09:28:44"), time("092844"));
        assert_eq!(time("235960"), time("235959"));
        assert_eq!(time("0928441"), None);
        assert_eq!(time("25"), None);
    }

    #[test]
    fn a_time_zone_has_its_history() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let noon = |day: &str| moment(date(day).unwrap(), time("12").unwrap(), &berlin);
        assert_eq!(noon("20240115"), Some(UnixMs(1_705_316_400_000)));
        assert_eq!(noon("20240715"), Some(UnixMs(1_721_037_600_000)));
    }

    #[test]
    fn ages_come_from_the_tag_or_from_birth() {
        assert_eq!(age("067Y"), Some(67.0));
        assert_eq!(age("018M"), Some(1.5));
        assert!((age("003W").unwrap() - 0.0575).abs() < 1e-3);
        assert_eq!(age("Y"), None);
        let years = |a, b| years_between(date(a).unwrap(), date(b).unwrap());
        assert_eq!(years("19500206", "20150205"), Some(64.0));
        assert_eq!(years("19500206", "20150206"), Some(65.0));
        assert_eq!(years("20160101", "20150101"), None);
    }

    #[test]
    fn what_is_written_reads_back() {
        let (day, clock) = utc(UnixMs(1_423_214_924_567)).unwrap();
        assert_eq!((day.as_str(), clock.as_str()), ("20150206", "092844.567000"));
        check(&format!("{day}{clock}"), Some(1_423_214_924_567));
    }
}
