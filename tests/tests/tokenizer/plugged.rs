//! Tests of a limiter's own tokenizer: which texts it counts, what depends on it, and that its
//! faults harm only the caller.

#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use openlimit::tokens::{self, Encoding, TiktokenRs, Tokenizer};
use openlimit::{
    ChatRateLimiter, CompletionRateLimiter, Cost, Dimension, EmbeddingRateLimiter,
    GenerateContentRateLimiter, MessagesRateLimiter, Rate, ResponsesRateLimiter, limiter,
};
use serde_json::json;

use crate::oracle::Random;

/// Counts a hundred tokens for any text, and records its arguments.
#[derive(Default)]
struct Hundreds(Mutex<Vec<(String, String)>>);

impl Tokenizer for Hundreds {
    fn count(&self, model: &str, text: &str) -> u64 {
        self.0.lock().unwrap().push((model.to_owned(), text.to_owned()));
        100
    }
}

fn input(cost: &Cost) -> u64 {
    cost.amount(&Dimension::InputTokens)
}

#[test]
fn every_kind_of_limiter_asks_it() {
    let asked = Arc::new(Hundreds::default());
    let minute = Rate::per_minute(100_000);
    let chat = ChatRateLimiter::builder().tokens(minute).tokenizer(Arc::clone(&asked)).build().unwrap();
    let completion =
        CompletionRateLimiter::builder().tokens(minute).tokenizer(Arc::clone(&asked)).build().unwrap();
    let embedding =
        EmbeddingRateLimiter::builder().tokens(minute).tokenizer(Arc::clone(&asked)).build().unwrap();
    let responses =
        ResponsesRateLimiter::builder().tokens(minute).tokenizer(Arc::clone(&asked)).build().unwrap();
    let messages =
        MessagesRateLimiter::builder().tokens(minute).tokenizer(Arc::clone(&asked)).build().unwrap();
    let contents = GenerateContentRateLimiter::builder()
        .tokens(minute)
        .tokenizer(Arc::clone(&asked))
        .model("gemini-3-pro")
        .build()
        .unwrap();

    let message = json!([{ "role": "user", "content": "Hello" }]);
    assert_eq!(input(&chat.cost(&json!({ "messages": message, "model": "claude" })).unwrap()), 206);
    assert_eq!(input(&completion.cost(&json!({ "prompt": ["a", "b"], "model": "m" })).unwrap()), 200);
    assert_eq!(input(&embedding.cost(&json!({ "input": "a" })).unwrap()), 100);
    assert_eq!(input(&responses.cost(&json!({ "input": message, "model": "m" })).unwrap()), 206);

    // No factor is added to the counts of a tokenizer.
    assert_eq!(input(&messages.cost(&json!({ "messages": message, "model": "claude" })).unwrap()), 107);
    let content = json!([{ "role": "user", "parts": [{ "text": "Good morning" }] }]);
    assert_eq!(input(&contents.cost(&json!({ "contents": content })).unwrap()), 101);

    let asked = asked.0.lock().unwrap();
    assert!(asked.contains(&("gemini-3-pro".to_owned(), "Good morning".to_owned())), "the limiter's model");
    assert!(asked.contains(&("claude".to_owned(), "Hello".to_owned())));
    assert!(asked.contains(&(String::new(), "a".to_owned())), "no model is an empty name");
}

#[test]
fn a_limiter_without_one_is_not_changed() {
    let params = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hello, world!" }] });
    let plain = ChatRateLimiter::builder().tokens(Rate::per_minute(9_000)).build().unwrap();
    assert_eq!(plain.cost(&params).unwrap(), tokens::chat(&params).unwrap());
}

#[test]
fn a_declaration_names_it() {
    limiter! {
        static CHAT: ChatRateLimiter = { tokens: 40_000 / minute, tokenizer: Encoding::R50kBase };
    }
    let params = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "你好，世界" }] });
    let expected = 3 + 3 + 1 + Encoding::R50kBase.count("你好，世界");
    assert_eq!(input(&CHAT.cost(&params).unwrap()), expected);
}

/// A description is counted together with its colon, by any tokenizer.
#[test]
fn it_counts_tools_too() {
    let asked = Arc::new(Hundreds::default());
    let chat = ChatRateLimiter::builder()
        .tokens(Rate::per_minute(100_000))
        .tokenizer(Arc::clone(&asked))
        .build()
        .unwrap();
    let tool = json!({ "type": "function", "function": { "name": "now", "description": "The time." } });
    chat.cost(&json!({ "messages": [], "tools": [tool], "model": "m" })).unwrap();
    assert!(asked.0.lock().unwrap().contains(&("m".to_owned(), ":The time".to_owned())));
}

#[test]
fn its_panic_is_the_callers_and_leaves_the_limiter_whole() {
    struct Moody(AtomicBool);

    impl Tokenizer for Moody {
        fn count(&self, _: &str, _: &str) -> u64 {
            assert!(!self.0.load(Ordering::Relaxed), "not today");
            1
        }
    }

    let tokenizer = Arc::new(Moody(AtomicBool::new(true)));
    let limiter = EmbeddingRateLimiter::builder()
        .tokens(Rate::per_day(1_000))
        .tokenizer(Arc::clone(&tokenizer))
        .build()
        .unwrap();
    let params = json!({ "input": "Hello" });
    assert!(catch_unwind(AssertUnwindSafe(|| limiter.try_acquire(&params))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| limiter.acquire(&params))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| limiter.cost(&params))).is_err());

    tokenizer.0.store(false, Ordering::Relaxed);
    // Nothing was taken: all tokens of the day are available, except for the headroom.
    let _ = limiter.try_acquire(Cost::new().tokens(998)).unwrap();
    let _ = limiter.try_acquire(&params).unwrap();
}

#[test]
fn a_count_without_end_does_not_overflow() {
    struct Endless;

    impl Tokenizer for Endless {
        fn count(&self, _: &str, _: &str) -> u64 {
            u64::MAX
        }
    }

    let chat = ChatRateLimiter::builder().tokens(Rate::per_minute(100)).tokenizer(Endless).build().unwrap();
    let message = json!({ "role": "user", "name": "x", "content": ["a", "b"] });
    let params = json!({ "model": "m", "messages": [message], "n": 3, "max_tokens": u64::MAX });
    assert_eq!(chat.cost(&params).unwrap().amount(&Dimension::Tokens), u64::MAX);
    assert!(chat.try_acquire(&params).unwrap_err().to_string().contains("limit"));
}

#[test]
fn tiktoken_rs_counts_as_the_own_counter_does() {
    let mut random = Random(11);
    for model in ["gpt-4o", "gpt-4", "text-davinci-003", "davinci"] {
        for _ in 0..200 {
            let text = random.text(12);
            assert_eq!(TiktokenRs.count(model, &text), tokens::count(model, &text), "{model}: {text:?}");
        }
    }
}

#[test]
fn tiktoken_rs_takes_a_million_spaces() {
    for model in ["gpt-4o", "gpt-4", "davinci"] {
        for text in [" ".repeat(1_200_000), "\n ".repeat(600_000), "\u{3000}x".repeat(100_000)] {
            let (theirs, ours) = (TiktokenRs.count(model, &text), tokens::count(model, &text));
            assert!(theirs.abs_diff(ours) < 100, "{model}: {theirs} {ours}");
        }
    }
}

#[test]
fn a_model_is_exact_if_it_is_known_and_its_encoding_is_there() {
    for model in ["gpt-4o", "openai/gpt-4.1", "gpt-4", "text-davinci-003", "davinci"] {
        assert!(tokens::is_exact(model), "{model}");
    }
    for model in ["", "claude-3", "gpt-12"] {
        assert!(!tokens::is_exact(model), "{model}");
    }
}
