//! `Retry`: when a batch that had no reply is sent again.
//!
//! A call that waits must notice soon that the server is back. If no call waits, an outage of hours
//! must cost nearly nothing.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::link::Link;
use crate::backend::redis::settings::KEPT;

/// The pauses before a batch is sent again. They double from [`LEAST`](Self::LEAST) on.
pub(super) struct Retry {
    wait: Duration,
    tries: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { wait: Self::LEAST, tries: 0 }
    }
}

impl Retry {
    /// The first pause. A broken connection is replaced within milliseconds, so calls barely
    /// notice.
    pub(super) const LEAST: Duration = Duration::from_millis(5);

    /// The longest pause while a call waits: how late it may notice that the server is back. Two
    /// attempts a second are no load. Also the pause before a session that panicked restarts.
    pub(super) const MOST: Duration = Duration::from_millis(500);

    /// The longest pause while no call waits, and only refunds and debts are pending. A call that
    /// arrives ends it.
    const IDLE: Duration = Duration::from_secs(15);

    /// The most pauses for the state of a dropped limiter: two seconds in all (5 + 10 + .. + 320 +
    /// 3 * 500 ms). What is not given back then leaks by itself.
    const LAST: u32 = 10;

    /// For how long a batch is sent again that may have been decided: a minute less than the server
    /// keeps its reply, since the last sending may be on its way for long.
    pub(super) const LONGEST: Duration = Duration::from_secs(KEPT - 60);

    /// The pause after an error that has to be fixed, so that callers who retry at once do not make
    /// the driver do so, too.
    pub(super) const AFTER_REFUSAL: Duration = Duration::from_millis(50);

    /// Pauses before the next attempt. Returns false if there should be none.
    ///
    /// `waiting` is true if a call waits for the batch, and `None` once the limiter was dropped.
    pub(super) async fn pause(&mut self, waiting: Option<bool>, link: &Link) -> bool {
        self.tries += 1;
        let most = match waiting {
            None if self.tries > Self::LAST => return false,
            Some(false) => Self::IDLE,
            _ => Self::MOST,
        };
        let wait = self.wait.min(most);
        self.wait = (self.wait * 2).min(Self::IDLE);
        if waiting == Some(false) {
            let _ = timeout(wait, link.wake.notified()).await;
        } else {
            sleep(wait).await;
        }
        true
    }
}
