//! Finds usage, its end and errors in any bytes: in pieces of any size the same, and never in the
//! text of a model.
//!
//! `cargo +nightly fuzz run usage -- -max_len=4096`

#![no_main]

use libfuzzer_sys::fuzz_target;
use openlimit::Usage;
use openlimit::feedback::UsageReader;

fuzz_target!(|input: (Vec<Vec<u8>>, String)| {
    let (pieces, text) = &input;
    let mut reader = UsageReader::new();
    pieces.iter().for_each(|piece| reader.feed(piece));
    let mut whole = UsageReader::new();
    whole.feed(&pieces.concat());
    let found = |reader: &UsageReader| (reader.usage(), reader.is_final(), format!("{:?}", reader.error()));
    assert_eq!(found(&reader), found(&whole));

    // A string as JSON writes it.
    let mut quoted = String::new();
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\0'..' ' => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => quoted.push(character),
        }
    }
    let reply = format!(
        r#"{{"text":"{quoted}","usage":{{"prompt_tokens":1,"completion_tokens":2}},"more":"{quoted}"}}"#
    );
    let mut reader = UsageReader::new();
    reader.feed(reply.as_bytes());
    assert_eq!(reader.usage(), Some(Usage::new(1, 2)));
    assert!(!reader.is_final() && reader.error().is_none());
});
