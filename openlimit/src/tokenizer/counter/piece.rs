//! Counts a single piece.

use super::cache::{self, Cache};
use super::layout::medium_key;
use super::long;
use super::merge::{self, SHORT};
use super::vocabulary::Vocabulary;

/// Counts the tokens of the piece with this key.
#[inline(never)]
pub(super) fn keyed(vocabulary: &Vocabulary, cache: &mut Cache, key: u128) -> usize {
    cache.count(key, || unknown(vocabulary, key))
}

#[inline(always)]
fn unknown(vocabulary: &Vocabulary, key: u128) -> usize {
    // The bytes of a key are inverted, and zeros follow them.
    let (bytes, length) = ((!key).to_le_bytes(), 16 - key.leading_zeros() as usize / 8);
    if vocabulary.has(&bytes, 0, length) { 1 } else { merged(vocabulary, &bytes[..length]) }
}

/// Counts a piece that is too long for the cache. Unless it is a token, it is cut where no token
/// can cross, and its parts may be short enough.
#[inline(never)]
pub(super) fn uncached(vocabulary: &Vocabulary, cache: &mut Cache, piece: &[u8]) -> usize {
    if vocabulary.has(piece, 0, piece.len()) {
        return 1;
    }
    if piece.is_ascii() {
        return merged(vocabulary, piece);
    }
    let (mut start, mut total) = (0, 0);
    while start < piece.len() {
        let end = vocabulary.cut(piece, start);
        total += match end - start {
            length @ ..=cache::LONGEST => keyed(vocabulary, cache, medium_key(piece, start, length)),
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
