//! A model of the limiter: as plain as possible, and written differently. It keeps the whole
//! history, and computes from it, each time again, when each bucket will be empty.
//!
//! A limit of `amount / period` with a headroom of `kept / of` leaks `pace = amount * (of - kept)`
//! in a nanosecond, and one unit weighs `period * of`. All sums are in these weights, as 128-bit
//! integers.

use openlimit::Priority;

/// How many higher calls that came later may go before the first call of a priority.
const MOST_OVERTAKES: usize = 9;

/// The number of dimensions, behind which those of the shares come.
const SHARE: usize = 3;

/// One limit.
#[derive(Clone, Debug)]
pub struct Limit {
    /// The index of the amount that fills it.
    pub dimension: usize,
    /// The rate's amount.
    pub amount: u64,
    /// The rate's period, in nanoseconds.
    pub period: u64,
    /// In nanoseconds of the rate.
    pub burst: u64,
    /// In nanoseconds of the rate.
    pub jitter: u64,
    /// The part of the rate that is left to others, in percent.
    pub headroom: u8,
}

/// A charge of the buckets.
#[derive(Clone, Debug)]
pub struct Charge {
    /// The call that it was for.
    pub call: usize,
    /// The time, in nanoseconds.
    pub at: u64,
    /// The amounts, by dimension.
    pub amounts: Vec<u64>,
}

/// A call that waits.
#[derive(Clone, Debug)]
struct Waiter {
    call: usize,
    priority: Priority,
    arrived: u64,
    amounts: Vec<u64>,
    /// How many calls had gone when it became the first of its priority.
    first_since: Option<usize>,
}

/// The model of a limiter.
#[derive(Clone, Debug)]
pub struct Model {
    limits: Vec<Limit>,
    history: Vec<Charge>,
    /// The calls that wait, in the order of their arrival.
    queue: Vec<Waiter>,
    /// The calls that have gone, and their priorities. Calls are numbered as they arrive.
    gone: Vec<(usize, Priority)>,
    /// The calls in flight, and the most that may be.
    in_flight: Vec<usize>,
    concurrency: usize,
    /// The priority for which a part is kept, and that part in percent.
    reserve: Option<(Priority, u8)>,
    now: u64,
}

impl Limit {
    /// Returns the limit of the calls for which `percent` of this one is not kept. If one unit fits
    /// into this one, it fits into that.
    #[must_use]
    pub fn without(&self, percent: u8) -> Self {
        let mut share = self.clone();
        share.dimension += SHARE;
        share.amount *= u64::from(100 - percent);
        share.period *= 100;
        if self.period.div_ceil(self.amount) + self.jitter <= self.burst {
            share.burst = share.burst.max(self.jitter + share.period.div_ceil(share.amount));
        }
        share
    }

    /// Returns the weight that leaks in a nanosecond.
    #[must_use]
    pub fn pace(&self) -> i128 {
        i128::from(self.amount) * i128::from(100 - self.headroom)
    }

    /// Returns the weight of an amount.
    #[must_use]
    pub fn weight(&self, amount: u64) -> i128 {
        i128::from(amount) * i128::from(self.period) * 100
    }

    /// Returns the weight of `nanos` of the declared rate.
    #[must_use]
    pub fn worth(&self, nanos: u64) -> i128 {
        i128::from(nanos) * i128::from(self.amount) * 100
    }

    /// Returns the highest level after a call that fits.
    #[must_use]
    pub fn fit(&self) -> i128 {
        self.worth(self.burst.saturating_sub(self.jitter))
    }

    /// Returns the burst as an amount, rounded down.
    #[must_use]
    pub fn burst_amount(&self) -> u64 {
        let amount = u128::from(self.burst) * u128::from(self.amount) / u128::from(self.period);
        u64::try_from(amount).unwrap_or(u64::MAX)
    }

    /// Returns the level of the bucket at `now`.
    #[must_use]
    pub fn level(&self, history: &[Charge], now: u64) -> i128 {
        let moment = i128::from(now) * self.pace();
        (self.empty_at(history) - moment).max(0)
    }

    /// Returns the time at which the bucket will be empty, times the pace.
    fn empty_at(&self, history: &[Charge]) -> i128 {
        history.iter().filter(|charge| charge.amounts[self.dimension] > 0).fold(0, |empty, charge| {
            empty.max(i128::from(charge.at) * self.pace()) + self.weight(charge.amounts[self.dimension])
        })
    }

    /// Returns whether a call fits into the bucket. If not, it has to wait until the bucket was
    /// empty for a while.
    #[must_use]
    pub fn fits(&self, amounts: &[u64]) -> bool {
        self.weight(amounts[self.dimension]) <= self.fit()
    }

    /// Returns the weight that leaks while the bucket stays empty before a call that does not fit:
    /// so much that late calls and this one together do not exceed the burst, and at most what
    /// calls can be late by.
    #[must_use]
    pub fn pause(&self, weight: i128) -> i128 {
        let late = self.worth(self.jitter);
        if weight > self.worth(self.burst) { late } else { late - (self.worth(self.burst) - weight) }
    }

    /// Returns the first nanosecond at which it has room for a call.
    ///
    /// # Panics
    /// If that is more than 584 years away.
    #[must_use]
    pub fn room_at(&self, history: &[Charge], amounts: &[u64]) -> u64 {
        let weight = self.weight(amounts[self.dimension]);
        if weight == 0 {
            return 0;
        }
        let empty = self.empty_at(history);
        let moment = match empty {
            // Nothing was ever taken.
            0 => 0,
            _ if self.fits(amounts) => empty - (self.fit() - weight),
            _ => empty + self.pause(weight),
        };
        let whole = moment.div_euclid(self.pace()) + i128::from(moment.rem_euclid(self.pace()) > 0);
        u64::try_from(whole.max(0)).expect("the tests stay within the years that fit")
    }
}

impl Model {
    /// Creates a model with empty buckets, at time zero.
    #[must_use]
    pub fn new(limits: Vec<Limit>) -> Self {
        Self {
            limits,
            history: Vec::new(),
            queue: Vec::new(),
            gone: Vec::new(),
            in_flight: Vec::new(),
            concurrency: usize::MAX,
            reserve: None,
            now: 0,
        }
    }

    /// Allows so many calls in flight at a time.
    #[must_use]
    pub fn with_concurrency(self, calls: usize) -> Self {
        Self { concurrency: calls, ..self }
    }

    /// Keeps a part for a priority and those above it. Lower calls also fill a smaller bucket for
    /// each limit, in a dimension of its own.
    #[must_use]
    pub fn with_reserve(mut self, priority: Priority, percent: u8) -> Self {
        let shares: Vec<_> = self.limits.iter().map(|limit| limit.without(percent)).collect();
        self.limits.extend(shares);
        self.reserve = Some((priority, percent));
        self
    }

    /// Lets a call arrive. Its number is higher than those of the calls before it.
    pub fn arrive(&mut self, call: usize, priority: Priority, mut amounts: Vec<u64>) {
        if self.reserve.is_some() {
            let share: Vec<_> =
                amounts.iter().map(|amount| if self.is_below(priority) { *amount } else { 0 }).collect();
            amounts.extend(share);
        }
        self.queue.push(Waiter { call, priority, arrived: self.now, amounts, first_since: None });
        self.go_on(self.now);
    }

    /// Lets time pass.
    pub fn advance(&mut self, by: u64) {
        self.go_on(self.now + by);
    }

    /// Cancels a call, as if it had never been there. Waiting calls may go from now on.
    ///
    /// With jitter a limiter differs: its pause before a large call begins no earlier than the last
    /// charge, also if that was cancelled.
    pub fn cancel(&mut self, call: usize) {
        self.queue.retain(|waiter| waiter.call != call);
        self.history.retain(|charge| charge.call != call);
        self.in_flight.retain(|other| *other != call);
        self.go_on(self.now);
    }

    /// Ends a call, which keeps its charge. One that has ended may end again.
    pub fn end(&mut self, call: usize) {
        self.in_flight.retain(|other| *other != call);
        self.go_on(self.now);
    }

    /// Settles a call: what it used less is refunded as of its admission, what it used more is owed
    /// from now on.
    pub fn settle(&mut self, call: usize, dimension: usize, used: u64) {
        let is_below = self.gone.iter().any(|(gone, priority)| *gone == call && self.is_below(*priority));
        let Some(charge) = self.history.iter_mut().find(|charge| charge.call == call) else { return };
        let reserved = charge.amounts[dimension];
        let mut amounts = vec![0; charge.amounts.len()];
        for dimension in if is_below { vec![dimension, dimension + SHARE] } else { vec![dimension] } {
            charge.amounts[dimension] = used.min(reserved);
            amounts[dimension] = used.saturating_sub(reserved);
        }
        if used > reserved {
            self.history.push(Charge { call: usize::MAX, at: self.now, amounts });
        }
        self.in_flight.retain(|other| *other != call);
        self.go_on(self.now);
    }

    /// Returns when a call was admitted, if it was.
    #[must_use]
    pub fn admitted(&self, call: usize) -> Option<u64> {
        self.history.iter().find(|charge| charge.call == call).map(|charge| charge.at)
    }

    /// Returns the call at the head of the queue.
    #[must_use]
    pub fn head(&self) -> Option<usize> {
        self.next(Priority::Low).map(|place| self.queue[place].call)
    }

    /// Returns whether a call of this priority only has a share.
    fn is_below(&self, priority: Priority) -> bool {
        self.reserve.is_some_and(|(floor, _)| priority < floor)
    }

    /// Returns the place of the call that is next, of those of at least this priority.
    fn next(&self, least: Priority) -> Option<usize> {
        let firsts = self.queue.iter().enumerate().filter(|(place, waiter)| {
            waiter.priority >= least
                && self.queue[..*place].iter().all(|before| before.priority != waiter.priority)
        });
        let is_owed = |waiter: &Waiter| {
            let since = &self.gone[waiter.first_since.unwrap_or(self.gone.len())..];
            let overtook =
                |(call, priority): &&(usize, Priority)| *call > waiter.call && *priority > waiter.priority;
            since.iter().filter(overtook).count() >= MOST_OVERTAKES
        };
        let owed =
            firsts.clone().filter(|(_, waiter)| is_owed(waiter)).map(|(_, waiter)| waiter.priority).min();
        let next = match owed {
            Some(owed) => {
                firsts.filter(|(_, waiter)| waiter.priority >= owed).min_by_key(|(_, waiter)| waiter.call)
            }
            None => firsts.max_by_key(|(_, waiter)| waiter.priority),
        };
        next.map(|(place, _)| place)
    }

    /// Notes which calls have become the first of their priority.
    fn note_firsts(&mut self) {
        for place in 0..self.queue.len() {
            let (before, rest) = self.queue.split_at_mut(place);
            if before.iter().all(|before| before.priority != rest[0].priority) {
                rest[0].first_since.get_or_insert(self.gone.len());
            }
        }
    }

    /// Returns when a waiting call may go by these limits.
    fn due(&self, place: usize, limits: &[Limit]) -> u64 {
        let call = &self.queue[place];
        let room = limits.iter().map(|limit| limit.room_at(&self.history, &call.amounts)).max();
        room.unwrap_or(0).max(call.arrived).max(self.now)
    }

    fn go_on(&mut self, end: u64) {
        self.note_firsts();
        while let Some(head) = self.next(Priority::Low).filter(|_| self.in_flight.len() < self.concurrency) {
            let mut next = head;
            let mut at = self.due(head, &self.limits);
            let (limits, share) = self.limits.split_at(self.limits.len() / 2);
            // A call that waits for its share alone lets those pass that need no share.
            if let Some((floor, _)) = self.reserve
                && self.queue[head].priority < floor
                && self.due(head, share) > self.due(head, limits)
                && let Some(other) = self.next(floor)
                && self.due(other, limits) < at
            {
                (next, at) = (other, self.due(other, limits));
            }
            if at > end {
                break;
            }
            self.now = at;
            let Waiter { call, priority, amounts, .. } = self.queue.remove(next);
            self.history.push(Charge { call, at, amounts });
            self.in_flight.push(call);
            self.gone.push((call, priority));
            self.note_firsts();
        }
        self.now = end;
    }
}
