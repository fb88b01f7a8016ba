//! Counting the tokens of a text: the one file that knows the tokenizer.
//!
//! The tokenizer is tiktoken-rs, with the vocabularies inside the program: nothing is ever fetched. Each is
//! prepared at its first use (100 to 250 ms), once a process.
//!
//! It is not made for hostile text: its regular expressions panic on about a million spaces, and it builds
//! lists as long as the text. So a long text is counted in chunks, cut only where every encoding cuts anyway
//! and looks across from neither side; the sum is exact. A run without such a place (64 KiB of one letter, of
//! spaces, of digits) counts as many tokens as it has bytes. There are never more, so it is never undercounted,
//! and no text that a person wrote is like that.

use tiktoken_rs::CoreBPE;

use super::Encoding;

/// The longest run that the tokenizer gets to see. Whitespace this long stays far below its limits.
const CHUNK: usize = 64 * 1024;

/// How many tokens `text` is, read as ordinary text whatever it says.
pub(super) fn count(encoding: Encoding, text: &str) -> u64 {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(chunk(rest));
        total = total.saturating_add(if chunk.len() > CHUNK {
            width(chunk.len())
        } else {
            width(tokenizer(encoding).count_ordinary(chunk))
        });
        rest = after;
    }
    total
}

/// How many tokens a colon and then `text` are.
///
/// The formulas count a name and its description as one text, and never have both at hand. A name ends where
/// every encoding cuts, so the rest can be counted apart, but it does begin with the colon.
pub(super) fn count_after_colon(encoding: Encoding, text: &str) -> u64 {
    const HEAD: usize = 256;
    let cut = match text.len() {
        length @ ..HEAD => Some(length),
        _ => last_cut(&text[..text.floor_char_boundary(HEAD - 1)]),
    };
    let mut head = [b':'; HEAD];
    let head = cut.and_then(|cut| {
        head.get_mut(1..=cut)?.copy_from_slice(&text.as_bytes()[..cut]);
        str::from_utf8(&head[..=cut]).ok()
    });
    let (head, rest) = match (head, cut) {
        (Some(head), Some(cut)) => (head, &text[cut..]),
        _ => (":", text),
    };
    count(encoding, head).saturating_add(count(encoding, rest))
}

fn tokenizer(encoding: Encoding) -> &'static CoreBPE {
    match encoding {
        Encoding::O200kBase => tiktoken_rs::o200k_base_singleton(),
        Encoding::Cl100kBase => tiktoken_rs::cl100k_base_singleton(),
        Encoding::P50kBase => tiktoken_rs::p50k_base_singleton(),
        Encoding::R50kBase => tiktoken_rs::r50k_base_singleton(),
    }
}

/// How much of the text to count next: a chunk, or a longer run if no place to cut comes before its end.
fn chunk(text: &str) -> usize {
    if text.len() <= CHUNK {
        return text.len();
    }
    let window = text.floor_char_boundary(CHUNK);
    last_cut(&text[..window])
        .or_else(|| text[window..].char_indices().map(|(at, _)| window + at).find(|&at| is_cut(text, at)))
        .unwrap_or(text.len())
}

fn last_cut(text: &str) -> Option<usize> {
    text.char_indices().rev().map(|(at, _)| at).find(|&at| is_cut(text, at))
}

/// Whether every encoding cuts here, and would cut either side as it does the whole.
fn is_cut(text: &str, at: usize) -> bool {
    let (before, after) = text.split_at(at);
    let (Some(before), Some(after)) = (before.chars().next_back(), after.chars().next()) else {
        return false;
    };
    match (Class::of(before), Class::of(after)) {
        // A space begins a piece, unless it is one of several.
        _ if after == ' ' => !before.is_whitespace(),
        // No piece goes on after its letters or digits, except to an apostrophe, which is of no class.
        (Some(before @ (Class::Letter | Class::Digit)), Some(after)) => before != after,
        _ => false,
    }
}

/// What all four encodings, and all versions of Unicode, agree that a character is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Newline,
    Mark,
}

impl Class {
    fn of(character: char) -> Option<Self> {
        Some(match character {
            // And of the scripts that may go on without a space: hiragana, katakana, ideographs and hangul.
            'a'..='z' | 'A'..='Z' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='\u{9fef}' | '가'..='힣' => {
                Self::Letter
            }
            '0'..='9' => Self::Digit,
            '\n' => Self::Newline,
            '\'' => return None,
            '!'..='~' | '、'..='〃' | '〈'..='】' | '！' | '（' | '）' | '，' | '：' | '；' | '？' => {
                Self::Mark
            }
            _ => return None,
        })
    }
}

fn width(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, count, count_after_colon, tokenizer, width};
    use crate::tokens::Encoding;

    const ENCODINGS: [Encoding; 4] =
        [Encoding::O200kBase, Encoding::Cl100kBase, Encoding::P50kBase, Encoding::R50kBase];

    fn whole(encoding: Encoding, text: &str) -> u64 {
        width(tokenizer(encoding).count_ordinary(text))
    }

    /// `pattern` over and over, until it is just over two chunks long.
    fn long(pattern: &str) -> String {
        pattern.repeat(2 * CHUNK / pattern.len() + 1)
    }

    #[test]
    fn a_text_in_chunks_has_the_tokens_of_the_whole() {
        for pattern in [
            "It's said that 12345 files\n\n  don't fit: \"we'LL see\" -- they'd (1/2) not.\r\n\tEnd/\n/",
            "if x[10]{y='a';}else{z=\"it's\"+1e9}\n        return\n",
            "今天天气很好，我们去公园3次。カタカナとひらがなの文章です！한국어 문장도",
            "aB3dE5fG7hI+9jK/1lMnOpQ0",
            "naïve Ünï Ελλ русский текст 🎉👩\u{200d}🚀 e\u{301}a 's 'S x's\u{17f}1",
            "<|endoftext|>",
        ] {
            let text = long(pattern);
            for encoding in ENCODINGS {
                assert_eq!(count(encoding, &text), whole(encoding, &text), "{encoding}: {pattern}");
            }
        }
    }

    #[test]
    fn a_run_without_a_cut_counts_its_bytes() {
        for run in ["a", " ", "7", "=", "\n", "é", "🎉", "\u{2003}"] {
            let text = run.repeat(2 << 20);
            assert_eq!(count(Encoding::O200kBase, &text), width(text.len()), "{run:?}");
        }
    }

    #[test]
    fn the_longest_run_that_is_tokenised_does_not_upset_the_tokenizer() {
        for run in [" ", "\t", "\n", "\r\n", " \n", "\u{2003}", "a", "A", "'", "\u{301}", "1", "/"] {
            let text = run.repeat(CHUNK / run.len());
            for encoding in ENCODINGS {
                for text in [text.clone(), format!("{}x", &text[..text.len() - run.len()])] {
                    assert!((1..=width(text.len())).contains(&count(encoding, &text)), "{encoding}: {run:?}");
                }
            }
        }
    }

    #[test]
    fn a_colon_and_a_text_are_counted_as_one() {
        let long = long("The city and state, e.g. San Francisco, CA; ");
        let run = "é".repeat(1000);
        for text in ["", "The city", "$", "'s", "\n", " x", "今天", &long] {
            for encoding in ENCODINGS {
                assert_eq!(
                    count_after_colon(encoding, text),
                    whole(encoding, &format!(":{text}")),
                    "{text:.20}"
                );
            }
        }
        assert!(count_after_colon(Encoding::O200kBase, &run) > count(Encoding::O200kBase, &run));
    }
}
