//! Byte-pair merging of long pieces, in time that grows no faster than they do.
//!
//! A long piece is merged in windows. Parts are final if each two neighbours, merged by themselves, stay apart: the
//! ranks of successive merges rise, so the first merge across a border would have come just as early with the two
//! alone. So if a window is merged anew from one of its own borders, and both begin there with the same part, then
//! what stands before the border is what the whole piece would have had there. Such a border is nearly always found
//! in the first two places. Where there is none, as with runs that make very long tokens, the window grows, until
//! tokens are short again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::merge::{SHORT, merge};
use super::vocabulary::{NONE, Vocabulary};

/// How many tokens a piece of any length is merged into.
#[inline(never)]
pub(super) fn count(vocabulary: &Vocabulary, piece: &[u8]) -> usize {
    let (mut here, mut next) = (Window::default(), Window::default());
    let (mut at, mut size, mut total) = (0, SHORT.min(piece.len()), 0);
    here.merge(vocabulary, &piece[..size]);
    while at + size < piece.len() {
        if let Some(tokens) = here.border(&mut next, vocabulary, &piece[at..], size) {
            total += tokens;
            at += here.ends[tokens - 1];
            std::mem::swap(&mut here, &mut next);
            // Tokens have become short again, for which small windows do, and are merged faster.
            if size > SHORT && here.ends.len() > size / 8 {
                size = SHORT;
                here.merge(vocabulary, &piece[at..piece.len().min(at + size)]);
            }
        } else {
            size *= 2;
            here.merge(vocabulary, &piece[at..piece.len().min(at + size)]);
        }
    }
    total + here.ends.len()
}

/// The beginning of what is left of a piece, merged by itself.
#[derive(Default)]
struct Window {
    /// Where each part ends.
    ends: Vec<usize>,
    heap: Heap,
}

impl Window {
    /// Finds a border up to which this window is final, and merges the next from there. Returns how many parts
    /// stand before it.
    fn border(&self, next: &mut Self, vocabulary: &Vocabulary, rest: &[u8], size: usize) -> Option<usize> {
        let mut tried = usize::MAX;
        for eighths in [7, 6, 5, 4] {
            let tokens = self.ends.partition_point(|end| *end <= size * eighths / 8);
            if tokens == 0 || tokens == self.ends.len() || tokens == tried {
                continue;
            }
            let border = self.ends[tokens - 1];
            // A window has to be left behind in a few steps, or time would not be linear.
            if border < size / 4 {
                return None;
            }
            let window = &rest[border..rest.len().min(border + size)];
            if window == &rest[..size] {
                // The text repeats itself.
                next.ends.clone_from(&self.ends);
            } else {
                next.merge(vocabulary, window);
            }
            if next.ends[0] == self.ends[tokens] - border {
                return Some(tokens);
            }
            tried = tokens;
        }
        None
    }

    fn merge(&mut self, vocabulary: &Vocabulary, window: &[u8]) {
        self.ends.clear();
        if window.len() > SHORT {
            self.heap.merge(vocabulary, window, &mut self.ends);
            return;
        }
        // A part ends where the next one starts.
        let mut starts = merge(vocabulary, window) & !1;
        while starts != 0 {
            self.ends.push(starts.trailing_zeros() as usize);
            starts &= starts - 1;
        }
        self.ends.push(window.len());
    }
}

/// Merging with the pairs in a heap, for windows in which searching them all would take too long.
#[derive(Default)]
struct Heap {
    parts: Vec<Part>,
    pairs: BinaryHeap<Reverse<u64>>,
}

/// A pair in one word, as the heap orders it: by its rank of 18 bits, and then by its place, for which 16 TB do.
fn packed(rank: u32, at: usize) -> Reverse<u64> {
    Reverse(u64::from(rank) << PLACE | at as u64)
}

fn unpacked(Reverse(pair): Reverse<u64>) -> (u32, usize) {
    ((pair >> PLACE) as u32, (pair & ((1 << PLACE) - 1)) as usize)
}

/// In bits.
const PLACE: u32 = 44;

/// What begins at a byte. A part that was merged into the one before it keeps no rank.
#[derive(Clone, Copy)]
struct Part {
    end: usize,
    /// Where the part before it begins.
    previous: usize,
    /// The rank of this part with the next.
    rank: u32,
}

impl Heap {
    fn merge(&mut self, vocabulary: &Vocabulary, text: &[u8], ends: &mut Vec<usize>) {
        self.parts.clear();
        self.pairs.clear();
        let ranks = text.windows(2).map(|pair| vocabulary.pair(pair[0], pair[1])).chain([NONE]);
        self.parts.extend(ranks.enumerate().map(|(at, rank)| Part {
            end: at + 1,
            previous: at.saturating_sub(1),
            rank,
        }));
        let pairs = self.parts.iter().enumerate().filter(|(_, part)| part.rank != NONE);
        self.pairs.extend(pairs.map(|(at, part)| packed(part.rank, at)));

        while let Some((rank, at)) = self.pairs.pop().map(unpacked) {
            if self.parts[at].rank != rank {
                continue;
            }
            let right = self.parts[at].end;
            let middle = self.parts[right].end;
            self.parts[right].rank = NONE;
            self.parts[at].end = middle;
            if middle < text.len() {
                self.parts[middle].previous = at;
            }
            self.pair(vocabulary, text, at);
            if at > 0 {
                self.pair(vocabulary, text, self.parts[at].previous);
            }
        }
        let mut end = 0;
        while end < text.len() {
            end = self.parts[end].end;
            ends.push(end);
        }
    }

    /// Ranks the part at `at` with the one after it anew.
    fn pair(&mut self, vocabulary: &Vocabulary, text: &[u8], at: usize) {
        let rank = match self.parts.get(self.parts[at].end) {
            Some(next) => vocabulary.rank(text, at, next.end),
            None => NONE,
        };
        self.parts[at].rank = rank;
        if rank != NONE {
            self.pairs.push(packed(rank, at));
        }
    }
}
