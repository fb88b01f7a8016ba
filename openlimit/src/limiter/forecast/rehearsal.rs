//! The run of a plan: the limiter's own admission, in memory and on virtual time.
//!
//! A formula would have to repeat the rules of bursts, jitter, windows and debts, and would differ
//! from them one day. So the calls are really admitted, one after the other, by an admission of
//! their own. Virtual time is a number, which moves to the moment at which the next call is due.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::admission::{Admission, Decided, Plan, Policy};
use crate::backend::{Backend, Memory, Starting};
use crate::bucket::Metering;
use crate::limits::{Amounts, MOST_AMOUNT, Priority, Rate};
use crate::queue::{Outcome, Queue, Urgency, Waiter};
use crate::time::{Dates, nanos};

/// The most calls at once, and how long each takes, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtOnce {
    pub(super) calls: usize,
    pub(super) time: u64,
}

/// What made a call wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The limit at this place.
    Limit(usize),
    /// All calls that may be in flight were.
    InFlight,
}

/// The conditions of a run.
#[derive(Clone, Debug)]
pub(super) struct Rehearsal<'a> {
    plan: &'a Plan,
    meterings: Vec<Metering>,
    in_flight: Option<AtOnce>,
    /// The date at the start, in nanoseconds since 1970.
    start: i64,
}

/// What came out of it. All times are in nanoseconds since the start.
#[derive(Clone, Debug)]
pub(super) struct Outlook {
    /// When each call departs, in the order of the calls.
    pub(super) departures: Vec<u64>,
    /// When the last call departs or, if it is known how long calls take, ends.
    pub(super) end: u64,
    /// How long calls waited for each limit. No two of these waits overlap.
    pub(super) for_limits: Vec<u64>,
    /// How long they waited for a call in flight to end.
    pub(super) for_calls: u64,
}

impl Outlook {
    /// Returns what calls waited for the most, apart from some causes.
    pub(super) fn binding(&self, apart_from: &[Cause]) -> Option<Cause> {
        let limits = self.for_limits.iter().enumerate().map(|(place, bound)| (*bound, Cause::Limit(place)));
        let causes = limits.chain([(self.for_calls, Cause::InFlight)]);
        causes
            .filter(|(bound, cause)| *bound > 0 && !apart_from.contains(cause))
            .max_by_key(|(bound, _)| *bound)
            .map(|(_, cause)| cause)
    }
}

impl<'a> Rehearsal<'a> {
    /// Creates a run under the declared limits.
    pub(super) fn new(plan: &'a Plan, in_flight: Option<AtOnce>, start: i64) -> Self {
        Self { plan, meterings: plan.meterings().to_vec(), in_flight, start }
    }

    /// Doubles what made calls wait.
    pub(super) fn double(&mut self, cause: Cause) {
        match cause {
            Cause::Limit(limit) => {
                let limits = self.plan.limits().len();
                for metering in self.meterings.iter_mut().skip(limit).step_by(limits) {
                    let double = |amount: u64| amount.saturating_mul(2).min(MOST_AMOUNT);
                    metering.rate = metering.rate.with_amount(double(metering.rate.amount()));
                    metering.most = double(metering.most);
                }
            }
            Cause::InFlight => {
                if let Some(in_flight) = &mut self.in_flight {
                    in_flight.calls = in_flight.calls.saturating_mul(2);
                }
            }
        }
    }

    /// Returns the rate of a limit in this run.
    pub(super) fn rate(&self, limit: usize) -> Rate {
        self.meterings[limit].rate
    }

    /// Returns how many calls may be in flight in this run.
    pub(super) fn in_flight(&self) -> Option<usize> {
        self.in_flight.map(|in_flight| in_flight.calls)
    }

    /// Runs the calls, all of which wait from the start, or from when they may be in flight.
    pub(super) fn run(&self, calls: &[Amounts]) -> Outlook {
        let mut admission = self.admission();
        let mut outlook = Outlook {
            departures: Vec::with_capacity(calls.len()),
            end: 0,
            for_limits: vec![0; self.plan.limits().len()],
            for_calls: 0,
        };
        // All calls take the same time, so they end in their order.
        let mut ends = VecDeque::new();
        let (mut now, mut arrived) = (0, 0);
        for amounts in calls {
            if let Some(in_flight) = self.in_flight
                && ends.len() == in_flight.calls
            {
                let end = ends.pop_front().unwrap_or(now).max(now);
                outlook.for_calls += end - now;
                (now, arrived) = (end, end);
            }
            let mut amounts = amounts.clone();
            admission.fill_share(&mut amounts, Priority::default());
            let (at, limit) = admit(&mut admission, amounts, arrived, now);
            if at > now {
                outlook.for_limits[limit] += at - now;
                now = at;
            }
            outlook.departures.push(now);
            if let Some(in_flight) = self.in_flight {
                ends.push_back(now.saturating_add(in_flight.time));
            }
        }
        outlook.end = ends.back().copied().unwrap_or(now);
        outlook
    }

    /// Creates the admission of a limiter whose buckets are full.
    fn admission(&self) -> Admission {
        let starting = Starting {
            name: None,
            limits: self.plan.limits(),
            meterings: &self.meterings,
            dimensions: self.plan.dimensions(),
            reserve: None,
            max_hold: 0,
            dates: Dates::From(self.start),
            on_system_time: false,
        };
        let jitter = self.meterings.first().map(|metering| metering.jitter).unwrap_or_default();
        let policy = Policy { grace: nanos(jitter / 2), ..Policy::default() };
        let backend = Backend::Memory(Memory::new(&starting, 0));
        Admission::new(backend, Queue::new(self.plan.width()), Arc::new(policy))
            .reserving(self.plan.reserve())
    }
}

/// Admits a call that arrived before `now` and goes next. Returns when it departs, and the limit
/// that it waits for.
///
/// A departure after more than 584 years is put at the end of that time.
fn admit(admission: &mut Admission, amounts: Amounts, arrived: u64, now: u64) -> (u64, usize) {
    // A call that has waited for another one is charged as of when it was due.
    if arrived == now && admission.take(amounts.as_slice(), now).is_some() {
        return (now, 0);
    }
    let mut wakers = Vec::new();
    let call = Waiter::new(amounts, arrived, Urgency::default());
    let Decided::Waits(key) = admission.arrive(call, now, &mut wakers) else { return (now, 0) };
    let mut at = now;
    while admission.queue.waiter(key).is_some()
        && let Some(next) = admission.next()
    {
        at = next.max(now);
        admission.pump(at, &mut wakers);
    }
    match admission.queue.leave(key).1 {
        Some(Outcome::Admitted(grant)) => (at, grant.wait.map_or(0, |wait| wait.limit)),
        _ => (u64::MAX, 0),
    }
}
