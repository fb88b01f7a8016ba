//! `Backend`: the one type that admission uses, whichever backend it holds.

use super::buckets::{Buckets, Due};
use super::memory::Memory;
#[cfg(feature = "redis")]
use super::redis::Slots;
use super::starting::Starting;
use crate::bucket::{Ahead, Look};
use crate::error::{BuildProblem, StoreStatus};
use crate::limits::Amounts;
use crate::queue::{Queue, Refusal, Waiter};

/// The buckets of one limiter.
#[derive(Debug)]
pub(crate) enum Backend {
    Memory(Memory),
    #[cfg(feature = "redis")]
    Redis(Box<Slots>),
}

impl Backend {
    /// Creates a backend without limits, which replaces one that is moved out of its limiter.
    pub(crate) fn nothing() -> Self {
        Self::Memory(Memory::default())
    }
}

/// Calls a method on the variant at hand. The one place that lists all backends.
macro_rules! each {
    ($backend:expr, $one:ident => $call:expr) => {
        match $backend {
            Backend::Memory($one) => $call,
            #[cfg(feature = "redis")]
            Backend::Redis($one) => $call,
        }
    };
}

impl Buckets for Backend {
    fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        each!(self, one => one.take(amounts, now))
    }

    #[inline(always)]
    fn take_quickly(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        each!(self, one => one.take_quickly(amounts, now))
    }

    fn has_room(&mut self, amounts: &[u64], now: u64) -> bool {
        each!(self, one => one.has_room(amounts, now))
    }

    #[inline]
    fn due(&mut self, head: &Waiter, now: u64) -> Option<Due> {
        each!(self, one => one.due(head, now))
    }

    fn due_changes(&self) -> u64 {
        each!(self, one => one.due_changes())
    }

    fn waits_for_share(&self, amounts: &[u64], now: u64) -> bool {
        each!(self, one => one.waits_for_share(amounts, now))
    }

    fn is_granted_below(&self) -> bool {
        each!(self, one => one.is_granted_below())
    }

    #[inline]
    fn charge(&mut self, amounts: &Amounts, at: u64, now: u64) -> u64 {
        each!(self, one => one.charge(amounts, at, now))
    }

    fn refund(&mut self, amounts: &Amounts, charge: u64, now: u64, late: impl FnMut(usize, u64)) {
        each!(self, one => one.refund(amounts, charge, now, late));
    }

    fn next_charge(&self) -> u64 {
        each!(self, one => one.next_charge())
    }

    fn late(&self, place: usize) -> u64 {
        each!(self, one => one.late(place))
    }

    fn owe(&mut self, amounts: &Amounts, now: u64) -> Option<u64> {
        each!(self, one => one.owe(amounts, now))
    }

    fn close(&mut self, now: u64) {
        each!(self, one => one.close(now));
    }

    fn change(&mut self, limits: &Starting<'_>, version: Option<u64>, now: u64) -> Result<(), BuildProblem> {
        each!(self, one => one.change(limits, version, now))
    }

    fn reset(&mut self, limits: &Starting<'_>, now: u64) {
        each!(self, one => one.reset(limits, now));
    }

    fn wait(&self, call: &Waiter, queue: &Queue, now: u64) -> (u64, usize) {
        each!(self, one => one.wait(call, queue, now))
    }

    fn expected_wait(&self, call: &Waiter, queue: &Queue, now: u64) -> u64 {
        each!(self, one => one.expected_wait(call, queue, now))
    }

    #[inline]
    fn wait_of_next(&self, amounts: &[u64], now: u64) -> (u64, usize) {
        each!(self, one => one.wait_of_next(amounts, now))
    }

    fn wait_behind(&self, amounts: &[u64], ahead: &[Ahead], now: u64) -> (u64, usize) {
        each!(self, one => one.wait_behind(amounts, ahead, now))
    }

    #[inline]
    fn setbacks(&self) -> u64 {
        each!(self, one => one.setbacks())
    }

    fn would_wait(&mut self, call: &Waiter, queue: &Queue, now: u64) -> Refusal {
        each!(self, one => one.would_wait(call, queue, now))
    }

    fn expire(&self, waiter: &Waiter, queue: &Queue, head_due: u64, now: u64) -> Refusal {
        each!(self, one => one.expire(waiter, queue, head_due, now))
    }

    fn set_rate(&mut self, place: usize, allowed: u64, declared: u64, now: u64) {
        each!(self, one => one.set_rate(place, allowed, declared, now));
    }

    fn differs(&self, place: usize, allowed: u64, declared: u64) -> bool {
        each!(self, one => one.differs(place, allowed, declared))
    }

    fn cut(&mut self, place: usize, span: u64, charge: u64, now: u64) -> bool {
        each!(self, one => one.cut(place, span, charge, now))
    }

    fn climbs(&self, place: usize, now: u64) -> bool {
        each!(self, one => one.climbs(place, now))
    }

    fn widen(&mut self, place: usize, amount: u64) {
        each!(self, one => one.widen(place, amount));
    }

    fn is_meant(&self, place: usize, charge: Option<u64>, resets_in: Option<u64>, now: u64) -> bool {
        each!(self, one => one.is_meant(place, charge, resets_in, now))
    }

    fn granted_since(&mut self, place: usize, charge: u64) -> Option<u64> {
        each!(self, one => one.granted_since(place, charge))
    }

    fn cap(&mut self, place: usize, left: i64, now: u64) {
        each!(self, one => one.cap(place, left, now));
    }

    fn hold(&mut self, until: u64, now: u64) {
        each!(self, one => one.hold(until, now));
    }

    fn hold_limit(&mut self, place: usize, until: u64, now: u64) {
        each!(self, one => one.hold_limit(place, until, now));
    }

    fn exhaust(&mut self, until: u64, now: u64) {
        each!(self, one => one.exhaust(until, now));
    }

    fn reopen(&mut self, now: u64) {
        each!(self, one => one.reopen(now));
    }

    fn release(&mut self, now: u64) {
        each!(self, one => one.release(now));
    }

    fn held_until(&self) -> u64 {
        each!(self, one => one.held_until())
    }

    #[inline]
    fn is_exhausted(&self) -> bool {
        each!(self, one => one.is_exhausted())
    }

    fn limit_held_until(&self, place: usize) -> u64 {
        each!(self, one => one.limit_held_until(place))
    }

    #[inline]
    fn is_shut(&self, now: u64) -> bool {
        each!(self, one => one.is_shut(now))
    }

    fn is_as_new(&self, now: u64) -> bool {
        each!(self, one => one.is_as_new(now))
    }

    fn refresh(&mut self, now: u64) {
        each!(self, one => one.refresh(now));
    }

    fn look(&self, now: u64) -> Vec<Look> {
        each!(self, one => one.look(now))
    }

    fn store(&self) -> Option<StoreStatus> {
        each!(self, one => one.store())
    }

    #[inline]
    fn idle(&mut self, now: u64) {
        each!(self, one => one.idle(now));
    }

    fn set_room(&mut self, calls: usize) {
        each!(self, one => one.set_room(calls));
    }

    fn round_trip(&self) -> u64 {
        each!(self, one => one.round_trip())
    }

    fn lasts(&self) -> u64 {
        each!(self, one => one.lasts())
    }

    #[inline]
    fn calls_driver(&mut self, queue: &Queue, now: u64) -> bool {
        each!(self, one => one.calls_driver(queue, now))
    }
}
