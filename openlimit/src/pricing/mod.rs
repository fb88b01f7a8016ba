//! Request to `Cost`.

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
mod walk;

pub(crate) use self::options::PriceOptions;
