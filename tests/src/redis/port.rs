//! Free ports on the loopback interface.
//!
//! They are below the range that the system assigns to outgoing connections, so no connection takes
//! the port of a server while it restarts. Each process starts its search at another port. Binding
//! can still fail, if another process was faster.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Above the ports of well-known services, such as 6379.
const FIRST: u32 = 15_000;

/// Linux assigns 32 768 and above.
const COUNT: u32 = 17_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Returns a port that is free now.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free() -> u16 {
    // Processes that start together have consecutive ids. This spreads them.
    let start = process::id().wrapping_mul(7_919);
    (0..COUNT)
        .map(|_| FIRST + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .map(|port| u16::try_from(port).expect("the range ends below 65 536"))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port on the loopback interface")
}
