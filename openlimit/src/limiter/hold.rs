//! Holds: for a time, a limiter admits nothing.
//!
//! A provider may refuse a call and say when to come back. Every other call would be refused until
//! then, too, and many providers count refused calls. So one refusal has to stop all calls, those
//! in the queue included.
//!
//! A quota that is used up comes back much later. Then calls do not wait, but are refused at once:
//! see `admission/exhausted.rs`.
//!
//! A hold ends without a burst. The buckets do not leak while it lasts, so what was missing when it
//! began is still missing when it ends, and the calls in the queue leave one by one.

use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, OwnHold, State};
use super::events;
use super::{Hold, Limiter};
use crate::backend::Buckets as _;
use crate::error::{AcquireError, BuildError};
use crate::time::nanos;

/// For how long after its end a hold of this process is still taken for the reason, in nanoseconds:
/// one second. Over Redis a hold ends a round trip later than in the process that began it.
const OWN_FOR: u64 = 1_000_000_000;

impl<K> Limiter<K> {
    /// Admits nothing for `time`: neither new calls nor those in the queue. They wait, and leave in
    /// their order when the hold ends.
    ///
    /// Use it when the provider refuses a call and says when to come back. `reason` is for errors,
    /// for [`status`](Self::status) and for events. The buckets do not refill during the hold, so
    /// it ends without a burst. Before a call larger than the burst, a bucket has to stand empty
    /// for a while: that time begins anew at the end of the hold. Of two holds, the one that ends
    /// later counts, so a hold of zero does nothing. A hold is at most
    /// [`max_hold`](crate::Builder::max_hold) long.
    ///
    /// A call that may not wait for so long is refused with [`AcquireError::Held`]. Calls that were
    /// admitted before are not affected.
    ///
    /// With limits that are shared through Redis, the hold stops the calls of all other processes,
    /// usually within a round trip: see
    /// [`Redis`](crate::Redis#how-soon-processes-learn-of-a-refusal). Before this process has had a
    /// reply from Redis, a hold stops its own calls only.
    ///
    /// ```
    /// use openlimit::{AcquireError, Cost, Rate, RateLimiter};
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().requests(Rate::per_minute(200)).build()?;
    /// limiter.hold(Duration::from_secs(20), "429: come back in 20 s")?;
    /// let refusal = limiter.try_acquire(Cost::new()).unwrap_err();
    /// assert!(matches!(refusal, AcquireError::Held { .. }));
    /// limiter.release()?;
    /// limiter.try_acquire(Cost::new())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The problem with the declaration, if the limiter cannot be built.
    pub fn hold(&self, time: Duration, reason: impl Into<Arc<str>>) -> Result<(), BuildError> {
        let core = self.handle().map_err(Clone::clone)?.core();
        core.hold(nanos(time), reason.into());
        Ok(())
    }

    /// Ends all holds now. Does nothing if there is none.
    ///
    /// Also call it when a quota is back that was used up: after
    /// [`AcquireError::Exhausted`], calls are admitted again.
    ///
    /// With limits that are shared through Redis, it ends a hold of any process. The others learn
    /// of that with their next batch. While calls wait or are refused there, that is within about a
    /// second. Just before its end, when calls have been granted for the time after it, a hold
    /// cannot be ended any more.
    ///
    /// # Errors
    /// The problem with the declaration, if the limiter cannot be built.
    pub fn release(&self) -> Result<(), BuildError> {
        let core = self.handle().map_err(Clone::clone)?.core();
        let mut rest = 0;
        core.update(|state, now, _| {
            rest = state.admission.backend.held_until().saturating_sub(now);
            state.release(now);
        });
        if rest > 0 {
            events::hold_released(core.plan.name(), Duration::from_nanos(rest));
        }
        Ok(())
    }
}

impl Core {
    fn hold(&self, time: u64, reason: Arc<str>) {
        let mut began = None;
        self.update(|state, now, _| {
            began = state.begin_hold(&Scope::All, self.end_of_hold(time, now), &reason, now);
        });
        self.report_hold(began, &reason);
    }

    /// Applies the refusal of the call of this charge. Returns the length of the hold, if that has
    /// to be reported.
    pub(super) fn hold_refused(
        &self,
        state: &mut State,
        (charge, scope): (u64, &Scope),
        wait: u64,
        reason: &Arc<str>,
        now: u64,
    ) -> Option<u64> {
        let longest = self.plan.max_hold;
        let until = self.end_of_hold(self.hold_times.of(wait, longest), now);
        if until <= now {
            return None;
        }
        // If it was a probe, the quota is back, unless that is the reason again.
        state.end_probe(charge, now);
        state.begin_hold(scope, until, reason, now)
    }

    /// Reports the length of a hold, if that has to be.
    pub(super) fn report_hold(&self, length: Option<u64>, reason: &Arc<str>) {
        if let Some(length) = length {
            events::hold_began(self.plan.name(), Duration::from_nanos(length), reason);
        }
    }

    /// Notes that the provider did not refuse the probe of this charge, or that nobody knows.
    pub(super) fn end_probe(&self, charge: u64) {
        self.update(|state, now, _| state.end_probe(charge, now));
    }

    /// Returns the error of a call that may not wait for the end of a hold.
    pub(super) fn held(&self, waited: u64, wait: u64) -> AcquireError {
        AcquireError::Held {
            waited: Duration::from_nanos(waited),
            wait: Duration::from_nanos(wait),
            reason: self.reason(),
            limiter: self.plan.name().clone(),
        }
    }

    /// Returns the error of a call while a quota is used up.
    pub(super) fn exhausted(&self, until: u64) -> AcquireError {
        AcquireError::Exhausted {
            until: Duration::from_nanos(until),
            reason: self.reason(),
            limiter: self.plan.name().clone(),
        }
    }

    fn reason(&self) -> Arc<str> {
        let now = self.time.now();
        self.lock().map_or_else(elsewhere, |state| state.reason(now))
    }
}

/// The calls that a refusal stops.
pub(super) enum Scope {
    /// All calls wait.
    All,
    /// Those wait that take something from one of these limits.
    Limits(Vec<usize>),
    /// All calls are refused, because a quota is used up.
    Quota,
}

impl Scope {
    /// Returns true if the refusal is about the limit at this place, as far as is known.
    pub(super) fn contains(&self, place: usize) -> bool {
        match self {
            Self::All | Self::Quota => true,
            Self::Limits(places) => places.contains(&place),
        }
    }
}

impl State {
    /// Begins a hold. Returns its length, if that has to be reported.
    fn begin_hold(&mut self, scope: &Scope, until: u64, reason: &Arc<str>, now: u64) -> Option<u64> {
        if until <= now {
            return None;
        }
        let is_longer = self.note_reason(reason, scope, until, now);
        let length = Some(until - now).filter(|length| is_longer && self.notices().hold(*length, now));
        let backend = &mut self.admission.backend;
        match scope {
            Scope::All => backend.hold(until, now),
            Scope::Limits(places) => places.iter().for_each(|place| backend.hold_limit(*place, until, now)),
            Scope::Quota => backend.exhaust(until, now),
        }
        length
    }

    /// Returns the hold of all calls at `now`, if there is one.
    pub(super) fn hold(&self, now: u64) -> Option<Hold> {
        let backend = &self.admission.backend;
        let rest = backend.held_until().saturating_sub(now);
        let is_exhausted = self.is_exhausted();
        (rest > 0 || is_exhausted).then(|| self.hold_for(rest, is_exhausted, now))
    }

    /// Returns the hold of one limit at `now`, if there is one.
    pub(super) fn limit_hold(&self, place: usize, now: u64) -> Option<Hold> {
        let rest = self.admission.backend.limit_held_until(place).saturating_sub(now);
        (rest > 0).then(|| self.hold_for(rest, false, now))
    }

    fn hold_for(&self, rest: u64, is_exhausted: bool, now: u64) -> Hold {
        Hold { ends_in: Duration::from_nanos(rest), is_exhausted, reason: self.reason(now) }
    }

    /// Ends all holds.
    fn release(&mut self, now: u64) {
        self.forget_reason(now);
        self.admission.release(now);
    }

    fn end_probe(&mut self, charge: u64, now: u64) {
        let was_exhausted = self.admission.backend.is_exhausted();
        self.admission.end_probe(charge, true, now);
        let backend = &self.admission.backend;
        if !backend.is_shut(now) {
            self.forget_reason(now);
        } else if was_exhausted && !backend.is_exhausted() {
            // Why a limit is on hold was not noted while a quota was used up.
            let ends = (0..backend.look(now).len()).map(|place| backend.limit_held_until(place));
            let held_for =
                ends.max().map(|until| OwnHold { reason: REFUSED_MEANWHILE.into(), until, is_quota: false });
            self.uncommon.change().held_for = held_for;
        }
    }

    /// Forgets why this process last held the limiter, as the hold is over.
    ///
    /// A call that the hold has refused asks for the reason when it is polled, which may be later.
    /// In memory there is no other process, so the reason is kept for that.
    pub(super) fn forget_reason(&mut self, now: u64) {
        let is_shared = self.is_shared();
        let Some(uncommon) = self.uncommon.changed() else { return };
        match &mut uncommon.held_for {
            Some(held) if !is_shared => held.until = held.until.min(now),
            held_for => *held_for = None,
        }
    }

    /// Returns true if other processes may hold calls, too.
    fn is_shared(&self) -> bool {
        self.admission.backend.lasts() < u64::MAX
    }

    /// Notes why this process holds calls, unless a hold of its own ends later. A quota that is
    /// used up counts more than other reasons. Returns true if no hold of its own ends later.
    fn note_reason(&mut self, reason: &Arc<str>, scope: &Scope, until: u64, now: u64) -> bool {
        let known_until = self.uncommon.get().held_for.as_ref().map_or(0, |held| held.until);
        let is_longer = until > known_until.max(now);
        let is_exhausted = self.is_exhausted();
        let is_quota = matches!(scope, Scope::Quota);
        if is_quota || is_longer && !is_exhausted {
            let reason = Arc::clone(reason);
            self.uncommon.change().held_for = Some(OwnHold { reason, until, is_quota });
        }
        is_longer
    }

    /// Returns the reason of the hold at `now`.
    fn reason(&self, now: u64) -> Arc<str> {
        let is_exhausted = self.is_exhausted();
        let lasts = |held: &OwnHold| !self.is_shared() || now < held.until.saturating_add(OWN_FOR);
        // Another process may have found that a quota is used up, long after a hold of this one. A
        // closed limiter does not know if one is, so either may be the reason there.
        let may_be_used_up = self.admission.backend.is_exhausted();
        let is_own = |held: &&OwnHold| held.is_quota && may_be_used_up || !is_exhausted && lasts(held);
        match self.uncommon.get().held_for.as_ref().filter(is_own) {
            Some(held) => Arc::clone(&held.reason),
            None if is_exhausted => USED_UP_ELSEWHERE.into(),
            None => elsewhere(),
        }
    }

    /// Returns true if a quota is used up. A closed limiter only looks like that.
    pub(super) fn is_exhausted(&self) -> bool {
        self.admission.backend.is_exhausted() && !self.admission.is_closed()
    }
}

/// The reason of a hold that another process began.
fn elsewhere() -> Arc<str> {
    "another process that shares the limits holds its calls".into()
}

/// The reason of a hold of one limit that began while a quota was used up.
const REFUSED_MEANWHILE: &str = "the provider refused a call while a quota was used up, too";

/// The reason of a hold that another process began because a quota is used up.
const USED_UP_ELSEWHERE: &str =
    "the provider refused a call of another process that shares the limits because a quota is used up";
