//! `Probes`: which call finds out if a used-up quota is back. `exhausted` says why there is one.

/// For how long the response to a probe is waited for, in nanoseconds: one minute. Providers refuse
/// within a second, and most calls end within a minute. A probe that was lost keeps the limiter
/// shut for so long, and never for longer than the longest hold. `decide/state.lua` has it, too.
const PATIENCE: u64 = 60_000_000_000;

/// The probes of one limiter.
#[derive(Debug)]
pub(super) struct Probes {
    /// The charge of the last probe while its response is not known.
    last: Option<u64>,
}

impl Probes {
    /// No probe.
    pub(super) const NONE: Self = Self { last: None };

    /// Notes that the call of this charge departs as the probe. Returns for how long its response
    /// is waited for, where holds are at most `max_hold` nanoseconds long.
    pub(super) fn depart(&mut self, charge: u64, max_hold: u64) -> u64 {
        self.last = Some(charge);
        PATIENCE.min(max_hold)
    }

    /// Notes that the response to this call is known. Returns true if it is the last probe.
    pub(super) fn end(&mut self, charge: u64) -> bool {
        self.last.take_if(|last| *last == charge).is_some()
    }

    /// Returns true if no response to a probe is waited for.
    pub(super) fn is_none(&self) -> bool {
        self.last.is_none()
    }

    /// Forgets the last probe: its response says nothing any more.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }
}
