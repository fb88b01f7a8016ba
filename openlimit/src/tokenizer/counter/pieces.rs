//! Counts a text piece by piece, each by the shortest way.
//!
//! Between two texts, a program does other work, and the tables are no longer in the processor's
//! caches. Then reading a slot takes longer than all that is done with it, but the processor can
//! wait for many slots at once. So pieces are counted in batches, in steps. Steps 1 and 3 take no
//! branch that depends on a slot, so the processor reads the slots of many pieces ahead:
//!
//! 1. Split the text, and ask the thread's cache which pieces are a token. Most are. The keys of the
//!    others are written down.
//! 2. Ask the cache which of these have been merged before, and count them. The unknown ones are
//!    left.
//! 3. Read the first slot of each of these in the vocabulary.
//! 4. Count them one by one.
//!
//! The few pieces that are too long for the cache are counted one by one, too.

use std::cell::Cell;
use std::hint::black_box;
use std::ops::Range;
use std::thread::LocalKey;

use super::cache::{self, Cache};
use super::layout::{medium_key, short_key};
use super::piece;
use super::split::{self, BLOCK, Split, Window};
use super::vocabulary::Vocabulary;

/// What a thread keeps from one text to the next.
#[derive(Default)]
pub(super) struct Scratch {
    cache: Cache,
    /// Empty between two texts. A new one would have to be filled with zeros.
    batch: Box<Batch>,
}

/// The place of a thread's scratch while the thread is not counting.
pub(super) type Kept = Cell<Option<Scratch>>;

/// Counts with the thread's scratch. If the thread is ending and its scratch is gone, counts with a
/// new one.
pub(super) fn with(kept: &'static LocalKey<Kept>, count: impl FnOnce(&mut Scratch) -> usize) -> usize {
    let mut scratch = kept.try_with(Kept::take).ok().flatten().unwrap_or_default();
    let count = count(&mut scratch);
    let _ = kept.try_with(|kept| kept.set(Some(scratch)));
    count
}

/// Counts the pieces of a text.
#[inline(always)]
pub(super) fn pieces<S: Split>(vocabulary: &Vocabulary, scratch: &mut Scratch, text: &[u8]) -> usize {
    let Scratch { cache, batch } = scratch;
    let (mut start, mut total) = (0, 0);
    while start < text.len() {
        let padded;
        let window = match text[start..].first_chunk() {
            Some(window) => window,
            None => {
                padded = split::padded(&text[start..]);
                &padded
            }
        };
        let (starts, is_easy) = S::starts(window, text.len() - start);
        let last = start + (u64::BITS - 1).saturating_sub(starts.leading_zeros()) as usize;
        let end = if is_easy { last } else { S::end(text, last) };
        batch.add_block(cache, window, starts, start..end);
        start = end;
        if batch.is_full() || start == text.len() {
            total += batch.tokens(vocabulary, cache, text);
        }
    }
    total
}

/// The pieces that are counted together.
#[derive(Default)]
struct Batch {
    /// The number of all pieces.
    pieces: usize,
    /// The keys of those that are not known to be a token.
    others: Row<u128, 256>,
    /// The start and the end of each piece that is too long for the cache.
    long: Row<(usize, usize), 16>,
}

impl Batch {
    /// Adds the pieces of a block, which is this part of the text. They begin where it does and at
    /// `starts`, which may contain the end of the last one.
    #[inline(always)]
    fn add_block(&mut self, cache: &Cache, window: &Window, mut starts: u64, block: Range<usize>) {
        let (at, mut last) = (block.start, 0);
        self.pieces += starts.count_ones() as usize;
        // It stays in a register, since memory is written for each piece.
        let mut others = self.others.count;
        while starts != 0 {
            let next = starts.trailing_zeros() as usize;
            others = self.add(others, cache, window, at, last..next);
            starts &= starts - 1;
            last = next;
        }
        if at + last < block.end {
            others = self.add(others, cache, window, at, last..block.end - at);
            self.pieces += 1;
        }
        self.others.count = others;
    }

    /// Adds the piece at these bytes of the window, which is the text from `at` on. There are
    /// `others` so far that are not known to be a token. Returns their number.
    #[inline(always)]
    fn add(
        &mut self,
        others: usize,
        cache: &Cache,
        window: &Window,
        at: usize,
        piece: Range<usize>,
    ) -> usize {
        let Range { start, end } = piece;
        match end - start {
            length @ ..=cache::SHORT => {
                let key = short_key(window, start % BLOCK, length);
                self.others.put(others, key.into(), !cache.has_short(key))
            }
            length @ ..=cache::LONGEST => {
                let key = medium_key(window, start % BLOCK, length);
                self.others.put(others, key, !cache.has_medium(key))
            }
            _ => {
                self.long.count = self.long.put(self.long.count, (at + start, at + end), true);
                others
            }
        }
    }

    /// Returns whether there may be no room for the pieces of a block.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.others.room() < BLOCK || self.long.room() < BLOCK / 16
    }

    /// Returns the number of tokens, and empties the batch.
    #[inline(never)]
    fn tokens(&mut self, vocabulary: &Vocabulary, cache: &mut Cache, text: &[u8]) -> usize {
        let mut tokens = self.pieces - self.others.count - self.long.count;
        self.others.retain(|key| {
            let known = cache.known(key);
            tokens += known.unwrap_or(0);
            known.is_none()
        });
        self.others.touch(|key| vocabulary.touch(key));
        for key in self.others.items() {
            tokens += piece::keyed(vocabulary, cache, key);
        }
        for (start, end) in self.long.items() {
            tokens += piece::uncached(vocabulary, cache, &text[start..end]);
        }
        (self.pieces, self.others.count, self.long.count) = (0, 0, 0);
        tokens
    }
}

/// The first items of an array.
struct Row<T, const ROOM: usize> {
    array: [T; ROOM],
    count: usize,
}

impl<T: Copy + Default, const ROOM: usize> Default for Row<T, ROOM> {
    fn default() -> Self {
        Self { array: [T::default(); ROOM], count: 0 }
    }
}

impl<T: Copy, const ROOM: usize> Row<T, ROOM> {
    #[inline(always)]
    fn room(&self) -> usize {
        ROOM - self.count
    }

    /// Writes the item that is to follow the first `count`, and returns how many are kept. Takes no
    /// branch.
    #[inline(always)]
    fn put(&mut self, count: usize, item: T, is_kept: bool) -> usize {
        self.array[count % ROOM] = item;
        count + usize::from(is_kept)
    }

    #[inline(always)]
    fn items(&self) -> impl Iterator<Item = T> {
        self.array[..self.count].iter().copied()
    }

    /// Removes the items that are not to be kept.
    #[inline(always)]
    fn retain(&mut self, mut is_kept: impl FnMut(T) -> bool) {
        let mut kept = 0;
        for at in 0..self.count {
            let item = self.array[at];
            self.array[kept] = item;
            kept += usize::from(is_kept(item));
        }
        self.count = kept;
    }

    /// Reads something of each item, so that it is in the processor's caches.
    #[inline(always)]
    fn touch(&self, read: impl Fn(T) -> u64) {
        black_box(self.items().fold(0, |sum, item| sum ^ read(item)));
    }
}
