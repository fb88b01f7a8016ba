//! `Options`: what the setters of a builder set. It does not depend on the kind of the limiter.

use std::time::Duration;

use super::declared::Declared;
use crate::admission::OnWait;
use crate::backend::Choice;
use crate::learning::{Input, Output};
use crate::limits::{Name, Percent, Priority};
use crate::pricing::PriceOptions;
use crate::time::Time;

/// The options of a limiter, and of each key if there is one for each.
#[derive(Clone, Debug)]
pub(in crate::limiter) struct Options {
    /// The name that the user gave.
    pub(in crate::limiter) name: Option<Name>,
    /// The name if the user gave none: the path of the declaration.
    path: Name,
    /// The options that an update can change.
    pub(in crate::limiter) declared: Declared,
    pub(super) refunds: bool,
    pub(super) max_hold: Duration,
    pub(super) reserve: Option<(Priority, Percent)>,
    pub(super) on_wait: Option<OnWait>,
    pub(super) output: Output,
    pub(super) input: Input,
    pub(in crate::limiter) adopt_limits: bool,
    pub(in crate::limiter) discover: bool,
    pub(super) pricing: PriceOptions,
    /// The most keys, if there is a limiter for each key.
    pub(in crate::limiter) max_keys: Option<usize>,
    pub(in crate::limiter) time: Option<Time>,
    pub(in crate::limiter) backend: Choice,
}

/// Longer than the windows of most limits, and short beside a day that a wrong header would cost.
const DEFAULT_MAX_HOLD: Duration = Duration::from_secs(600);

/// 50 ms: 25 ms for delays in this process, and 25 ms for a call that the network delays more than
/// the one behind it.
const DEFAULT_JITTER: Duration = Duration::from_millis(50);

impl Options {
    /// Creates the defaults. `path` is the name if the user gives none.
    pub(super) fn named(path: &'static str) -> Self {
        Self {
            name: None,
            path: path.into(),
            declared: Declared { jitter: DEFAULT_JITTER, ..Declared::default() },
            refunds: true,
            max_hold: DEFAULT_MAX_HOLD,
            reserve: None,
            on_wait: None,
            output: Output::default(),
            input: Input::default(),
            adopt_limits: false,
            discover: false,
            pricing: PriceOptions::default(),
            max_keys: None,
            time: None,
            backend: Choice::default(),
        }
    }

    /// Returns the name that errors show.
    pub(in crate::limiter) fn shown_name(&self) -> Name {
        self.name.clone().unwrap_or_else(|| self.path.clone())
    }
}
