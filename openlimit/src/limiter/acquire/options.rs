//! The options of a pending call: how long it may wait, its priority, and its call site.

use std::time::{Duration, Instant};

use super::{Acquire, Stage};
use crate::learning::SiteId;
use crate::limiter::core::Handle;
use crate::limits::Priority;
use crate::time::nanos;

impl Acquire {
    /// Sets the longest wait, from the first poll on, on the limiter's clock. Default: none.
    ///
    /// If the wait is known to be longer, the call fails with
    /// [`Timeout`](crate::AcquireError::Timeout): on arrival, or later if the queue moves back, by
    /// a debt, a hold, a slower rate, or calls of higher priorities. It is judged by what is known:
    /// a refund, or a call that leaves, might still have made room. Of a longer queue, only the
    /// first 4 096 calls are judged after such a change. A call behind them fails when it is among
    /// them at the next change, or when its timeout ends.
    ///
    /// With a timeout of zero the call is admitted at once or not at all. It still goes before
    /// calls of lower priorities that wait. Replaces a [`deadline`](Self::deadline).
    ///
    /// A runtime's own timeout works too, but it cannot fail early, and its error does not say
    /// which limit was too tight.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.urgency = self.urgency.within(nanos(timeout));
        self
    }

    /// Sets the end of the wait. Replaces a [`timeout`](Self::timeout). Default: none.
    ///
    /// Use it where a request has to be answered by a certain time, whatever else was done before.
    /// A deadline that has passed admits the call at once or not at all.
    ///
    /// tokio's `Instant` converts: `.deadline(instant.into_std())`. Where tokio's time is paused,
    /// and the limiter follows it, so does the deadline. On a manual clock, the time that is left
    /// is read from the system's clock by this method, and passes on the manual one.
    ///
    /// ```
    /// use openlimit::{Cost, Rate, RateLimiter};
    /// use std::time::{Duration, Instant};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let limiter = RateLimiter::builder().requests(Rate::per_second(5)).build()?;
    /// let deadline = Instant::now() + Duration::from_secs(10); // when the request came in
    /// let permit = limiter.acquire(Cost::new()).deadline(deadline).blocking()?;
    /// # drop(permit);
    /// # Ok(())
    /// # }
    /// ```
    pub fn deadline(mut self, deadline: Instant) -> Self {
        if let Some(handle) = self.stage.as_ref().and_then(Stage::handle) {
            self.urgency = self.urgency.until(handle.core().time.at(deadline));
        }
        self
    }

    /// Sets the priority of the call among those that wait. Default: [`Priority::Normal`].
    ///
    /// Within a priority, calls are admitted in the order of their arrival. Otherwise the highest
    /// priority is next, but none starves: the first waiting call of a priority is overtaken by at
    /// most nine higher ones that arrive after it. So while calls of all kinds wait, one in ten is
    /// not of the highest priority. A call with `k` calls of its own priority before it is
    /// overtaken by at most `9 * (k + 1)` calls, and never by one of a lower priority that arrives
    /// later.
    ///
    /// A priority changes the order, not the limits. While no call waits, it makes no difference,
    /// unless a part of the limits is kept for some: [`Builder::reserve`](crate::Builder::reserve).
    /// Those calls also pass one that waits for its share alone, however often. With limits that
    /// are shared through Redis, it counts among the calls of this process.
    ///
    /// ```
    /// use openlimit::{Cost, Priority, Rate, RateLimiter};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().requests(Rate::per_second(5)).build()?;
    /// let permit = limiter.acquire(Cost::new()).priority(Priority::Low).blocking()?;
    /// # drop(permit);
    /// # Ok(())
    /// # }
    /// ```
    pub fn priority(mut self, priority: Priority) -> Self {
        self.urgency = self.urgency.of(priority);
        self
    }

    /// Names the place in the program that makes this kind of call. Default: one site for all calls
    /// of the limiter.
    ///
    /// What calls really use is learned for each site apart, since calls of one kind resemble each
    /// other. See [`Builder::output`](crate::Builder::output). The attribute
    /// [`rate_limited`](macro@crate::rate_limited) names each function by itself, and the adapters
    /// of clients have a method of this name.
    ///
    /// Use a few fixed names. A limiter knows the 64 sites that were settled last. A site does not
    /// matter to a call whose cost is given outright.
    pub fn site(mut self, name: &str) -> Self {
        if let Some(Stage::Boxed(call)) = &mut self.stage
            && let Some(lesson) = &mut call.charged.grant.lesson
        {
            lesson.site = SiteId::of(name);
        }
        if let Some(Stage::Stacked(call)) = &mut self.stage {
            call.set_site(name);
        }
        self
    }

    /// Lets its timeout begin now, and not when it arrives.
    pub(in crate::limiter) fn timed_from_now(mut self) -> Self {
        if let Some(handle) = self.stage.as_ref().and_then(Stage::handle) {
            let now = handle.core().time.now();
            self.urgency = self.urgency.at(now).since(now);
        }
        self
    }
}

impl Stage {
    /// Returns the limiter of a call that is not over.
    fn handle(&self) -> Option<&Handle> {
        match self {
            Self::New(handle, _) | Self::Waiting(handle, _) => Some(handle),
            Self::Boxed(call) => Some(&call.handle),
            Self::Stacked(call) => call.first().map(|level| &level.handle),
            Self::Failed(_) => None,
        }
    }
}
