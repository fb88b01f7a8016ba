//! Measures text that is meant to be slow: a megabyte in one piece.
//!
//! A counter may take quadratic time in the length of a piece, or panic. After a pass of more than
//! a second it gets no further one.

use std::hint::black_box;
use std::iter;
use std::panic;

use openlimit::tokens::Encoding;

use crate::counters::{NAMES, count};
use crate::race::time;
use crate::texts::Random;

const MEGABYTE: usize = 1_000_000;

/// Returns the fastest of three passes, in milliseconds. The text is new in each.
fn milliseconds(text: &mut String, mut count: impl FnMut(&str)) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        text.push('.');
        let pass = time(|| count(text)) / 1e6;
        best = best.min(pass);
        if pass > 1e3 {
            break;
        }
    }
    best
}

pub(crate) fn hostile(encoding: Encoding) {
    println!("\n| {encoding}, hostile: 1 MB of | ms | aim | met |\n| --- | --- | --- | --- |");
    let ours = |text: &mut String| milliseconds(text, |text| _ = black_box(encoding.count(text)));
    let any = (0..=u8::MAX).map(char::from).map(|character| {
        let mut text = character.to_string().repeat(MEGABYTE / character.len_utf8());
        (ours(&mut text), character)
    });
    let (slowest, character) = any.max_by(|one, other| one.0.total_cmp(&other.0)).unwrap();
    let met = if slowest <= 20.0 { "yes" } else { "no" };
    println!(
        "| each of the 256 first characters; the slowest, {character:?} | {slowest:.1} | <= 20 | {met} |"
    );

    println!("\n| {encoding}, hostile: 1 MB of, ms | {} |", NAMES.join(" | "));
    println!("| --- |{}", " --- |".repeat(NAMES.len()));
    for (what, text) in texts() {
        let each = NAMES.map(|name| {
            let pass = |text: &str| _ = black_box(count(name, encoding, text));
            let time = panic::catch_unwind(|| milliseconds(&mut text.clone(), pass));
            time.map_or("panics".to_owned(), |time| format!("{time:.1}"))
        });
        println!("| {what} | {} |", each.join(" | "));
    }
}

fn texts() -> Vec<(&'static str, String)> {
    let mut random = Random(1);
    let mut of = |letters: &[char]| -> String {
        iter::repeat_with(|| letters[random.below(letters.len())]).take(MEGABYTE).collect()
    };
    let letters: Vec<char> = ('a'..='z').collect();
    let ideographs: Vec<char> = ('\u{4e00}'..'\u{9f00}').collect();
    let mut texts = vec![
        ("`a`", "a".repeat(MEGABYTE)),
        ("`ab`", "ab".repeat(MEGABYTE / 2)),
        ("random letters", of(&letters)),
        ("random `a` and `b`", of(&['a', 'b'])),
        ("random symbols", of(&['=', '-', '*', '#', '/', '_'])),
        ("random ideographs (3 MB)", of(&ideographs)),
    ];
    for (what, most) in [
        ("runs of up to 64 `-` or `=`", 64),
        ("runs of up to 256 `-` or `=`", 256),
        ("runs of up to 1 000 `-` or `=`", 1_000),
    ] {
        let (mut random, mut text) = (Random(most as u64), String::new());
        for symbol in ["-", "="].into_iter().cycle() {
            if text.len() >= MEGABYTE {
                break;
            }
            text += &symbol.repeat(random.below(most) + 1);
        }
        texts.push((what, text));
    }
    texts
}
