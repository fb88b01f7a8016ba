//! The kinds of limiter, which say how a cost is read from what is passed to `acquire`.
//!
//! All limiters are one type, `Limiter<K>`, and the kind `K` is a marker that decides what the
//! limiter can price. So the queue, the permits and the options are written once, and a wrong
//! combination is a compile error with a reason.

// The files:
//
// * `openai`, `anthropic`, `gemini`: the kinds that price a provider's requests.
// * `explicit`: the kind that prices nothing.
// * `bodies`, `other_limits`: kinds that read a cost from the bytes that are sent, and the requests
//   that count against other limits.

#[cfg(feature = "tokenizers")]
mod anthropic;
#[cfg(feature = "tokenizers")]
mod bodies;
mod explicit;
#[cfg(feature = "tokenizers")]
mod gemini;
#[cfg(feature = "tokenizers")]
mod openai;
#[cfg(feature = "tokenizers")]
mod other_limits;

#[cfg(feature = "tokenizers")]
pub use self::anthropic::Messages;
#[cfg(feature = "tokenizers")]
pub use self::bodies::ReadsBody;
#[cfg(feature = "clients")]
pub(crate) use self::bodies::model_of_body;
#[cfg(feature = "tokenizers")]
pub(crate) use self::bodies::unknown_path;
pub use self::explicit::Explicit;
#[cfg(feature = "tokenizers")]
pub use self::gemini::GenerateContent;
#[cfg(feature = "tokenizers")]
pub use self::openai::{Chat, Completion, Embedding, Responses};
#[cfg(feature = "tokenizers")]
pub(crate) use self::other_limits::has_other_limits;
#[cfg(feature = "tokenizers")]
pub use super::params::ReadsParams;
pub use super::price::Price;
