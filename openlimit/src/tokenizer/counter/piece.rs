//! Counting a piece that is not a token.

use super::cache::{self, Cache};
use super::merge::{self, SHORT};
use super::vocabulary::Vocabulary;
use super::{layout, long};

/// Counts the tokens of the piece with this key.
#[inline(always)]
pub(super) fn short(vocabulary: &Vocabulary, cache: &mut Cache, key: u64) -> usize {
    cache.count(key.into(), || {
        let (bytes, length) = layout::bytes(key);
        merged(vocabulary, &bytes[..length])
    })
}

/// Reads the slot of these bytes of the text in the cache.
#[inline(always)]
pub(super) fn touch(cache: &Cache, text: &[u8], start: usize, end: usize) -> u64 {
    match end - start {
        length @ ..=cache::LONGEST => cache.touch(layout::medium_key(text, start, length)),
        _ => 0,
    }
}

/// Counts the tokens of these bytes of the text.
#[inline(always)]
pub(super) fn piece(
    vocabulary: &Vocabulary,
    cache: &mut Cache,
    text: &[u8],
    start: usize,
    end: usize,
) -> usize {
    if end - start <= cache::LONGEST {
        let key = layout::medium_key(text, start, end - start);
        return cache.count(key, || merged(vocabulary, &text[start..end]));
    }
    long_piece(vocabulary, cache, &text[start..end])
}

/// Counts a piece that is too long for the cache. It is cut where no token can cross, and its parts
/// may be short enough.
#[inline(never)]
fn long_piece(vocabulary: &Vocabulary, cache: &mut Cache, text: &[u8]) -> usize {
    if text.is_ascii() {
        return merged(vocabulary, text);
    }
    let (mut start, mut total) = (0, 0);
    while start < text.len() {
        let end = vocabulary.cut(text, start);
        total += match end - start {
            length if length == 1 || vocabulary.has(text, start, end) => 1,
            ..=cache::LONGEST => piece(vocabulary, cache, text, start, end),
            _ => merged(vocabulary, &text[start..end]),
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
