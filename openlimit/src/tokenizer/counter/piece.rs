//! Counts a single piece.

use super::cache::{self, Cache};
use super::merge::{self, SHORT};
use super::vocabulary::Vocabulary;
use super::{layout, long};

/// Counts the tokens of these bytes of the text, which may be a token.
#[inline(always)]
pub(super) fn any(
    vocabulary: &Vocabulary,
    cache: &mut Cache,
    text: &[u8],
    start: usize,
    end: usize,
) -> usize {
    if end - start == 1 || vocabulary.has(text, start, end) {
        return 1;
    }
    longer(vocabulary, cache, text, start, end)
}

/// Counts the tokens of the piece with this key, which is not a token.
#[inline(always)]
pub(super) fn short(vocabulary: &Vocabulary, cache: &mut Cache, key: u64) -> usize {
    cache.count(key.into(), || {
        // The bytes of a key are inverted, and zeros follow them.
        let length = 8 - key.leading_zeros() as usize / 8;
        merged(vocabulary, &(!key).to_le_bytes()[..length])
    })
}

/// Counts the tokens of these bytes of the text, which are not a token.
#[inline(always)]
pub(super) fn longer(
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
    cut(vocabulary, cache, &text[start..end])
}

/// Reads the slot of these bytes of the text in the cache.
#[inline(always)]
pub(super) fn touch(cache: &Cache, text: &[u8], start: usize, end: usize) -> u64 {
    match end - start {
        length @ ..=cache::LONGEST => cache.touch(layout::medium_key(text, start, length)),
        _ => 0,
    }
}

/// Counts a piece that is too long for the cache. It is cut where no token can cross, and its parts
/// may be short enough.
#[inline(never)]
fn cut(vocabulary: &Vocabulary, cache: &mut Cache, piece: &[u8]) -> usize {
    if piece.is_ascii() {
        return merged(vocabulary, piece);
    }
    let (mut start, mut total) = (0, 0);
    while start < piece.len() {
        let end = vocabulary.cut(piece, start);
        total += match end - start {
            ..=cache::LONGEST => any(vocabulary, cache, piece, start, end),
            _ if vocabulary.has(piece, start, end) => 1,
            _ => merged(vocabulary, &piece[start..end]),
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
