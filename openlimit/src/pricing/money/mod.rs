//! What a request costs in dollars: by a function of the user's, or by a file of prices.
//!
//! No price is compiled in. Prices change faster than a library is updated, and a wrong price is
//! worse than none. A model without a price is an error, not free.
//!
//! A price is foreign code: it may panic, take long, or return nonsense. So it runs outside of the
//! limiter's lock, its answer is checked, and a panic becomes the error of its call.
//!
//! | file | contains |
//! | --- | --- |
//! | `price` | `SpendPrice`: the price of a limiter. `IntoDollars`: what a function may return |
//! | `tariff` | `ModelPrices`: the prices of one model, and their sum for a usage |
//! | `prices` | `Prices`: the prices of all models |
//! | `litellm` | reads the file of LiteLLM |
//! | `genai/` | reads the files of genai-prices |

mod genai;
mod litellm;
mod price;
mod prices;
mod tariff;

pub use self::price::IntoDollars;
pub(crate) use self::price::SpendPrice;
pub use self::prices::{Prices, PricesError};
