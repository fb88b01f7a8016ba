//! Counting a text piece by piece, each by the shortest way.
//!
//! Between two texts, a program does other work, and the tables are no longer in the processor's
//! caches. Then reading a slot takes longer than all that is done with it, but the processor can
//! wait for many slots at once. So pieces are counted in batches, in steps that each read the slots
//! of all their pieces before they depend on what is there:
//!
//! 1. Split the text, and count the pieces that are common tokens. The others are left.
//! 2. Read the slot of each piece that is left. Then count those that are tokens.
//! 3. Do the same with the thread's cache for the pieces that are no tokens, and merge those that
//!    are not there.
//!
//! Two thirds of the pieces of a text are common, and most others are tokens.

use std::hint::black_box;
use std::ops::Range;
use std::thread::LocalKey;

use super::cache::{self, Cache, Kept};
use super::merge::{self, SHORT};
use super::split::Split;
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

/// Counts the pieces of a text.
#[inline(always)]
pub(super) fn pieces<S: Split>(vocabulary: &Vocabulary, cache: &mut Cache, text: &[u8]) -> usize {
    let mut left = Left { pieces: [(0, 0); ROOM], count: 0 };
    let (mut start, mut total) = (0, 0);
    while start < text.len() {
        let (mut starts, first) = (S::starts(text, start), start);
        if starts == 0 {
            let end = S::end(text, start);
            total += left.add(vocabulary, text, start, end);
            start = end;
        }
        while starts != 0 {
            let end = first + starts.trailing_zeros() as usize;
            total += left.add(vocabulary, text, start, end);
            starts &= starts - 1;
            start = end;
        }
        if left.count > BATCH {
            total += left.count(vocabulary, cache, text);
        }
    }
    total + left.count(vocabulary, cache, text)
}

/// The pieces that are counted together. More hardly make it faster.
const BATCH: usize = 64;

/// A block adds up to 64 pieces.
const ROOM: usize = BATCH + 64;

/// The pieces of a text that are not counted yet.
struct Left {
    pieces: [(usize, usize); ROOM],
    count: usize,
}

impl Left {
    /// Counts a common token, and leaves any other piece.
    #[inline(always)]
    fn add(&mut self, vocabulary: &Vocabulary, text: &[u8], start: usize, end: usize) -> usize {
        let common = vocabulary.is_common(text, start, end);
        self.pieces[self.count % ROOM] = (start, end);
        self.count += usize::from(!common);
        usize::from(common)
    }

    /// Counts the pieces.
    #[inline(never)]
    fn count(&mut self, vocabulary: &Vocabulary, cache: &mut Cache, text: &[u8]) -> usize {
        let pieces = &mut self.pieces[..self.count];
        self.count = 0;
        let touched = pieces.iter().fold(0, |sum, &(start, end)| sum ^ vocabulary.touch(text, start, end));
        black_box(touched);
        let mut merged = 0;
        for at in 0..pieces.len() {
            let (start, end) = pieces[at];
            pieces[merged] = (start, end);
            merged += usize::from(end - start > 1 && !vocabulary.has(text, start, end));
        }
        let total = pieces.len() - merged;
        let pieces = &pieces[..merged];
        let touched = pieces.iter().filter(|(start, end)| end - start <= cache::LONGEST);
        let touched = touched.fold(0, |sum, &(start, end)| {
            sum ^ cache.touch(layout::medium_key(text, start, end - start))
        });
        black_box(touched);
        total + pieces.iter().map(|&(start, end)| merge(vocabulary, cache, text, start..end)).sum::<usize>()
    }
}

/// Counts a piece that is not a token.
#[inline(always)]
fn merge(vocabulary: &Vocabulary, cache: &mut Cache, text: &[u8], piece: Range<usize>) -> usize {
    if piece.len() <= cache::LONGEST {
        let key = layout::medium_key(text, piece.start, piece.len());
        return cache.count(key, || merged(vocabulary, &text[piece]));
    }
    long_piece(vocabulary, cache, &text[piece])
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
        total += match end - start {
            length if length == 1 || vocabulary.has(piece, start, end) => 1,
            ..=cache::LONGEST => merge(vocabulary, cache, piece, start..end),
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
