//! `Identity`: the limits that the clients of one name agree on, as text.
//!
//! The state of the buckets begins with it, and the server refuses a client whose identity is
//! another one. It is the version of the layout, and the text of all limits in one order.
//!
//! # Updates
//!
//! A program may update its limits while it runs. The identity then ends in `; update n`, where `n`
//! counts the updates that any client has made. Of two identities the one with the larger `n` is
//! newer:
//!
//! * A client with newer limits gives them to the state, with its next batch.
//! * A client with older ones is refused, and told the newer ones. It takes them over, if only
//!   rates and bursts differ, and sends its batch anew.
//! * If two clients update at the same time, both have the same `n`. The second to arrive is
//!   refused, and tries again with the next one. So the last update to arrive is the newest.
//!
//! Two identities without an update are never mixed: a program that was given the wrong limits is
//! told so. Nor are two that reserve another part of the limits, or for another priority.

use std::time::Duration;

use super::bounds::Bounds;
use super::settings::KEPT;
use crate::limits::{Counting, Limit, Percent, Priority};

/// The version of the values under the keys. It has to change when `decide/*.lua` would misread a
/// value that an older version wrote.
const LAYOUT: &str = "openlimit 1";

/// The largest version. Numbers in scripts are doubles, which are exact up to there.
const LAST_VERSION: u64 = 1 << 52;

/// What stands before the number of updates.
const UPDATE: &str = "; update ";

/// The limits of a shared limiter, and what follows from them.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    limits: Vec<SharedText>,
    /// The part of them that is kept for a priority and those above it.
    reserve: Option<(Priority, Percent)>,
    /// The number of updates so far, of any client.
    version: u64,
    /// The largest numbers in replies.
    pub(super) bounds: Bounds,
    /// For how many seconds the server keeps the state after the last batch.
    pub(super) lifetime: u64,
}

/// A limit as it stands in the identity. Headroom and jitter may differ between clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SharedText {
    amount: u64,
    /// The dimension and the period, which no update changes.
    of: String,
    pub(super) burst: Duration,
    pub(super) counting: Counting,
}

impl SharedText {
    pub(super) fn new(limit: &Limit, burst: Duration, counting: Counting) -> Self {
        let text = limit.to_string();
        // The amount comes first.
        let of = text.split_once(' ').map_or("", |(_, of)| of).escape_debug().to_string();
        Self { amount: limit.rate().amount(), of, burst, counting }
    }

    fn text(&self) -> String {
        format!("{} {} (burst {:?}{})", self.amount, self.of, self.burst, self.counted())
    }

    fn counted(&self) -> &'static str {
        match self.counting {
            Counting::Refilling => "",
            Counting::InWindows => ", counted in windows",
        }
    }

    /// Reads a limit of the same dimension and period at the beginning of a text. Returns its
    /// amount and burst, and the rest of the text.
    fn read<'a>(&self, text: &'a str) -> Option<(u64, Duration, &'a str)> {
        let (amount, rest) = text.split_once(' ')?;
        let rest = rest.strip_prefix(&*self.of)?.strip_prefix(" (burst ")?;
        let end = rest.find([',', ')'])?;
        let (burst, rest) = (&rest[..end], &rest[end..]);
        let rest = rest.strip_prefix(self.counted())?.strip_prefix(')')?;
        Some((amount.parse().ok()?, duration(burst)?, rest))
    }
}

impl Identity {
    /// Creates the identity of limits, in the order of the script, that were never updated.
    pub(super) fn new(limits: Vec<SharedText>, bounds: Bounds) -> Self {
        // A state that has drained says nothing. It is kept for twice that time, to be safe, and
        // for longer while there are debts or holds.
        let lifetime = (2 * bounds.drain).div_ceil(1_000_000_000).max(KEPT);
        Self { limits, reserve: None, version: 0, bounds, lifetime }
    }

    /// Returns the identity of the same limits, a part of which is kept for a priority.
    pub(super) fn reserving(self, reserve: Option<(Priority, Percent)>) -> Self {
        Self { reserve, ..self }
    }

    /// Returns the identity with another version.
    pub(super) fn with_version(self, version: u64) -> Self {
        Self { version, ..self }
    }

    /// Returns the number of updates so far, of any client.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Returns true if the limits are the same, whatever their version.
    pub(super) fn has_same_limits(&self, other: &Self) -> bool {
        self.limits == other.limits
    }

    /// Returns the limits as text, for errors.
    pub(super) fn limits(&self) -> String {
        let limits: Vec<_> = self.limits.iter().map(SharedText::text).collect();
        let update = if self.version > 0 { format!("{UPDATE}{}", self.version) } else { String::new() };
        limits.join("; ") + &self.reserved() + &update
    }

    fn reserved(&self) -> String {
        self.reserve.map_or_else(String::new, |(priority, Percent(percent))| {
            format!("; reserve {percent} % for {priority}")
        })
    }

    /// Returns the text that the state begins with.
    pub(super) fn text(&self) -> String {
        format!("{LAYOUT}\n{}\n", self.limits())
    }

    /// Reads the limits of another client, if only rates and bursts differ.
    /// Returns their amounts and bursts, and their version.
    pub(super) fn read(&self, theirs: &str) -> Option<(Vec<(u64, Duration)>, u64)> {
        let (mut rest, mut limits) = (theirs, Vec::new());
        for (bucket, own) in self.limits.iter().enumerate() {
            if bucket > 0 {
                rest = rest.strip_prefix("; ")?;
            }
            let (amount, burst, after) = own.read(rest)?;
            limits.push((amount, burst));
            rest = after;
        }
        let rest = rest.strip_prefix(&*self.reserved())?;
        let version = match rest {
            "" => 0,
            rest => rest.strip_prefix(UPDATE)?.parse().ok().filter(|version| *version < LAST_VERSION)?,
        };
        Some((limits, version))
    }
}

/// Reads a time as its `Debug` writes it.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|char: char| !char.is_ascii_digit() && char != '.')?;
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit {
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "µs" => 1_000,
        "ns" => 1,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let mut nanos = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let mut weight = unit;
    for digit in part.bytes() {
        weight /= 10;
        nanos = nanos.checked_add(u64::from(digit.checked_sub(b'0')?) * weight)?;
    }
    Some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Bounds, Identity, SharedText, duration};
    use crate::limits::{Counting, Limit, Rate};

    fn identity(requests: u64, burst: Duration, version: u64) -> Identity {
        let requests = Limit::new("requests", Rate::per_minute(requests));
        let odd = Limit::new("x (burst 1s); update 9", Rate::new(7, Duration::from_nanos(1_500)));
        let limits = vec![
            SharedText::new(&requests, burst, Counting::Refilling),
            SharedText::new(&odd, Duration::from_millis(1_500), Counting::InWindows),
        ];
        Identity::new(limits, Bounds::new(0, 0)).with_version(version)
    }

    #[test]
    fn every_duration_is_read_as_it_is_written() {
        let mut nanos = 1_u64;
        while nanos < 31 * 86_400 * 1_000_000_000 {
            for time in [nanos - 1, nanos, nanos + 1, nanos * 10 / 7] {
                let time = Duration::from_nanos(time);
                assert_eq!(duration(&format!("{time:?}")), Some(time));
            }
            nanos *= 3;
        }
        for nonsense in ["", "s", "1", "1x", "-1s", "1..2s", "99999999999999999999s", "18446744073709551615s"]
        {
            assert_eq!(duration(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn other_rates_and_bursts_are_read_and_other_limits_are_not() {
        let (one, two) = (Duration::from_secs(1), Duration::from_secs(2));
        let ours = identity(100, one, 0);
        let newer = identity(250, two, 3).limits();
        let odd = (7, Duration::from_millis(1_500));
        assert_eq!(ours.read(&newer), Some((vec![(250, two), odd], 3)));
        assert_eq!(ours.read(&ours.limits()), Some((vec![(100, one), odd], 0)));
        for other in [
            newer.replace("requests", "tokens"),
            newer.replace("minute", "hour"),
            newer.replace(", counted in windows", ""),
            newer.replace("update 3", "update x"),
            newer.replace("update 3", &format!("update {}", u64::MAX)),
            format!("{newer}; 1"),
            newer.replacen("250", "-1", 1),
            newer[..20].to_owned(),
            String::new(),
        ] {
            assert_eq!(ours.read(&other), None, "{other}");
        }
    }

    #[test]
    fn the_text_of_limits_that_were_never_updated_names_no_update() {
        let text = identity(100, Duration::from_secs(1), 0).text();
        assert!(text.starts_with("openlimit 1\n100 requests / minute (burst 1s); 7 "), "{text}");
        assert!(text.ends_with("(burst 1.5s, counted in windows)\n"), "{text}");
    }
}
