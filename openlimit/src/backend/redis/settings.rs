//! `Settings`: a checked `Redis`, and what a limiter makes of it: access, keys, and how to name the server in errors.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use super::Redis;
use super::access::Access;
use super::key::Keys;
use super::terms::Terms;
use crate::error::{StoreError, StoreProblem};
use crate::time::nanos;

/// What the driver needs to know to reach a limiter's buckets.
pub(crate) struct Settings {
    /// To the nodes that were given, of which there is at least one.
    pub(super) nodes: Vec<Access>,
    pub(super) keys: Keys,
    /// What the state begins with: the version of its layout, and the limits in words.
    pub(super) identity: String,
    /// The limits in words.
    pub(super) limits: String,
    /// How many there are.
    pub(super) count: usize,
    /// How many seconds the state is kept: longer than it can matter.
    pub(super) lifetime: u64,
    pub(super) server: Arc<str>,
    /// What no error may show.
    secrets: Vec<String>,
}

/// The version of what stands in the keys. It changes when `decide.lua` would misread what an older one wrote.
const LAYOUT: &str = "openlimit 1";

impl Settings {
    /// `limits` in words, whose buckets drain in `drain` nanoseconds at the longest.
    pub(crate) fn new(
        redis: &Redis,
        name: &str,
        limits: String,
        count: usize,
        drain: u64,
    ) -> Result<Self, Cow<'static, str>> {
        let nodes = Access::all(redis)?;
        let server = nodes.iter().map(|node| node.info().addr().to_string()).collect::<Vec<_>>().join(", ");
        let secrets = nodes.iter().filter_map(|node| node.info().redis_settings().password());
        let mut secrets: Vec<_> = secrets.filter(|secret| !secret.is_empty()).map(str::to_owned).collect();
        // One may begin with another.
        secrets.sort_by_key(|secret| Reverse(secret.len()));
        // Twice as long as anything can be in a bucket.
        let lifetime = (2 * drain).div_ceil(1_000_000_000).max(600);
        Ok(Self {
            nodes,
            keys: Keys::new(&redis.prefix, name),
            identity: format!("{LAYOUT}\n{limits}\n"),
            limits,
            count,
            lifetime,
            server: server.into(),
            secrets,
        })
    }

    pub(super) fn error(&self, problem: StoreProblem) -> StoreError {
        StoreError::new(&self.server, problem)
    }

    /// Foreign text for an error: of sensible length, printable, and without the secrets.
    pub(super) fn said(&self, text: &str) -> String {
        let text = self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"));
        let printable = text.trim().chars().take(300).map(|char| if char.is_control() { '?' } else { char });
        printable.collect()
    }
}

impl Redis {
    /// What of it the limiter's own state needs. `slack` is how late a call may depart.
    pub(crate) fn terms(&self, slack: u64) -> Terms {
        let nanos = |time| nanos(time).min(super::scale::MOST);
        Terms {
            slack,
            look_ahead: nanos(self.look_ahead),
            lease: self.lease.map(nanos),
            patience: nanos(self.patience),
            on_outage: self.on_outage,
        }
    }
}
