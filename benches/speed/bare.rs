//! The least that an exact limiter of two limits can do within the rules of the design: read the
//! clock, take one lock, check and fill two buckets of integers that remember the level before the
//! newest charge, and return a permit of 24 bytes.
//!
//! It has no queue, no holds, no refunds and no errors, and its clock may jump. So it shows what of
//! a call's time any such limiter has to take on a processor.

use std::hint::black_box;

use parking_lot::Mutex;

use crate::calls::Floor;

/// A limiter of requests and tokens.
pub(crate) struct Bare(Mutex<State>);

struct State {
    charges: u64,
    waiting: u64,
    requests: Bucket,
    tokens: Bucket,
}

/// An admitted call.
#[allow(dead_code, reason = "only made")]
struct Permit<'a> {
    limiter: &'a Bare,
    charge: u64,
    tokens: u32,
    requests: u16,
}

struct Bucket {
    /// The weight of one unit of amount.
    unit: u64,
    /// The weight that leaks in a tick.
    leak: u64,
    /// The highest level.
    most: u64,
    level: u64,
    /// The time to which the level belongs.
    at: u64,
    /// The newest charge, and the level before it.
    newest: (u64, u64),
}

impl Bare {
    pub(crate) fn wide() -> Self {
        Self(Mutex::new(State {
            charges: 0,
            waiting: 0,
            requests: Bucket::wide(1_000),
            tokens: Bucket::wide(1),
        }))
    }

    #[inline]
    pub(crate) fn try_acquire(&self, tokens: u64) {
        _ = black_box(&self.permit(1, tokens));
    }

    #[inline(never)]
    fn permit(&self, requests: u64, tokens: u64) -> Option<Permit<'_>> {
        let now = Floor::clock();
        let mut state = self.0.lock();
        if state.waiting > 0 {
            return None;
        }
        let rises = (state.requests.rise(requests, now)?, state.tokens.rise(tokens, now)?);
        state.charges += 1;
        let charge = state.charges;
        state.requests.take(rises.0, charge, now);
        state.tokens.take(rises.1, charge, now);
        Some(Permit { limiter: self, charge, tokens: tokens as u32, requests: requests as u16 })
    }
}

impl Bucket {
    fn wide(unit: u64) -> Self {
        Self { unit, leak: 1_000_000, most: u64::MAX / 2, level: 0, at: 0, newest: (0, u64::MAX) }
    }

    /// Returns the level before and after a charge, if it fits.
    #[inline(always)]
    fn rise(&self, amount: u64, now: u64) -> Option<(u64, u64)> {
        let leaked = now.saturating_sub(self.at).saturating_mul(self.leak);
        let before = self.level.saturating_sub(leaked);
        let after = before.saturating_add(amount.saturating_mul(self.unit));
        (after <= self.most).then_some((before, after))
    }

    #[inline(always)]
    fn take(&mut self, (before, after): (u64, u64), charge: u64, now: u64) {
        if before <= self.newest.1 {
            self.newest = (charge, before);
        }
        (self.level, self.at) = (after, self.at.max(now));
    }
}
