//! Counting a text piece by piece, each by the shortest way.

use std::thread::LocalKey;

use super::cache::{self, Cache, Kept};
use super::merge::{self, SHORT};
use super::vocabulary::Vocabulary;
use super::{layout, long};

/// Counts with the thread's cache. If the thread is ending and its cache is gone, counts with a new
/// one.
pub(super) fn with(kept: &'static LocalKey<Kept>, count: impl FnOnce(&mut Cache) -> usize) -> usize {
    let mut cache = kept.try_with(Kept::take).ok().flatten().unwrap_or_default();
    let count = count(&mut cache);
    let _ = kept.try_with(|kept| kept.set(Some(cache)));
    count
}

#[inline(always)]
pub(super) fn pieces(
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
            None => long_piece(vocabulary, cache, &text[start..end]),
        };
        start = end;
    }
    total
}

/// Returns the count of a piece or of a part of one, or `None` if it is not a token and too long
/// for the cache.
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

/// Counts a piece that is too long for the cache. It is cut where no token can cross, and its parts
/// may be short enough.
#[inline(never)]
fn long_piece(vocabulary: &Vocabulary, cache: &mut Cache, piece: &[u8]) -> usize {
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
