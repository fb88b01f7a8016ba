//! The keys that say how the limits are counted: how much at once, and how close to the rate.

use std::time::Duration;

use super::{Builder, Burst};
use crate::bucket::LONGEST_PERIOD;
use crate::limits::{Counting, Percent};

impl<K, Keys> Builder<K, Keys> {
    /// Sets how much may be taken at once after an idle time: a [`Duration`], as time of the rate,
    /// or [`Burst::Observed`], as much as the provider's own bucket was seen to hold. Default: one
    /// second.
    ///
    /// It applies to each limit with a period of up to a minute whose rate states no
    /// [burst](crate::Rate::burst) of its own. A limit with a longer period allows its whole amount
    /// at once, unless its rate states a burst: `requests: Rate::per_hour(1_000).burst(..)`. Limits
    /// that are counted in windows have [other defaults](Self::counting).
    ///
    /// For example, a burst of 10 seconds of 60 per minute is 10. The [jitter](Self::jitter) keeps
    /// a little of it back, so after an idle time 9 calls are admitted at once, and the tenth 50 ms
    /// later.
    pub fn burst(mut self, burst: impl Into<Burst>) -> Self {
        self.options.declared.burst = Some(burst.into());
        self
    }

    /// Sets how much of the burst is kept back, given as time of the rate, because calls sent on
    /// schedule can reach the provider in bunches. Default: 50 ms. Zero turns it off.
    ///
    /// Half of the jitter covers delays in this process: a timer that fires late, and a clock
    /// reading that is about 0.1 ms old. The other half covers differences between the delays of
    /// the network. For calls that fit into the rest of the burst, the rate stays the same.
    ///
    /// A call that leaves no room for jitter in the burst waits longer instead. Calls as large as
    /// the burst, or larger, are spaced by the jitter more than the rate asks. By default, that is
    /// 5 % at 60 per minute: one call every 1.05 s. At 3 per minute it is 0.25 %: one call every
    /// 20.05 s. A jitter longer than the burst slows down all calls. A longer [burst](Self::burst)
    /// avoids this, if the provider allows one.
    ///
    /// A rate that [resets](crate::Rate::resets_at) has no burst. There, no call departs for this
    /// time before a reset.
    ///
    /// A jitter above 31 days counts as 31 days.
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.options.declared.jitter = jitter.min(LONGEST_PERIOD);
        self
    }

    /// Sets the part of every rate that is left to other users of the same quota, from 0 to 99 %.
    /// Default: 0.02 %, which covers the difference between two machines' clocks; nothing of a rate
    /// that [resets](crate::Rate::resets_at).
    ///
    /// It slows down the refill. The burst stays the same, and so does the largest call that is
    /// admitted.
    pub fn headroom(mut self, headroom: Percent) -> Self {
        self.options.declared.headroom = Some(headroom);
        self
    }

    /// Sets how the provider counts. Default: [`Counting::Refilling`].
    ///
    /// It does not apply to rates that [reset](crate::Rate::resets_at), which have windows of their
    /// own.
    ///
    /// With [`Counting::InWindows`], at most the amount is admitted in any window of one period,
    /// wherever it starts. So calls are spread over the period:
    ///
    /// - The default burst is one request for limits on requests of up to a minute. It is a
    ///   twentieth of the amount for all other limits, those per day included.
    /// - A limit uses all but its burst: 95 % with a burst of a twentieth, 98.5 % of 600 per minute
    ///   with one of a second, and all of it if single requests leave one by one.
    /// - A call larger than the burst waits longer, until the window that it ends has room for it.
    ///   Such calls alone use as little as half of the limit. So the burst should hold most calls,
    ///   and be no larger. A call that is cancelled takes no room, but the longer wait of the next one
    ///   begins with it.
    /// - A burst above half of the period is an error. So a quota per day can be used by half at
    ///   once, at most.
    /// - The jitter takes nothing of the burst. It lengthens the period instead.
    ///
    /// The bound holds for what this limiter admits, also through Redis, where all processes must
    /// set the same. After a restart of the program, it counts anew unless the limits are shared.
    /// With leases over Redis, calls leave later than they are counted, so each process can exceed
    /// it by one slice.
    ///
    /// In a window that contains an [update](crate::Limiter::update), each call counts as a part of
    /// the amount in force when it left. If the update raises the burst, that window may exceed the
    /// amount by as much as the burst grew.
    pub fn counting(mut self, counting: Counting) -> Self {
        self.options.declared.counting = counting;
        self
    }

    /// Sets whether [`settle`](crate::Permit::settle) gives back what was reserved and not used.
    /// Default: `true`.
    ///
    /// With `false` it only adds what was used beyond the reservation. That is right for providers
    /// whose limits count reservations, and not what calls really used.
    /// [`cancel`](crate::Permit::cancel) gives back either way.
    pub fn refunds(mut self, refunds: bool) -> Self {
        self.options.refunds = refunds;
        self
    }
}
