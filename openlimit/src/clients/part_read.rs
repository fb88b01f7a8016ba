//! `PartRead`: the start of a body, which was read already, and the rest. For blocking clients.
//!
//! A blocking read has no time limit of its own. So a body that may never come is read by a thread,
//! and its pieces are awaited.

use std::io::{self, Cursor, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The most threads of a process that read at once. A server that never ends its answers must not
/// fill the process with them. A read takes well below a millisecond if the body is there.
const MOST_THREADS: usize = 64;

/// The size of a read, in bytes. Most errors are shorter.
const PIECE: usize = 4 * 1024;

/// The pieces that a thread reads ahead of the program.
const AHEAD: usize = 4;

/// A body whose start was read already. It reads as the body did.
pub(super) struct PartRead<R> {
    start: Cursor<Vec<u8>>,
    rest: Remainder<R>,
}

enum Remainder<R> {
    Nothing,
    Unread(R),
    /// The error that reading ended with.
    Failed(Option<io::Error>),
    /// A thread still reads. The lock is never contended; it makes this `Sync`.
    Awaited(Mutex<Receiver<Piece<R>>>),
}

/// What a thread has read.
enum Piece<R> {
    Bytes(Vec<u8>),
    Rest(Remainder<R>),
}

impl<R: Read> PartRead<R> {
    /// Reads up to `most` bytes, however long it takes.
    pub(super) fn read(mut reader: R, most: usize) -> Self {
        let mut bytes = Vec::new();
        let read = (&mut reader).take(most as u64).read_to_end(&mut bytes);
        let rest = match read {
            Err(error) => Remainder::Failed(Some(error)),
            Ok(length) if length < most => Remainder::Nothing,
            Ok(_) => Remainder::Unread(reader),
        };
        Self { start: Cursor::new(bytes), rest }
    }

    /// Returns what was read, if it is the whole body.
    pub(super) fn into_whole(self) -> Result<Vec<u8>, Self> {
        match self.rest {
            Remainder::Nothing => Ok(self.start.into_inner()),
            rest => Err(Self { start: self.start, rest }),
        }
    }

    /// Returns what was read.
    pub(super) fn start(&self) -> &[u8] {
        self.start.get_ref()
    }
}

impl<R: Read + Send + 'static> PartRead<R> {
    /// Reads up to `most` bytes, and returns what came within `longest`. It reads nothing if no
    /// thread can be had for it.
    pub(super) fn read_within(reader: R, most: usize, longest: Duration) -> Self {
        let start = Instant::now();
        let mut bytes = Vec::new();
        let mut rest = in_thread(reader, most);
        while let Remainder::Awaited(pieces) = &mut rest {
            let pieces = pieces.get_mut().unwrap_or_else(PoisonError::into_inner);
            match pieces.recv_timeout(longest.saturating_sub(start.elapsed())) {
                Ok(Piece::Bytes(piece)) => bytes.extend(piece),
                Ok(Piece::Rest(end)) => rest = end,
                // It is late. If the thread is gone, the reader of the rest finds out.
                Err(_) => break,
            }
        }
        Self { start: Cursor::new(bytes), rest }
    }
}

impl<R: Read> Read for PartRead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.start.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            let pieces = match &mut self.rest {
                Remainder::Nothing => return Ok(0),
                Remainder::Unread(reader) => return reader.read(buffer),
                Remainder::Failed(error) => return error.take().map_or(Ok(0), Err),
                Remainder::Awaited(pieces) => pieces.get_mut().unwrap_or_else(PoisonError::into_inner),
            };
            match pieces.recv() {
                Ok(Piece::Bytes(piece)) => self.start = Cursor::new(piece),
                Ok(Piece::Rest(rest)) => self.rest = rest,
                Err(_) => return Err(io::Error::other("the thread that read the body has panicked")),
            }
        }
    }
}

/// Starts a thread that reads up to `most` bytes. It ends with the read at which nobody awaits its
/// pieces any more.
fn in_thread<R: Read + Send + 'static>(reader: R, most: usize) -> Remainder<R> {
    let Some(counted) = Counted::new() else { return Remainder::Unread(reader) };
    let (sender, pieces) = sync_channel(AHEAD);
    // If the thread cannot be started, the reader is still here.
    let reader = Arc::new(Mutex::new(Some(reader)));
    let taken = Arc::clone(&reader);
    let take = |reader: &Mutex<Option<R>>| reader.lock().unwrap_or_else(PoisonError::into_inner).take();
    let started = thread::Builder::new().name("openlimit-body".to_owned()).spawn(move || {
        let _counted = counted;
        if let Some(reader) = take(&taken) {
            send_pieces(reader, most, &sender);
        }
    });
    match started {
        Ok(_) => Remainder::Awaited(Mutex::new(pieces)),
        Err(_) => take(&reader).map_or(Remainder::Nothing, Remainder::Unread),
    }
}

fn send_pieces<R: Read>(mut reader: R, most: usize, sender: &SyncSender<Piece<R>>) {
    let mut buffer = [0; PIECE];
    let mut left = most;
    let rest = loop {
        let room = left.min(PIECE);
        if room == 0 {
            break Remainder::Unread(reader);
        }
        match reader.read(&mut buffer[..room]) {
            Ok(0) => break Remainder::Nothing,
            Ok(length) => {
                left -= length;
                if sender.send(Piece::Bytes(buffer[..length].to_vec())).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Remainder::Failed(Some(error)),
        }
    };
    // If nobody awaits it, the rest is dropped.
    let _ = sender.send(Piece::Rest(rest));
}

/// One of the threads that may read at once.
struct Counted;

static THREADS: AtomicUsize = AtomicUsize::new(0);

impl Counted {
    fn new() -> Option<Self> {
        let more = |threads| (threads < MOST_THREADS).then_some(threads + 1);
        let counted = THREADS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        // Made only if it was counted, because its drop counts down.
        counted.ok().map(|_| Self)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        THREADS.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// Reads what a test sends.
    struct Sent(Mutex<Receiver<u8>>);

    impl Read for Sent {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Ok(byte) = self.0.get_mut().unwrap().recv() else { return Ok(0) };
            buffer[0] = byte;
            Ok(1)
        }
    }

    // One test, because all share the number of threads.
    #[test]
    fn stuck_bodies_occupy_a_bounded_number_of_threads_and_are_not_lost() {
        let mut bodies = Vec::new();
        for _ in 0..=MOST_THREADS {
            let (sender, bytes) = channel();
            b"start".iter().for_each(|byte| sender.send(*byte).unwrap());
            let body = PartRead::read_within(Sent(Mutex::new(bytes)), 100, Duration::from_millis(1));
            bodies.push((sender, body));
        }
        assert_eq!(THREADS.load(Ordering::Relaxed), MOST_THREADS);
        let (_, last) = bodies.last().unwrap();
        assert!(matches!(last.rest, Remainder::Unread(_)) && last.start().is_empty());
        for (sender, mut body) in bodies {
            b", rest".iter().for_each(|byte| sender.send(*byte).unwrap());
            drop(sender);
            let mut text = String::new();
            body.read_to_string(&mut text).unwrap();
            assert_eq!(text, "start, rest");
        }
        while THREADS.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
        let whole = PartRead::read_within(&b"0123456789"[..], 100, Duration::from_secs(10));
        assert_eq!(whole.into_whole().ok().as_deref(), Some(&b"0123456789"[..]));
        let part = PartRead::read_within(&b"0123456789"[..], 4, Duration::from_secs(10));
        assert_eq!(part.start(), b"0123");
        let mut text = String::new();
        part.into_whole().err().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "0123456789");
    }
}
