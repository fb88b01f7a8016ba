//! `Terms`: the settings that the state of a shared limiter needs, in nanoseconds.

use super::OnOutage;

/// The settings of the slots. [`Redis::terms`](super::Redis::terms) creates them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// The jitter that is kept back.
    pub(crate) jitter: u64,
    /// How far ahead slots are requested.
    pub(crate) look_ahead: u64,
    /// The length of a lease, as time of every rate; `None` without leases.
    pub(crate) lease: Option<u64>,
    /// How long a call without a timeout waits in an outage before it fails.
    pub(crate) patience: u64,
    /// How calls are decided during an outage.
    pub(crate) on_outage: OnOutage,
}

impl Terms {
    /// Returns how late a call may depart for its slot: half of the jitter, as for the timer of a
    /// limiter in memory. The other half is left to the network.
    pub(crate) fn slack(&self) -> u64 {
        self.jitter / 2
    }
}
