//! Free ports on the loopback interface.
//!
//! They lie below the range that the system hands out by itself, so that no outgoing connection takes one while a
//! server restarts on it. Each process starts its search elsewhere; who binds must still be ready to be too late.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Above what well-known services use, 6379 among them.
const FIRST: u32 = 15_000;

/// Linux hands out 32 768 and above.
const COUNT: u32 = 17_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port at which nobody listens now.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free() -> u16 {
    // Processes that start together have neighbouring numbers: this spreads them.
    let start = process::id().wrapping_mul(7_919);
    (0..COUNT)
        .map(|_| FIRST + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .map(|port| u16::try_from(port).expect("the range ends below 65 536"))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port on the loopback interface")
}
