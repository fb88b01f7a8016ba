//! Counting a text piece by piece, each by the shortest way.
//!
//! Between two texts, a program does other work, and the tables are no longer in the processor's
//! caches. Then reading a slot takes longer than all that is done with it, but the processor can
//! wait for many slots at once. So pieces are counted in batches. Each step does little with a
//! piece, and nothing that depends on what it reads, so that it reads the slots of many pieces
//! ahead. It leaves fewer pieces to the next:
//!
//! 1. Split the text.
//! 2. Read the slot of each piece among the common tokens. Two thirds are found.
//! 3. Read the slot of each piece that is left among all tokens. Then count those that are tokens.
//! 4. Read the slot of each piece that is left in the thread's cache. Then count these.

use std::cell::Cell;
use std::hint::black_box;
use std::thread::LocalKey;

use super::cache::Cache;
use super::layout::short_key;
use super::piece;
use super::split::Split;
use super::vocabulary::Vocabulary;

/// What a thread keeps for an encoding.
#[derive(Default)]
pub(super) struct Kept {
    cache: Cache,
}

/// The place of it while the thread is not counting.
pub(super) type Place = Cell<Option<Box<Kept>>>;

/// Counts with what the thread keeps. If the thread is ending and it is gone, counts with new memory.
pub(super) fn with(place: &'static LocalKey<Place>, count: impl FnOnce(&mut Kept) -> usize) -> usize {
    let mut kept = place.try_with(Place::take).ok().flatten().unwrap_or_default();
    let count = count(&mut kept);
    let _ = place.try_with(|place| place.set(Some(kept)));
    count
}

/// Counts the pieces of a text.
#[inline(always)]
pub(super) fn pieces<S: Split>(vocabulary: &Vocabulary, kept: &mut Kept, text: &[u8]) -> usize {
    let Kept { cache, .. } = kept;
    let batch = &mut Batch::default();
    let (mut start, mut total) = (0, 0);
    while start < text.len() {
        let (mut starts, first) = (S::starts(text, start), start);
        if starts == 0 {
            let end = S::end(text, start);
            batch.add(text, start, end);
            start = end;
        }
        while starts != 0 {
            let end = first + starts.trailing_zeros() as usize;
            batch.add(text, start, end);
            starts &= starts - 1;
            start = end;
        }
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
    /// The start and the end of each longer piece.
    longer: Row<(usize, usize), 128>,
}

impl Batch {
    #[inline(always)]
    fn add(&mut self, text: &[u8], start: usize, end: usize) {
        if end - start <= 8 {
            self.short.push(short_key(text, start, end - start));
        } else {
            self.longer.push((start, end));
        }
    }

    /// Returns whether there may be no room for the pieces of a block.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.short.room() < BLOCK || self.longer.room() < BLOCK / 8
    }

    /// Returns the number of tokens, and empties the batch.
    #[inline(never)]
    fn tokens(&mut self, vocabulary: &Vocabulary, cache: &mut Cache, text: &[u8]) -> usize {
        let Self { short, longer } = self;
        let pieces = short.count + longer.count;
        longer.touch(|(start, end)| vocabulary.touch(text, start, end));
        longer.touch(|(start, end)| piece::touch(cache, text, start, end));
        short.keep(|key| !vocabulary.is_common(key));
        short.keep(|key| !vocabulary.is_at_once(key));
        short.touch(|key| cache.touch(key.into()));
        short.keep(|key| !vocabulary.has_short(key));
        longer.keep(|(start, end)| !vocabulary.has(text, start, end));
        let tokens = pieces - short.count - longer.count;

        let merged = short.items().map(|key| piece::short(vocabulary, cache, key)).sum::<usize>()
            + longer.items().map(|(start, end)| piece::piece(vocabulary, cache, text, start, end)).sum::<usize>();
        (short.count, longer.count) = (0, 0);
        tokens + merged
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
