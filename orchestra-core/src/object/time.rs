//! Points in time and spans of it, on the wire as Kubernetes writes them.

use std::fmt;
use std::num::NonZeroI64;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::buffer::Buffer;
use super::schema::{Format, Schema};
use super::wire::Wire;

/// Why a text is no time or duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}, which is written like `{example}`")]
pub struct TimeError {
    text: String,
    what: &'static str,
    example: &'static str,
}

impl TimeError {
    fn new(text: &str, what: &'static str, example: &'static str) -> Self {
        Self { text: text.chars().take(64).collect(), what, example }
    }
}

const MICROS: i64 = 1_000_000;
/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z, what RFC 3339 can write, in seconds since 1970.
const FIRST: i64 = -62_167_219_200;
const LAST: i64 = 253_402_300_799;

/// A point in time, to the second: Kubernetes' `Time`, such as `2026-11-21T08:00:00Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(
    /// Seconds since the year 0, plus one: never zero, so that an `Option` costs nothing.
    NonZeroI64,
);

impl Timestamp {
    /// So many seconds after 1970 began, kept within the years 0 to 9999.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Self {
        let since_zero = seconds.clamp(FIRST, LAST) - FIRST;
        Self(NonZeroI64::MIN.max(NonZeroI64::new(since_zero + 1).unwrap_or(NonZeroI64::MIN)))
    }

    /// Seconds since 1970 began.
    #[must_use]
    pub const fn unix(self) -> i64 {
        self.0.get() - 1 + FIRST
    }

    /// The time that passed since an earlier one; zero if that is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.unix().saturating_sub(earlier.unix()).max(0).saturating_mul(MICROS))
    }
}

/// Kubernetes' zero, the beginning of the year 1: what `null` is as the value of an entry.
impl Default for Timestamp {
    fn default() -> Self {
        Self::from_unix(-62_135_596_800)
    }
}

impl From<MicroTime> for Timestamp {
    /// Cuts off the fraction of the second.
    fn from(time: MicroTime) -> Self {
        Self::from_unix(time.unix_micros().div_euclid(MICROS))
    }
}

impl From<Timestamp> for MicroTime {
    fn from(time: Timestamp) -> Self {
        Self::from_unix_micros(time.unix() * MICROS)
    }
}

/// A point in time, to the microsecond: Kubernetes' `MicroTime`, such as `2026-11-21T08:00:00.250000Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroTime(
    /// Microseconds since the year 0, plus one.
    NonZeroI64,
);

impl MicroTime {
    /// So many microseconds after 1970 began, kept within the years 0 to 9999.
    #[must_use]
    pub fn from_unix_micros(micros: i64) -> Self {
        let since_zero = micros.clamp(FIRST * MICROS, LAST * MICROS + MICROS - 1) - FIRST * MICROS;
        Self(NonZeroI64::new(since_zero + 1).unwrap_or(NonZeroI64::MIN))
    }

    /// Microseconds since 1970 began.
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        self.0.get() - 1 + FIRST * MICROS
    }

    /// The time that passed since an earlier one; zero if that is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.unix_micros().saturating_sub(earlier.unix_micros()).max(0))
    }
}

/// When 1970 began. Calendar times, unlike jiff's timestamps, reach to the end of the year 9999, which
/// people write to mean "never".
const EPOCH: jiff::civil::DateTime = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);

/// A time as RFC 3339 writes it, in UTC, with six digits of the second's fraction or none.
fn rfc3339(micros: i64, fraction: bool) -> Buffer<27> {
    let mut text = Buffer::new();
    let seconds = micros.div_euclid(MICROS);
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400).unsigned_abs();
    text.number(year, 4);
    for (mark, number) in
        [(b'-', month), (b'-', day), (b'T', second / 3600), (b':', second / 60 % 60), (b':', second % 60)]
    {
        text.push(mark);
        text.push(b'0' + (number / 10) as u8);
        text.push(b'0' + (number % 10) as u8);
    }
    if fraction {
        text.push(b'.');
        text.number(micros.rem_euclid(MICROS).unsigned_abs(), 6);
    }
    text.push(b'Z');
    text
}

/// Year, month and day of a day counted from 1970, within the years 0 to 9999.
///
/// Counted in years that begin in March, so that the leap day is the last one (the algorithm is
/// Howard Hinnant's). Objects are full of times, and a library's general way took a tenth of the time
/// to write a Pod; a test holds this against it.
fn date(day: i64) -> (u64, u64, u64) {
    // The 1st of March of the year -400, so that all is positive from here on.
    let day = (day + 719_468 + 146_097).unsigned_abs();
    let (era, day) = (day / 146_097, day % 146_097);
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    ((era * 400 + year_of_era + next_year).saturating_sub(400), month, day_of_month)
}

/// Microseconds since 1970, rounded down, of any RFC 3339 time.
fn read_rfc3339(text: &str, what: &'static str, example: &'static str) -> Result<i64, TimeError> {
    let error = || TimeError::new(text, what, example);
    let (local, offset) = split_offset(text).ok_or_else(error)?;
    let (head, fraction) = local.split_at_checked(19).ok_or_else(error)?;
    let bytes = head.as_bytes();
    let marked = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')].iter().all(|(at, mark)| bytes[*at] == *mark);
    if !marked || !matches!(bytes[10], b'T' | b't') {
        return Err(error());
    }
    let number = |at: std::ops::Range<usize>| {
        let digits = &bytes[at];
        let number =
            digits.iter().fold(0_i16, |number, digit| number * 10 + i16::from(digit.wrapping_sub(b'0') % 10));
        digits.iter().all(u8::is_ascii_digit).then_some(number).ok_or_else(error)
    };
    let small = |at| number(at).map(|number| number as i8);
    // A leap second is counted to the second before it, as by Go.
    let second = small(17..19)?;
    let date = jiff::civil::Date::new(number(0..4)?, small(5..7)?, small(8..10)?).map_err(|_| error())?;
    let time =
        jiff::civil::Time::new(small(11..13)?, small(14..16)?, if second == 60 { 59 } else { second }, 0)
            .map_err(|_| error())?;
    let micros = match fraction.strip_prefix('.') {
        None if fraction.is_empty() => 0,
        Some(digits) if (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits
                .bytes()
                .chain(*b"000000")
                .take(6)
                .fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0'))
        }
        _ => return Err(error()),
    };
    let since = date.to_datetime(time).duration_since(EPOCH);
    Ok((since.as_secs() - offset * 60) * MICROS + micros)
}

/// A time without its offset from UTC, and that offset in minutes.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(local) = text.strip_suffix(['Z', 'z']) {
        return Some((local, 0));
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let minutes =
        |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<i64>().ok())?;
    let (hours, minutes) = (minutes(offset.get(1..3)?)?, minutes(offset.get(4..6)?)?);
    if hours > 23 || minutes > 59 || offset.as_bytes()[3] != b':' {
        return None;
    }
    match offset.as_bytes()[0] {
        b'+' => Some((local, hours * 60 + minutes)),
        b'-' => Some((local, -(hours * 60 + minutes))),
        _ => None,
    }
}

macro_rules! on_the_wire {
    ($time:ident, $what:literal, $example:literal, $format:expr, $read:expr, $write:expr) => {
        impl FromStr for $time {
            type Err = TimeError;
            fn from_str(text: &str) -> Result<Self, TimeError> {
                read_rfc3339(text, $what, $example).map($read)
            }
        }

        impl fmt::Display for $time {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text: Buffer<27> = $write(self);
                f.pad(text.as_str())
            }
        }

        impl fmt::Debug for $time {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        text_on_the_wire!($time, $format, concat!("a time such as ", $example), $write);
    };
}

/// Serialises what `$write` makes and deserialises by `FromStr`.
macro_rules! text_on_the_wire {
    ($type:ident, $format:expr, $expecting:expr, $write:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($write(self).as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Visitor)
            }
        }

        impl Wire for $type {
            const SCHEMA: &'static Schema = &Schema::Text($format);
        }
    };
}

on_the_wire!(
    Timestamp,
    "time",
    "2026-11-21T08:00:00Z",
    Format::Timestamp,
    |micros| Timestamp::from_unix(micros.div_euclid(MICROS)),
    |time: &Timestamp| rfc3339(time.unix() * MICROS, false)
);
on_the_wire!(
    MicroTime,
    "time",
    "2026-11-21T08:00:00.250000Z",
    Format::MicroTime,
    MicroTime::from_unix_micros,
    |time: &MicroTime| rfc3339(time.unix_micros(), true)
);

/// A span of time, to the microsecond, written as Go writes it: `1h30m0s`, `1.5s`, `250ms`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// So many microseconds.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// So many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// So many seconds.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROS))
    }

    /// The span in microseconds.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The span in whole seconds, rounded towards zero.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0 / MICROS
    }
}

impl From<std::time::Duration> for Duration {
    fn from(duration: std::time::Duration) -> Self {
        Self(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
    }
}

impl From<Duration> for std::time::Duration {
    /// A negative span becomes none.
    fn from(duration: Duration) -> Self {
        Self::from_micros(duration.0.max(0).unsigned_abs())
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let fraction = |value: u64, unit: u64, width: usize| {
            let digits = format!("{:0width$}", value % unit);
            let digits = digits.trim_end_matches('0');
            if digits.is_empty() { (value / unit).to_string() } else { format!("{}.{digits}", value / unit) }
        };
        let text = match micros {
            0 => "0s".to_string(),
            1..1_000 => format!("{micros}µs"),
            1_000..1_000_000 => format!("{}ms", fraction(micros, 1_000, 3)),
            _ => {
                let seconds = micros / 1_000_000;
                let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
                let rest = fraction(micros - (seconds - seconds % 60) * 1_000_000, 1_000_000, 6);
                match (hours, minutes) {
                    (0, 0) => format!("{rest}s"),
                    (0, _) => format!("{minutes}m{rest}s"),
                    _ => format!("{hours}h{minutes}m{rest}s"),
                }
            }
        };
        f.pad(&format!("{sign}{text}"))
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Duration {
    type Err = TimeError;

    /// What Go's `time.ParseDuration` reads; what is finer than a microsecond is cut off.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let error = || TimeError::new(text, "duration", "1h30m");
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        if rest.is_empty() || text.len() > 128 {
            return Err(error());
        }
        let mut nanos: i128 = 0;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(error)?;
            let (number, after) = rest.split_at(end);
            let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
            let (unit, after) = after.split_at(unit_end);
            let unit: i128 = match unit {
                "ns" => 1,
                "us" | "µs" | "μs" => 1_000,
                "ms" => 1_000_000,
                "s" => 1_000_000_000,
                "m" => 60_000_000_000,
                "h" => 3_600_000_000_000,
                _ => return Err(error()),
            };
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || number.len() > 30 {
                return Err(error());
            }
            let digits = |digits: &str| if digits.is_empty() { Ok(0) } else { digits.parse::<i128>() };
            let whole = digits(whole).map_err(|_| error())?;
            let part = digits(fraction).map_err(|_| error())?;
            let scale = 10_i128.pow(u32::try_from(fraction.len()).map_err(|_| error())?);
            let whole = whole.checked_mul(unit).ok_or_else(error)?;
            let part = part.checked_mul(unit).ok_or_else(error)? / scale;
            nanos = nanos.checked_add(whole + part).ok_or_else(error)?;
            rest = after;
        }
        let micros = i64::try_from(nanos / 1000).map_err(|_| error())?;
        Ok(Self(if negative { -micros } else { micros }))
    }
}

text_on_the_wire!(Duration, Format::Duration, "a duration such as 1h30m", Duration::to_string);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read_as_rfc_3339_and_written_in_utc() {
        for (text, written) in [
            ("2026-11-21T08:00:00Z", "2026-11-21T08:00:00Z"),
            ("2026-11-21T08:00:00.999Z", "2026-11-21T08:00:00Z"),
            ("2026-11-21T08:00:00+02:00", "2026-11-21T06:00:00Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z"),
            ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), written);
        }
        let micro: MicroTime = "2026-11-21T08:00:00.25Z".parse().unwrap();
        assert_eq!(micro.to_string(), "2026-11-21T08:00:00.250000Z");
        assert_eq!(Timestamp::from(micro).to_string(), "2026-11-21T08:00:00Z");
        for text in [
            "",
            "now",
            "2026-11-21",
            "2026-11-21 08:00:00Z",
            "2026-13-21T08:00:00Z",
            "2026-11-21T08:00Z",
            "2026-11-21T08:00:00Z[UTC]",
            "2026-11-21T08:00:00",
            "20261121T080000Z12345",
            "2026-11-21T08:00:00+2:00",
            "2026-11-21T08:00:00+24:00",
            "2026-11-21T08:00:00é:00",
            "é",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        assert_eq!(size_of::<Option<Timestamp>>(), 8);
    }

    #[test]
    fn durations_are_those_of_go() {
        for (text, written) in [
            ("0", "0s"),
            ("5s", "5s"),
            ("90s", "1m30s"),
            ("1h", "1h0m0s"),
            ("1h1m1.5s", "1h1m1.5s"),
            ("1.5h", "1h30m0s"),
            ("250ms", "250ms"),
            ("1500ms", "1.5s"),
            ("3us", "3µs"),
            ("3.5ms", "3.5ms"),
            ("-2m", "-2m0s"),
            (".5s", "500ms"),
            ("100ns", "0s"),
            ("+1s", "1s"),
        ] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), written, "{text}");
        }
        for text in ["", "5", "s", "1d", "1h-5m", "1..5s", ".s", "9999999999999h", "1 s", "-"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_day_is_the_one_that_the_library_says() {
        for day in FIRST / 86_400..=LAST / 86_400 {
            let theirs = EPOCH.checked_add(jiff::SignedDuration::from_secs(day * 86_400)).unwrap();
            let (year, month, of_month) = date(day);
            assert_eq!(
                (year as i16, month as i8, of_month as i8),
                (theirs.year(), theirs.month(), theirs.day()),
                "{day}"
            );
        }
    }

    proptest! {
        #[test]
        fn each_is_read_as_it_was_written(seconds in FIRST..=LAST, micros in any::<i64>(), span in any::<i64>()) {
            let time = Timestamp::from_unix(seconds);
            prop_assert_eq!(time.unix(), seconds);
            prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
            let micro = MicroTime::from_unix_micros(micros);
            prop_assert_eq!(micro.to_string().parse::<MicroTime>().unwrap(), micro);
            prop_assume!(span > i64::MIN);
            let span = Duration::from_micros(span);
            prop_assert_eq!(span.to_string().parse::<Duration>().unwrap(), span);
        }
    }
}
