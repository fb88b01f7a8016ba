//! Text to a count of tokens.
//!
//! This module knows text only, nothing of requests or prices. The name of a model is text too, so
//! the encoding of each model is found here. Pricing uses [`TextCounter`], which counts by this
//! crate's own [`counter`], or by the [`Tokenizer`] that a limiter was given.
//!
//! | file | contains |
//! | --- | --- |
//! | `encoding` | `Encoding`: the four encodings, their names, and the nearest to each |
//! | `models` | the encoding of each model, and patterns and versions in model names |
//! | `factor` | `Factor`: the tokens of a model without a public tokenizer, for each one counted |
//! | `counter` | exact counts in the encodings that are compiled in |
//! | `compiled` | the encoding that counts in place of one that is not compiled in |
//! | `plug` | `Tokenizer`: the trait for counters of the user's own |
//! | `text_counter` | `TextCounter`: the counter of one request, own or plugged in |
//! | `tiktoken` | `TiktokenRs`: the tiktoken-rs crate as a plug-in |
//!
//! A file imports only from files above it.

mod compiled;
// One encoding uses only a part of the counter. All four together use all of it.
#[cfg_attr(
    not(all(feature = "o200k", feature = "cl100k", feature = "r50k")),
    allow(dead_code, unused_imports)
)]
mod counter;
mod encoding;
mod factor;
mod models;
mod plug;
mod text_counter;
#[cfg(feature = "tiktoken-rs")]
mod tiktoken;

pub use self::encoding::Encoding;
pub(crate) use self::factor::Factor;
pub(crate) use self::models::{Version, base, fits, version};
pub(crate) use self::plug::Plugged;
pub use self::plug::Tokenizer;
pub(crate) use self::text_counter::TextCounter;
#[cfg(feature = "tiktoken-rs")]
pub use self::tiktoken::TiktokenRs;
