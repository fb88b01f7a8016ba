//! Counting the tokens of a text: what stands between the encodings and the counter.

use super::Encoding;
use super::counter::{self, Counter};

/// How many tokens `text` is, read as ordinary text whatever it says.
pub(super) fn count(encoding: Encoding, text: &str) -> u64 {
    width(counter(encoding).count(text))
}

/// How many tokens a colon and then `text` are.
///
/// The formulas count a name and its description as one text, and never have both at hand. A name ends where
/// every encoding cuts, so the rest can be counted apart, but it does begin with the colon.
pub(super) fn count_after_colon(encoding: Encoding, text: &str) -> u64 {
    const SHORT: usize = 512;
    let mut joined = [b':'; SHORT];
    if let Some(rest) = joined.get_mut(1..=text.len()) {
        rest.copy_from_slice(text.as_bytes());
        if let Ok(joined) = str::from_utf8(&joined[..=text.len()]) {
            return count(encoding, joined);
        }
    }
    count(encoding, &format!(":{text}"))
}

fn counter(encoding: Encoding) -> Counter {
    match encoding {
        Encoding::O200kBase => counter::O200K_BASE,
        Encoding::Cl100kBase => counter::CL100K_BASE,
        Encoding::P50kBase => counter::P50K_BASE,
        Encoding::R50kBase => counter::R50K_BASE,
    }
}

fn width(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
