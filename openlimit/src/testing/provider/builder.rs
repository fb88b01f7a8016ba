//! `ProviderBuilder`: what a provider allows, and how it differs from others.
//!
//! Each option is independent of all others.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::Provider;
use super::account::AccountState;
use super::clock::ProviderClock;
use super::dialect::Dialect;
use super::model::{ProviderModel, Rules, Sending};
use super::others::OtherConsumer;
use super::quota::Quota;
use super::ramp::Ramp;
use super::request::Counts;
use super::server::HttpServer;
use super::windows::{Windows, meter};
use crate::time::{ManualClock, Time};
use crate::{Dimension, Limit, Percent, Rate};

/// The default length of an answer, in tokens: one sentence, which no test has to wait for.
const SHORT_ANSWER: u64 = 12;

/// The longest answer, in tokens. Every answer is written out, so a much longer one would be slow.
const LONGEST_ANSWER: u64 = 4_096;

/// Builds a [`Provider`] or a [`ProviderModel`].
#[must_use = "a provider does nothing until it is started"]
pub struct ProviderBuilder {
    limits: Vec<Limit>,
    windows: Option<Windows>,
    refused_count: bool,
    quota: Option<(u64, Option<Duration>)>,
    slow_down: Option<u64>,
    other: Option<(Percent, u64)>,
    sending: Sending,
    rules: Rules,
    date_skew: i64,
    clock: Option<ManualClock>,
}

impl ProviderBuilder {
    pub(super) fn new() -> Self {
        let counts = Counts { prompt: Box::new(|_, tokens| tokens), cached: 0, stream_usage: true };
        Self {
            limits: Vec::new(),
            windows: None,
            refused_count: false,
            quota: None,
            slow_down: None,
            other: None,
            sending: Sending { latency: Box::new(|| Duration::ZERO), answers: 0 },
            rules: Rules {
                key: None,
                dialect: Dialect::OpenAi,
                counts,
                charges_usage: false,
                answer_tokens: SHORT_ANSWER,
                body_latency: Duration::ZERO,
                cut_every: None,
            },
            date_skew: 0,
            clock: None,
        }
    }

    /// Adds a limit on requests. Several may be added, for example one per minute and one per day.
    pub fn requests(self, rate: Rate) -> Self {
        self.limit(Dimension::Requests, rate)
    }

    /// Adds a limit on tokens, input and output together. Several may be added.
    pub fn tokens(self, rate: Rate) -> Self {
        self.limit(Dimension::Tokens, rate)
    }

    /// Adds a limit on the tokens of prompts, as Anthropic has.
    pub fn input_tokens(self, rate: Rate) -> Self {
        self.limit(Dimension::InputTokens, rate)
    }

    /// Adds a limit on the tokens of answers, as Anthropic has. A call is charged what it really
    /// puts out.
    pub fn output_tokens(self, rate: Rate) -> Self {
        self.limit(Dimension::OutputTokens, rate)
    }

    /// Counts all limits in windows. Default: in buckets that refill continuously. A limit that
    /// [resets](Rate::resets_at) is counted between its resets either way.
    pub fn windows(mut self, windows: Windows) -> Self {
        self.windows = Some(windows);
        self
    }

    /// Sets whether a refused call takes a request, if one is left. OpenAI does this, so a client
    /// that retries at once keeps itself out. Default: `false`.
    pub fn refused_count(mut self, count: bool) -> Self {
        self.refused_count = count;
        self
    }

    /// Sets whether the charge of a call is corrected, when the reply has been sent, to the tokens
    /// that it really used. Some providers do this. Default: `false`, the reserved tokens stay
    /// charged.
    pub fn charges_usage(mut self, usage: bool) -> Self {
        self.rules.charges_usage = usage;
        self
    }

    /// Counts prompts in another way than the limiter does. `count` gets the body of a call and the
    /// limiter's count, and returns the tokens that are charged and stated in the usage. Default:
    /// the limiter's count.
    ///
    /// ```
    /// # use openlimit::testing::Provider;
    /// let by_length = Provider::builder().count_prompts(|body, _| body.len() as u64 / 4);
    /// ```
    pub fn count_prompts(mut self, count: impl Fn(&[u8], u64) -> u64 + Send + Sync + 'static) -> Self {
        self.rules.counts.prompt = Box::new(count);
        self
    }

    /// Serves a share of each prompt from a cache. Its tokens are stated in the usage and not
    /// charged. Default: nothing. More than 100 % is 100 %.
    pub fn cached_input(mut self, share: Percent) -> Self {
        self.rules.counts.cached = share.0;
        self
    }

    /// Gives the account a quota: once the admitted calls were charged `tokens` in all, every call
    /// is refused as one without credit (`insufficient_quota`). With a `renewal` the quota is
    /// renewed that long after its first call, and refusals state the wait. Default: no quota.
    pub fn quota(mut self, tokens: u64, renewal: impl Into<Option<Duration>>) -> Self {
        self.quota = Some((tokens, renewal.into()));
        self
    }

    /// Refuses traffic that grows too fast, with `slow_down` or in the words of the dialect: in ten
    /// seconds, calls may be twice as many as in the ten seconds before, and `free` in any case.
    /// Default: it may grow as fast as the limits allow.
    pub fn slow_down(mut self, free: u64) -> Self {
        self.slow_down = Some(free);
        self
    }

    /// Lets another consumer use the same limits, which never waits. Every two seconds it picks a
    /// random share of all limits, from nothing to `most`, and makes calls at random moments that
    /// use as much of each. Runs with the same `seed` are the same. Default: nobody. There is at
    /// most one: a second call replaces it.
    ///
    /// If requests are limited, its calls at the full rate would be as many as the limit allows,
    /// but at most a thousand a second. Otherwise they would be ten a second. They are made up when
    /// the provider is next asked, as of their own times. [`ProviderModel::others`] counts them.
    pub fn other_consumer(mut self, most: Percent, seed: u64) -> Self {
        self.other = Some((most, seed));
        self
    }

    /// Sets how long an admitted call waits for the head of its reply, beyond the time for counting
    /// its tokens. Default: zero. Refusals come at once.
    pub fn latency(self, latency: Duration) -> Self {
        self.latency_with(move || latency)
    }

    /// Does the same as [`latency`](Self::latency), and calls `latency` for each admitted call, in
    /// the order of arrival.
    pub fn latency_with(mut self, latency: impl FnMut() -> Duration + Send + 'static) -> Self {
        self.sending.latency = Box::new(latency);
        self
    }

    /// Sets how long the body of an answer comes after its head. Default: zero.
    pub fn body_latency(mut self, latency: Duration) -> Self {
        self.rules.body_latency = latency;
        self
    }

    /// Resets the connection in the middle of the body of every `n`-th answer. Default: of none.
    pub fn cut_every(mut self, n: u64) -> Self {
        self.rules.cut_every = Some(n);
        self
    }

    /// Sets the number of tokens of each answer, at most 4096. A smaller maximum in the request
    /// cuts the answer short. Default: 12.
    pub fn answer_tokens(mut self, tokens: u64) -> Self {
        self.rules.answer_tokens = tokens.min(LONGEST_ANSWER);
        self
    }

    /// Sets whether streams state the usage. Default: `true`, where OpenAI's chats have to ask for
    /// it. Some compatible servers never do.
    pub fn stream_usage(mut self, states: bool) -> Self {
        self.rules.counts.stream_usage = states;
        self
    }

    /// Sets the provider whose headers and errors the replies have. Default: OpenAI.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.rules.dialect = dialect;
        self
    }

    /// Sets by how many seconds the provider's dates are ahead of the true ones; behind, if it is
    /// negative. Replies state them, and limits reset by them. Default: zero.
    pub fn date_skew(mut self, seconds: i64) -> Self {
        self.date_skew = seconds;
        self
    }

    /// Sets the key that each call must send as `Authorization: Bearer ..`, or as `api-key`,
    /// `x-api-key` or `x-goog-api-key`. Default: no key is required.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.rules.key = Some(key.into());
        self
    }

    /// Sets a manual clock, for [`build`](Self::build). Default: tokio's clock inside a runtime
    /// whose time is paused, and the system's anywhere else. The dates on a clock for tests begin
    /// with 2026, unless the test sets another one.
    pub fn clock(mut self, clock: &ManualClock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// Builds the provider without a network, with nothing used.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if the amount of a limit is zero, its period
    /// or burst is zero or above 31 days, or it cannot reset as it says.
    pub fn build(mut self) -> io::Result<ProviderModel> {
        let time = self.clock.take().map_or_else(Time::detect, Time::Manual);
        self.on(time)
    }

    /// Starts the provider, with nothing used. It runs on the system's clock.
    ///
    /// # Errors
    /// Those of [`build`](Self::build), and [`InvalidInput`](io::ErrorKind::InvalidInput) if it was
    /// given a manual clock. Otherwise the system's error, if it has no free port or cannot start a
    /// thread.
    pub fn start(self) -> io::Result<Provider> {
        if self.clock.is_some() {
            let problem =
                "a provider on a network runs on the system's clock: leave out `clock`, or `build` it";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let model = Arc::new(self.on(Time::System)?);
        Ok(Provider { server: HttpServer::start(Arc::clone(&model))?, model })
    }

    fn limit(mut self, dimension: Dimension, rate: Rate) -> Self {
        self.limits.push(Limit::new(dimension, rate));
        self
    }

    fn on(self, time: Time) -> io::Result<ProviderModel> {
        let clock = ProviderClock::start(time, self.date_skew);
        let start = clock.now();
        let other = self.other.map(|(most, seed)| OtherConsumer::new(&self.limits, most, seed, start));
        let limits = self.limits.into_iter();
        let meters =
            limits.map(|limit| meter(limit, self.windows, &clock, start)).collect::<io::Result<_>>()?;
        let mut account = AccountState::new(meters);
        account.refused_count = self.refused_count;
        account.quota = self.quota.map(|(tokens, renewal)| Quota::new(tokens, renewal));
        account.ramp = self.slow_down.map(|free| Ramp::new(free, start));
        account.other = other;
        let (account, sending) = (Mutex::new(account), Mutex::new(self.sending));
        Ok(ProviderModel { clock, account, rules: self.rules, sending })
    }
}

impl fmt::Debug for ProviderBuilder {
    /// Leaves out the key, which may be a real one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}
