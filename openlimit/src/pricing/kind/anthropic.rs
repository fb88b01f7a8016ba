//! The kind of limiter that prices Anthropic's requests.

use serde::Serialize;

use crate::pricing::anthropic::MessagesGrammar;
use crate::pricing::common::{price, unknown_fields};
use crate::pricing::options::PriceOptions;
use crate::pricing::params::ReadsParams;
use crate::{Cost, ParamsError};

/// Prices Anthropic's Messages, by their `model`, `system`, `messages`, `tools`, `thinking` and
/// `max_tokens`.
#[derive(Clone, Copy, Debug)]
pub enum Messages {}

impl ReadsParams for Messages {
    fn read<T: Serialize + ?Sized>(params: &T, options: &PriceOptions) -> Result<Cost, ParamsError> {
        price(&MessagesGrammar, params, options)
    }

    fn unknown_fields<T: Serialize + ?Sized>(params: &T) -> Result<Vec<String>, ParamsError> {
        unknown_fields(&MessagesGrammar, params)
    }
}
