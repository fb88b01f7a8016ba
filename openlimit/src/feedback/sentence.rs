//! The numbers in the sentences of refusals: limit, used, requested, dimension, window and wait.
//!
//! Where a client library throws headers away, the message is their only source. It is read by
//! words that many providers share, not by one pattern for each: the patterns change, the words
//! hardly do.

use std::time::Duration;

use super::date::{self, Moment};
use super::denial::Violation;
use super::words::find;
use crate::limits::{Dimension, duration};

/// Words that stand before a wait.
const WAITS: [&str; 6] =
    ["try again in ", "retry in ", "retry after ", "try again after ", "replenished in ", "wait "];

/// Returns the wait that a sentence names.
pub(super) fn wait(sentence: &[u8]) -> Option<Moment> {
    let behind = |phrase: &&str| find(sentence, phrase).map(|at| &sentence[at..]);
    let wait = |text: &[u8]| duration::clock(text).or_else(|| duration::leading(text).map(|(wait, _)| wait));
    let wait = WAITS.iter().filter_map(behind).find_map(wait).map(Moment::In);
    wait.or_else(|| date::in_a_sentence(behind(&"regain access on ")?).map(Moment::At))
}

/// Returns the limit that a sentence names; `None` if it names nothing of it.
pub(super) fn violation(sentence: &[u8]) -> Option<Violation> {
    let number = |words: &[&str]| words.iter().find_map(|word| number_behind(sentence, word));
    let (dimension, window) = dimension_and_window(sentence);
    let violation = Violation {
        limit: number(&["limit", "max", "limit of", "limit is"]).filter(|limit| *limit > 0),
        used: number(&["used", "current"]),
        requested: number(&["requested", "requested about", "requested up to"]),
        dimension,
        window,
    };
    (violation != Violation::default()).then_some(violation)
}

/// Returns the number behind a word: `Limit 7500`, `limit: 1500000`, `Requested ~3658`,
/// `limit of 40,000`.
fn number_behind(sentence: &[u8], word: &str) -> Option<u64> {
    let mut rest = sentence;
    while let Some(at) = find(rest, word) {
        let is_word =
            at.checked_sub(word.len() + 1).is_none_or(|before| !rest[before].is_ascii_alphanumeric());
        rest = &rest[at..];
        let filler = rest.iter().take_while(|byte| matches!(byte, b' ' | b':' | b'~' | b'=')).count();
        if is_word
            && filler > 0
            && let Some(number) = grouped(&rest[filler..])
        {
            return Some(number);
        }
    }
    None
}

/// Reads a number with or without commas between groups of three digits.
fn grouped(text: &[u8]) -> Option<u64> {
    let mut number = None::<u64>;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                let digit = u64::from(byte - b'0');
                number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
            }
            b',' if number.is_some()
                && text.get(at + 1..at + 4).is_some_and(|group| group.iter().all(u8::is_ascii_digit)) => {}
            _ => break,
        }
    }
    number
}

/// Returns what a text limits, and over which time: the text of an error, or the name of a quota
/// such as `GenerateRequestsPerDayPerProjectPerModel-FreeTier`.
pub(super) fn dimension_and_window(text: &[u8]) -> (Option<Dimension>, Option<Duration>) {
    if let Some(found) = abbreviation(text) {
        return found;
    }
    let window = [
        (86_400, ["per day", "per-day", "perday"]),
        (3_600, ["per hour", "per-hour", "perhour"]),
        (60, ["per min", "per-min", "permin"]),
        (1, ["per sec", "per-sec", "persec"]),
    ];
    let has = |words: &[&str]| words.iter().any(|word| find(text, word).is_some());
    let window = window.iter().find(|(_, words)| has(words)).map(|(secs, _)| Duration::from_secs(*secs));
    let dimension = if has(&["input tokens", "input_tokens", "input token", "inputtoken"]) {
        Some(Dimension::InputTokens)
    } else if has(&["output tokens", "output_tokens", "output token", "outputtoken"]) {
        Some(Dimension::OutputTokens)
    } else if has(&["token"]) {
        Some(Dimension::Tokens)
    } else if has(&["images per", "imagesper"]) {
        Some(Dimension::Images)
    } else if has(&["requests per", "requestsper", "number of requests", "call rate", "requests rate"]) {
        Some(Dimension::Requests)
    } else {
        None
    };
    (dimension, window)
}

/// Reads the first abbreviation of a limit, such as `TPM` or `RPD`.
fn abbreviation(text: &[u8]) -> Option<(Option<Dimension>, Option<Duration>)> {
    text.split(|byte| !byte.is_ascii_alphanumeric()).find_map(|word| {
        let [what @ .., b'P', per] = word else { return None };
        let dimension = match what {
            b"R" => Dimension::Requests,
            b"T" => Dimension::Tokens,
            b"IT" => Dimension::InputTokens,
            b"OT" => Dimension::OutputTokens,
            b"I" => Dimension::Images,
            _ => return None,
        };
        let secs = match per {
            b'S' => 1,
            b'M' => 60,
            b'H' => 3_600,
            b'D' => 86_400,
            _ => return None,
        };
        Some((Some(dimension), Some(Duration::from_secs(secs))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_behind_their_words() {
        for (sentence, word, number) in [
            ("Limit 40000, Used 39729", "limit", Some(40_000)),
            ("limit: 1500000", "limit", Some(1_500_000)),
            ("Requested ~3658.", "requested", Some(3_658)),
            ("your limit of 40,000 input tokens", "limit of", Some(40_000)),
            ("a rate limit reached. Limit 7", "limit", Some(7)),
            ("unlimited 5", "limited", None),
            ("limit 99999999999999999999999", "limit", None),
            ("limit1", "limit", None),
        ] {
            assert_eq!(number_behind(sentence.as_bytes(), word), number, "{sentence}");
        }
    }

    #[test]
    fn commas_join_groups_of_three_digits_only() {
        assert_eq!(grouped(b"1,234,567 tokens"), Some(1_234_567));
        assert_eq!(grouped(b"1,23"), Some(1));
        assert_eq!(grouped(b"40000, Used"), Some(40_000));
        assert_eq!(grouped(b", 5"), None);
    }

    #[test]
    fn abbreviations_are_whole_words() {
        let (dimension, window) = dimension_and_window(b"tokens per min (TPM)");
        assert_eq!((dimension, window), (Some(Dimension::Tokens), Some(Duration::from_secs(60))));
        assert_eq!(dimension_and_window(b"HTTPS and XTPMX"), (None, None));
    }
}
