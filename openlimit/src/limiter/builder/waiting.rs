//! The keys that say which calls wait, and for how long.

use std::time::Duration;

use super::Builder;
use crate::admission::{OnWait, Waiting};
use crate::limits::{Percent, Priority};
use crate::queue::Overflow;

impl<K, Keys> Builder<K, Keys> {
    /// Sets the longest [hold](crate::Limiter::hold). Default: 10 minutes. A longer one is cut to
    /// it.
    ///
    /// It bounds what a wrong or hostile `retry-after` can do. If a provider asks for more, calls
    /// do not wait: they are refused with
    /// [`AcquireError::Exhausted`](crate::AcquireError::Exhausted), and after `max_hold` one of
    /// them tries. Zero turns all of that off: then `retry` of the attribute makes its attempts
    /// without a pause.
    ///
    /// If it is longer than 10 minutes, replies can state as much more usage: see
    /// [`Permit::responded`](crate::Permit::responded).
    pub fn max_hold(mut self, max_hold: Duration) -> Self {
        self.options.max_hold = max_hold;
        self
    }

    /// Keeps a part of every rate, from 1 to 99 %, for calls of a priority and those above it.
    /// Default: none.
    ///
    /// Calls of lower priorities take at most the rest, their share: of each rate, and of each
    /// burst (but one unit, rounded up to a nanosecond of the rate, if the whole burst has room for
    /// one). So in any window of length `w` they take at most
    /// `share * rate * w + max(share * burst, largest call)`, and as much more of their share as
    /// flows back in half of the [jitter](Self::jitter). Calls at or above the priority may take
    /// all. The bound of the limits stays as it is, for all calls together.
    ///
    /// A [priority](crate::Acquire::priority) alone lets a call go first. But if lower calls have
    /// just used up a burst, or a single large one has, it still waits until the limit has
    /// refilled. A reserve leaves room for it. What is kept is lost if no such call comes.
    ///
    /// Of a limit that [resets](crate::Rate::resets_at), the share is a part of the amount (but one
    /// unit at least), and all of it is back at the reset.
    ///
    /// A call that waits for its share alone does not hold up calls at or above the priority. A
    /// call that is larger than its share of the burst waits for a full one, as for any limit. A
    /// `remaining` from a provider is shared in the same way.
    ///
    /// `try_acquire` is a call of normal priority. A [concurrency](Self::concurrency) is not shared
    /// out.
    ///
    /// Over Redis, calls of all processes have one share. At most eight limits can be shared then,
    /// and all processes must reserve the same. Lower calls are granted up to a
    /// [look-ahead](crate::Redis::look_ahead) before they depart. If the burst is about as short as
    /// that, a call at or above the priority may have to wait for so long.
    ///
    /// ```
    /// use openlimit::{Percent, Priority, RateLimiter, limiter};
    ///
    /// limiter! {
    ///     static SEARCH: RateLimiter = {
    ///         requests: 200 / minute,
    ///         reserve: (Priority::High, Percent(20)), // others take at most 160 a minute
    ///     };
    /// }
    /// # SEARCH.init().unwrap();
    /// ```
    pub fn reserve(mut self, (priority, part): (Priority, Percent)) -> Self {
        self.options.reserve = Some((priority, part));
        self
    }

    /// Sets the most calls that may wait at a time. Default: any number.
    ///
    /// If another call would have to wait, [`overflow`](Self::overflow) says which one is refused,
    /// with [`AcquireError::QueueFull`](crate::AcquireError::QueueFull). A call that need not wait
    /// is admitted. With zero, no call waits: each is admitted at once or refused.
    ///
    /// The queue is that of this process, also for limits that are shared through Redis. Then even
    /// a call that the limits have room for waits, for the reply of the server, so leave room for
    /// those.
    ///
    /// ```
    /// use openlimit::{Overflow, RateLimiter, limiter};
    ///
    /// limiter! {
    ///     static SEARCH: RateLimiter = {
    ///         requests: 200 / minute,
    ///         max_waiting: 1_000,
    ///         overflow: Overflow::DropOldest,
    ///     };
    /// }
    /// # SEARCH.init().unwrap();
    /// ```
    pub fn max_waiting(mut self, calls: usize) -> Self {
        self.options.declared.max_waiting = Some(calls);
        self
    }

    /// Sets which call is refused when more would wait than [`max_waiting`](Self::max_waiting)
    /// allows. Default: [`Overflow::RejectNew`], the one that arrives.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.options.declared.overflow = Some(overflow);
        self
    }

    /// Sets what to call when a call begins to wait for longer than a second. Default: nothing.
    ///
    /// It is called once for such a call: when it arrives, if its wait is known to be longer then,
    /// and otherwise when it has waited for a second. The [`Waiting`] says for what.
    ///
    /// It runs on the thread that polls the call, and under no lock. So whatever it does, other
    /// calls are not delayed by it. If it panics, the call goes on. A call whose task is not polled
    /// is not reported. It may use the limiter, and calls that it makes are not reported.
    ///
    /// For a call of a [`Stack`](crate::Stack), it is the function of the limiter that the call
    /// waits for, from when it waits for that one. So each limiter is told at most once.
    ///
    /// ```
    /// use openlimit::{Cost, RateLimiter, limiter};
    ///
    /// limiter! {
    ///     static CHAT: RateLimiter = {
    ///         requests: 60 / minute,
    ///         on_wait: |waiting| eprintln!("{waiting}"),
    ///     };
    /// }
    /// # CHAT.init().unwrap();
    /// ```
    pub fn on_wait(mut self, call: impl Fn(&Waiting) + Send + Sync + 'static) -> Self {
        self.options.on_wait = Some(OnWait::new(call));
        self
    }
}
