//! [`Fold`]: a 64-bit hash of trees that is the same on every machine and in every run.

use std::hash::{Hash, Hasher};

use serde_json::{Map, Number, Value};

use crate::object::Fields;
use crate::object::fields::Node;

/// Takes in numbers and texts, and gives a number of 64 bits.
///
/// Each sixteen bytes are folded in by one multiplication to 128 bits, whose halves are put together:
/// that mixes well, and costs a nanosecond or two. It is no protection against somebody who looks for
/// two trees of one hash: whoever can choose what a controller writes has no need to.
#[derive(Clone, Copy)]
pub(super) struct Fold(u64);

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX: u64 = 0xd1b5_4a32_d192_ed03;

const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Up to sixteen bytes as two numbers. What is shorter than it could be overlaps with itself.
fn words(bytes: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into());
    }
    match bytes {
        [] => (0, 0),
        [first, .., last] => (u64::from(*first), u64::from(bytes[bytes.len() / 2]) << 8 | u64::from(*last)),
        [only] => (u64::from(*only), 1 << 16),
    }
}

/// What a number stands for, so that `1` is not `"1"`.
const TEXT: u64 = 1;
const STRING: u64 = 2;
const NULL: u64 = 3;
const BOOL: u64 = 4;
const NATURAL: u64 = 5;
const NEGATIVE: u64 = 6;
const FRACTION: u64 = 7;
const LIST: u64 = 8;
const MAP: u64 = 9;
const PLAIN: u64 = 10;

impl Fold {
    pub(super) const fn new() -> Self {
        Self(ODD)
    }

    /// The hash.
    pub(super) const fn end(self) -> u64 {
        fold(self.0 ^ MIX, ODD)
    }

    fn pair(&mut self, a: u64, b: u64) {
        self.0 = fold(self.0 ^ a ^ MIX, b ^ ODD).wrapping_add(self.0.rotate_left(23));
    }

    pub(super) fn number(&mut self, number: u64) {
        self.pair(number, PLAIN);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes(), TEXT);
    }

    fn bytes(&mut self, bytes: &[u8], what: u64) {
        let length = bytes.len() as u64;
        self.0 = self.0.wrapping_add((length << 8 | what).wrapping_mul(MIX));
        let mut rest = bytes;
        while rest.len() > 16 {
            let (chunk, more) = rest.split_at(16);
            let (low, high) = words(chunk);
            self.pair(low, high);
            rest = more;
        }
        let (low, high) = words(rest);
        self.pair(low, high);
    }

    pub(super) fn hash_of(&mut self, value: &impl Hash) {
        value.hash(self);
    }

    pub(super) fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.pair(0, NULL),
            Value::Bool(it) => self.pair(u64::from(*it), BOOL),
            Value::Number(number) => self.json_number(number),
            Value::String(text) => self.bytes(text.as_bytes(), STRING),
            Value::Array(list) => {
                self.pair(list.len() as u64, LIST);
                list.iter().for_each(|item| self.value(item));
            }
            Value::Object(map) => self.map(map),
        }
    }

    /// The same number as their JSON has.
    pub(super) fn fields(&mut self, fields: &Fields) {
        self.entries(fields.0.iter(), Self::node);
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Null => self.pair(0, NULL),
            Node::Bool(it) => self.pair(u64::from(*it), BOOL),
            Node::Number(number) => self.json_number(number),
            Node::Text(text) => self.bytes(text.as_bytes(), STRING),
            Node::List(list) => {
                self.pair(list.len() as u64, LIST);
                list.iter().for_each(|item| self.node(item));
            }
            Node::Map(map) => self.entries(map.iter(), Self::node),
        }
    }

    fn json_number(&mut self, number: &Number) {
        match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => self.pair(number, NATURAL),
            (None, Some(number)) => self.pair(number as u64, NEGATIVE),
            (None, None) => self.pair(number.as_f64().map_or(0, f64::to_bits), FRACTION),
        }
    }

    pub(super) fn map(&mut self, map: &Map<String, Value>) {
        self.entries(map.iter(), Self::value);
    }

    /// The order of the entries does not count, as it does not for whether two maps are equal. Each
    /// starts anew, which also lets the processor work on several at once.
    fn entries<'v, N: AsRef<str> + 'v, V: 'v>(
        &mut self,
        entries: impl ExactSizeIterator<Item = (&'v N, &'v V)>,
        value: impl Fn(&mut Self, &V),
    ) {
        let (mut sum, length) = (0_u64, entries.len());
        for (name, it) in entries {
            let mut entry = Self::new();
            entry.text(name.as_ref());
            value(&mut entry, it);
            sum = sum.wrapping_add(entry.0);
        }
        self.pair(sum, (length as u64) << 8 | MAP);
    }
}

/// For types that say themselves what they are made of. A number counts as its bytes do on every machine.
impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.end()
    }
    fn write(&mut self, bytes: &[u8]) {
        self.bytes(bytes, TEXT);
    }
    fn write_u8(&mut self, number: u8) {
        self.number(number.into());
    }
    fn write_u32(&mut self, number: u32) {
        self.number(number.into());
    }
    fn write_u64(&mut self, number: u64) {
        self.number(number);
    }
    fn write_usize(&mut self, number: usize) {
        self.number(number as u64);
    }
    fn write_isize(&mut self, number: isize) {
        self.number(number as u64);
    }
}
