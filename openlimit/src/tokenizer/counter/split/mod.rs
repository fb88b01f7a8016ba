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

/// The bytes that are split at once.
pub(super) const BLOCK: usize = 64;

/// A block of a text and 16 bytes more. So the key of a piece in the block is read without a check
/// for the end of the text.
pub(super) type Window = [u8; BLOCK + 16];

/// Returns the window of the last bytes of a text. They are followed by bytes that no text holds.
#[inline(never)]
pub(super) fn padded(rest: &[u8]) -> Window {
    let mut window = [0xff; BLOCK + 16];
    window[..rest.len()].copy_from_slice(rest);
    window
}

/// The way in which an encoding splits text. `start` is the start of a piece, not the end of the
/// text.
pub(super) trait Split {
    /// Returns the end of the piece.
    fn end(text: &[u8], start: usize) -> usize;

    /// Returns a bit for each byte of the block at which another piece begins, as far as it is easy
    /// to split, and whether it is from the last one on. If not, `end` splits the next piece. The
    /// window begins at the start of a piece, and the text has `length` bytes from there on.
    fn starts(_window: &Window, _length: usize) -> (u64, bool) {
        (0, false)
    }
}
