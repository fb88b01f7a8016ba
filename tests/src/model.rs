//! A limiter written as plainly as possible, and differently: it keeps the whole history, and works out from it,
//! every time anew, when each bucket will be empty.
//!
//! A limit of `amount / period` with a headroom of `kept / of` needs `period * of` nanoseconds' worth of `pace =
//! amount * (of - kept)` for one unit. All sums are in `pace * nanoseconds`, whole numbers of 128 bits.

use std::collections::VecDeque;

/// One limit.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Which of a call's amounts fills it.
    pub dimension: usize,
    /// The rate's amount.
    pub amount: u64,
    /// The rate's period, in nanoseconds.
    pub period: u64,
    /// In nanoseconds of the rate.
    pub burst: u64,
    /// In nanoseconds of the rate.
    pub jitter: u64,
    /// The part of the rate that is left to others, in hundredths.
    pub headroom: u8,
}

/// Something that filled the buckets.
#[derive(Clone, Debug)]
pub struct Charge {
    /// Whose it was.
    pub call: usize,
    /// When, in nanoseconds.
    pub at: u64,
    /// By dimension.
    pub amounts: Vec<u64>,
}

/// A call that waits.
#[derive(Clone, Debug)]
struct Waiter {
    call: usize,
    arrived: u64,
    amounts: Vec<u64>,
}

/// A limiter.
#[derive(Clone, Debug)]
pub struct Model {
    limits: Vec<Limit>,
    history: Vec<Charge>,
    queue: VecDeque<Waiter>,
    now: u64,
    charges: usize,
}

impl Limit {
    /// What leaks in a nanosecond.
    fn pace(&self) -> i128 {
        i128::from(self.amount) * i128::from(100 - self.headroom)
    }

    /// What a call weighs.
    #[must_use]
    pub fn weight(&self, amount: u64) -> i128 {
        i128::from(amount) * i128::from(self.period) * 100
    }

    /// What `nanos` of the declared rate weigh.
    #[must_use]
    pub fn worth(&self, nanos: u64) -> i128 {
        i128::from(nanos) * i128::from(self.amount) * 100
    }

    /// The most that may be in the bucket after a call that fits.
    #[must_use]
    pub fn fit(&self) -> i128 {
        self.worth(self.burst.saturating_sub(self.jitter))
    }

    /// What the burst comes to, rounded down.
    #[must_use]
    pub fn burst_amount(&self) -> u64 {
        let amount = u128::from(self.burst) * u128::from(self.amount) / u128::from(self.period);
        u64::try_from(amount).unwrap_or(u64::MAX)
    }

    /// What is in the bucket at `now`.
    #[must_use]
    pub fn level(&self, history: &[Charge], now: u64) -> i128 {
        let moment = i128::from(now) * self.pace();
        (self.empty_at(history) - moment).max(0)
    }

    /// When the bucket will be empty, times the pace.
    fn empty_at(&self, history: &[Charge]) -> i128 {
        history.iter().filter(|charge| charge.amounts[self.dimension] > 0).fold(0, |empty, charge| {
            empty.max(i128::from(charge.at) * self.pace()) + self.weight(charge.amounts[self.dimension])
        })
    }

    /// Whether a call fits into the bucket, or has to wait until it is empty.
    #[must_use]
    pub fn fits(&self, amounts: &[u64]) -> bool {
        self.weight(amounts[self.dimension]) <= self.fit()
    }

    /// The first nanosecond at which it has room for a call.
    ///
    /// # Panics
    /// If that is more than 584 years away.
    #[must_use]
    pub fn room_at(&self, history: &[Charge], amounts: &[u64]) -> u64 {
        let weight = self.weight(amounts[self.dimension]);
        if weight == 0 {
            return 0;
        }
        let spare = if self.fits(amounts) { self.fit() - weight } else { 0 };
        let moment = self.empty_at(history) - spare;
        let whole = moment.div_euclid(self.pace()) + i128::from(moment.rem_euclid(self.pace()) > 0);
        u64::try_from(whole.max(0)).expect("the tests stay within the years that fit")
    }
}

impl Model {
    /// With empty buckets, at zero.
    #[must_use]
    pub fn new(limits: Vec<Limit>) -> Self {
        Self { limits, history: Vec::new(), queue: VecDeque::new(), now: 0, charges: 0 }
    }

    /// A call arrives.
    pub fn arrive(&mut self, call: usize, amounts: Vec<u64>) {
        self.queue.push_back(Waiter { call, arrived: self.now, amounts });
        self.go_on(self.now);
    }

    /// Time passes.
    pub fn advance(&mut self, by: u64) {
        self.go_on(self.now + by);
    }

    /// A call is cancelled: it had better never been. Whoever waits may go, from now on.
    pub fn cancel(&mut self, call: usize) {
        self.queue.retain(|waiter| waiter.call != call);
        self.history.retain(|charge| charge.call != call);
        self.go_on(self.now);
    }

    /// A call turns out to have used something else: less as of then, or more as of now.
    pub fn settle(&mut self, call: usize, dimension: usize, used: u64) {
        let Some(charge) = self.history.iter_mut().find(|charge| charge.call == call) else { return };
        let reserved = charge.amounts[dimension];
        charge.amounts[dimension] = used.min(reserved);
        if used > reserved {
            let mut amounts = vec![0; charge.amounts.len()];
            amounts[dimension] = used - reserved;
            self.history.push(Charge { call: usize::MAX, at: self.now, amounts });
            self.charges += 1;
        }
        self.go_on(self.now);
    }

    /// When a call was admitted, if it was.
    #[must_use]
    pub fn admitted(&self, call: usize) -> Option<u64> {
        self.history.iter().find(|charge| charge.call == call).map(|charge| charge.at)
    }

    /// How many charges there were, those that were taken back included.
    #[must_use]
    pub fn charges(&self) -> usize {
        self.charges
    }

    /// Whoever waits first, if anybody does.
    #[must_use]
    pub fn head(&self) -> Option<usize> {
        self.queue.front().map(|waiter| waiter.call)
    }

    fn go_on(&mut self, end: u64) {
        while let Some(head) = self.queue.front() {
            let room = self.limits.iter().map(|limit| limit.room_at(&self.history, &head.amounts)).max();
            let at = room.unwrap_or(0).max(head.arrived).max(self.now);
            if at > end {
                break;
            }
            self.now = at;
            let Waiter { call, amounts, .. } = self.queue.pop_front().expect("it is there");
            self.history.push(Charge { call, at, amounts });
            self.charges += 1;
        }
        self.now = end;
    }
}
