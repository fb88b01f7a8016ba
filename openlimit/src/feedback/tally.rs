//! `Tally`: the numbers of tokens that a reply states, and the `Usage` that they make.
//!
//! Providers count in three ways. OpenAI's and Gemini's input contains what the cache served;
//! Anthropic's and Bedrock's does not, and limits on input do not count it there. Gemini's thoughts
//! are output, but not part of its candidates.

use super::names::UsedTokens;
use crate::limits::{Dimension, Usage};

/// The numbers of tokens that a reply has stated so far. A later number replaces an earlier one,
/// because streams repeat their totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// The input, with what the cache served.
    prompt: Option<u64>,
    /// The input, without what the cache served or stored.
    input: Option<u64>,
    cache_read: Option<u64>,
    /// The part of the input that the cache served, where the input contains it.
    cached: Option<u64>,
    cache_write: Option<u64>,
    /// Gemini: results of its own tools, which are input.
    tool_prompt: Option<u64>,
    output: Option<u64>,
    /// Gemini: output that is not part of `output`.
    thoughts: Option<u64>,
    total: Option<u64>,
}

impl Tally {
    /// The longest key of a number.
    pub(super) const LONGEST_KEY: usize = 27;

    /// Returns the number that a key of a usage object names.
    pub(super) fn number(&mut self, key: &[u8]) -> Option<&mut Option<u64>> {
        Some(match key {
            b"prompt_tokens" | b"promptTokenCount" | b"prompt_eval_count" => &mut self.prompt,
            b"input_tokens" | b"inputTokens" | b"inputTokenCount" => &mut self.input,
            b"completion_tokens"
            | b"output_tokens"
            | b"candidatesTokenCount"
            | b"outputTokens"
            | b"outputTokenCount"
            | b"eval_count" => &mut self.output,
            b"total_tokens" | b"totalTokenCount" | b"totalTokens" => &mut self.total,
            b"cache_read_input_tokens" | b"cacheReadInputTokens" | b"cacheReadInputTokenCount" => {
                &mut self.cache_read
            }
            b"cache_creation_input_tokens" | b"cacheWriteInputTokens" | b"cacheWriteInputTokenCount" => {
                &mut self.cache_write
            }
            b"cached_tokens" | b"cachedContentTokenCount" | b"prompt_cache_hit_tokens" => &mut self.cached,
            b"thoughtsTokenCount" => &mut self.thoughts,
            b"toolUsePromptTokenCount" => &mut self.tool_prompt,
            _ => return None,
        })
    }

    /// Sets the number that a header carries.
    pub(super) fn set(&mut self, which: UsedTokens, number: u64) {
        *match which {
            UsedTokens::Input => &mut self.input,
            UsedTokens::Prompt => &mut self.prompt,
            UsedTokens::Output => &mut self.output,
            UsedTokens::CacheRead => &mut self.cache_read,
            UsedTokens::CacheWrite => &mut self.cache_write,
            UsedTokens::Total => &mut self.total,
        } = Some(number);
    }

    /// Returns what was used; `None` if nothing is known.
    pub(super) fn usage(&self) -> Option<Usage> {
        let add = |number: Option<u64>, more: Option<u64>| match (number, more) {
            (Some(number), Some(more)) => Some(number.saturating_add(more)),
            (number, more) => number.or(more),
        };
        let uncached = add(self.input, self.input.and(self.cache_write));
        let input = add(self.prompt.or(uncached), self.tool_prompt);
        let output = add(self.output, self.thoughts);
        // A total beside numbers of a cache may contain what the cache served.
        let is_plain = self.prompt.is_some() || self.cache_read.or(self.cache_write).is_none();
        let sum = input.zip(output).map(|(input, output)| input.saturating_add(output));
        let total = self.total.filter(|_| is_plain).or(sum);
        let amounts =
            [(Dimension::InputTokens, input), (Dimension::OutputTokens, output), (Dimension::Tokens, total)];
        let usage =
            amounts.into_iter().fold(None, |usage: Option<Usage>, (dimension, amount)| match amount {
                Some(amount) => Some(usage.unwrap_or_default().with(dimension, amount)),
                None => usage,
            })?;
        Some(self.with_cache(usage).read())
    }

    /// Adds what a cache served and stored, which matters to the price.
    fn with_cache(&self, usage: Usage) -> Usage {
        let usage = usage.written(self.cache_write.unwrap_or(0));
        match (self.prompt, self.cache_read) {
            (None, Some(beside)) => usage.cached_beside(beside),
            (_, read) => usage.cached(self.cached.or(read).unwrap_or(0)),
        }
    }
}
