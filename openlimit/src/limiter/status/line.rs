//! A `Status` in one line, for logs.

use std::fmt;
use std::time::Duration;

use super::{Hold, InFlightStatus, LimitStatus, Status};
use crate::error::short;
use crate::limits::Dimension;

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return self.write_lines(f);
        }
        write!(f, "{}: ", self.limiter)?;
        if self.is_closed {
            f.write_str("closed, ")?;
        }
        match self.next {
            Some(next) => write!(f, "{} waiting, next in {}", self.waiting, short(next))?,
            None => write!(f, "{} waiting", self.waiting)?,
        }
        if let Some(in_flight) = &self.in_flight {
            write!(f, "; {in_flight}")?;
        }
        if let Some(hold) = &self.hold {
            write!(f, "; {hold}")?;
        }
        if let Some(error) = self.store.as_ref().and_then(|store| store.error.as_ref()) {
            write!(f, "; {error}")?;
        }
        self.limits.iter().try_for_each(|limit| write!(f, "; {limit}"))?;
        self.unexplained().map_or(Ok(()), |text| write!(f, "; {text}"))
    }
}

impl Status {
    /// Returns what refusals suggest that the declared limits do not explain.
    pub(super) fn unexplained(&self) -> Option<String> {
        let refusals = Some(self.unexplained_refusals).filter(|refusals| *refusals > 0)?;
        Some(format!(
            "{refusals} refused although there was room: the provider allows less, or it counts in \
             windows: then set `counting: Counting::InWindows`"
        ))
    }
}

impl fmt::Display for LimitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |amount| self.limit.dimension().count(amount);
        write!(f, "{}: {} available", self.limit, count(self.available))?;
        if self.debt > 0 {
            write!(f, ", {} in debt", count(self.debt))?;
        }
        match self.resets_in {
            Some(time) => write!(f, ", resets in {}", short(time))?,
            None if self.full_in.is_zero() => {}
            None => write!(f, ", full in {}", short(self.full_in))?,
        }
        if let Some(amount) = self.provider_allows {
            write!(f, ", but the provider allows {amount}")?;
        }
        if (self.pace - 1.0).abs() > f64::EPSILON {
            write!(f, ", at {} times the rate", self.pace)?;
        }
        if self.returned.is_wasteful() {
            // No request reserves more than one.
            let help = match self.limit.dimension() {
                Dimension::Requests => "raise `burst`",
                _ => "raise `burst` or set `output: Learned`",
            };
            write!(f, " ({}: {help})", self.returned)?;
        }
        self.hold.as_ref().map_or(Ok(()), |hold| write!(f, ", {hold}"))
    }
}

impl fmt::Display for InFlightStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} in flight", self.calls, self.most)
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_exhausted, self.ends_in) {
            (true, Duration::ZERO) => write!(f, "no quota, the next call finds out if it is back")?,
            (true, time) => write!(f, "no quota, and no calls for another {}", short(time))?,
            (false, time) => write!(f, "on hold for another {}", short(time))?,
        }
        write!(f, ": {}", self.reason)
    }
}
