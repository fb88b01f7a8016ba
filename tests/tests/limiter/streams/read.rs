//! Blocking readers, as sync clients have them.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use super::recorded::{ANTHROPIC, CHAT, CUMULATIVE};
use super::{Account, RESERVED};

#[test]
fn a_reader_is_settled_while_it_is_read() {
    let account = Account::new();
    let mut lines = BufReader::with_capacity(64, account.permit().wrap_read(ANTHROPIC.as_bytes())).lines();
    let first = lines.by_ref().take(3).map(|line| line.expect("text")).collect::<Vec<_>>();
    assert_eq!(first, ANTHROPIC.lines().take(3).collect::<Vec<_>>());
    assert_eq!(account.taken(), [472, 600, 1_000]);
    lines.for_each(|line| drop(line.expect("text")));
    assert_eq!(account.taken(), [472, 89, 561]);
}

#[test]
fn a_whole_reply_is_settled_at_its_end() {
    let account = Account::new();
    let reply = r#"{"data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}}"#;
    let mut read = String::new();
    let mut wrapped = account.permit().wrap_read(reply.as_bytes());
    // An empty buffer is not the end.
    assert_eq!(wrapped.read(&mut []).expect("it works"), 0);
    wrapped.read_to_string(&mut read).expect("text");
    assert_eq!(read, reply);
    assert_eq!(account.taken(), [8, 600, 8]);
}

/// Fails with each of these errors in turn, and then reads.
struct Fails<'a>(Vec<ErrorKind>, &'a [u8]);

impl Read for Fails<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.pop() {
            Some(kind) => Err(kind.into()),
            None => self.1.read(buffer),
        }
    }
}

#[test]
fn only_an_error_that_loses_bytes_keeps_the_reservation() {
    let text =
        CUMULATIVE.replace(r#""finish_reason":"stop""#, r#""finish_reason":null"#).replace("[DONE]", "");
    for (errors, taken) in [
        (vec![ErrorKind::Interrupted, ErrorKind::WouldBlock], [19, 3, 22]),
        (vec![ErrorKind::ConnectionReset], [19, 600, 1_000]),
    ] {
        let account = Account::new();
        let mut wrapped = account.permit().wrap_read(Fails(errors, text.as_bytes()));
        let mut read = Vec::new();
        while wrapped.read_to_end(&mut read).is_err() {}
        assert_eq!(account.taken(), taken);
    }
}

#[test]
fn a_reader_that_claims_too_much_does_no_harm() {
    struct Liar;
    impl Read for Liar {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            Ok(buffer.len() + 1)
        }
    }
    let account = Account::new();
    assert_eq!(account.permit().wrap_read(Liar).read(&mut [0; 8]).expect("it claims so"), 9);
    assert_eq!(account.taken(), RESERVED);
}

#[test]
fn a_reader_that_is_not_read_keeps_its_reservation() {
    let account = Account::new();
    drop(account.permit().wrap_read(CHAT.as_bytes()));
    assert_eq!(account.taken(), RESERVED);
}
