//! Splitting a text into pieces, within which tokens are merged.
//!
//! Each encoding has a regular expression for pieces, and each expression has a file here, with a
//! function from the start of a piece to its end. It finds what a backtracking matcher would find,
//! without going back, and looks at each character a few times at most. The head of each file shows
//! the expression, one alternative in each line. The first alternative that matches makes the
//! piece.
//!
//! For example, `\s+(?!\S)` matches whitespace that is not followed by anything else. A matcher
//! takes the whole run of whitespace, sees a letter after it, and goes back by one character. The
//! function remembers where the last character of the run begins, and ends the piece there. So
//! three spaces before a word are two pieces: two spaces, and a space with the word.
//!
//! Most of a text needs none of the expressions' details. `block` splits it faster, by the `planes`
//! of its bits, and leaves the rest to these functions.

#[cfg_attr(not(any(feature = "o200k", feature = "cl100k")), allow(dead_code))]
mod block;
#[cfg(feature = "cl100k")]
mod cl100k;
#[cfg(any(feature = "p50k", feature = "r50k"))]
mod gpt2;
#[cfg(feature = "o200k")]
mod o200k;
mod planes;
mod shared;

#[cfg(feature = "cl100k")]
pub(super) use self::cl100k::Cl100k;
#[cfg(any(feature = "p50k", feature = "r50k"))]
pub(super) use self::gpt2::Gpt2;
#[cfg(feature = "o200k")]
pub(super) use self::o200k::O200k;

/// The way in which an encoding splits text. `start` is the start of a piece, not the end of the
/// text.
pub(super) trait Split {
    /// Returns the end of the piece.
    fn end(text: &[u8], start: usize) -> usize;

    /// Returns a bit for each of the next 64 bytes at which another piece begins, as far as they
    /// are easy to split. `end` goes on from the last one.
    fn starts(_text: &[u8], _start: usize) -> u64 {
        0
    }
}
