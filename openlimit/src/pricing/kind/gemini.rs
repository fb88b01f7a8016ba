//! The kind of limiter that prices Gemini's requests.

use serde::Serialize;

use crate::pricing::common::{price, unknown_fields};
use crate::pricing::gemini::GenerateContentGrammar;
use crate::pricing::options::PriceOptions;
use crate::pricing::params::ReadsParams;
use crate::{Cost, ParamsError};

/// Prices Gemini's `generateContent`, by its `systemInstruction`, `contents`, `tools` and
/// `generationConfig`.
#[derive(Clone, Copy, Debug)]
pub enum GenerateContent {}

impl ReadsParams for GenerateContent {
    fn read<T: Serialize + ?Sized>(params: &T, options: &PriceOptions) -> Result<Cost, ParamsError> {
        price(&GenerateContentGrammar, params, options)
    }

    fn unknown_fields<T: Serialize + ?Sized>(params: &T) -> Result<Vec<String>, ParamsError> {
        unknown_fields(&GenerateContentGrammar, params)
    }
}
