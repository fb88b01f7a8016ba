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
//! | `money` | what a request costs in dollars: a function, or a file of prices |
//! | `options` | `PriceOptions`: the options of a limiter that pricing reads |
//! | `price` | `Price`: costs and integers |
//! | `params` | `ReadsParams`: kinds of limiter that read requests, and the price of a request |
//! | `with_model` | `WithModel`: a request and its model, which is not in it |
//! | `walk` | shows any `Serialize` value to a grammar, piece by piece |
//! | `data`, `escape`, `pixels` | files in texts, JSON's escapes, the sizes of images |
//! | `common` | the parts that all grammars share |
//! | `openai`, `anthropic`, `gemini` | the grammars |
//! | `kind` | the kinds of limiter, one for each kind of request |
//! | `tokens` | the public functions that count without a limiter |
//!
//! Without the feature `tokenizers`, only `price`, the kind `Explicit` and an empty `PriceOptions`
//! (`no_options`) are there.
//!
//! # How a request is priced
//!
//! It is read twice, and never copied. The first reading makes an [`Outline`](common::Outline): the
//! model and the numbers on which the rest depends. The second shows each value, together with its
//! *place*, to the grammar's own reader, which adds to a [`Tally`](common::Tally). The total and
//! the output to reserve make the cost. [`price`](common::price) does all this for any
//! [`Grammar`](common::Grammar).
//!
//! # A new grammar
//!
//! Say that a provider takes
//!
//! ```json
//! { "model": "m-1", "turns": [{ "by": "user", "say": "Hi" }], "reply": { "longest": 300 }, "seed": 1 }
//! ```
//!
//! Its folder needs
//!
//! 1. **a type of place**, which says where a value stands, as far as that decides how it counts:
//!    here `Params`, `Turns`, `Turn`, and `Plain` for all that counts as its text. The macro
//!    `plain_place!` does the rest.
//! 2. **the table of fields**, a [`Fields`](common::Fields): the body is `turns`, a list; the first
//!    reading looks for `["reply", "longest"]`, which is `First::Output`; `turns` is counted at the
//!    place `Turns`; `reply` and `seed` are settings. A field in no table counts as its text, and
//!    `tokens::unknown_fields` lists it.
//! 3. **the prices** of a model: what a turn adds to its text, what a file costs
//!    ([`Prices`](common::Prices)), and the factor if the tokenizer is not public
//!    (`tokenizer/factor.rs`). Each constant has its source beside it, or says that it is an
//!    assumption.
//! 4. **a reader**, a [`ValueReader`](walk::ValueReader) with a tally. `field` and `item` return
//!    the place of a value, or `None` to skip it: a turn's `by` is skipped, and its `say` is
//!    `Plain::Text`. The other methods add what a value at a place costs. If the type of a content
//!    can come after it, its facts are kept [`InHand`](common::InHand). Whatever no rule expects is
//!    passed on to [`Plain`](common::Plain), so no value is an error or costs nothing by mistake.
//! 5. **a [`Grammar`](common::Grammar)**, which ties these together and says which output to
//!    reserve: the maximum that the request names, or `Outline::expected_output` if the provider
//!    counts only what there was.
//!
//! `gemini` is the smallest example. Then the grammar gets a marker type in `kind/<provider>.rs`, a
//! function in `tokens`, and a limiter type: CONTRIBUTING.md lists these places and the tests.

#[cfg(feature = "tokenizers")]
mod anthropic;
#[cfg(feature = "tokenizers")]
mod charge;
#[cfg(feature = "tokenizers")]
mod common;
#[cfg(feature = "tokenizers")]
mod data;
#[cfg(feature = "tokenizers")]
mod escape;
#[cfg(feature = "tokenizers")]
mod gemini;
pub mod kind;
#[cfg(feature = "tokenizers")]
pub(crate) mod money;
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
#[cfg(feature = "tokenizers")]
mod with_model;

pub(crate) use self::options::PriceOptions;
