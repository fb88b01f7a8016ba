//! `Zone` without the feature `time-zones`: there is only UTC. See `zone.rs`.

/// What to do about a zone that is not known.
pub(crate) const UNKNOWN_ZONE: &str =
    "other zones than `UTC` need the feature `time-zones` of openlimit: enable it, or give `UTC`";

/// The time zone UTC.
#[derive(Clone, Debug)]
pub(super) struct Zone;

impl Zone {
    /// Finds the zone of a name.
    pub(super) fn find(name: &str) -> Option<Self> {
        (name == "UTC").then_some(Self)
    }

    /// Returns true.
    pub(super) fn is_utc(&self) -> bool {
        true
    }

    /// Returns what clocks show at a moment.
    pub(super) fn shown(&self, moment: i64) -> i64 {
        moment
    }

    /// Returns the moment at which clocks show a date and time.
    pub(super) fn moment(&self, shown: i64) -> i64 {
        shown
    }
}
