//! Takes the place of `events` without the feature `tracing`, and does nothing.

use std::time::Duration;

use crate::feedback::Verdict;
use crate::limits::{Limit, Name};

pub(super) fn limit_changed(_: &Name, _: &Limit, _: u64) {}

pub(super) fn limits_updated(_: &Name, _: &[Limit]) {}

pub(super) fn hold_began(_: &Name, _: Duration, _: &str) {}

pub(super) fn hold_released(_: &Name, _: Duration) {}

pub(super) fn refused(_: &Name, _: u16, _: Verdict, _: u64) {}

pub(super) fn may_count_in_windows(_: &Name) {}
