//! `Capture`: the bytes of an error that a stream carries in place of the rest of the answer.
//!
//! Errors are small, and are read as a whole. So their bytes are kept, up to a bound. Nothing is
//! kept of a reply without an error.

use super::observation::Observation;

/// The most bytes that are kept. Errors of all providers have a few hundred.
const MOST: usize = 4 * 1024;

/// An error that is being read.
#[derive(Clone, Debug)]
pub(super) struct Capture {
    /// The depth of the object that the error is in.
    pub(super) depth: u32,
    /// True if the error is the rest of that object, and false if it is one value.
    pub(super) is_rest: bool,
    /// The place of its first byte in the present piece.
    from: usize,
    /// Its bytes in earlier pieces.
    text: Vec<u8>,
}

impl Capture {
    /// Begins at a place of the present piece.
    pub(super) fn new(depth: u32, is_rest: bool, from: usize) -> Self {
        Self { depth, is_rest, from, text: Vec::new() }
    }

    /// Keeps what the present piece has of it. The next piece begins with the rest.
    pub(super) fn keep(&mut self, piece: &[u8]) {
        let new = piece.get(self.from..).unwrap_or_default();
        self.text.extend(new.iter().take(MOST.saturating_sub(self.text.len())));
        self.from = 0;
    }

    /// Reads the error, which ends with the present piece. Returns `None` for an empty one, which
    /// says that there is no error.
    pub(super) fn read(mut self, piece: &[u8]) -> Option<Observation> {
        self.keep(piece);
        let text = self.text.trim_ascii();
        let is_empty = matches!(text, b"\"\"" | b"{}");
        // A status of 0, since that of the response was 200.
        (!is_empty).then(|| Observation::new(0).body(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_megabytes_takes_a_few_kilobytes() {
        let mut capture = Capture::new(1, false, 3);
        for _ in 0..1_000 {
            capture.keep(&[b'x'; 10_000]);
        }
        assert_eq!(capture.text.len(), MOST);
        assert!(capture.text.capacity() <= 2 * MOST);
    }
}
