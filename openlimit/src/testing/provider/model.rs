//! `ProviderModel`: the provider without a network. It takes a call and returns the reply.
//!
//! Tests on a manual clock ask it directly. On sockets, the judge does.

use std::fmt;
use std::io;
use std::time::{Duration, Instant, UNIX_EPOCH};

use parking_lot::Mutex;

use super::account::{AccountState, Correction};
use super::answer::Answer;
use super::arrival::Arrival;
use super::clock::ProviderClock;
use super::dialect::Dialect;
use super::error_reply::ErrorReply;
use super::others::OtherCalls;
use super::reply::ProviderReply;
use super::request::{ApiRequest, Counts, LARGEST_BODY};
use super::route::Route;
use super::sentences;
use super::text::http_date;
use super::words::Words;
use crate::{Dimension, Rate};

/// A [`Provider`](crate::testing::Provider) without a network: the same limits and replies, as a
/// method. Built by [`ProviderBuilder::build`](crate::testing::ProviderBuilder::build).
///
/// On a [`ManualClock`](crate::testing::ManualClock), a test simulates an hour in seconds.
///
/// ```
/// use openlimit::feedback::Observation;
/// use openlimit::testing::{ManualClock, Provider};
/// use openlimit::{ChatRateLimiter, Rate};
/// use serde_json::json;
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clock = ManualClock::new();
/// // The provider allows less than the limiter was told.
/// let provider = Provider::builder().requests(Rate::per_minute(60)).clock(&clock).build()?;
/// let limiter = ChatRateLimiter::builder().requests(Rate::per_minute(600)).clock(&clock).build()?;
///
/// let params = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hi" }] });
/// for _ in 0..100 {
///     if let Ok(permit) = limiter.try_acquire(&params) {
///         let reply = provider.answer("/v1/chat/completions", [], params.to_string().as_bytes());
///         permit.responded(&Observation::from_parts(reply.status(), reply.headers(), reply.body()));
///     }
///     clock.advance(Duration::from_millis(500));
/// }
/// assert!(provider.refused() < 3);
/// # Ok(())
/// # }
/// ```
pub struct ProviderModel {
    pub(super) clock: ProviderClock,
    pub(super) account: Mutex<AccountState>,
    pub(super) rules: Rules,
    pub(super) sending: Mutex<Sending>,
}

/// What never changes.
pub(super) struct Rules {
    pub(super) key: Option<String>,
    pub(super) dialect: Dialect,
    pub(super) counts: Counts,
    pub(super) charges_usage: bool,
    pub(super) answer_tokens: u64,
    pub(super) body_latency: Duration,
    pub(super) cut_every: Option<u64>,
}

/// How answers are sent.
pub(super) struct Sending {
    /// Returns the latency of each admitted call.
    pub(super) latency: Box<dyn FnMut() -> Duration + Send>,
    /// The number of answers so far.
    pub(super) answers: u64,
}

impl ProviderModel {
    /// Answers a call that arrives now: a `POST` to `path`, or a `GET` of `/v1/models`.
    ///
    /// The reply is complete at once, and says when it would come. To pass that time is up to the
    /// caller. So is the order of time: the calls must be made in the order in which they arrive.
    pub fn answer<'a>(
        &self,
        path: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: &[u8],
    ) -> ProviderReply {
        let headers: Vec<_> = headers.into_iter().collect();
        let header = |name: &str| {
            let found = headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_bytes())
        };
        let method = if path == "/v1/models" { "GET" } else { "POST" };
        match self.route(method, path, header) {
            Ok(Some(_)) if body.len() > LARGEST_BODY => {
                self.failed(path.into(), &ErrorReply::oversized(LARGEST_BODY))
            }
            Ok(Some(route)) => self.decide(self.clock.now(), &route, path.into(), body),
            Ok(None) => self.models(path.into()),
            Err(error) => self.failed(path.into(), &error),
        }
    }

    /// Returns every call so far, in the order of arrival. Includes calls that could not be read,
    /// but not those of the [other consumer](Self::others).
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        let mut arrivals = self.account.lock().arrivals().to_vec();
        // A malformed call is recorded at once, and may come before a call that was read earlier
        // and is still being decided.
        arrivals.sort_by_key(|arrival| arrival.at);
        arrivals
    }

    /// Returns the number of calls that were admitted. Includes those to `/v1/models`, which no
    /// limit counts.
    #[must_use]
    pub fn admitted(&self) -> usize {
        self.count(200)
    }

    /// Returns the number of calls that were refused with a 429, as OpenAI refuses a call above a
    /// limit.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.count(429)
    }

    /// Returns the calls of the other consumer so far.
    #[must_use]
    pub fn others(&self) -> OtherCalls {
        self.account.lock().others(self.clock.now())
    }

    /// Changes a limit from now on: the one on `dimension` that has the period of `rate`. What is
    /// used of it stays used.
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) if there is no such limit, and
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if the rate cannot be enforced.
    pub fn set_limit(&self, dimension: impl Into<Dimension>, rate: Rate) -> io::Result<()> {
        let dimension = dimension.into();
        if self.account.lock().set_rate(self.clock.now(), &dimension, rate)? {
            return Ok(());
        }
        let problem = format!(
            "the provider has no limit on {dimension} per {:?}: add it to the builder",
            rate.period()
        );
        Err(io::Error::new(io::ErrorKind::NotFound, problem))
    }

    /// Forgets all calls and fills all limits, as if the provider had just been started.
    pub fn reset(&self) {
        self.account.lock().reset(self.clock.now());
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.rules.dialect
    }

    /// Reads the head of a call. Returns `None` for the list of models.
    pub(super) fn route<'a>(
        &self,
        method: &str,
        path: &str,
        header: impl Fn(&str) -> Option<&'a [u8]>,
    ) -> Result<Option<Route>, ErrorReply> {
        Route::read(method, path, self.rules.key.as_deref(), header)
    }

    /// Decides about a call that arrived completely at `at`.
    pub(super) fn decide(&self, at: Instant, route: &Route, path: Box<str>, body: &[u8]) -> ProviderReply {
        let rules = &self.rules;
        let request = ApiRequest::read(route, body, &rules.counts);
        let read = request.map(|request| {
            let words = Words::new(&request, rules.answer_tokens);
            let output = words.total(&request);
            let charge = request.charge(request.largest, output);
            let used = if rules.charges_usage { request.charge(output, output) } else { charge };
            (request, words, charge, used)
        });
        let tokens = read.as_ref().map_or(0, |(_, _, charge, _)| charge.tokens);
        let (verdict, number, standings) = {
            // Locked for the decision only. Counting comes before it, and writing the answer after.
            let mut account = self.account.lock();
            let verdict = read.and_then(|(request, words, charge, used)| match account.admit(at, charge) {
                Ok(()) => Ok((request, words, charge, used)),
                Err(refusal) => Err(sentences::reply(&refusal, rules.dialect, &request.model)),
            });
            let status = verdict.as_ref().map_or_else(|error| error.status, |_| 200);
            account.record(Arrival { at, path, status, tokens });
            (verdict, account.arrivals().len(), account.standings(at).collect::<Vec<_>>())
        };
        let limits = rules.dialect.limits(&standings, self.clock.date(at));
        let reply = match verdict {
            Ok((request, words, charge, used)) => {
                let created = self.clock.date(at).duration_since(UNIX_EPOCH).map_or(0, |date| date.as_secs());
                let reply = self.sent(Answer::new(&request, &words, number, created).into());
                if let Some(end) = at.checked_add(reply.body_after()) {
                    self.account.lock().correct(Correction { at: end, since: at, charged: charge, used });
                }
                reply
            }
            Err(error) => ProviderReply::error(&error, rules.dialect),
        };
        self.dated(at, reply.with(limits))
    }

    /// Returns the list of models, which no limit counts.
    pub(super) fn models(&self, path: Box<str>) -> ProviderReply {
        self.recorded(path, Answer::models().into())
    }

    /// Returns the reply to a call that is not charged, as it could not be read.
    pub(super) fn failed(&self, path: Box<str>, error: &ErrorReply) -> ProviderReply {
        self.recorded(path, ProviderReply::error(error, self.rules.dialect))
    }

    /// Records a call that needs no decision.
    fn recorded(&self, path: Box<str>, reply: ProviderReply) -> ProviderReply {
        let at = self.clock.now();
        self.account.lock().record(Arrival { at, path, status: reply.status(), tokens: 0 });
        self.dated(at, reply)
    }

    /// Says when an answer is sent, and how far.
    fn sent(&self, reply: ProviderReply) -> ProviderReply {
        let mut sending = self.sending.lock();
        sending.answers += 1;
        let reply = reply.after((sending.latency)(), self.rules.body_latency);
        let is_cut = self.rules.cut_every.is_some_and(|every| sending.answers.is_multiple_of(every));
        if is_cut { reply.cut() } else { reply }
    }

    fn dated(&self, at: Instant, reply: ProviderReply) -> ProviderReply {
        let sent = at.checked_add(reply.head_after()).unwrap_or(at);
        let date = http_date(self.clock.date(sent));
        reply.with([("date".into(), date)])
    }

    fn count(&self, status: u16) -> usize {
        self.account.lock().arrivals().iter().filter(|arrival| arrival.status == status).count()
    }
}

impl fmt::Debug for ProviderModel {
    /// Leaves out the key, which may be a real one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderModel").field("dialect", &self.rules.dialect).finish_non_exhaustive()
    }
}
