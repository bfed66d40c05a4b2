//! What names, labels and ports may look like: the rules of Kubernetes' `validation` package.
//!
//! Each function answers `Err` with a sentence about what is wrong with the text.

use std::net::IpAddr;

/// What is wrong with a name.
pub type Verdict = Result<(), String>;

/// `ok`, or what would be.
fn require(ok: bool, or_else: impl FnOnce() -> String) -> Verdict {
    if ok { Ok(()) } else { Err(or_else()) }
}

fn is_lower_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn starts_and_ends(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    matches!(text.as_bytes(), [first, .., last] if allowed(*first) && allowed(*last))
        || matches!(text.as_bytes(), [only] if allowed(*only))
}

fn is_label(text: &str) -> bool {
    starts_and_ends(text, is_lower_alphanumeric)
        && text.bytes().all(|b| is_lower_alphanumeric(b) || b == b'-')
}

fn at_most(text: &str, length: usize) -> Verdict {
    require(text.len() <= length, || format!("must be no more than {length} characters"))
}

/// A DNS label (RFC 1123), as the names of pods' containers, namespaces and services' ports are.
pub fn dns_label(text: &str) -> Verdict {
    at_most(text, 63)?;
    require(is_label(text), || {
        format!(
            "`{text}` must be lower-case letters, digits and `-`, and start and end with a letter or digit"
        )
    })
}

/// A DNS label that begins with a letter (RFC 1035), as a Service's name is.
pub fn dns_1035_label(text: &str) -> Verdict {
    at_most(text, 63)?;
    let ok = is_label(text) && text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    require(ok, || {
        format!(
            "`{text}` must be lower-case letters, digits and `-`, start with a letter and end with a letter or digit"
        )
    })
}

/// A DNS name (RFC 1123), as most objects' names are.
pub fn dns_subdomain(text: &str) -> Verdict {
    at_most(text, 253)?;
    require(text.split('.').all(is_label), || {
        format!(
            "`{text}` must be lower-case letters, digits, `-` and `.`, and start and end with a letter or digit"
        )
    })
}

/// A name that is one segment of a URL's path, as the names of roles are.
pub fn path_segment(text: &str) -> Verdict {
    require(!text.is_empty(), || "must not be empty".into())?;
    require(!matches!(text, "." | ".."), || format!("may not be `{text}`"))?;
    require(!text.contains(['/', '%']), || format!("`{text}` may contain neither `/` nor `%`"))
}

/// A label's key or another qualified name: `name`, or `prefix/name` with a DNS name as prefix.
pub fn qualified_name(text: &str) -> Verdict {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if let Some(prefix) = prefix {
        require(!prefix.is_empty(), || format!("`{text}` has an empty prefix"))?;
        dns_subdomain(prefix).map_err(|wrong| format!("the prefix {wrong}"))?;
    }
    require(!name.is_empty(), || "must not be empty".into())?;
    at_most(name, 63)?;
    require(is_label_text(name), || {
        format!(
            "`{text}` must be letters, digits, `-`, `_` and `.`, and start and end with a letter or digit"
        )
    })
}

fn is_label_text(text: &str) -> bool {
    starts_and_ends(text, |b| b.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// A label's value.
pub fn label_value(text: &str) -> Verdict {
    at_most(text, 63)?;
    require(text.is_empty() || is_label_text(text), || {
        format!(
            "`{text}` must be empty, or letters, digits, `-`, `_` and `.` that start and end with a letter or digit"
        )
    })
}

/// The number of a port.
pub fn port(number: u16) -> Verdict {
    require(number > 0, || "must be between 1 and 65535".into())
}

/// The name of a port (RFC 6335).
pub fn port_name(text: &str) -> Verdict {
    at_most(text, 15)?;
    require(is_label(text), || {
        format!(
            "`{text}` must be lower-case letters, digits and `-`, and start and end with a letter or digit"
        )
    })?;
    require(text.bytes().any(|b| b.is_ascii_lowercase()), || format!("`{text}` must contain a letter"))?;
    require(!text.contains("--"), || format!("`{text}` may not contain `--`"))
}

/// The name of an environment variable: any printable ASCII but `=`.
pub fn env_name(text: &str) -> Verdict {
    require(!text.is_empty(), || "must not be empty".into())?;
    require(text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'='), || {
        format!("`{}` must be printable ASCII characters other than `=`", text.escape_debug())
    })
}

/// A key of a ConfigMap or Secret.
pub fn config_key(text: &str) -> Verdict {
    at_most(text, 253)?;
    let ok = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    require(ok, || format!("`{}` must be letters, digits, `-`, `_` or `.`", text.escape_debug()))?;
    require(text != "." && !text.starts_with(".."), || {
        format!("may not be `.` or start with `..`, as `{text}` does")
    })
}

/// An address, IPv4 or IPv6.
pub fn ip(text: &str) -> Verdict {
    require(text.parse::<IpAddr>().is_ok(), || {
        format!("`{text}` must be an address such as 10.9.8.7 or 2001:db8::ffff")
    })
}

/// A range of addresses: an address and how many bits of it count.
pub fn cidr(text: &str) -> Verdict {
    require(parse_cidr(text).is_some(), || {
        format!("`{text}` must be a range of addresses such as 10.9.0.0/16 or 2001:db8::/64")
    })
}

/// The address and the number of bits that a range is written with.
pub(crate) fn parse_cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits = Some(bits).filter(|bits| bits.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
    (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, bits))
}

/// An absolute path within a container.
pub fn absolute_path(text: &str) -> Verdict {
    require(text.starts_with('/'), || format!("`{text}` must be an absolute path"))
}

/// A path that stays below where it begins.
pub fn local_path(text: &str) -> Verdict {
    require(!text.starts_with('/'), || format!("`{text}` must be a relative path"))?;
    require(!text.split('/').any(|part| part == ".."), || format!("`{text}` may not contain `..`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_kubernetes_judges_them() {
        let long = |n: usize| "a".repeat(n);
        let (l63, l64, l253, l254) =
            (long(63), long(64), format!("{}.{}.{}.{}", long(63), long(63), long(63), long(61)), long(254));
        type Rule = fn(&str) -> Verdict;
        let table: &[(Rule, &[&str], &[&str])] = &[
            (
                dns_label,
                &["a", "ab", "a1", "1", "a-b", &l63],
                &["", "A", "a.b", "-a", "a-", "a_b", "ä", &l64],
            ),
            (dns_1035_label, &["a", "a1", "ab-c"], &["1a", "", "a-", "A"]),
            (
                dns_subdomain,
                &["a", "a.b", "1.2", "a-b.c", &l253],
                &["", ".", "a.", ".a", "a..b", "A", "a_b", &l254],
            ),
            (path_segment, &["system:node", "a b"], &["", ".", "..", "a/b", "50%"]),
            (
                qualified_name,
                &["a", "A", "a_b.c-d", "example.com/a", "1", &l63],
                &["", "/a", "a/", "a/b/c", "-a", "a b", "Example.com/a", &l64],
            ),
            (label_value, &["", "a", "A_b.c", &l63], &["-a", "a/b", "a b", "a.", &l64]),
            (port_name, &["http", "a1", "1a", "a-b"], &["", "80", "HTTP", "a--b", "-a", "abcdefghijklmnop"]),
            (
                ip,
                &["10.0.0.1", "::1", "2001:db8::ffff"],
                &["", "10.0.0", "10.0.0.256", "010.0.0.1", "a", "::1%eth0"],
            ),
            (
                cidr,
                &["10.0.0.0/8", "0.0.0.0/0", "10.0.0.1/32", "::/0", "2001:db8::/128"],
                &["", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "::/129", "/8"],
            ),
            (env_name, &["A", "a.b", "1", "a b"], &["", "a=b", "ä", "a\n"]),
            (config_key, &["a", ".dockerconfigjson", "A_b-c.d"], &["", ".", "..", "..a", "...", "a/b"]),
        ];
        for (rule, good, bad) in table {
            for text in *good {
                assert_eq!(rule(text), Ok(()), "{text}");
            }
            for text in *bad {
                assert!(rule(text).is_err(), "{text}");
            }
        }
        assert!(port(0).is_err() && port(1).is_ok());
    }
}
