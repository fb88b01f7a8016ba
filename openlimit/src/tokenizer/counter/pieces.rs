//! Counts a text piece by piece, each by the shortest way.
//!
//! Between two texts, a program does other work, and the tables are no longer in the processor's
//! caches. Then reading a slot takes longer than all that is done with it, but the processor can
//! wait for many slots at once. So pieces are counted in batches, in steps. A step does little with
//! a piece and takes no branch that depends on a slot, so the processor reads the slots of many
//! pieces ahead. The pieces that a step does not count are left to the next:
//!
//! 1. Split the text. A piece of up to 8 bytes becomes its key, which is all that is needed of it.
//! 2. Read the slot of each key among the common tokens. Most pieces are there.
//! 3. Read the first slot of each other key among all tokens, and search further for the rest.
//! 4. Read the slots of the pieces that are not tokens in the thread's cache. Then count them.
//!
//! The steps for a piece of up to 16 bytes are the same, but it is not among the common tokens. The
//! few longer ones are counted one by one.

use std::cell::Cell;
use std::hint::black_box;
use std::thread::LocalKey;

use super::cache::Cache;
use super::layout::{medium_key, short_key};
use super::piece;
use super::split::Split;
use super::vocabulary::Vocabulary;

/// What a thread keeps from one text to the next.
#[derive(Default)]
pub(super) struct Scratch {
    cache: Cache,
    /// Empty between two texts. A new one would have to be filled with zeros.
    batch: Batch,
}

/// The place of a thread's scratch while the thread is not counting.
pub(super) type Kept = Cell<Option<Box<Scratch>>>;

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
    if text.len() <= BLOCK {
        each::<S>(vocabulary, &mut scratch.cache, text)
    } else {
        batches::<S>(vocabulary, scratch, text)
    }
}

/// Counts the few pieces of a short text. To put them into a batch would take longer than it saves.
#[inline(always)]
fn each<S: Split>(vocabulary: &Vocabulary, cache: &mut Cache, text: &[u8]) -> usize {
    let (mut start, mut total) = (0, 0);
    while start < text.len() {
        let end = S::end(text, start);
        total += piece::any(vocabulary, cache, text, start, end);
        start = end;
    }
    total
}

#[inline(always)]
fn batches<S: Split>(vocabulary: &Vocabulary, scratch: &mut Scratch, text: &[u8]) -> usize {
    let Scratch { cache, batch } = scratch;
    let (mut start, mut total) = (0, 0);
    while start < text.len() {
        let rest = &text[start..];
        let (mut starts, mut last) = (S::starts(text, start), 0);
        if starts == 0 {
            last = S::end(text, start) - start;
            batch.add(rest, start, 0, last);
        }
        while starts != 0 {
            let next = starts.trailing_zeros() as usize;
            batch.add(rest, start, last, next);
            starts &= starts - 1;
            last = next;
        }
        start += last;
        if batch.is_full() {
            total += batch.tokens(vocabulary, cache, text);
        }
    }
    total + batch.tokens(vocabulary, cache, text)
}

/// `Split::starts` returns fewer starts than that.
const BLOCK: usize = 64;

/// The pieces that are counted together.
#[derive(Default)]
struct Batch {
    /// The keys of the pieces of up to 8 bytes.
    short: Row<u64, 512>,
    /// The keys of the pieces of 9 to 16 bytes.
    medium: Row<u128, 32>,
    /// The start and the end of each longer piece.
    long: Row<(usize, usize), 16>,
}

impl Batch {
    /// Adds the piece from `start` to `end` of `rest`, which is the text from `at` on.
    #[inline(always)]
    fn add(&mut self, rest: &[u8], at: usize, start: usize, end: usize) {
        match end - start {
            length @ ..=8 => self.short.push(short_key(rest, start, length)),
            length @ 9..=16 => self.medium.push(medium_key(rest, start, length)),
            _ => self.long.push((at + start, at + end)),
        }
    }

    /// Returns whether there may be no room for the pieces of a block.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.short.room() < BLOCK || self.medium.room() < BLOCK / 8 || self.long.room() < BLOCK / 16
    }

    /// Returns the number of tokens, and empties the batch.
    #[inline(never)]
    fn tokens(&mut self, vocabulary: &Vocabulary, cache: &mut Cache, text: &[u8]) -> usize {
        let Self { short, medium, long } = self;
        let pieces = short.count + medium.count;
        medium.touch(|key| vocabulary.touch(key));
        short.keep(|key| !vocabulary.is_common(key));
        short.keep(|key| !vocabulary.is_at_once(key));
        short.keep(|key| !vocabulary.has_short(key));
        medium.keep(|key| !vocabulary.has_medium(key));
        let mut tokens = pieces - short.count - medium.count;

        short.touch(|key| cache.touch(key.into()));
        medium.touch(|key| cache.touch(key));
        let others = short.items().map(u128::from).chain(medium.items());
        others.for_each(|key| tokens += piece::keyed(vocabulary, cache, key));
        long.items().for_each(|(start, end)| tokens += piece::any(vocabulary, cache, text, start, end));
        (short.count, medium.count, long.count) = (0, 0, 0);
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

    #[inline(always)]
    fn push(&mut self, item: T) {
        self.array[self.count % ROOM] = item;
        self.count += 1;
    }

    #[inline(always)]
    fn items(&self) -> impl Iterator<Item = T> {
        self.array[..self.count].iter().copied()
    }

    /// Removes the other items. Takes no branch, so that the processor reads ahead for many items.
    #[inline(always)]
    fn keep(&mut self, is_kept: impl Fn(T) -> bool) {
        let mut kept = 0;
        for at in 0..self.count.min(ROOM) {
            let item = self.array[at];
            self.array[kept % ROOM] = item;
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
