//! Takes the place of `meters` without the feature `metrics`, and does nothing.

use std::time::Duration;

use crate::admission::Plan;
use crate::error::AcquireError;
use crate::limits::{Amounts, Name, Usage};

/// The metrics of one limiter, or of those of all keys.
#[derive(Debug, Default)]
pub(super) struct Meters {}

#[inline(always)]
pub(super) fn admitted<'a>(_: impl Iterator<Item = (&'a Meters, &'a Plan, Duration, Amounts)>) {}

#[inline(always)]
pub(super) fn denied(_: &AcquireError) {}

#[inline(always)]
pub(super) fn settled(_: &Meters, _: &Plan, _: &Amounts, _: &Usage) {}

#[inline(always)]
pub(super) fn provider_refused(_: &Name, _: u16) {}
