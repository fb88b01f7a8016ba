//! A `Forecast` in a few lines, for people.

use std::fmt;
use std::time::Duration;

use super::rehearsal::AtOnce;
use super::{Doubling, Forecast};
use crate::error::short;

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} calls take {}", self.plan.name(), self.calls(), short(self.time()))?;
        let share = |bound: Duration| match self.time().as_nanos() {
            0 => 0,
            whole => (bound.as_nanos() * 100 + whole / 2) / whole,
        };
        let limits = self.limits.iter();
        let mut rows: Vec<_> = limits
            .map(|limit| {
                (
                    limit.limit.to_string(),
                    format!("{} taken", limit.limit.dimension().count(limit.taken)),
                    share(limit.bound),
                )
            })
            .collect();
        if let Some(AtOnce { calls, time }) = self.in_flight {
            let time = short(Duration::from_nanos(time));
            rows.push((
                format!("{calls} calls at once"),
                format!("{time} each"),
                share(self.bound_in_flight()),
            ));
        }
        let width = |text: fn(&(String, String, u128)) -> &String| {
            rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0)
        };
        let (name, taken) = (width(|row| &row.0), width(|row| &row.1));
        for (limit, amount, share) in &rows {
            write!(f, "\n{limit:name$}  {amount:>taken$}  binds {share:>3} % of the time")?;
        }
        match self.halved_by() {
            Some(doubling) => write!(f, "\nhalf the time: {doubling}"),
            None if self.outlook.binding(&[]).is_some() => {
                f.write_str("\nhalf the time: twice what binds is not enough")
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for Doubling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = self.limits.iter().map(ToString::to_string);
        let in_flight = self.in_flight.map(|calls| format!("{calls} calls at once"));
        f.write_str(&limits.chain(in_flight).collect::<Vec<_>>().join(", "))
    }
}

/// Leaves out the calls, of which there may be millions.
impl fmt::Debug for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut forecast = f.debug_struct("Forecast");
        forecast.field("limiter", self.plan.name()).field("calls", &self.calls()).field("time", &self.time());
        forecast.field("limits", &self.limits).finish_non_exhaustive()
    }
}
