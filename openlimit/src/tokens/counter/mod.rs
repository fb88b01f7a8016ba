//! Counting tokens, exactly as tiktoken would encode them, without encoding them.
//!
//! A text is [split](split) into pieces, and most pieces are tokens: that takes one look into the
//! [vocabulary](vocabulary). The others are [merged](merge), and the count kept in a [cache](cache). A count needs no
//! ids, so nothing is allocated; only pieces longer than any word need [working memory](long).
//!
//! Time is linear in the length of any text, and no text makes it panic.

mod cache;
mod class;
#[allow(dead_code, reason = "the build script uses all of it")]
mod layout;
mod long;
mod merge;
mod split;
mod vocabulary;

use std::thread::LocalKey;

use self::cache::{Cache, Kept};
use self::merge::SHORT;
use self::vocabulary::Vocabulary;

/// An encoding that is compiled in.
#[derive(Clone, Copy)]
pub(super) struct Counter {
    count: fn(&mut Cache, &[u8]) -> usize,
    cache: &'static LocalKey<Kept>,
}

impl Counter {
    /// How many tokens `text` is, read as ordinary text whatever it says.
    pub(super) fn count(self, text: &str) -> usize {
        // A thread that is ending has no cache any more, and counts without.
        let mut cache = self.cache.try_with(Kept::take).ok().flatten().unwrap_or_default();
        let count = (self.count)(&mut cache, text.as_bytes());
        let _ = self.cache.try_with(|kept| kept.set(Some(cache)));
        count
    }
}

macro_rules! encodings {
    ($($feature:literal, $name:ident, $tables:literal, $split:ident;)+) => {$(
        #[cfg(feature = $feature)]
        pub(super) static $name: Counter = {
            static TABLES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/", $tables));
            static VOCABULARY: Vocabulary = Vocabulary::new(&layout::$name, TABLES);
            thread_local!(static CACHE: Kept = const { Kept::new(None) });
            Counter { count: |cache, text| count(&VOCABULARY, cache, text, split::$split), cache: &CACHE }
        };
    )+};
}

encodings! {
    "o200k", O200K_BASE, "o200k_base", o200k;
    "cl100k", CL100K_BASE, "cl100k_base", cl100k;
    "p50k", P50K_BASE, "p50k_base", gpt2;
    "r50k", R50K_BASE, "r50k_base", gpt2;
}

#[inline(always)]
fn count(
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
