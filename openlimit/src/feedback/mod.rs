//! Reads what a response says about limits, usage and refusals.
//!
//! The provider knows its limits best, and every response carries some of that knowledge: what is
//! left, what the call used, why it was refused, and when to come back. An [`Observation`] reads it
//! from a status, headers and a body, without any HTTP type. One reader serves all providers,
//! because gateways mix them and users do not name theirs.
//!
//! ```
//! use openlimit::feedback::{Observation, Verdict};
//!
//! # let (status, headers, body) = (200, [("x-ratelimit-remaining-requests", "59")], b"{}");
//! let observation = Observation::from_parts(status, headers, body);
//! match observation.verdict() {
//!     Verdict::Retry { after } => println!("refused: again after {after:?}"),
//!     Verdict::SlowDown { after } => println!("too steep: fewer at once, after {after:?}"),
//!     Verdict::Exhausted { until } => println!("the quota is used up: renewed after {until:?}"),
//!     Verdict::TooLarge => println!("it will never fit"),
//!     _ => println!("not refused, or not because of limits"),
//! }
//! ```
//!
//! # What a limiter does with it
//!
//! | what a response says | what the limiter does | by hand |
//! | --- | --- | --- |
//! | what is left of a limit | admits at most that, until the responses to later calls say more | [`Permit::observe`](crate::Permit::observe), before `settle` |
//! | a limit below the declared one | slows the rate down to it, until a response says otherwise | the same |
//! | a refusal | keeps the charge, holds the calls that it is about for as long as it asks for, and then lets them go more slowly for a while | [`Permit::refused`](crate::Permit::refused) |
//! | a used-up quota | refuses calls with [`AcquireError::Exhausted`](crate::AcquireError::Exhausted) | the same |
//! | what the call used | gives back the rest of its reservation, or adds what is missing | [`Permit::settle`](crate::Permit::settle) |
//!
//! [`Permit::responded`](crate::Permit::responded) does all of it at once. The adapters of
//! [`clients`](crate::clients) do it by themselves, for streams as well. An annotated function that
//! says `feedback` sees only what it returns: the usage in a reply, and the refusal in an error.
//! Where a client returns only an error, [`Observation::from_error`] reads what is left of the
//! response.
//!
//! No response makes room beyond the declared limits, unless
//! [`adopt_limits`](crate::Builder::adopt_limits) is set. With limits that are shared through
//! Redis, all of this reaches every process.
//!
//! # What is read
//!
//! - **Limits**, from the headers of OpenAI, Azure, Anthropic, Groq, Mistral, Together, Cerebras,
//!   Fireworks, OpenRouter and LiteLLM; the IETF's `RateLimit` and `RateLimit-Policy`; the lists of
//!   older gateways; and OpenAI's Realtime event `rate_limits.updated`.
//! - **Waits**, from `retry-after-ms`, `retry-after` and the bodies of errors.
//! - **Refusals**, from the codes and messages of OpenAI, Anthropic, Gemini, Mistral, Azure,
//!   Moonshot, Bedrock, OpenRouter, and all that imitate them.
//! - **Usage**, from the bodies and streams of OpenAI, Anthropic, Gemini, Bedrock and Ollama, and
//!   the headers of Bedrock, Fireworks and Mistral.
//!
//! The reader is tolerant. It ignores what is absent, negative, malformed or unknown, and never
//! fails. It reads a fixed list of headers, and of those the first 128 of a response. It keeps
//! numbers only, so no secret can leak. It takes linear time, and allocates a few KiB at most,
//! whatever it is given.

// The files, in the order in which a response is read:
//
// * `observation` and `verdict`: a response, and its meaning. `http` adds the types of that crate.
// * `names`, `observed_limit`, `policies`: the headers that are read, and the state of each limit.
// * `body`, `json`, `words`, `sentence`, `denial`: errors, with their codes, phrases and numbers.
// * `usage`, `scan`, `place`, `lexeme`, `grammar`, `tally`, `capture`: usage and errors in bodies
//   and in streams. `values` finds them in what a client has parsed.
// * `event`: the Realtime event.
// * `refusal`, `message`: what clients return instead of a response, and the messages of errors.
// * `date`, with `limits/duration`: the many ways to write a time.

mod body;
mod capture;
mod date;
mod denial;
mod event;
mod grammar;
#[cfg(feature = "http")]
mod http;
mod json;
mod lexeme;
mod message;
mod names;
mod observation;
mod observed_limit;
mod place;
mod policies;
mod refusal;
mod scan;
mod sentence;
mod tally;
mod usage;
#[cfg(feature = "tokenizers")]
mod values;
mod verdict;
mod words;

use std::time::{Duration, SystemTime};

pub use self::denial::{Denial, DenialKind, Violation};
pub use self::observation::Observation;
pub use self::observed_limit::ObservedLimit;
pub use self::refusal::Refusal;
pub use self::usage::UsageReader;
pub use self::verdict::Verdict;

/// Reads the value of a `retry-after` header: seconds, a duration with units, or a date.
///
/// `date` is the time of the response, from its `Date` header or from a clock. It is needed only if
/// the value is a date; a date that has passed is a wait of zero. Returns `None` if the value is
/// malformed.
///
/// ```
/// use openlimit::feedback::retry_after;
/// use std::time::Duration;
///
/// assert_eq!(retry_after("12.5", None), Some(Duration::from_millis(12_500)));
/// assert_eq!(retry_after("-1", None), None);
/// ```
#[must_use]
pub fn retry_after(value: impl AsRef<[u8]>, date: Option<SystemTime>) -> Option<Duration> {
    let moment = date::Moment::read_retry_after(value.as_ref().trim_ascii())?;
    moment.after(date.and_then(date::since_1970))
}
