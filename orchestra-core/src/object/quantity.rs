//! [`Quantity`]: amounts such as `500m`, `1.5Gi`, `2e3`.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::buffer::Buffer;
use super::schema::{Format, Schema};
use super::wire::Wire;

/// An exact amount of something, as Kubernetes writes them.
///
/// The grammar is `<number><suffix>`: a sign, decimal digits with at most one point, and one of the
/// binary suffixes `Ki Mi Gi Ti Pi Ei`, the decimal ones `n u m k M G T P E`, or an exponent
/// `e3`/`E3`. A value is a whole number of billionths; what is finer is rounded away from zero, and
/// what is greater than 2⁶³−1 is cut to that, both as Kubernetes does.
///
/// Two quantities are equal when their values are, however they were written. They print in
/// Kubernetes' canonical form: no fraction, the largest suffix that allows it, of the family in
/// which the quantity was written.
///
/// ```
/// use orchestra_core::object::Quantity;
/// let half: Quantity = "0.5".parse()?;
/// assert_eq!(half.to_string(), "500m");
/// assert_eq!("1.5Gi".parse::<Quantity>()?.to_string(), "1536Mi");
/// assert_eq!("1Gi".parse::<Quantity>()?, "1073741824".parse::<Quantity>()?);
/// assert_eq!(half.checked_add(half), Some(Quantity::from(1)));
/// # Ok::<_, orchestra_core::object::QuantityError>(())
/// ```
#[derive(Clone, Copy, Default)]
pub struct Quantity {
    /// value = units + nanos / 10⁹, `0 <= nanos < 10⁹`.
    units: i64,
    nanos: u32,
    family: Family,
}

/// Which suffixes a quantity is written with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Family {
    #[default]
    Decimal,
    Binary,
    Exponent,
}

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no quantity: {reason} (write a number with an optional suffix, such as 250m, 1.5 or 2Gi)"
)]
pub struct QuantityError {
    text: String,
    reason: &'static str,
}

const NANO: i128 = 1_000_000_000;
const MAX: i128 = i64::MAX as i128 * NANO;

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self { units: 0, nanos: 0, family: Family::Decimal };
    /// The greatest amount, 2⁶³−1.
    pub const MAX: Self = Self { units: i64::MAX, nanos: 0, family: Family::Decimal };

    /// So many thousandths: `Quantity::milli(1500)` is `1500m`.
    #[must_use]
    pub const fn milli(milli: i64) -> Self {
        Self {
            units: milli.div_euclid(1000),
            nanos: (milli.rem_euclid(1000) * 1_000_000) as u32,
            family: Family::Decimal,
        }
    }

    /// So many bytes, written with binary suffixes: `Quantity::bytes(1 << 30)` is `1Gi`.
    #[must_use]
    pub const fn bytes(bytes: i64) -> Self {
        Self { units: bytes, nanos: 0, family: Family::Binary }
    }

    /// The value as a whole number, rounded away from zero: some of something is never none of it.
    #[must_use]
    pub const fn value(self) -> i64 {
        // A negative value's whole part is rounded down already.
        if self.nanos == 0 || self.units < 0 { self.units } else { self.units.saturating_add(1) }
    }

    /// The value in thousandths, rounded away from zero; `None` when that does not fit.
    #[must_use]
    pub fn milli_value(self) -> Option<i64> {
        let (nanos, per_milli) = (self.total_nanos(), NANO / 1000);
        let up = i128::from(nanos % per_milli != 0) * nanos.signum();
        i64::try_from(nanos / per_milli + up).ok()
    }

    /// The value as a floating-point number, for display and ratios.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.units as f64 + f64::from(self.nanos) / 1e9
    }

    /// Whether the value is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.units == 0 && self.nanos == 0
    }

    /// Whether the value is less than zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.units < 0
    }

    /// The sum, in the first one's family; `None` when it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Self::from_nanos(self.total_nanos() + other.total_nanos(), self.family_with(other))
    }

    /// The difference; `None` when it does not fit.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Self::from_nanos(self.total_nanos() - other.total_nanos(), self.family_with(other))
    }

    /// The product with a whole number; `None` when it does not fit.
    #[must_use]
    pub fn checked_mul(self, by: i64) -> Option<Self> {
        Self::from_nanos(self.total_nanos().checked_mul(i128::from(by))?, self.family)
    }

    /// The sum of all; `None` when it does not fit.
    #[must_use]
    pub fn checked_sum(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        all.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// A zero has no family of its own, so that sums print as their first term does.
    const fn family_with(self, other: Self) -> Family {
        if self.is_zero() { other.family } else { self.family }
    }

    const fn total_nanos(self) -> i128 {
        self.units as i128 * NANO + self.nanos as i128
    }

    fn from_nanos(nanos: i128, family: Family) -> Option<Self> {
        if !(-MAX..=MAX).contains(&nanos) {
            return None;
        }
        let units = i64::try_from(nanos.div_euclid(NANO)).ok()?;
        Some(Self { units, nanos: nanos.rem_euclid(NANO) as u32, family })
    }
}

impl From<i64> for Quantity {
    fn from(units: i64) -> Self {
        Self { units: units.max(-i64::MAX), nanos: 0, family: Family::Decimal }
    }
}

impl From<i32> for Quantity {
    fn from(units: i32) -> Self {
        i64::from(units).into()
    }
}

impl From<u32> for Quantity {
    fn from(units: u32) -> Self {
        i64::from(units).into()
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.units, self.nanos).cmp(&(other.units, other.nanos))
    }
}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.units, self.nanos).hash(state);
    }
}

/// What a suffix multiplies by: a power of ten or of two.
enum Scale {
    Ten(i32),
    Two(u32),
}

fn scale(suffix: &str) -> Option<(Scale, Family)> {
    let (decimal, binary) = (Family::Decimal, Family::Binary);
    Some(match suffix {
        "n" => (Scale::Ten(-9), decimal),
        "u" => (Scale::Ten(-6), decimal),
        "m" => (Scale::Ten(-3), decimal),
        "" => (Scale::Ten(0), decimal),
        "k" => (Scale::Ten(3), decimal),
        "M" => (Scale::Ten(6), decimal),
        "G" => (Scale::Ten(9), decimal),
        "T" => (Scale::Ten(12), decimal),
        "P" => (Scale::Ten(15), decimal),
        "E" => (Scale::Ten(18), decimal),
        "Ki" => (Scale::Two(10), binary),
        "Mi" => (Scale::Two(20), binary),
        "Gi" => (Scale::Two(30), binary),
        "Ti" => (Scale::Two(40), binary),
        "Pi" => (Scale::Two(50), binary),
        "Ei" => (Scale::Two(60), binary),
        _ => {
            let digits = suffix.strip_prefix(['e', 'E'])?;
            let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
            if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            // An exponent beyond an i32 only says "far too great" or "far too small".
            let bound = if digits.starts_with('-') { i32::MIN } else { i32::MAX };
            (Scale::Ten(digits.parse().unwrap_or(bound)), Family::Exponent)
        }
    })
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = |reason| QuantityError { text: text.chars().take(64).collect(), reason };
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if text.is_empty() {
            return Err(error("it is empty"));
        } else if whole.is_empty() && fraction.is_empty() {
            return Err(error("it has no digits"));
        } else if fraction.contains('.') {
            return Err(error("it has two points"));
        }
        let Some((scale, family)) = scale(suffix) else {
            return Err(error("its suffix is unknown"));
        };
        let nanos = match short(whole, fraction, &scale) {
            Some(nanos) => nanos,
            None => Decimal::new(whole, fraction).nanos(&scale),
        };
        let nanos = if text.starts_with('-') { -nanos } else { nanos };
        Self::from_nanos(nanos, family).ok_or_else(|| error("it is out of range"))
    }
}

/// The value in billionths of what nearly all quantities are: a few digits without a fraction.
fn short(whole: &str, fraction: &str, scale: &Scale) -> Option<i128> {
    if !fraction.is_empty() || !(1..=9).contains(&whole.len()) {
        return None;
    }
    let factor = match scale {
        Scale::Ten(power @ -9..=9) => 10_i128.pow(u32::try_from(power + 9).ok()?),
        Scale::Two(power @ ..=30) => NANO << power,
        _ => return None,
    };
    whole.parse::<i128>().ok().map(|whole| whole * factor)
}

/// A decimal number as digits: `digits × 10^exponent`.
struct Decimal {
    digits: Vec<u8>,
    exponent: i32,
}

impl Decimal {
    fn new(whole: &str, fraction: &str) -> Self {
        let fraction = fraction.trim_end_matches('0');
        let digits: Vec<u8> =
            whole.bytes().chain(fraction.bytes()).skip_while(|b| *b == b'0').map(|b| b - b'0').collect();
        Self { digits, exponent: -i32::try_from(fraction.len()).unwrap_or(i32::MAX) }
    }

    /// The value times `scale` in billionths, rounded up, cut to the greatest quantity.
    fn nanos(mut self, scale: &Scale) -> i128 {
        match scale {
            Scale::Ten(power) => self.exponent = self.exponent.saturating_add(*power),
            Scale::Two(power) => self.multiply(1 << power),
        }
        if self.digits.is_empty() {
            return 0;
        }
        // How many digits of the result stand before its point.
        let count = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        let before = count.saturating_add(i64::from(self.exponent)).saturating_add(9);
        let mut whole: i128 = 0;
        for at in 0..before.max(0) {
            let digit = usize::try_from(at).ok().and_then(|at| self.digits.get(at)).copied().unwrap_or(0);
            whole = whole * 10 + i128::from(digit);
            if whole > MAX {
                return MAX;
            }
        }
        let rest = self.digits.iter().skip(usize::try_from(before).unwrap_or(0));
        let up = i128::from(rest.copied().any(|digit| digit != 0));
        (whole + up).min(MAX)
    }

    /// Multiplies digit by digit, so that nothing is lost however long the number is.
    fn multiply(&mut self, factor: u64) {
        let mut carry = 0_u128;
        for digit in self.digits.iter_mut().rev() {
            let product = u128::from(*digit) * u128::from(factor) + carry;
            *digit = (product % 10) as u8;
            carry = product / 10;
        }
        let mut front = Vec::new();
        while carry > 0 {
            front.push((carry % 10) as u8);
            carry /= 10;
        }
        front.reverse();
        self.digits.splice(0..0, front);
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.canonical().as_str())
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.canonical().as_str())
    }
}

impl Quantity {
    fn canonical(self) -> Buffer<40> {
        let mut text = Buffer::new();
        // Binary suffixes are for whole numbers from 1024 on; anything else is decimal.
        if self.family == Family::Binary && self.nanos == 0 && self.units.unsigned_abs() >= 1024 {
            let power = (self.units.trailing_zeros() / 10).min(6);
            self.sign(&mut text);
            text.number(self.units.unsigned_abs() >> (10 * power), 1);
            text.push_str(["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][power as usize]);
            return text;
        }
        // The mantissa is in units where there is no fraction, in billionths where there is one.
        let (mut mantissa, mut exponent) = match self.nanos {
            0 => (u128::from(self.units.unsigned_abs()), 0),
            _ => (self.total_nanos().unsigned_abs(), -9),
        };
        while mantissa != 0 && exponent < 18 {
            let shorter = match u64::try_from(mantissa) {
                Ok(small) => (small % 1000 == 0).then_some(u128::from(small / 1000)),
                Err(_) => (mantissa % 1000 == 0).then_some(mantissa / 1000),
            };
            let Some(shorter) = shorter else { break };
            (mantissa, exponent) = (shorter, exponent + 3);
        }
        self.sign(&mut text);
        match u64::try_from(mantissa) {
            Ok(small) => text.number(small, 1),
            Err(_) => text.push_str(&mantissa.to_string()),
        }
        match (self.family, exponent) {
            (_, 0) => {}
            (Family::Exponent, exponent) => {
                text.push_str(if exponent < 0 { "e-" } else { "e" });
                text.number(u64::from(i32::unsigned_abs(exponent)), 1);
            }
            (_, exponent) => {
                text.push_str(["n", "u", "m", "", "k", "M", "G", "T", "P", "E"][(exponent / 3 + 3) as usize]);
            }
        }
        text
    }

    fn sign(self, text: &mut Buffer<40>) {
        if self.is_negative() {
            text.push(b'-');
        }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.canonical().as_str())
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Quantity;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity such as 500m, 1 or 2Gi")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Quantity, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Quantity, E> {
                Ok(number.into())
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Quantity, E> {
                Ok(i64::try_from(number).map_or(Quantity::MAX, Quantity::from))
            }
            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Quantity, E> {
                // The shortest text that reads as this number is the one that was written.
                number.to_string().parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Wire for Quantity {
    const SCHEMA: &'static Schema = &Schema::Text(Format::Quantity);
    fn is_absent(&self) -> bool {
        self.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    #[test]
    fn canonical_forms_are_those_of_kubernetes() {
        // From the tables of apimachinery's quantity_test.go.
        for (text, canonical) in [
            ("0", "0"),
            ("0n", "0"),
            ("0Ei", "0"),
            ("-0", "0"),
            ("+1", "1"),
            ("1Ki", "1Ki"),
            ("8Ki", "8Ki"),
            ("7Mi", "7Mi"),
            ("6Gi", "6Gi"),
            ("5Ti", "5Ti"),
            ("4Pi", "4Pi"),
            ("3Ei", "3Ei"),
            ("10n", "10n"),
            ("10u", "10u"),
            ("10m", "10m"),
            ("10", "10"),
            ("10k", "10k"),
            ("50M", "50M"),
            ("40G", "40G"),
            ("30T", "30T"),
            ("20P", "20P"),
            ("1E", "1E"),
            ("100E-3", "100e-3"),
            ("10e3", "10e3"),
            ("1E6", "1e6"),
            ("5e9", "5e9"),
            ("4e12", "4e12"),
            ("3e15", "3e15"),
            ("1e18", "1e18"),
            ("1.1E", "1100P"),
            ("1.1", "1100m"),
            ("1.5Ki", "1536"),
            ("1.5Mi", "1536Ki"),
            ("0.5Gi", "512Mi"),
            ("100035k", "100035k"),
            ("1024", "1024"),
            ("2048Ki", "2Mi"),
            ("1000k", "1M"),
            ("1000m", "1"),
            ("1.0", "1"),
            (".5", "500m"),
            ("5.", "5"),
            ("-.5", "-500m"),
            ("0.001Ki", "1024m"),
            ("12e5", "1200e3"),
            ("1e-9", "1e-9"),
            ("123456789.123456789", "123456789123456789n"),
            ("9.01Gi", "9674413834240m"),
            ("-1.5Gi", "-1536Mi"),
            ("1000Ki", "1000Ki"),
            ("1023", "1023"),
            ("-2Ki", "-2Ki"),
            ("512", "512"),
            ("0.5Ki", "512"),
        ] {
            assert_eq!(parse(text).to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn what_is_too_fine_is_rounded_up_and_what_is_too_great_is_cut() {
        for (text, canonical) in [
            ("0.1n", "1n"),
            ("1.1n", "2n"),
            ("0.0000000001", "1n"),
            ("-0.1n", "-1n"),
            ("1e-99999999999", "1e-9"),
            ("0.00000000000000000000000000001Ei", "1n"),
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "9223372036854775807"),
            ("10E", "9223372036854775807"),
            ("9Ei", "9223372036854775807"),
            ("1e99999999999", "9223372036854775807"),
            ("-10E", "-9223372036854775807"),
        ] {
            assert_eq!(parse(text).to_string(), canonical, "{text}");
        }
        let long = format!("{}.{}Ki", "0".repeat(100_000), "9".repeat(100_000));
        assert_eq!(parse(&long).to_string(), "1Ki");
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in [
            "", ".", "-", "1.2.3", "1i", "1ki", "1mi", "1K", "1GB", "one", "1 Gi", " 1", "1e", "1e+",
            "1e1.5", "--1", "+-1", "1EE", "1m1", "Ki", "1e3Ki", "١",
        ] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }

    #[test]
    fn arithmetic_says_when_it_overflows() {
        let max = Quantity::MAX;
        assert_eq!(max.checked_add(parse("1n")), None);
        assert_eq!(parse("-1").checked_sub(max), None);
        assert_eq!(max.checked_mul(2), None);
        assert_eq!(max.checked_mul(i64::MAX), None);
        assert_eq!(parse("1500m").checked_mul(3), Some(parse("4.5")));
        assert_eq!(parse("1Gi").checked_sub(parse("512Mi")).unwrap().to_string(), "512Mi");
        assert_eq!(Quantity::checked_sum([parse("1Ki"), parse("1Ki")]).unwrap().to_string(), "2Ki");
        assert_eq!(Quantity::milli(-1500).to_string(), "-1500m");
        assert_eq!(parse("1001m").value(), 2);
        assert_eq!(parse("-1001m").value(), -2);
        assert_eq!(parse("-1n").value(), -1);
        assert_eq!(parse("-1.0001").milli_value(), Some(-1001));
        assert_eq!(parse("1.0001").milli_value(), Some(1001));
        assert_eq!(max.milli_value(), None);
    }

    #[test]
    fn numbers_in_json_are_quantities_too() {
        for (json, canonical) in
            [("1", "1"), ("0.1", "100m"), ("1e3", "1k"), ("-2.5", "-2500m"), ("\"1Gi\"", "1Gi")]
        {
            assert_eq!(serde_json::from_str::<Quantity>(json).unwrap().to_string(), canonical);
        }
    }

    proptest! {
        #[test]
        fn printing_and_reading_keep_the_value(units in any::<i64>(), nanos in 0..1_000_000_000_u32, family in 0..3) {
            let family = [Family::Decimal, Family::Binary, Family::Exponent][family as usize];
            let nanos = if units == i64::MAX { 0 } else { nanos };
            prop_assume!(units > i64::MIN);
            let quantity = Quantity { units, nanos, family };
            let text = quantity.to_string();
            prop_assert_eq!(parse(&text), quantity);
            prop_assert_eq!(parse(&text).to_string(), text);
        }

        #[test]
        fn agrees_with_exact_arithmetic(whole in 0..100_000_000_u64, fraction in "[0-9]{0,12}", suffix in 0..16_usize) {
            let suffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
            let factors: [(u128, u128); 16] = [
                (1, 1_000_000_000), (1, 1_000_000), (1, 1000), (1, 1), (1000, 1), (1_000_000, 1), (1_000_000_000, 1),
                (1_000_000_000_000, 1), (10_u128.pow(15), 1), (10_u128.pow(18), 1),
                (1 << 10, 1), (1 << 20, 1), (1 << 30, 1), (1 << 40, 1), (1 << 50, 1), (1 << 60, 1),
            ];
            // value = n × 10^-places × up/down, in billionths, rounded up
            let places = fraction.len() as u32;
            let n: u128 = format!("{whole}{fraction}").parse().unwrap();
            let (up, down) = factors[suffix];
            let below = down * 10_u128.pow(places);
            let expected = match n.checked_mul(up).and_then(|n| n.checked_mul(1_000_000_000)) {
                Some(above) => above.div_ceil(below).min(MAX as u128),
                None => {
                    prop_assume!(n / below * up > i64::MAX as u128);
                    MAX as u128
                }
            };
            let quantity = parse(&format!("{whole}.{fraction}{}", suffixes[suffix]));
            prop_assert_eq!(quantity.total_nanos() as u128, expected);
        }
    }
}
