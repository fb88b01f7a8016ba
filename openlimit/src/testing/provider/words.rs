//! `Words`: the text of an answer, and its length in tokens.
//!
//! It is a sentence repeated to the wanted length, so that its count is certain.

use serde_json::{Value, json};

use super::request::ApiRequest;
use super::route::Endpoint;

/// The text of every answer, repeated. Each piece is one token in every encoding of OpenAI, so a
/// text of `n` pieces has `n` tokens.
const PIECES: [&str; 12] =
    [" It", " is", " a", " truth", " as", " long", " as", " it", " was", " asked", " to", " be"];

/// The text of each choice.
#[derive(Debug)]
pub(super) struct Words {
    /// Its length.
    pub(super) tokens: u64,
    /// Whether the request's maximum cut it short.
    pub(super) cut: bool,
}

impl Words {
    pub(super) fn new(request: &ApiRequest, length: u64) -> Self {
        let length = if request.endpoint == Endpoint::Embedding { 0 } else { length };
        let tokens = request.most.map_or(length, |most| most.min(length));
        Self { tokens, cut: tokens < length }
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = &'static str> {
        let count = usize::try_from(self.tokens).unwrap_or(usize::MAX);
        let pieces = PIECES.into_iter().cycle().take(count);
        pieces.enumerate().map(|(index, piece)| if index == 0 { piece.trim_start() } else { piece })
    }

    pub(super) fn text(&self) -> String {
        self.pieces().collect()
    }

    pub(super) fn finish(&self) -> &'static str {
        if self.cut { "length" } else { "stop" }
    }

    pub(super) fn total(&self, request: &ApiRequest) -> u64 {
        self.tokens.saturating_mul(request.answers)
    }

    /// Returns OpenAI's `usage`.
    pub(super) fn usage(&self, request: &ApiRequest) -> Value {
        let (prompt, completion) = (request.prompt, self.total(request));
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt.saturating_add(completion),
            "prompt_tokens_details": { "cached_tokens": request.cached, "audio_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": 0, "audio_tokens": 0 },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_of_an_answer_is_one_token() {
        for model in ["gpt-4o", "gpt-4"] {
            for pieces in [1, 12, 13, 30] {
                let text = Words { tokens: pieces, cut: false }.text();
                assert_eq!(crate::tokens::count(model, &text), pieces, "{text:?}");
            }
        }
    }
}
