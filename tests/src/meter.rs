//! Limiters whose use can be read exactly: one unit a second, on a clock that stands still.
//!
//! The amount taken is then the time, in seconds, until the whole amount is available again.

use openlimit::{AcquireError, Cost, Limiter};

/// Declares static limiters that admit up to 86 400 requests and as many tokens, and never refill.
///
/// `metered! { static CHAT: ChatRateLimiter; }`
#[macro_export]
macro_rules! metered {
    ($(static $name:ident: $type:ty;)+) => {
        ::openlimit::limiter! {$(
            static $name: $type = {
                requests: 86_400 / day,
                tokens: 86_400 / day,
                jitter: ::std::time::Duration::ZERO,
                headroom: ::openlimit::Percent(0),
                clock: &::openlimit::testing::ManualClock::new(),
            };
        )+}
    };
}

/// Returns the requests and the tokens that calls have taken from a metered limiter.
pub fn taken<K>(limiter: &Limiter<K>) -> (u64, u64) {
    (missing(limiter, Cost::new().requests(86_400)), missing(limiter, Cost::new().requests(0).tokens(86_400)))
}

fn missing<K>(limiter: &Limiter<K>, everything: Cost) -> u64 {
    match limiter.try_acquire(everything) {
        Ok(permit) => {
            permit.cancel();
            0
        }
        Err(AcquireError::WouldWait { wait, .. }) => wait.as_secs(),
        Err(error) => panic!("{error}"),
    }
}
