//! From JSON to trees. `serde_json` knows no places, so the structure is followed here; strings and
//! numbers are still its business.

use super::tree::{Data, Entry, Limits, Mark, Node, Syntax};

/// The documents in a text: JSON values one after the other.
pub(crate) fn read(text: &str, limits: &Limits, budget: &mut usize) -> Result<Vec<Node>, Syntax> {
    let mut reader = Reader { text, at: 0, line: 1, counted: (0, 1), limits, budget, depth: 0 };
    let mut documents = Vec::new();
    loop {
        reader.space();
        if reader.rest().is_empty() {
            return Ok(documents);
        }
        documents.push(reader.value()?);
        // `truefalse` are not two values; what has an end of its own needs no space after it.
        let scalar = !matches!(
            documents.last().map(|node| &node.data),
            Some(Data::Map(_) | Data::List(_) | Data::Text(_))
        );
        if scalar && reader.peek().is_some_and(|byte| !b" \t\r\n\"[]{},:".contains(&byte)) {
            return Err(reader.wrong("a space was expected after the value"));
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    /// A byte of the current line and its column, from which later columns are counted on, since
    /// all of a text may be one line.
    counted: (usize, u32),
    limits: &'a Limits,
    budget: &'a mut usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn mark(&mut self) -> Mark {
        let (from, column) = self.counted;
        let more = self.text[from..self.at].chars().count();
        let column = column.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        self.counted = (self.at, column);
        Mark { line: self.line, column }
    }

    fn wrong(&mut self, text: impl Into<String>) -> Syntax {
        Syntax::new(self.mark(), format!("not JSON: {}", text.into()))
    }

    fn space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) = self.peek() {
            self.at += 1;
            if byte == b'\n' {
                self.line = self.line.saturating_add(1);
                self.counted = (self.at, 1);
            }
        }
    }

    fn eat(&mut self, symbol: u8) -> bool {
        let found = self.peek() == Some(symbol);
        if found {
            self.at += 1;
            self.space();
        }
        found
    }

    fn value(&mut self) -> Result<Node, Syntax> {
        let mark = self.mark();
        *self.budget = self.budget.checked_sub(1).ok_or_else(|| Syntax::too_many(mark, self.limits))?;
        let data = match self.peek() {
            Some(b'{') => self.nested(Self::map)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'"') => Data::Text(self.string()?),
            Some(b't') => self.word("true", Data::Bool(true))?,
            Some(b'f') => self.word("false", Data::Bool(false))?,
            Some(b'n') => self.word("null", Data::Null)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(_) => return Err(self.wrong("a value was expected here")),
            None => return Err(self.wrong("the text ends within a value")),
        };
        Ok(Node { mark, data })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Data, Syntax>) -> Result<Data, Syntax> {
        if self.depth >= self.limits.depth {
            return Err(Syntax::too_deep(self.mark(), self.limits));
        }
        self.depth += 1;
        self.at += 1;
        self.space();
        let data = read(self);
        self.depth -= 1;
        data
    }

    fn map(&mut self) -> Result<Data, Syntax> {
        let mut entries = Vec::new();
        if self.eat(b'}') {
            return Ok(Data::Map(entries));
        }
        loop {
            let mark = self.mark();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a key in quotes was expected here"));
            }
            let key = self.string()?;
            self.space();
            if !self.eat(b':') {
                return Err(self.wrong("`:` was expected after the key"));
            }
            entries.push(Entry { key, mark, value: self.value()? });
            self.space();
            if self.eat(b'}') {
                return Ok(Data::Map(entries));
            }
            if !self.eat(b',') {
                return Err(self.wrong("`,` or `}` was expected here"));
            }
        }
    }

    fn list(&mut self) -> Result<Data, Syntax> {
        let mut list = Vec::new();
        if self.eat(b']') {
            return Ok(Data::List(list));
        }
        loop {
            list.push(self.value()?);
            self.space();
            if self.eat(b']') {
                return Ok(Data::List(list));
            }
            if !self.eat(b',') {
                return Err(self.wrong("`,` or `]` was expected here"));
            }
        }
    }

    fn string(&mut self) -> Result<Box<str>, Syntax> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
                None => return Err(self.wrong("the string is not closed")),
            }
        }
        let text = serde_json::from_str(&self.text[self.at..=end])
            .map_err(|_| self.wrong("the string holds a control character or an unknown escape"))?;
        self.at = end + 1;
        Ok(text)
    }

    fn number(&mut self) -> Result<Data, Syntax> {
        let rest = self.rest();
        let end =
            rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let number = serde_json::from_str(&rest[..end])
            .map_err(|_| self.wrong("this is no number, or too great a one"))?;
        self.at += end;
        Ok(Data::Number(number))
    }

    fn word(&mut self, word: &str, data: Data) -> Result<Data, Syntax> {
        if !self.rest().starts_with(word) {
            return Err(self.wrong("a value was expected here"));
        }
        self.at += word.len();
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn one(text: &str) -> Result<Value, Syntax> {
        let mut budget = 1000;
        read(text, &Limits::default(), &mut budget)
            .map(|documents| documents.iter().map(Node::to_value).collect())
    }

    #[test]
    fn errors_say_where() {
        for (text, line, column, what) in [
            ("{\n  \"a\": tru }", 2, 8, "a value was expected"),
            ("{\"a\" 1}", 1, 6, "`:` was expected"),
            ("[1 2]", 1, 4, "`,` or `]`"),
            ("{\"a\": \"x", 1, 7, "not closed"),
            ("{a: 1}", 1, 2, "a key in quotes"),
            ("[1,]", 1, 4, "a value was expected"),
            ("[", 1, 2, "ends within"),
            ("[\"\\x\"]", 1, 2, "unknown escape"),
            ("[01]", 1, 2, "no number"),
            ("[\"ä\", 1e999]", 1, 7, "too great"),
        ] {
            let error = one(text).unwrap_err();
            assert_eq!((error.mark.line, error.mark.column), (line, column), "{text}");
            assert!(error.text.contains(what), "{text}: {}", error.text);
        }
        assert!(one(&"[".repeat(200)).unwrap_err().text.contains("nested deeper"));
        assert!(one(&format!("[{}1]", "1,".repeat(2000))).unwrap_err().text.contains("more than"));
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(text in r#"[\[\]{},:"\\ a1.e\-0tnull\n]{0,30}|\PC{0,30}"#) {
            let theirs: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&text).into_iter().collect();
            match (one(&text), theirs) {
                (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, Value::Array(theirs)),
                (Ok(ours), Err(error)) => prop_assert!(false, "we read {ours}, they say {error}"),
                // They want space between some values that need none.
                (Err(error), Ok(theirs)) => prop_assert!(false, "they read {theirs:?}, we say {}", error.text),
                (Err(_), Err(_)) => {}
            }
        }
    }
}
