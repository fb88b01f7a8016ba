//! Compares the counter with tiktoken-rs in limited time. `sweep.rs` compares the rest.

#![allow(clippy::unwrap_used)]

use openlimit::tokens::Encoding;
use proptest::prelude::*;

use crate::oracle::{ENCODINGS, FRAGMENTS, Random, check, check_all, contexts};

#[test]
fn every_hundredth_character_counts_the_same_in_every_context() {
    let dense = (0..0x800).chain((0x800..0x11_0000).step_by(101));
    for character in dense.filter_map(char::from_u32) {
        for text in contexts(character) {
            check(Encoding::O200kBase, &text);
            check(Encoding::Cl100kBase, &text);
        }
        check(Encoding::R50kBase, &contexts(character)[2]);
    }
}

#[test]
fn any_two_fragments_count_the_same() {
    for one in FRAGMENTS {
        for two in FRAGMENTS {
            check(Encoding::O200kBase, &format!("{one}{two}"));
            check(Encoding::Cl100kBase, &format!("{one}{two}"));
        }
        check_all(one);
    }
}

#[test]
fn mixed_texts_count_the_same() {
    let mut random = Random(1);
    for _ in 0..10_000 {
        let text = random.text(12);
        check_all(&text);
    }
}

#[test]
fn whitespace_counts_the_same() {
    const BLANKS: &[&str] = &[" ", "\n", "\r", "\t", "\u{a0}", "\u{2003}", "x"];
    for mut number in 0..7_usize.pow(5) {
        let mut text = String::new();
        for _ in 0..5 {
            text.push_str(BLANKS[number % 7]);
            number /= 7;
        }
        check(Encoding::O200kBase, &text);
        check(Encoding::Cl100kBase, &text);
        check(Encoding::R50kBase, &text);
    }
}

#[test]
fn runs_of_one_character_count_the_same() {
    for run in [
        "a", "A", " ", "\n", "\r\n", "\t", "=", "-", "/", "1", "é", "日", "🎉", "\u{301}", "ab", "Ab",
        "\u{0}",
    ] {
        for length in (1..140).chain([200, 255, 256, 257, 400, 1_000, 3_000]) {
            check_all(&run.repeat(length));
            check_all(&format!("{}x", run.repeat(length)));
        }
    }
}

#[test]
fn long_pieces_count_the_same() {
    let mut random = Random(2);
    for length in (60..140).chain([200, 300, 500, 1_000, 5_000, 20_000]) {
        for letters in ["ab", "acgt", "etaoinshr", "abcdefghijklmnopqrstuvwxyz"] {
            let letters: Vec<char> = letters.chars().collect();
            let text: String = (0..length).map(|_| letters[random.below(letters.len())]).collect();
            check_all(&text);
        }
        for (first, count) in
            [(0x4e00, 0x3000), (0x4e00, 0x40), (0x3040, 0xc0), (0x430, 32), (0xe00, 0x50), (0xac00, 0x900)]
        {
            let text: String =
                (0..length / 3).filter_map(|_| char::from_u32(first + random.below(count) as u32)).collect();
            check_all(&text);
        }
        let symbols: String =
            (0..length).map(|_| *random.pick(&[&'=', &'-', &'*', &'#', &'/', &'_'])).collect();
        check_all(&symbols);
    }
}

/// The window in which such a piece is merged grows, and shrinks again.
#[test]
fn pieces_with_tokens_that_are_long_and_then_short_count_the_same() {
    let mut random = Random(9);
    for most in [2, 8, 64, 256, 1_000] {
        for _ in 0..3 {
            let mut text = String::new();
            while text.len() < 6_000 {
                let run = random.below(most) + 1;
                text.push_str(&random.pick(&["-", "="]).repeat(run));
                if random.below(20) == 0 {
                    for _ in 0..random.below(600) {
                        text.push_str(random.pick(&["=", "-", "*", "#", "/", "_"]));
                    }
                }
            }
            check_all(&text);
        }
    }
}

/// tiktoken-rs cannot take a million spaces.
#[test]
fn a_megabyte_without_a_border_is_counted() {
    for (run, tokens) in [(" ", 1 << 13), ("a", 1 << 17), ("=", 1 << 14)] {
        assert_eq!(Encoding::O200kBase.count(&run.repeat(1 << 20)), tokens, "{run}");
    }
    assert_eq!(Encoding::O200kBase.count(&"7".repeat(3 << 18)), 1 << 18);
}

#[test]
fn a_long_run_of_any_byte_counts_the_same() {
    for byte in 0..0x80_u8 {
        check_all(&char::from(byte).to_string().repeat(1 << 12));
    }
    for run in ["é", "日", "🎉", "\u{2003}", " \n", "'", "\u{301}", "日A", "ab", "'s"] {
        check_all(&run.repeat(1 << 12));
    }
}

/// A thread's cache has room for 8192 short pieces and as many longer ones.
#[test]
fn more_words_than_a_thread_remembers_count_the_same() {
    let mut random = Random(10);
    let words: Vec<String> = (0..30_000)
        .map(|_| {
            let mut word = random.pick(&["", " ", " ", "-", ". ", "\n", "é"]).to_string();
            (0..random.below(17) + 1).for_each(|_| word.push(random.base64()));
            word.to_lowercase()
        })
        .collect();
    for _ in 0..2_000 {
        // Of neighbours, so that some come again before others take their slots.
        let (first, length) = (random.below(words.len() - 10), random.below(40) + 1);
        let text: String = (0..length).map(|_| words[first + random.below(10)].as_str()).collect();
        check_all(&text);
    }
}

/// All threads share the cached counts of long texts.
#[test]
fn a_text_counts_the_same_however_often_and_wherever() {
    let texts: Vec<String> = {
        let mut random = Random(8);
        (0..300).map(|_| random.text(60)).collect()
    };
    let check_twice = || {
        for text in texts.iter().chain(&texts) {
            check(Encoding::O200kBase, text);
            check(Encoding::Cl100kBase, text);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(check_twice);
        }
    });
}

#[test]
fn every_thread_counts_the_same() {
    let texts: Vec<String> = {
        let mut random = Random(3);
        (0..200).map(|_| random.text(20)).collect()
    };
    let counts =
        || texts.iter().map(|text| ENCODINGS.map(|encoding| encoding.count(text))).collect::<Vec<_>>();
    let expected = counts();
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..4).map(|_| scope.spawn(counts)).collect();
        others.into_iter().for_each(|other| assert_eq!(other.join().unwrap(), expected));
    });
}

proptest! {
    #[test]
    fn arbitrary_texts_count_the_same(text in any::<String>()) {
        check_all(&text);
    }

    #[test]
    fn printable_texts_count_the_same(text in "[ -~\n]{0,200}") {
        check_all(&text);
    }

    #[test]
    fn texts_of_letters_marks_and_apostrophes_count_the_same(text in "[aAbsSſtmʰ日\u{301}' /\n1]{0,60}") {
        check_all(&text);
    }

    /// A token has at least one byte.
    #[test]
    fn a_text_never_has_more_tokens_than_bytes(text in any::<String>()) {
        for encoding in ENCODINGS {
            prop_assert!(encoding.count(&text) <= text.len() as u64);
            prop_assert_eq!(encoding.count(&text) == 0, text.is_empty());
        }
    }
}
