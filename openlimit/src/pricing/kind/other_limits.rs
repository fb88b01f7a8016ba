//! The paths of requests that count against other limits than those of the model.
//!
//! A client sends more than requests for answers: it counts tokens, uploads files, and starts jobs.
//! Providers limit these apart, so they take nothing from the limits of a model.
//!
//! Only the end of a path counts, as in `bodies`, and each is listed: a path that is not known here
//! may be a request for an answer.

use super::bodies::{ends_with, trimmed};

/// The ends of the paths. A `*` stands for any text but a `/`.
///
/// Lists, downloads and uploads are not among them: they send no JSON.
const ENDS: &[&str] = &[
    // Counting the tokens of a request. Anthropic's docs ("Token counting") say that its limits are
    // independent of those of messages, also at Google Cloud and AWS. Gemini's do not take from the
    // quotas of answers, says its staff (discuss.ai.google.dev, 189068), and are 3 000 requests a
    // minute (Firebase's docs). OpenAI does not say.
    "/count_tokens",
    "/count-tokens",
    "/count-tokens:rawPredict",
    ":countTokens",
    ":computeTokens",
    "/responses/input_tokens",
    "/tokenize",
    "/detokenize",
    // Jobs. OpenAI's docs ("Batch API") call their limits a separate pool, Anthropic's Rate Limits
    // API has a group for them, and Gemini limits the tokens in its queue.
    "/batches",
    ":batchGenerateContent",
    ":asyncBatchEmbedContent",
    "/batchPredictionJobs",
    "/fine_tuning/jobs",
    "/fine_tuning/jobs/*/pause",
    "/fine_tuning/jobs/*/resume",
    "/cancel",
    // Models of their own, with their own limits, which are free.
    "/moderations",
    // What is stored at the provider. OpenAI limits vector stores apart; for the others, no limit
    // is documented. `/conversations` is not among them, since Mistral answers there.
    "/files",
    "/uploads",
    "/uploads/*/complete",
    "/vector_stores",
    "/vector_stores/*",
    "/vector_stores/*/files",
    "/vector_stores/*/file_batches",
    "/vector_stores/*/search",
    "/assistants",
    "/threads",
    "/threads/*/messages",
    "/conversations/*/items",
    "/chat/completions/*",
    "/containers",
    "/cachedContents",
    "/cachedContents/*",
    "/fileSearchStores",
    // Sessions that a browser opens.
    "/realtime/client_secrets",
    "/realtime/sessions",
    "/realtime/transcription_sessions",
];

/// Returns whether requests to this path count against other limits.
pub(crate) fn has_other_limits(path: &str) -> bool {
    let path = trimmed(path);
    ENDS.iter().any(|end| ends_with(path, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_and_storing_have_other_limits_than_generating() {
        for path in [
            "/v1/messages/count_tokens?beta=true",
            "https://gateway.example/anthropic/v1/messages/count_tokens",
            "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
            "/v1beta/models/gemini-2.5-pro:countTokens",
            "/v1/responses/input_tokens",
            "/model/anthropic.claude-sonnet-4/count-tokens",
            "/v1/messages/batches",
            "/v1/messages/batches/msgbatch_1/cancel",
            "/v1/batches",
            "/v1beta/models/gemini-2.5-pro:batchGenerateContent",
            "/v1/responses/resp_1/cancel",
            "/v1/moderations",
            "/v1/vector_stores/vs_1/search",
            "/v1/chat/completions/chatcmpl-1",
        ] {
            assert!(has_other_limits(path), "{path}");
        }
        for path in [
            "/v1/chat/completions",
            "/v1/messages",
            "/v1/responses",
            "/v1/responses/compact",
            "/v1beta/models/gemini-2.5-pro:generateContent",
            "/v1/projects/p/publishers/anthropic/models/claude-sonnet-4:rawPredict",
            "/v1/images/generations",
            "/v1/threads/runs",
            "/v1/threads/thread_1/runs",
            "/v1/conversations",
            "/v1/conversations/conv_1",
            "/api/chat",
            "/batches/generate",
            "",
        ] {
            assert!(!has_other_limits(path), "{path}");
        }
    }
}
