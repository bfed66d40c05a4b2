//! [`Sampler`]: arbitrary objects of any kind, made from its schema.

use serde_json::{Map, Value, json};

use super::schema::{Field, Format, Merge, OneOf, Schema, Struct};
use super::{Duration, MicroTime, Quantity, Timestamp};

/// Makes values that a schema allows, from a seed: the same seed, the same value.
///
/// Its texts are any texts, not names that would pass a check: what it makes is right in shape,
/// which is what reading, writing and merging are about.
pub struct Sampler {
    state: u64,
    /// How deep the place is that is being filled; the deeper, the emptier.
    depth: u32,
}

impl Sampler {
    /// A sampler that always makes the same values.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self { state: seed, depth: 0 }
    }

    fn next(&mut self) -> u64 {
        crate::random::next(&mut self.state)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[usize::try_from(self.below(list.len() as u64)).unwrap_or(0)]
    }

    /// Any value that the schema allows.
    pub fn value(&mut self, schema: &Schema) -> Value {
        match schema {
            Schema::Any => self.anything(),
            Schema::Bool => Value::Bool(self.one_in(2)),
            Schema::Int { min, max } => self.int(*min, *max).into(),
            Schema::Text(format) => self.text(*format),
            Schema::Enum(texts) => (*self.pick(texts)).into(),
            Schema::Map(values) => (0..self.length()).map(|_| (self.word(), self.deeper(values))).collect(),
            Schema::List(item) => (0..self.length()).map(|_| self.deeper(item)).collect(),
            Schema::Struct(it) => Value::Object(self.fields(it)),
            Schema::OneOf(it) => Value::Object(self.variant(it)),
        }
    }

    fn deeper(&mut self, schema: &Schema) -> Value {
        self.depth += 1;
        let value = self.value(schema);
        self.depth -= 1;
        value
    }

    fn length(&mut self) -> u64 {
        self.below(3)
    }

    fn fields(&mut self, it: &Struct) -> Map<String, Value> {
        let mut map = Map::new();
        for field in it.fields {
            if self.one_in(2 + u64::from(self.depth) / 3) {
                map.insert(field.name.into(), self.field(field));
            }
        }
        match it.inline {
            Some(Schema::Struct(inline)) => map.extend(self.fields(inline)),
            Some(Schema::OneOf(inline)) => map.extend(self.variant(inline)),
            _ => {}
        }
        map
    }

    fn field(&mut self, field: &Field) -> Value {
        let value = self.deeper(field.schema);
        match (field.merge, value) {
            // The elements of such lists are told apart, so no two may be alike.
            (Merge::Set, Value::Array(mut list)) => {
                list.sort_by_key(Value::to_string);
                list.dedup();
                Value::Array(list)
            }
            (_, value) => value,
        }
    }

    fn variant(&mut self, it: &OneOf) -> Map<String, Value> {
        let mut map = Map::new();
        let variant = self.pick(it.variants);
        if let Some(tag) = it.tag {
            map.insert(tag.into(), variant.value.into());
        } else if self.one_in(8) {
            return map;
        }
        if let Some(content) = &variant.content {
            map.insert(content.name.into(), self.deeper(content.schema));
        }
        map
    }

    fn int(&mut self, min: i64, max: i64) -> i64 {
        match self.below(6) {
            0 => min,
            1 => max,
            2 => min.max(0),
            3 => i64::try_from(self.below(100)).unwrap_or(0).clamp(min, max),
            _ => {
                let span = i128::from(max) - i128::from(min) + 1;
                let offset = i128::from(self.next()) % span;
                i64::try_from(i128::from(min) + offset).unwrap_or(min)
            }
        }
    }

    fn word(&mut self) -> String {
        const WORDS: [&str; 12] = [
            "app",
            "web",
            "x",
            "example.com/name",
            "a-longer-name-than-fits",
            "ä",
            "",
            " ",
            "yes",
            "0644",
            "\u{1F680}",
            "a\"b\\c\n",
        ];
        let word = *self.pick(&WORDS);
        if self.one_in(3) { format!("{word}{}", self.below(1000)) } else { word.into() }
    }

    fn text(&mut self, format: Format) -> Value {
        match format {
            Format::Any => self.word().into(),
            Format::Quantity => {
                let milli = self.int(-1_000_000, i64::MAX / 2048);
                let quantity = if self.one_in(2) { Quantity::milli(milli) } else { Quantity::bytes(milli) };
                quantity.to_string().into()
            }
            // Up to what other readers of such times can hold, a day before the end of 9999.
            Format::Timestamp => {
                let seconds = self.int(-62_167_219_200, 253_402_207_199);
                Timestamp::from_unix(seconds).to_string().into()
            }
            Format::MicroTime => {
                let micros = self.int(-62_167_219_200_000_000, 253_402_207_199_999_999);
                MicroTime::from_unix_micros(micros).to_string().into()
            }
            Format::Duration => Duration::from_micros(self.int(-i64::MAX, i64::MAX)).to_string().into(),
            Format::Base64 => {
                use base64::Engine;
                let bytes: Vec<u8> = (0..self.below(20)).map(|_| self.next().to_le_bytes()[0]).collect();
                base64::engine::general_purpose::STANDARD.encode(bytes).into()
            }
            Format::IntOrPercent => {
                let count = self.int(0, i64::from(i32::MAX));
                if self.one_in(2) { count.into() } else { format!("{count}%").into() }
            }
            Format::Port => {
                let number = self.int(1, 65535);
                if self.one_in(2) { number.into() } else { self.word().into() }
            }
            Format::Revision => self.int(0, i64::MAX).to_string().into(),
        }
    }

    fn anything(&mut self) -> Value {
        match self.below(4) {
            0 => self.word().into(),
            1 => self.int(i64::MIN, i64::MAX).into(),
            2 => json!([true, null, {}]),
            _ => json!({ "a": self.word(), "b": { "c": self.below(10) } }),
        }
    }
}
