//! The small grammars: what they accept prints as something that means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orchestra_core::object::{Duration, FieldPath, MicroTime, Quantity, Selector, Timestamp};

fuzz_target!(|text: &str| {
    if let Ok(quantity) = text.parse::<Quantity>() {
        assert_eq!(quantity.to_string().parse(), Ok(quantity));
    }
    if let Ok(selector) = text.parse::<Selector>() {
        assert_eq!(selector.to_string().parse(), Ok(selector));
    }
    if let Ok(path) = text.parse::<FieldPath>() {
        assert_eq!(path.to_string().parse(), Ok(path));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        assert_eq!(time.to_string().parse(), Ok(time));
    }
    if let Ok(time) = text.parse::<MicroTime>() {
        assert_eq!(time.to_string().parse(), Ok(time));
    }
    if let Ok(span) = text.parse::<Duration>() {
        assert_eq!(span.to_string().parse(), Ok(span));
    }
});
