//! `WrappedRead`: a blocking reader that settles the call.

use std::io::{self, ErrorKind, Read};

use super::super::Permit;
use super::Tap;

/// The body of a reply, with the permit of its call: see [`Permit::wrap_read`].
#[derive(Debug)]
#[must_use = "a body does nothing until it is read"]
pub struct WrappedRead<R> {
    body: R,
    tap: Tap,
}

impl Permit {
    /// Moves the permit into the body of the reply, which settles it as it is read.
    ///
    /// It takes a reader of a blocking HTTP client. It reads the same bytes and errors as `body`.
    /// [`Permit`] says when it is settled.
    ///
    /// ```
    /// use openlimit::{Rate, RateLimiter};
    /// use std::io::Read;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().tokens(Rate::per_day(1_000)).build()?;
    /// let permit = limiter.try_acquire(500)?;
    /// let reply = br#"{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 12}}"#;
    /// permit.wrap_read(&reply[..]).read_to_string(&mut String::new())?;
    /// // 479 of the 500 are given back.
    /// assert!(limiter.status()?.limits[0].available > 970);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wrap_read<R: Read>(self, body: R) -> WrappedRead<R> {
        WrappedRead { body, tap: Tap::new(self) }
    }
}

impl<R: Read> Read for WrappedRead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.body.read(buffer);
        match &read {
            Ok(0) if !buffer.is_empty() => self.tap.end(),
            // A broken reader may claim to have read more than there is room for.
            Ok(length) => self.tap.bytes(buffer.get(..*length).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(_) => self.tap.break_off(),
        }
        read
    }
}
