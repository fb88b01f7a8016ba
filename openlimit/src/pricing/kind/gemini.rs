//! The kind of limiter that prices Gemini's requests.

use crate::pricing::gemini::GenerateContentGrammar;
use crate::pricing::params::reads_params;

/// Prices Gemini's `generateContent`, by its `systemInstruction`, `contents`, `tools` and
/// `generationConfig`.
#[derive(Clone, Copy, Debug)]
pub enum GenerateContent {}

reads_params!(GenerateContent, GenerateContentGrammar);
