//! `Capped`: a stream from a server that ends with an error when replies are too long.
//!
//! The `redis` crate buffers a reply until it is complete, however long it is. A server that is not
//! Redis, or not a friend, could fill the memory with one. So bytes are counted before that crate
//! sees them.
//!
//! The stream does not know where a reply ends. But it is told when a command is sent, and when its
//! reply is there. So it allows [`LONGEST_REPLY`] for each command in flight, and counts the bytes
//! since the last reply: they belong to commands that are in flight. While none is, as much is
//! allowed as for one: a server may report an error before it closes the connection.
//!
//! The server also sends announcements (see `announced`). One that is complete is not buffered any
//! more, so the count starts anew. Otherwise, many of them before a slow reply would seem to be a
//! long one.
//!
//! A command that ends without a reply, because it took too long, does not start the count anew.
//! Otherwise, a thousand limiters that lose patience one by one with the same endless reply would
//! let it grow further each time.
//!
//! The end of the stream is an error, too. If a connection was closed in the middle of a reply, the
//! `redis` crate would call that a reply that it cannot read, as if the server were not Redis. But
//! it is an outage like any other closed connection, after which the command is sent again.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The longest reply to one command, in bytes.
///
/// The script's reply to a batch has at most 3 793 bytes: nine numbers, eleven for each of sixteen
/// limits that reset, and nine bytes for each of 257 calls. Redis' own errors are shorter. An error
/// with the limits of others is as long as the names of their dimensions. So this is more than
/// enough, and little beside the memory of a process.
const LONGEST_REPLY: usize = 64 * 1024;

/// A stream that counts the bytes that it reads.
pub(super) struct Capped<S> {
    stream: S,
    replies: Arc<Replies>,
}

/// The commands in flight on one connection, and the bytes of their replies.
#[derive(Debug, Default)]
pub(super) struct Replies {
    in_flight: AtomicUsize,
    /// The bytes since the last reply.
    bytes: AtomicUsize,
}

/// A command in flight. It ends when this is dropped.
pub(super) struct InFlight<'a>(&'a Replies);

/// The error of a stream whose server sends too long a reply.
#[derive(Debug, thiserror::Error)]
#[error("its reply is longer than {} KiB, expected at most 4 KiB", LONGEST_REPLY / 1024)]
pub(super) struct TooLong;

/// The error of a stream that ends.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed")]
struct Closed;

impl Replies {
    /// Notes that a command is in flight.
    pub(super) fn begin(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    /// Notes that an announcement is there.
    pub(super) fn announced(&self) {
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// Counts bytes that were read.
    fn read(&self, bytes: usize) -> Result<(), TooLong> {
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let most = self.in_flight.load(Ordering::Relaxed).max(1) * LONGEST_REPLY;
        if bytes > most { Err(TooLong) } else { Ok(()) }
    }
}

impl InFlight<'_> {
    /// Ends the command, whose reply is there.
    pub(super) fn replied(self) {
        self.0.bytes.store(0, Ordering::Relaxed);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S> Capped<S> {
    pub(super) fn new(stream: S, replies: Arc<Replies>) -> Self {
        Self { stream, replies }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Capped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        Poll::Ready(match buffer.filled().len() - before {
            0 if has_room => Err(io::Error::new(io::ErrorKind::UnexpectedEof, Closed)),
            bytes => self.replies.read(bytes).map_err(io::Error::other),
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Capped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_REPLY, Replies};

    #[test]
    fn each_command_in_flight_may_have_a_reply_of_that_length() {
        let replies = Replies::default();
        let commands = [replies.begin(), replies.begin(), replies.begin()];
        assert!(replies.read(3 * LONGEST_REPLY).is_ok());
        assert!(replies.read(1).is_err());
        for command in commands {
            command.replied();
        }
        assert!(replies.read(LONGEST_REPLY).is_ok());
        assert!(replies.read(1).is_err());
    }

    #[test]
    fn a_command_that_ends_without_a_reply_allows_no_more() {
        let replies = Replies::default();
        let [patient, quick] = [replies.begin(), replies.begin()];
        assert!(replies.read(LONGEST_REPLY).is_ok());
        drop(quick);
        assert!(replies.read(1).is_err());
        patient.replied();
        assert!(replies.read(LONGEST_REPLY).is_ok());
    }

    #[test]
    fn any_number_of_announcements_may_come_before_a_reply_or_between_two() {
        let replies = Replies::default();
        for _ in 0..2 {
            for _ in 0..1_000 {
                assert!(replies.read(LONGEST_REPLY).is_ok());
                replies.announced();
            }
            _ = replies.begin();
        }
        assert!(replies.read(LONGEST_REPLY).is_ok());
        assert!(replies.read(1).is_err());
    }

    #[test]
    fn short_replies_save_nothing_for_a_long_one() {
        let replies = Replies::default();
        let _slow = replies.begin();
        for _ in 0..1_000 {
            let quick = replies.begin();
            assert!(replies.read(LONGEST_REPLY).is_ok());
            quick.replied();
        }
        assert!(replies.read(LONGEST_REPLY).is_ok());
        assert!(replies.read(1).is_err());
    }
}
