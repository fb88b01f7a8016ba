//! `InHand`: what is known of the file that is being read.
//!
//! The type, the bytes and the settings of a file come in any order, and other content may come in
//! between. So each file has a number, which the places of its parts carry. The price is added when
//! the file is seen, and replaced whenever more of it becomes known.

/// What is known of the file that is being read. `T` is what its price depends on.
#[derive(Debug, Default)]
pub(crate) struct InHand<T> {
    /// The number of files that have begun.
    begun: u32,
    /// The number of the file.
    file: u32,
    pub(crate) known: T,
    /// The tokens that were added for it.
    pub(crate) counted: u64,
}

impl<T: Default> InHand<T> {
    /// Begins something that may have a file. Returns its number.
    pub(crate) fn begin(&mut self) -> u32 {
        self.begun = self.begun.wrapping_add(1);
        self.begun
    }

    /// Returns what is known of a file. It takes the place of any other, whose price stays.
    pub(crate) fn of(&mut self, file: u32) -> &mut T {
        if self.file != file {
            *self = Self { begun: self.begun, file, ..Self::default() };
        }
        &mut self.known
    }
}
