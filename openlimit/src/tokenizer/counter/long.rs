//! Merging of long pieces, in linear time.
//!
//! A long piece is merged in windows, each as if it were the whole piece. The last parts of a
//! window may be wrong, because the merging did not see the bytes after it. This file finds a
//! border up to which the parts are final.
//!
//! # The rule
//!
//! Say that two neighbouring parts *stay apart* if their bytes, merged without any others, give
//! these two parts again. Then
//!
//! * two neighbours in a merged text stay apart, and
//! * a row of parts of which every two neighbours stay apart is the merged text.
//!
//! The reason is that the rank of a merge depends only on the two parts that it joins. As long as
//! no merge crosses the ends of two neighbours, the same merges happen within them, in the same
//! order, whether other bytes are there or not. So if a merge crossed a border between two
//! neighbours in the whole text, it would also do so with these two alone.
//!
//! So merge a window, choose one of the borders between its parts, and merge a second window from
//! that border on. If the second window begins with the same part as the first has behind the
//! border, then each two neighbours stand side by side in one of the windows, and stay apart. So
//! the parts before the border are final.
//!
//! # An example
//!
//! A piece of 100 bytes is merged in windows of 64. The first window has parts that end at 3, 7,
//! .., 55, 60, 64. The last part before 7/8 of the window, at byte 56, ends at 55, so 55 is tried
//! as the border. A second window is merged from byte 55 on. If its first part ends at 60 too, the
//! parts up to 55 are counted, and the second window takes the place of the first. If not, borders
//! before 6/8, 5/8 and 4/8 of the window are tried.
//!
//! Nearly always, one of the first two borders will do. If none does, as in runs that make very
//! long tokens, the window is doubled, and it shrinks again when tokens become short. A border in
//! the first quarter of the window is not used. So each window is at least a quarter further than
//! the one before, and each byte is merged in a bounded number of windows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::merge::{SHORT, merge};
use super::vocabulary::{NONE, Vocabulary};

/// Counts the tokens that a piece of any length is merged into.
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
            // Tokens have become short again. Small windows suffice for them and are merged faster.
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

/// The beginning of the rest of a piece, merged by itself.
#[derive(Default)]
struct Window {
    /// The end of each part.
    ends: Vec<usize>,
    heap: Heap,
}

impl Window {
    /// Finds a border up to which this window is final, and merges `next` from there on. Returns
    /// the number of parts before the border.
    fn border(&self, next: &mut Self, vocabulary: &Vocabulary, rest: &[u8], size: usize) -> Option<usize> {
        let mut tried = usize::MAX;
        for eighths in [7, 6, 5, 4] {
            let tokens = self.ends.partition_point(|end| *end <= size * eighths / 8);
            if tokens == 0 || tokens == self.ends.len() || tokens == tried {
                continue;
            }
            let border = self.ends[tokens - 1];
            // Smaller steps would take more than linear time.
            if border < size / 4 {
                return None;
            }
            let window = &rest[border..rest.len().min(border + size)];
            if window == &rest[..size] {
                // The text repeats itself, so the merging would too.
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
        // A part ends where the next one starts. The first start is no end.
        let mut starts = merge(vocabulary, window) & !1;
        while starts != 0 {
            self.ends.push(starts.trailing_zeros() as usize);
            starts &= starts - 1;
        }
        self.ends.push(window.len());
    }
}

/// Merging with the pairs in a heap, for windows that are too large to search for the lowest rank.
#[derive(Default)]
struct Heap {
    parts: Vec<Part>,
    pairs: BinaryHeap<Reverse<u64>>,
}

/// Packs a pair into one word, which the heap orders by rank and then by place. A rank has 18 bits,
/// and the other 44 suffice for the places of 16 TB.
fn packed(rank: u32, at: usize) -> Reverse<u64> {
    Reverse(u64::from(rank) << PLACE | at as u64)
}

fn unpacked(Reverse(pair): Reverse<u64>) -> (u32, usize) {
    ((pair >> PLACE) as u32, (pair & ((1 << PLACE) - 1)) as usize)
}

/// The bits of a place.
const PLACE: u32 = 44;

/// The part that begins at a byte. A part that was merged into the one before it has no rank.
#[derive(Clone, Copy)]
struct Part {
    end: usize,
    /// The start of the part before it.
    previous: usize,
    /// The rank of this part together with the next.
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

    /// Updates the rank of the part at `at` together with the next.
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
