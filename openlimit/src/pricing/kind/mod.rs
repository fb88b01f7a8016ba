//! The kinds of limiter: how each reads the cost of a call from what is passed to `acquire`.
//!
//! All limiters are one type, `Limiter<K>`; `K` is a marker that decides what may be priced. So the queue,
//! the permits and the options are written once, and a wrong combination is a compile error with a reason.

mod explicit;
#[cfg(feature = "tokenizers")]
mod openai;

pub use self::explicit::Explicit;
#[cfg(feature = "tokenizers")]
pub use self::openai::{Chat, Completion, Embedding, Responses};
#[cfg(feature = "tokenizers")]
pub use super::params::ReadsParams;
pub use super::price::Price;
