//! Request to [`Cost`](crate::Cost): what `acquire` accepts, and how it is priced.
//!
//! A cost or an integer is its own price. A request is read by the grammar of its provider,
//! straight from its `Serialize` implementation. Each provider has a folder of its own, and no code
//! for one provider can change a price of another: a folder imports only from the files above it in
//! this table, which know no provider.
//!
//! | file | contains |
//! | --- | --- |
//! | `charge` | `Charge`: the rule by which a request takes from a limit on tokens |
//! | `options` | `PriceOptions`: the options of a limiter that pricing reads |
//! | `price` | `Price`: costs and integers |
//! | `params` | `ReadsParams`: kinds of limiter that read requests, and the price of a request |
//! | `walk` | shows any `Serialize` value to a grammar, piece by piece |
//! | `data`, `escape`, `pixels` | files in texts, JSON's escapes, the sizes of images |
//! | `openai` | OpenAI's grammar |
//! | `kind` | the kinds of limiter, one for each kind of request |
//! | `tokens` | the public functions that count without a limiter |
//!
//! Without the feature `tokenizers`, only `price`, the kind `Explicit` and an empty `PriceOptions`
//! (`no_options`) are there.
//!
//! # A new grammar
//!
//! Requests of another provider, say Anthropic's Messages, need
//!
//! 1. a folder `anthropic/`, with a function `messages(params, options) -> Result<Cost,
//!    ParamsError>`, and another that lists the unknown fields of `params`,
//! 2. a file `kind/anthropic.rs`, with a marker type and its `ReadsParams`, which calls both,
//! 3. their names in `mod.rs` here and in `kind`, and a limiter type beside `ChatRateLimiter`.
//!
//! The first function walks over `params` with a [`ValueReader`](walk::ValueReader) of its own,
//! which has places for the parts of the request. It counts each text by a
//! [`Counting`](crate::tokenizer::Counting), made from the model's encoding or from the tokenizer
//! in `options`, adds what the provider adds around texts, and returns `Cost::derived(tokens,
//! input, output)`, with the default output and the charge of `options`. `openai` is an example:
//! its `mod.rs` says why it reads a request twice, and its `grammar` how rules are written.

#[cfg(feature = "tokenizers")]
mod charge;
#[cfg(feature = "tokenizers")]
mod data;
#[cfg(feature = "tokenizers")]
mod escape;
pub mod kind;
#[cfg(feature = "tokenizers")]
mod openai;
#[cfg_attr(not(feature = "tokenizers"), path = "no_options.rs")]
mod options;
#[cfg(feature = "tokenizers")]
mod params;
#[cfg(feature = "tokenizers")]
mod pixels;
mod price;
#[cfg(feature = "tokenizers")]
pub mod tokens;
#[cfg(feature = "tokenizers")]
pub(crate) mod walk;

pub(crate) use self::options::PriceOptions;
