//! Reads any message of an error, as clients write it: text, and perhaps a body of JSON.
//!
//! Nothing may panic, and an error with that message says the same.
//!
//! `cargo +nightly fuzz run message -- -max_len=8192`

#![no_main]

use std::io;

use libfuzzer_sys::fuzz_target;
use openlimit::feedback::Observation;

fuzz_target!(|message: &[u8]| {
    let observation = Observation::from_message(message);
    let _ = format!("{observation:?}");
    if let Ok(text) = str::from_utf8(message) {
        let error = io::Error::other(text);
        assert_eq!(Observation::from_error(&error).verdict(), observation.verdict());
    }
});
