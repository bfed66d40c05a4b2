//! What a plain word of YAML means.
//!
//! Kubernetes reads YAML 1.1, as its Go library does: `yes` is true, `0644` is 420, `1_000` is a
//! thousand, while times stay strings and base 60 is not known. The writer asks here which strings
//! it must quote.

use serde_json::Number;

use super::tree::Data;

/// The value of a plain scalar. `Err` says why it is none that JSON has.
pub(crate) fn resolve(text: &str) -> Result<Data, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Data::Null),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf"
        | "-.Inf" | "-.INF" => return Err("a number must be finite"),
        _ => {}
    }
    if let Some(value) = boolean(text) {
        return Ok(Data::Bool(value));
    }
    Ok(match number(text)? {
        Some(number) => Data::Number(number),
        None => Data::Text(text.into()),
    })
}

/// Whether a string must be quoted to be read as a string.
pub(crate) fn is_special(text: &str) -> bool {
    !matches!(resolve(text), Ok(Data::Text(_)))
}

pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

pub(crate) fn number(text: &str) -> Result<Option<Number>, &'static str> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Ok(None);
    }
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    if let Some(integer) = integer(&plain) {
        return Ok(Some(integer));
    }
    if !is_decimal(&plain) {
        return Ok(None);
    }
    // Whole numbers too great for an integer are floating-point ones, as for Go; and one that is whole
    // loses its fraction on the way through JSON: `3.0` is 3.
    let value = plain.parse::<f64>().map_err(|_| "the number cannot be read")?;
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return Ok(Some(Number::from(value as i64)));
    }
    Number::from_f64(value).map(Some).ok_or("the number is too great")
}

/// A whole number in one of the bases that Go's `ParseInt` tells from the prefix.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        0_i64.checked_sub_unsigned(magnitude).map(Number::from)
    } else {
        Some(Number::from(magnitude))
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    mantissa_fits && exponent_fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tree::{Mark, Node};
    use serde_json::{Value, json};

    #[test]
    fn words_mean_what_they_mean_to_kubernetes() {
        let value = |text: &str| Node { mark: Mark::default(), data: resolve(text).unwrap() }.to_value();
        for (text, meaning) in [
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("y", json!(true)),
            ("true", json!(true)),
            ("TrUe", json!("TrUe")),
            ("~", Value::Null),
            ("", Value::Null),
            ("null", Value::Null),
            ("nil", json!("nil")),
            ("0644", json!(420)),
            ("0o644", json!(420)),
            ("0x1F", json!(31)),
            ("0b101", json!(5)),
            ("-0644", json!(-420)),
            ("1_000", json!(1000)),
            ("08", json!(8)),
            ("0", json!(0)),
            ("+5", json!(5)),
            ("-5", json!(-5)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("5.", json!(5)),
            ("1e3", json!(1000)),
            ("3.0", json!(3)),
            ("1.5e-3", json!(0.0015)),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("18446744073709551616", json!(18_446_744_073_709_551_616_f64)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("1.2.3", json!("1.2.3")),
            ("1Gi", json!("1Gi")),
            ("500m", json!("500m")),
            ("10.0.0.1", json!("10.0.0.1")),
            ("2001-01-01", json!("2001-01-01")),
            ("12:30:45", json!("12:30:45")),
            ("0x", json!("0x")),
            ("1e", json!("1e")),
            ("-", json!("-")),
            (".", json!(".")),
            ("e3", json!("e3")),
            ("0b2", json!("0b2")),
            ("_1", json!("_1")),
            ("1__0", json!(10)),
        ] {
            assert_eq!(value(text), meaning, "{text}");
        }
        for text in [".inf", "-.INF", ".nan", "1e999"] {
            assert!(resolve(text).is_err(), "{text}");
        }
    }
}
