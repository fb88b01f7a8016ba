//! Counting tokens, exactly as tiktoken would encode them, without encoding them.
//!
//! A text is [split](split) into pieces, and most pieces are tokens: that takes one look into the
//! [vocabulary](vocabulary). The others are [merged](merge), and the count kept in a [cache](cache). A count needs no
//! ids, so nothing is allocated; only pieces longer than any word need [working memory](long).
//!
//! Time is linear in the length of any text, and no text makes it panic.

mod cache;
mod class;
mod cuts;
mod long;
mod merge;
mod split;
mod vocabulary;

use std::sync::LazyLock;
use std::thread::LocalKey;

use self::cache::{Cache, Kept};
use self::merge::SHORT;
use self::vocabulary::{Vocabulary, medium_key};

/// An encoding that is compiled in.
#[derive(Clone, Copy)]
pub(super) struct Counter {
    split: fn(&Vocabulary, &mut Cache, &[u8]) -> usize,
    vocabulary: &'static LazyLock<Vocabulary>,
    cache: &'static LocalKey<Kept>,
}

impl Counter {
    /// How many tokens `text` is, read as ordinary text whatever it says.
    pub(super) fn count(self, text: &str) -> usize {
        // A thread that is ending has no cache any more, and counts without.
        let mut cache = self.cache.try_with(Kept::take).ok().flatten().unwrap_or_default();
        let count = (self.split)(self.vocabulary, &mut cache, text.as_bytes());
        let _ = self.cache.try_with(|kept| kept.set(Some(cache)));
        count
    }
}

macro_rules! encodings {
    ($($feature:meta, $name:ident, $split:ident, $short:literal, $medium:literal, [$($file:literal),+];)+) => {$(
        #[cfg($feature)]
        pub(super) const $name: Counter = {
            static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
                Vocabulary::new(&[$(include_bytes!(concat!("../../../data/", $file))),+], $short, $medium)
            });
            thread_local!(static CACHE: Kept = const { Kept::new(None) });
            Counter {
                split: |vocabulary, cache, text| count(vocabulary, cache, text, split::$split),
                vocabulary: &VOCABULARY,
                cache: &CACHE,
            }
        };
    )+};
}

encodings! {
    feature = "o200k", O200K_BASE, o200k, 18, 16, ["o200k_base.tokens"];
    feature = "cl100k", CL100K_BASE, cl100k, 17, 15, ["cl100k_base.tokens"];
    feature = "p50k", P50K_BASE, gpt2, 16, 14, ["r50k_base.tokens", "p50k_base.tokens"];
    feature = "r50k", R50K_BASE, gpt2, 16, 14, ["r50k_base.tokens"];
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
        total += piece(vocabulary, cache, text, start, end);
        start = end;
    }
    total
}

#[inline(always)]
fn piece(vocabulary: &Vocabulary, cache: &mut Cache, text: &[u8], start: usize, end: usize) -> usize {
    let length = end - start;
    if length == 1 || vocabulary.has(text, start, end) {
        return 1;
    }
    if length <= cache::LONGEST {
        let key = medium_key(text, start, length);
        return cache.count(key, || merged(vocabulary, &text[start..end]));
    }
    parts(vocabulary, cache, &text[start..end])
}

/// A piece too long for the cache, in parts that may be short enough.
#[inline(never)]
fn parts(vocabulary: &Vocabulary, cache: &mut Cache, piece: &[u8]) -> usize {
    if piece.is_ascii() {
        return merged(vocabulary, piece);
    }
    let cuts = vocabulary.cuts();
    let (mut start, mut total) = (0, 0);
    while start < piece.len() {
        let end = cuts.next(piece, start);
        let length = end - start;
        total += if length == 1 || vocabulary.has(piece, start, end) {
            1
        } else if length <= cache::LONGEST {
            let key = medium_key(piece, start, length);
            cache.count(key, || merged(vocabulary, &piece[start..end]))
        } else {
            merged(vocabulary, &piece[start..end])
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
