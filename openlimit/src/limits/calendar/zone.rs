//! `Zone`: what clocks in a time zone show, by the IANA database.
//!
//! The crate jiff reads the database of the system, which is updated when a country changes its
//! rules. Where there is none, as in a container without files, it reads the one that is compiled
//! in.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What to do about a zone that is not known.
pub(crate) const UNKNOWN_ZONE: &str =
    "give a name of the IANA time zone database, such as `America/Los_Angeles`, or `UTC`";

/// A time zone.
#[derive(Clone, Debug)]
pub(super) struct Zone(TimeZone);

impl Zone {
    /// Finds the zone of a name.
    pub(super) fn find(name: &str) -> Option<Self> {
        if name == "UTC" { Some(Self(TimeZone::UTC)) } else { TimeZone::get(name).ok().map(Self) }
    }

    /// Returns true for UTC.
    pub(super) fn is_utc(&self) -> bool {
        self.0 == TimeZone::UTC
    }

    /// Returns the date and time that clocks show at a moment, as the moment at which those in UTC
    /// show it. Both are in seconds.
    pub(super) fn shown(&self, moment: i64) -> i64 {
        Timestamp::from_second(moment).map_or(moment, |at| moment + i64::from(self.0.to_offset(at).seconds()))
    }

    /// Returns the moment at which clocks show a date and time, which is given in the same way.
    pub(super) fn moment(&self, shown: i64) -> i64 {
        let shown_at = |at: Timestamp| {
            let date = TimeZone::UTC.to_datetime(at);
            self.0.to_ambiguous_timestamp(date).compatible().ok()
        };
        Timestamp::from_second(shown).ok().and_then(shown_at).map_or(shown, |at| at.as_second())
    }
}
