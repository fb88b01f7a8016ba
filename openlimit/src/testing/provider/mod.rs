//! `Provider`: an HTTP server that answers like OpenAI's API and enforces limits strictly.
//!
//! A limiter is right if a strict provider refuses none of its calls. This provider serves enough
//! of the API for any client: only the base URL changes. It enforces its limits with exact
//! arithmetic of its own, so that an error in the limiter's arithmetic cannot hide. It records
//! every call.
//!
//! A call passes through `server` (network), `judge` (decides and answers, in order of arrival),
//! `account` (the buckets and the record) and `answer` or `error_reply` (the text of the reply).

mod account;
mod answer;
mod arrival;
mod bucket;
mod error_reply;
mod judge;
mod reply;
mod request;
mod server;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::account::AccountState;
pub use self::arrival::Arrival;
use self::bucket::StrictBucket;
use self::judge::{Judge, Latency};
use self::server::HttpServer;
use crate::{Dimension, Limit, Rate};

/// An HTTP server that answers like OpenAI's API and refuses calls above its limits. It listens on
/// a free port of the loopback interface.
///
/// It runs on threads of its own, so it works with any runtime of the program under test and with
/// none. Dropping it stops the threads and closes all connections.
///
/// ```
/// use openlimit::Rate;
/// use openlimit::testing::Provider;
///
/// # fn main() -> std::io::Result<()> {
/// let provider = Provider::builder()
///     .requests(Rate::per_minute(200))
///     .tokens(Rate::per_minute(40_000))
///     .start()?;
/// assert!(provider.url().ends_with("/v1")); // what OPENAI_BASE_URL takes
/// // ... the program under test sends its calls there ...
/// assert_eq!(provider.refused(), 0);
/// # Ok(())
/// # }
/// ```
///
/// # Requests
///
/// It serves `POST` to `/v1/chat/completions` (streamed too), `/v1/completions`, `/v1/embeddings`
/// and `/v1/responses`, and `GET /v1/models`. Answers are as long as
/// [`answer_tokens`](ProviderBuilder::answer_tokens) says, and their `usage` is correct. A request
/// that it cannot read is refused as OpenAI does, with status 400, 401, 404 or 405, or with 413 if
/// the body is above 16 MiB.
///
/// # Limits
///
/// Each limit is a bucket that refills continuously and holds the [burst](Rate::burst) of its rate.
/// A call is charged one request, and the tokens of its prompt plus the largest output that it
/// allows: its maximum, or 16 if it names none, for each answer that it asks for (`n`). It takes
/// its charge from all limits or from none. Calls are decided in the order in which they were read
/// completely, as of that moment on the monotonic clock. A call above the burst is admitted when
/// the bucket is full, and leaves a debt. A call above the limit's whole amount is never admitted.
///
/// # Replies
///
/// A refusal is a 429 with OpenAI's body and the headers `retry-after` (seconds) and
/// `retry-after-ms`. Waiting that long is enough for the call to fit, unless another call is
/// admitted first. Each reply to a `POST` that was read completely states the limits on requests
/// and tokens. For tokens, `x-ratelimit-limit-tokens` is the amount of the rate,
/// `x-ratelimit-remaining-tokens` what is left in the bucket (zero in debt), and
/// `x-ratelimit-reset-tokens` the time until the bucket is full. Of several limits on tokens, they
/// show the one with the least left.
pub struct Provider {
    // Declared first, so that it is dropped first.
    server: HttpServer,
    account: Arc<Mutex<AccountState>>,
}

/// The default length of an answer, in tokens: one sentence, which no test has to wait for.
const SHORT_ANSWER: u64 = 12;

/// The longest answer, in tokens. Every answer is written out, so a much longer one would be slow.
const LONGEST_ANSWER: u64 = 4_096;

/// Builds a [`Provider`].
#[must_use = "a provider does nothing until it is started"]
pub struct ProviderBuilder {
    limits: Vec<Limit>,
    latency: Latency,
    answer_tokens: u64,
    refused_count: bool,
    charges_usage: bool,
    key: Option<String>,
}

impl Provider {
    /// Creates a builder of a provider. Without limits the provider admits every call.
    pub fn builder() -> ProviderBuilder {
        ProviderBuilder {
            limits: Vec::new(),
            latency: Box::new(|| Duration::ZERO),
            answer_tokens: SHORT_ANSWER,
            refused_count: false,
            charges_usage: false,
            key: None,
        }
    }

    /// Returns the base URL for `OPENAI_BASE_URL` and for clients, such as
    /// `http://127.0.0.1:49152/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.server.address())
    }

    /// Returns every call so far, in the order of arrival. Includes calls that could not be read.
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

    /// Returns the number of calls that a limit refused, with a 429.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.count(429)
    }

    /// Forgets all calls and fills all buckets, as if the provider had just been started.
    pub fn reset(&self) {
        self.account.lock().reset();
    }

    fn count(&self, status: u16) -> usize {
        self.account.lock().arrivals().iter().filter(|arrival| arrival.status == status).count()
    }
}

impl ProviderBuilder {
    /// Adds a limit on requests. Several may be added, for example one per minute and one per day.
    pub fn requests(mut self, rate: Rate) -> Self {
        self.limits.push(Limit::new(Dimension::Requests, rate));
        self
    }

    /// Adds a limit on tokens, input and output together. Several may be added.
    pub fn tokens(mut self, rate: Rate) -> Self {
        self.limits.push(Limit::new(Dimension::Tokens, rate));
        self
    }

    /// Sets how long an admitted call waits for its reply, beyond the time for counting its tokens.
    /// Default: zero. Refusals come at once.
    pub fn latency(self, latency: Duration) -> Self {
        self.latency_with(move || latency)
    }

    /// Does the same as [`latency`](Self::latency), and calls `latency` for each admitted call, in
    /// the order of arrival.
    pub fn latency_with(mut self, latency: impl FnMut() -> Duration + Send + 'static) -> Self {
        self.latency = Box::new(latency);
        self
    }

    /// Sets the number of tokens of each answer, at most 4096. A smaller maximum in the request
    /// cuts the answer short. Default: 12.
    pub fn answer_tokens(mut self, tokens: u64) -> Self {
        self.answer_tokens = tokens.min(LONGEST_ANSWER);
        self
    }

    /// Sets whether a refused call takes a request, if one is left. OpenAI does this, so a client
    /// that retries at once keeps itself out. Default: `false`.
    pub fn refused_count(mut self, count: bool) -> Self {
        self.refused_count = count;
        self
    }

    /// Sets whether the charge of a call is corrected, when the reply is sent, to the tokens that
    /// it really used. Some providers do this. Default: `false`, the reserved tokens stay charged.
    pub fn charges_usage(mut self, usage: bool) -> Self {
        self.charges_usage = usage;
        self
    }

    /// Sets the key that each call must send as `Authorization: Bearer ..`. Default: no key is
    /// required.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Starts the provider with full buckets.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if the amount of a limit is zero, or its
    /// period or burst is zero or above 31 days. Otherwise the system's error, if it has no free
    /// port or cannot start a thread.
    pub fn start(self) -> io::Result<Provider> {
        let now = Instant::now();
        let buckets =
            self.limits.into_iter().map(|limit| StrictBucket::new(limit, now)).collect::<io::Result<_>>()?;
        let account = Arc::new(Mutex::new(AccountState::new(buckets, self.refused_count)));
        let Self { answer_tokens, charges_usage, latency, .. } = self;
        let judge = Judge { account: Arc::clone(&account), answer_tokens, charges_usage, latency };
        Ok(Provider { server: HttpServer::start(judge, self.key)?, account })
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ProviderBuilder {
    /// Leaves out the key, which may be a real one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}
