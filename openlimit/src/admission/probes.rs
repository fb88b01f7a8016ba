//! `Probes`: which call finds out if a used-up quota is back. `exhausted` says why there is one.

/// For how long the response to a probe is waited for, in nanoseconds: one minute. Providers refuse
/// within a second, and most calls end within a minute. A probe that was lost keeps the limiter
/// shut for so long, and never for longer than the longest hold. `decide.lua` has it, too.
const PATIENCE: u64 = 60_000_000_000;

/// The number of no charge.
const NONE: u64 = u64::MAX;

/// The probes of one limiter.
#[derive(Debug)]
pub(super) struct Probes {
    /// For how long the response to a probe is waited for, in nanoseconds.
    patience: u64,
    /// The charge of the last probe while its response is not known, or [`NONE`]. An `Option` would
    /// make every limiter larger.
    last: u64,
}

impl Probes {
    /// Creates the probes of a limiter whose holds are at most `max_hold` nanoseconds long.
    pub(super) fn new(max_hold: u64) -> Self {
        Self { patience: PATIENCE.min(max_hold), last: NONE }
    }

    /// Notes that the call of this charge departs as the probe. Returns for how long its response
    /// is waited for.
    pub(super) fn depart(&mut self, charge: u64) -> u64 {
        self.last = charge;
        self.patience
    }

    /// Notes that the response to this call is known. Returns true if it is the last probe.
    pub(super) fn end(&mut self, charge: u64) -> bool {
        let is_last = self.last == charge;
        if is_last {
            self.last = NONE;
        }
        is_last
    }

    /// Returns true if no response to a probe is waited for.
    pub(super) fn is_none(&self) -> bool {
        self.last == NONE
    }

    /// Forgets the last probe: its response says nothing any more.
    pub(super) fn forget(&mut self) {
        self.last = NONE;
    }
}
