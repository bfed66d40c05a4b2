//! Whatever a manifest holds, reading it ends, with objects or with errors that have a place; and
//! what was read is written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orchestra_core::manifest::{Reader, Registry, to_yaml};

fuzz_target!(|bytes: &[u8]| {
    let registry = Registry::builtin();
    for document in Reader::lenient(&registry).read("fuzz", bytes).documents() {
        assert!(document.object.is_some() || !document.notices.is_empty());
        assert!(document.object.is_none() || !document.is_refused());
        assert!(document.notices.iter().all(|notice| notice.mark.line > 0 && notice.mark.column > 0));
        if let Some(object) = &document.object {
            let value = object.to_value().expect("a built-in kind can be written");
            let written = to_yaml(&value);
            let again = Reader::lenient(&registry).read("again", &written).into_objects().expect("what was written");
            assert_eq!(again[0].to_value().expect("it was written before"), value);
        }
    }
});
