//! A `Status` in aligned lines, for people.

use std::fmt;

use super::{ByPriority, ProviderSaid, Status};
use crate::error::short;

/// The most call sites that are shown.
const MOST_SITES: usize = 4;

impl Status {
    /// Writes the status in aligned lines: the queue, then one line for each limit, and one for
    /// everything else that there is to say.
    pub(super) fn write_lines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let closed = if self.is_closed { "closed, " } else { "" };
        write!(f, "{}: {closed}{} waiting", self.limiter, self.waiting)?;
        if self.waiting > 0 {
            write!(f, " ({})", self.by_priority)?;
        }
        if let Some(next) = self.next {
            write!(f, ", next in {}", short(next))?;
        }
        if let Some(wait) = self.longest_wait {
            write!(f, ", the longest for {}", short(wait))?;
        }
        let rows = self.rows();
        let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
        rows.iter().try_for_each(|(label, text)| write!(f, "\n  {label:<width$}  {text}"))
    }

    /// Returns the lines, each with its label.
    fn rows(&self) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        let digits = self.limits.iter().map(|limit| limit.available.to_string().len()).max().unwrap_or(0);
        for status in &self.limits {
            let (limit, text) = (status.limit.to_string(), status.to_string());
            let state = text.strip_prefix(&format!("{limit}: ")).unwrap_or(&text).to_owned();
            // Numbers end in the same column.
            let indent = digits - status.available.to_string().len();
            rows.push((limit, format!("{:indent$}{state}", "")));
            if let Some(said) = &status.provider_said {
                rows.push((String::new(), format!("{:digits$} {said}", "")));
            }
        }
        let mut add =
            |label: &str, text: Option<String>| rows.extend(text.map(|text| (label.to_owned(), text)));
        add("in flight", self.in_flight.map(|calls| format!("{} of {}", calls.calls, calls.most)));
        add("hold", self.hold.as_ref().map(ToString::to_string));
        add("redis", self.store.as_ref().and_then(|store| store.error.as_ref()).map(ToString::to_string));
        add("refused", self.unexplained());
        let learned = self.learned.iter().filter(|site| site.output.is_some());
        learned.take(MOST_SITES).for_each(|site| add("learned", Some(site.to_string())));
        rows
    }
}

impl fmt::Display for ByPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} high, {} normal, {} low", self.high, self.normal, self.low)
    }
}

impl fmt::Display for ProviderSaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the provider said {} ago: ", short(self.ago))?;
        match (self.left, self.limit) {
            (Some(left), Some(limit)) => write!(f, "{left} left of {limit}"),
            (Some(left), None) => write!(f, "{left} left"),
            (None, Some(limit)) => write!(f, "a limit of {limit}"),
            (None, None) => f.write_str("nothing"),
        }
    }
}
