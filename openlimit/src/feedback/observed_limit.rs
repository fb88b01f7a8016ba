//! `ObservedLimit`: what a response says about one limit.
//!
//! Each provider sends other parts of it, so every number is optional. `Standings` collects the
//! parts, which come in any order, until the limit is known.

use std::fmt;
use std::time::Duration;

use super::date::Moment;
use super::names::{Family, LimitKey, Part, What};
use super::policies;
use crate::limits::{Dimension, duration};

/// The most limits that are read from one response. Real ones have up to twelve.
const MOST: usize = 32;

/// The state of one of the provider's limits, as a response describes it.
///
/// Several limits may have the same dimension: per minute and per day, of the organization and of
/// the project. All of them bind.
#[derive(Clone, PartialEq, Eq)]
pub struct ObservedLimit {
    key: LimitKey,
    dimension: Dimension,
    window: Option<Duration>,
    limit: Option<u64>,
    remaining: Option<u64>,
    reset: Option<Duration>,
    /// In millionths.
    utilization: Option<u64>,
    /// The point in time of the reset, until the `Date` of the response is known.
    moment: Option<Moment>,
    /// The limit was stated as zero or less. Azure does so where it does not know.
    is_void: bool,
    /// It counts something that no limiter counts, such as bytes.
    is_foreign: bool,
}

impl ObservedLimit {
    fn new(key: LimitKey) -> Self {
        Self {
            key,
            dimension: key.what.dimension(),
            window: key.window(),
            limit: None,
            remaining: None,
            reset: None,
            utilization: None,
            moment: None,
            is_void: false,
            is_foreign: false,
        }
    }

    /// Returns what the limit counts.
    #[must_use]
    pub fn dimension(&self) -> &Dimension {
        &self.dimension
    }

    /// Returns the time over which the limit counts; `None` if the response does not state it.
    ///
    /// Most providers do not state it. OpenAI's `requests` are per minute or per day, depending on
    /// the model.
    #[must_use]
    pub fn window(&self) -> Option<Duration> {
        self.window
    }

    /// Returns the amount that is allowed per window.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Returns the amount that is left. It may be zero.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        self.remaining
    }

    /// Returns the time until the limit is *full* again, counted from the `Date` of the response.
    ///
    /// It is not the time until the next call fits, which may be a thousand times shorter.
    #[must_use]
    pub fn reset(&self) -> Option<Duration> {
        self.reset
    }

    /// Returns the used share of the limit, between 0 and 1 or slightly above, for limits without
    /// amounts: Anthropic's subscriptions.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share in millionths is far below 2^52")]
    pub fn utilization(&self) -> Option<f64> {
        self.utilization.map(|millionths| millionths as f64 / 1e6)
    }

    fn is_known(&self) -> bool {
        let has_amount = self.limit.is_some() || self.remaining.is_some() || self.utilization.is_some();
        has_amount && !self.is_void && !self.is_foreign
    }

    fn set_moment(&mut self, moment: Option<Moment>, date: Option<Duration>) {
        if let Some(moment) = moment {
            self.moment = Some(moment);
            self.reset = moment.after(date);
        }
    }

    fn set_window(&mut self, value: &[u8]) {
        self.window = duration::seconds(value).filter(|window| !window.is_zero()).or(self.window);
    }

    /// Sets the limit. Zero and less mean that the limit is not known.
    fn set_limit(&mut self, value: &[u8]) {
        let limit = duration::count(value);
        self.is_void = limit == Some(0) || value.first() == Some(&b'-');
        self.limit = limit.filter(|limit| *limit > 0).or(self.limit);
    }
}

impl fmt::Debug for ObservedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedLimit")
            .field("dimension", &self.dimension)
            .field("window", &self.window)
            .field("limit", &self.limit)
            .field("remaining", &self.remaining)
            .field("reset", &self.reset)
            .field("utilization", &self.utilization())
            .finish()
    }
}

/// The limits of one response, as far as its headers have been read.
#[derive(Clone, Default)]
pub(super) struct Standings(Vec<ObservedLimit>);

impl Standings {
    /// Returns the limits about which something is known.
    pub(super) fn known(&self) -> impl Iterator<Item = &ObservedLimit> {
        // Beside separate limits of input and output, Anthropic's `tokens` may be their sum, which
        // is no limit.
        let is_split = |what| self.0.iter().any(|limit| limit.key == LimitKey::new(Family::Anthropic, what));
        let sum = (is_split(What::InputTokens) && is_split(What::OutputTokens))
            .then_some(LimitKey::new(Family::Anthropic, What::Tokens));
        self.0.iter().filter(move |limit| limit.is_known() && Some(limit.key) != sum)
    }

    /// Resolves the resets that are points in time.
    pub(super) fn set_date(&mut self, date: Option<Duration>) {
        for limit in &mut self.0 {
            limit.set_moment(limit.moment, date);
        }
    }

    /// Reads one number of one limit.
    pub(super) fn read(&mut self, key: LimitKey, part: Part, value: &[u8], date: Option<Duration>) {
        if matches!(part, Part::Limit) && policies::is_list(value) {
            return self.read_list(key, value);
        }
        let Some(limit) = self.entry(key) else { return };
        match part {
            Part::Limit => limit.set_limit(value),
            Part::Remaining => limit.remaining = duration::count(policies::first(value)).or(limit.remaining),
            Part::Reset => limit.set_moment(Moment::read(value), date),
            Part::Window => limit.set_window(value),
            Part::Utilization => limit.utilization = duration::millionths(value),
            Part::Status => {
                if value.eq_ignore_ascii_case(b"rejected") {
                    limit.remaining = Some(0);
                }
            }
        }
    }

    /// Reads `RateLimit` or `RateLimit-Policy`, whose limits the server names.
    pub(super) fn read_policies(&mut self, value: &[u8], date: Option<Duration>) {
        let key = LimitKey::new(Family::Ietf, What::Requests);
        if duration::count(policies::first(value)).is_some() {
            return self.read_list(key, value);
        }
        for policy in policies::all(value) {
            let Some(limit) = self.entry(LimitKey { pool: policy.pool(), ..key }) else { return };
            for (name, value) in policy.parameters() {
                match name {
                    b"q" | b"limit" => limit.set_limit(value),
                    b"r" | b"remaining" => limit.remaining = duration::count(value).or(limit.remaining),
                    b"t" | b"reset" => limit.set_moment(duration::seconds(value).map(Moment::In), date),
                    b"w" => limit.set_window(value),
                    b"qu" => match value {
                        b"requests" => {}
                        b"tokens" => limit.dimension = Dimension::Tokens,
                        // Bytes, or calls at once.
                        _ => limit.is_foreign = true,
                    },
                    _ => {}
                }
            }
        }
    }

    /// Reads `1000, 1000;w=1, 60000;w=60`. The first number binds, and the others are all policies,
    /// of which the first number is one.
    fn read_list(&mut self, key: LimitKey, value: &[u8]) {
        let first = policies::first(value);
        let binding = duration::count(first);
        if let Some(limit) = self.entry(key) {
            limit.set_limit(first);
        }
        for policy in policies::all(value) {
            let Some(amount) = duration::count(policy.name) else { continue };
            let mut parameters = policy.parameters();
            let Some((_, window)) = parameters.find(|(name, _)| matches!(*name, b"w" | b"window")) else {
                continue;
            };
            let window = duration::count(window).and_then(|window| u32::try_from(window).ok());
            let Some(window) = window.filter(|window| *window > 0) else { continue };
            let is_binding = Some(amount) == binding;
            let key = if is_binding { key } else { LimitKey { window, ..key } };
            if let Some(limit) = self.entry(key) {
                limit.window = Some(Duration::from_secs(window.into()));
                limit.set_limit(policy.name);
            }
        }
    }

    /// Adds a limit that is known by numbers, not by headers.
    pub(super) fn add(&mut self, what: What, [limit, remaining]: [Option<u64>; 2], reset: Option<Duration>) {
        let pool = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        if let Some(entry) = self.entry(LimitKey { pool, ..LimitKey::new(Family::Generic, what) }) {
            entry.is_void = limit == Some(0);
            entry.limit = limit;
            entry.remaining = remaining;
            entry.reset = reset;
        }
    }

    fn entry(&mut self, key: LimitKey) -> Option<&mut ObservedLimit> {
        let known = self.0.iter().position(|limit| limit.key == key);
        if known.is_none() && self.0.len() < MOST {
            self.0.push(ObservedLimit::new(key));
            return self.0.last_mut();
        }
        self.0.get_mut(known?)
    }
}
