//! `Provider`: an HTTP server that answers like an LLM API and enforces limits strictly.
//!
//! A limiter is right if a strict provider refuses none of its calls. This provider serves enough
//! of the API for any client: only the base URL changes. It enforces its limits with exact
//! arithmetic of its own, so that an error in the limiter's arithmetic cannot hide. It records
//! every call.
//!
//! A call passes through `server` (network) and `judge` (in order of arrival), or comes straight to
//! `model`, which has no network. From there on both are the same:
//!
//! * `route` and `request` read the call, and `price` counts its tokens;
//! * `account` decides: `meter` is a limit, counted in a `bucket`, a `window` or by the `calendar`,
//!   `others` another consumer of the limits, `quota` and `ramp` what is there beside them;
//! * `answer`, with `words`, `stream`, `messages` and `content`, writes what was asked for;
//! * `error_reply` and `sentences` write a refusal, in the words of a `dialect`;
//! * `reply` is the result, and when it comes.

mod account;
mod answer;
mod arrival;
mod body;
mod bucket;
mod builder;
mod calendar;
mod charge;
mod clock;
mod content;
mod dialect;
mod error_reply;
mod judge;
mod messages;
mod meter;
mod model;
mod others;
mod price;
mod quota;
mod ramp;
mod refusal;
mod reply;
mod request;
mod route;
mod sentences;
mod server;
mod stream;
mod text;
mod window;
mod windows;
mod words;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

pub use self::arrival::Arrival;
pub use self::builder::ProviderBuilder;
pub use self::dialect::Dialect;
pub use self::model::ProviderModel;
pub use self::others::OtherCalls;
pub use self::reply::ProviderReply;
use self::server::HttpServer;
pub use self::windows::Windows;

/// An HTTP server that answers like OpenAI's API and refuses calls above its limits. It listens on
/// a free port of the loopback interface.
///
/// It runs on threads of its own, so it works with any runtime of the program under test and with
/// none. Dropping it stops the threads and closes all connections. It has all methods of
/// [`ProviderModel`], which is the same without a network.
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
/// It serves `POST` to `/v1/chat/completions` and `/v1/responses` (both also streamed),
/// `/v1/completions` and `/v1/embeddings`, and `GET /v1/models`. The first four are served at
/// Azure's paths, too: `/openai/deployments/{model}/..`. Anthropic's `/v1/messages` and Gemini's
/// `/v1beta/models/{model}:generateContent` (also streamed) have their own replies; their prompts
/// are counted like a chat with the same texts.
///
/// Answers are as long as [`answer_tokens`](ProviderBuilder::answer_tokens) says, and their usage
/// is correct. A request that it cannot read is refused as OpenAI does, with status 400, 401, 404
/// or 405, or with 413 if the body is above 16 MiB.
///
/// # Limits
///
/// Each limit is a bucket that refills continuously and holds the [burst](crate::Rate::burst) of
/// its rate, or is counted in [`windows`](ProviderBuilder::windows). A call is charged one request,
/// and the tokens of its prompt plus the largest output that it allows: its maximum, or 16 if it
/// names none, for each answer that it asks for (`n`). It takes its charge from all limits or from
/// none. Calls are decided in the order in which they were read completely, as of that moment on
/// the monotonic clock. A call above the burst is admitted when the bucket is full, and leaves a
/// debt. A call above the limit's whole amount is never admitted.
///
/// # Replies
///
/// A refusal is a 429 with OpenAI's body and the headers `retry-after` (seconds) and
/// `retry-after-ms`. Waiting that long is enough for the call to fit, unless another call is
/// admitted first. Each reply to a `POST` that was read completely states the limits on requests
/// and tokens. For tokens, `x-ratelimit-limit-tokens` is the amount of the rate,
/// `x-ratelimit-remaining-tokens` what is left in the bucket (zero in debt), and
/// `x-ratelimit-reset-tokens` the time until the bucket is full. Of several limits on tokens, they
/// show the one with the least left. Other [dialects](ProviderBuilder::dialect) have other names
/// and bodies.
pub struct Provider {
    // Declared first, so that it is dropped first.
    server: HttpServer,
    model: Arc<ProviderModel>,
}

impl Provider {
    /// Creates a builder of a provider. Without limits the provider admits every call.
    pub fn builder() -> ProviderBuilder {
        ProviderBuilder::new()
    }

    /// Returns the base URL for `OPENAI_BASE_URL` and for clients, such as
    /// `http://127.0.0.1:49152/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/v1", self.origin())
    }

    /// Returns the same without `/v1`, for clients that add the whole path.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.server.address())
    }
}

impl Deref for Provider {
    type Target = ProviderModel;

    fn deref(&self) -> &ProviderModel {
        &self.model
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("url", &self.url()).finish_non_exhaustive()
    }
}
