//! Counting tokens, exactly as tiktoken would encode them, without encoding them.
//!
//! A text is [split](split) into pieces, and most pieces are tokens: that takes one look into the
//! [vocabulary](vocabulary). The others are [merged](merge), and the count kept in a [cache](cache). A count needs no
//! ids, so nothing is allocated; only pieces longer than any word need [working memory](long). Whole texts are
//! [remembered](memo), since conversations repeat them.
//!
//! Time is linear in the length of any text, and no text makes it panic.

mod cache;
mod class;
#[allow(dead_code, reason = "the build script uses all of it")]
mod layout;
mod long;
mod memo;
mod merge;
mod split;
mod vocabulary;

use std::thread::LocalKey;

use self::cache::{Cache, Kept};
use self::merge::SHORT;
use self::vocabulary::Vocabulary;
use super::Encoding;

macro_rules! encodings {
    ($($feature:literal, $encoding:ident, $layout:ident, $tables:literal, $split:ident;)+) => {
        /// The encodings that are compiled in. What is not is not in the program, tables included.
        pub(super) const ENCODINGS: &[Encoding] = &[$(#[cfg(feature = $feature)] Encoding::$encoding),+];

        /// How many tokens `text` is, read as ordinary text whatever it says, in an encoding that is compiled in.
        pub(super) fn count(encoding: Encoding, text: &str) -> usize {
            match encoding {
                $(#[cfg(feature = $feature)]
                Encoding::$encoding => {
                    static TABLES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/", $tables));
                    static VOCABULARY: Vocabulary = Vocabulary::new(&layout::$layout, TABLES);
                    thread_local!(static CACHE: Kept = const { Kept::new(None) });
                    memo::count(encoding, text, || {
                        with(&CACHE, |cache| pieces(&VOCABULARY, cache, text.as_bytes(), split::$split))
                    })
                })+
                #[allow(unreachable_patterns, reason = "all may be compiled in")]
                _ => text.len(),
            }
        }
    };
}

encodings! {
    "o200k", O200kBase, O200K_BASE, "o200k_base", o200k;
    "cl100k", Cl100kBase, CL100K_BASE, "cl100k_base", cl100k;
    "p50k", P50kBase, P50K_BASE, "p50k_base", gpt2;
    "r50k", R50kBase, R50K_BASE, "r50k_base", gpt2;
}

/// Counts with the thread's cache. A thread that is ending has none any more, and counts without.
fn with(kept: &'static LocalKey<Kept>, count: impl FnOnce(&mut Cache) -> usize) -> usize {
    let mut cache = kept.try_with(Kept::take).ok().flatten().unwrap_or_default();
    let count = count(&mut cache);
    let _ = kept.try_with(|kept| kept.set(Some(cache)));
    count
}

#[inline(always)]
fn pieces(
    vocabulary: &Vocabulary,
    cache: &mut Cache,
    text: &[u8],
    split: impl Fn(&[u8], usize) -> usize,
) -> usize {
    let (mut start, mut total) = (0, 0);
    while start < text.len() {
        let end = split(text, start);
        total += match part(vocabulary, cache, text, start, end) {
            Some(count) => count,
            None => long(vocabulary, cache, &text[start..end]),
        };
        start = end;
    }
    total
}

/// The count of a piece, or of a part of one, unless it is no token and too long for the cache.
#[inline(always)]
fn part(vocabulary: &Vocabulary, cache: &mut Cache, text: &[u8], start: usize, end: usize) -> Option<usize> {
    let length = end - start;
    if length == 1 || vocabulary.has(text, start, end) {
        return Some(1);
    }
    (length <= cache::LONGEST).then(|| {
        let key = layout::medium_key(text, start, length);
        cache.count(key, || merged(vocabulary, &text[start..end]))
    })
}

/// The count of a piece in parts, some of which may be short enough.
#[inline(never)]
fn long(vocabulary: &Vocabulary, cache: &mut Cache, piece: &[u8]) -> usize {
    if piece.is_ascii() {
        return merged(vocabulary, piece);
    }
    let (mut start, mut total) = (0, 0);
    while start < piece.len() {
        let end = vocabulary.cut(piece, start);
        total += match part(vocabulary, cache, piece, start, end) {
            Some(count) => count,
            None => merged(vocabulary, &piece[start..end]),
        };
        start = end;
    }
    total
}

#[inline(never)]
fn merged(vocabulary: &Vocabulary, piece: &[u8]) -> usize {
    match piece.len() {
        ..=SHORT => merge::merge(vocabulary, piece).count_ones() as usize,
        _ => long::count(vocabulary, piece),
    }
}
