//! Measures whole requests, from their params to their cost. The other counters count only the
//! texts.

use std::hint::black_box;

use openlimit::tokens::Encoding;
use openlimit::{ChatRateLimiter, Rate};
use serde_json::{Value, json};

use crate::counters::count;
use crate::race::{heading, microseconds, race, time};
use crate::texts::{Random, prose};

/// Measures two hundred chat requests of 1 to 12 messages, a third of them with tools. Each pass
/// has new ones.
pub(crate) fn requests(encoding: Encoding) {
    let (prose, limiter, model) = (prose(), limiter(), model(encoding));
    let times = race(4, |pass, name| {
        let mut random = Random(pass as u64);
        let requests: Vec<(Vec<String>, Value)> = (0..200)
            .map(|_| {
                let (turns, longest) = (random.below(12) + 1, [100, 400, 2_000][random.below(3)]);
                let texts: Vec<String> = (0..turns).map(|_| text(&mut random, &prose, longest)).collect();
                let mut params = chat(model, &texts);
                if random.below(3) == 0 {
                    params["tools"] = json!([tool(), tool()]);
                }
                (texts, params)
            })
            .collect();
        let time = time(|| {
            for (texts, params) in &requests {
                match name {
                    "openlimit" => _ = black_box(limiter.cost(black_box(params)).unwrap()),
                    _ => texts.iter().for_each(|text| _ = black_box(count(name, encoding, text))),
                }
            }
        });
        time / requests.len() as f64
    });
    heading("us", &format!("{encoding}, requests"));
    microseconds("a chat request of some messages and tools", times, Some(5.0));
}

/// Measures a conversation of twenty turns. Each turn sends all messages again; in the second line,
/// with every message altered.
pub(crate) fn conversation(encoding: Encoding) {
    const TURNS: usize = 20;
    let (prose, limiter, model) = (prose(), limiter(), model(encoding));
    let mut number = 0;
    let mut converse = |altered: bool| {
        race(4, |pass, name| {
            let mut random = Random(100 + pass as u64);
            let texts: Vec<String> = (0..2 * TURNS).map(|_| text(&mut random, &prose, 1_000)).collect();
            let total: f64 = (1..=TURNS)
                .map(|turn| {
                    let mut texts = texts[..2 * turn - 1].to_vec();
                    if altered {
                        for text in &mut texts {
                            number += 1;
                            *text = format!("{number}: {text}");
                        }
                    }
                    let params = chat(model, &texts);
                    time(|| match name {
                        "openlimit" => _ = black_box(limiter.cost(black_box(&params)).unwrap()),
                        _ => texts.iter().for_each(|text| _ = black_box(count(name, encoding, text))),
                    })
                })
                .sum();
            total / TURNS as f64
        })
    };
    heading("us a turn", &format!("{encoding}, conversation"));
    let (grown, altered) = (converse(false), converse(true));
    microseconds("growing", grown, None);
    microseconds("with every message altered", altered, None);
    println!("\nRemembering makes a turn {:.1} times cheaper.", altered[0] / grown[0]);
}

fn limiter() -> ChatRateLimiter {
    ChatRateLimiter::builder().tokens(Rate::per_minute(1_000_000_000)).build().unwrap()
}

fn model(encoding: Encoding) -> &'static str {
    if encoding == Encoding::O200kBase { "gpt-4o" } else { "gpt-4" }
}

fn chat(model: &str, texts: &[String]) -> Value {
    let message = |(turn, text)| {
        let role = if turn % 2 == 0 { "user" } else { "assistant" };
        json!({ "role": role, "content": text })
    };
    let messages: Vec<Value> = texts.iter().enumerate().map(message).collect();
    json!({ "model": model, "messages": messages, "max_completion_tokens": 500 })
}

fn text(random: &mut Random, prose: &str, longest: usize) -> String {
    let (length, at) = (random.below(longest) + 10, random.below(prose.len() - 2_010));
    prose[at..at + length].to_owned()
}

fn tool() -> Value {
    let place = json!({ "type": "string", "description": "The city and state, e.g. San Francisco, CA" });
    let unit = json!({ "type": "string", "enum": ["celsius", "fahrenheit"] });
    json!({ "type": "function", "function": {
        "name": "get_current_weather",
        "description": "Get the current weather in a given location.",
        "parameters": { "type": "object", "properties": { "location": place, "unit": unit } },
    } })
}
