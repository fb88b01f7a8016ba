//! The kind of limiter that prices Anthropic's requests.

use crate::pricing::anthropic::MessagesGrammar;
use crate::pricing::params::reads_params;

/// Prices Anthropic's Messages, by their `model`, `system`, `messages`, `tools`, `thinking` and
/// `max_tokens`.
#[derive(Clone, Copy, Debug)]
pub enum Messages {}

reads_params!(Messages, MessagesGrammar);
