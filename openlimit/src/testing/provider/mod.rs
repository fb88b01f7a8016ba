//! `Provider`: a strict stand-in for OpenAI's API, inside the process that tests against it.
//!
//! A limiter is right when a provider that forgives nothing has nothing to refuse. This one speaks enough of
//! the API for any client (`OPENAI_BASE_URL` is all that changes), enforces the limits it was given by exact
//! arithmetic that it shares with nobody, and remembers every call.

mod answer;
mod complaint;
mod judge;
mod ledger;
mod meter;
mod reply;
mod request;
mod server;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::judge::{Judge, Latency};
use self::ledger::Ledger;
use self::meter::Meter;
use self::server::Server;
use crate::{Dimension, Limit, Rate};

/// An HTTP server on a free port of the loopback interface that answers as OpenAI's API does, and refuses
/// what its limits do not allow.
///
/// It runs on threads of its own, so neither the program's runtime (or lack of one) nor its load matters to
/// it. Dropping it ends them, whatever connections are open.
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
/// # What it speaks
///
/// `POST` to `/v1/chat/completions` (streamed too), `/v1/completions`, `/v1/embeddings` and `/v1/responses`, and
/// `GET /v1/models`. Answers are as long as the builder says; their `usage` is true. What it cannot make sense
/// of it refuses as OpenAI does: 400, 401, 404, 405, or 413 for a body above 16 MiB.
///
/// # What it enforces
///
/// Each limit is a bucket that refills continuously and holds the [burst](Rate::burst) of its rate. A call is
/// charged one request, and its prompt plus the most that its answers may come to (`n` times the maximum it
/// names, or 16), as of the moment at which all of it had been read; calls are judged in that order. It takes
/// its charge from every limit or from none. A call above the burst is admitted when the bucket is full, and
/// leaves a debt; one above the limit's whole amount never is.
///
/// # What it says
///
/// A refusal is a 429 with OpenAI's body, `retry-after` and `retry-after-ms`; waiting that long is enough for
/// the call to fit, if no other is admitted before. Every reply of the four operations tells where the limits
/// stand: `x-ratelimit-limit-tokens` is the rate's amount, `-remaining-` what would be admitted now, `-reset-`
/// when the bucket will be full, and the same for requests.
pub struct Provider {
    // First, so that it is dropped first.
    server: Server,
    ledger: Arc<Mutex<Ledger>>,
}

/// Options of a [`Provider`].
#[must_use = "a provider does nothing until it is started"]
pub struct ProviderBuilder {
    limits: Vec<Limit>,
    latency: Latency,
    answer_tokens: u64,
    refused_count: bool,
    charges_usage: bool,
    key: Option<String>,
}

/// A call that reached a [`Provider`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// When the whole request had been read.
    pub at: Instant,
    /// The path, such as `/v1/chat/completions`.
    pub path: Box<str>,
    /// The status of the reply: 200 if the call was admitted, 429 if a limit refused it.
    pub status: u16,
    /// The tokens it asked for, and was charged if it was admitted; zero for a call that could not be read.
    pub tokens: u64,
}

impl Provider {
    /// A builder of a provider; without a limit it admits every call.
    pub fn builder() -> ProviderBuilder {
        ProviderBuilder {
            limits: Vec::new(),
            latency: Box::new(|| Duration::ZERO),
            answer_tokens: 12,
            refused_count: false,
            charges_usage: false,
            key: None,
        }
    }

    /// Where it listens, as `OPENAI_BASE_URL` and the clients' base URL take it: `http://127.0.0.1:49152/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.server.address())
    }

    /// Every call so far, in the order of arrival, malformed ones included.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        let mut arrivals = self.ledger.lock().arrivals().to_vec();
        // A malformed call is recorded at once, one that was read earlier perhaps only after it.
        arrivals.sort_by_key(|arrival| arrival.at);
        arrivals
    }

    /// How many calls were admitted.
    #[must_use]
    pub fn admitted(&self) -> usize {
        self.count(200)
    }

    /// How many calls were refused by a limit, with a 429.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.count(429)
    }

    /// Forgets every arrival and fills every bucket, as if it had just been started.
    pub fn reset(&self) {
        self.ledger.lock().reset();
    }

    fn count(&self, status: u16) -> usize {
        self.ledger.lock().arrivals().iter().filter(|arrival| arrival.status == status).count()
    }
}

impl ProviderBuilder {
    /// A limit on requests. Another one adds to it: a limit per day beside one per minute.
    pub fn requests(mut self, rate: Rate) -> Self {
        self.limits.push(Limit::new(Dimension::Requests, rate));
        self
    }

    /// A limit on tokens, input and output together. Another one adds to it.
    pub fn tokens(mut self, rate: Rate) -> Self {
        self.limits.push(Limit::new(Dimension::Tokens, rate));
        self
    }

    /// How long an admitted call takes to be answered, beyond the time for counting its tokens. Default: zero.
    /// Refusals come at once.
    pub fn latency(self, latency: Duration) -> Self {
        self.latency_with(move || latency)
    }

    /// As [`latency`](Self::latency), asked anew for each admitted call, in the order of arrival.
    pub fn latency_with(mut self, latency: impl FnMut() -> Duration + Send + 'static) -> Self {
        self.latency = Box::new(latency);
        self
    }

    /// How many tokens an answer has, if the request's maximum allows as many; at most 4096. Default: 12.
    pub fn answer_tokens(mut self, tokens: u64) -> Self {
        self.answer_tokens = tokens.min(4_096);
        self
    }

    /// Whether a refused call takes a request (as far as there is one left), as it does at OpenAI: a client that
    /// keeps hammering then keeps itself out. Default: `false`, a refused call takes nothing.
    pub fn refused_count(mut self, count: bool) -> Self {
        self.refused_count = count;
        self
    }

    /// Whether a call's charge is corrected, when it is answered, to the tokens that it really used, as by a
    /// provider that does not count what was only reserved. Default: `false`, the reservation stays charged.
    pub fn charges_usage(mut self, usage: bool) -> Self {
        self.charges_usage = usage;
        self
    }

    /// The key that a call must bring as `Authorization: Bearer`. Default: none, any will do.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Starts the provider with full buckets.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a limit with an amount of zero, or with a period or
    /// burst outside of 1 ns to 31 days. Whatever the system says where it has no port or thread to give.
    pub fn start(self) -> io::Result<Provider> {
        let now = Instant::now();
        let meters =
            self.limits.into_iter().map(|limit| Meter::new(limit, now)).collect::<io::Result<_>>()?;
        let ledger = Arc::new(Mutex::new(Ledger::new(meters, self.refused_count)));
        let Self { answer_tokens, charges_usage, latency, .. } = self;
        let judge = Judge { ledger: Arc::clone(&ledger), answer_tokens, charges_usage, latency };
        Ok(Provider { server: Server::start(judge, self.key)?, ledger })
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ProviderBuilder {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}
