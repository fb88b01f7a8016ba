//! Four servers that differ in how they count, as the test provider reproduces them: one that
//! counts as this library does, one that counts a token more for a second message, one that counts
//! a quarter of the characters, and one that counts in windows.
//!
//! The limiter declares what the server allows, and is told of all responses. After its first ten
//! calls, no server refuses another one.

use std::collections::VecDeque;
use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::testing::{ManualClock, Provider, ProviderBuilder, Windows};
use openlimit::{ChatRateLimiter, Counting, Permit, Rate};
use openlimit_tests::learning::Random;
use openlimit_tests::{Call, millis};
use serde_json::{Value, json};

const REQUESTS: Rate = Rate::per_minute(6_000);
const TOKENS: Rate = Rate::per_minute(40_000);

/// Requests of a minute, where they are what is scarce.
const FEW_REQUESTS: Rate = Rate::per_minute(600);

const SEEDS: std::ops::Range<u64> = 1..4;

/// What a server does with the part of the reserved output that a call did not use, as both it and
/// the limiter are told.
#[derive(Clone, Copy, Debug)]
enum Unused {
    GivenBack,
    Kept,
}

/// Sends each request as soon as the limiter lets it. It reaches the server after 0 to 20 ms, and
/// is answered after another 100. Returns the places of the calls that the server refused.
fn refused(
    server: ProviderBuilder,
    requests: Rate,
    counting: Counting,
    unused: Unused,
    is_told: bool,
    bodies: &[Value],
) -> Vec<usize> {
    let clock = ManualClock::new();
    let gives_back = matches!(unused, Unused::GivenBack);
    let server = server.requests(requests).tokens(TOKENS).charges_usage(gives_back);
    let server = server.latency(millis(100)).clock(&clock).build().expect("valid limits");
    let limiter = ChatRateLimiter::builder().requests(requests).tokens(TOKENS).counting(counting);
    let limiter = limiter.refunds(gives_back).clock(&clock).build().expect("valid limits");
    let mut random = Random::new(bodies.len() as u64);
    let mut next = bodies.iter();
    let mut waiting: VecDeque<(Call, &Value)> = VecDeque::new();
    let mut sent: VecDeque<(Duration, Permit, &Value)> = VecDeque::new();
    let mut replies: VecDeque<(Duration, Permit, Observation)> = VecDeque::new();
    let mut answered = 0;
    while answered < bodies.len() {
        clock.advance(millis(2));
        let now = clock.now();
        while replies.front().is_some_and(|(at, ..)| *at <= now) {
            let (_, permit, observation) = replies.pop_front().expect("there is one");
            if is_told {
                permit.responded(&observation);
            }
        }
        while waiting.len() < 20
            && let Some(body) = next.next()
        {
            waiting.push_back((Call::start(limiter.acquire(body)), body));
        }
        while let Some(outcome) = waiting.front_mut().and_then(|(call, _)| call.over()) {
            let (_, body) = waiting.pop_front().expect("there is one");
            let at = now + millis(random.below(21));
            let place = sent.partition_point(|(other, ..)| *other <= at);
            sent.insert(place, (at, outcome.expect("it has no timeout"), body));
        }
        while sent.front().is_some_and(|(at, ..)| *at <= now) {
            let (_, permit, body) = sent.pop_front().expect("there is one");
            answered += 1;
            let reply = server.answer("/v1/chat/completions", [], body.to_string().as_bytes());
            let observation = Observation::from_parts(reply.status(), reply.headers(), reply.body());
            let at = now + reply.head_after();
            // A refusal comes before the answers to earlier calls.
            let place = replies.partition_point(|(other, ..)| *other <= at);
            replies.insert(place, (at, permit, observation));
        }
    }
    let arrivals = server.arrivals();
    arrivals.iter().enumerate().filter(|(_, call)| call.status == 429).map(|(place, _)| place).collect()
}

fn message(role: &str, content: &str) -> Value {
    json!({ "role": role, "content": content })
}

/// Chats of one or two messages, with up to so many words.
fn chats(seed: u64, number: u64, words: u64) -> Vec<Value> {
    const WORDS: [&str; 8] =
        ["sky", "blue ", "Rayleigh", " because", "12345", "\u{4f60}\u{597d}", ".\n", " scattering"];
    let mut random = Random::new(seed);
    let chat = |number: u64| {
        let text: String = (0..=random.below(words)).map(|_| WORDS[random.below(8) as usize]).collect();
        let prose = " atmospheric scattering of sunlight".repeat(text.len() / 35 + 1);
        let is_prose = words > 20 && random.below(2) == 0;
        let mut messages = vec![message("user", if is_prose { &prose } else { &text })];
        if number.is_multiple_of(2) {
            messages.insert(0, message("system", "Be brief."));
        }
        json!({ "model": "gpt-4o", "messages": messages, "max_tokens": 1 + random.below(20) })
    };
    (0..number).map(chat).collect()
}

fn messages(body: &[u8]) -> Vec<Value> {
    let body: Value = serde_json::from_slice(body).expect("it is JSON");
    body["messages"].as_array().expect("it is a chat").clone()
}

fn a_token_more_for_two() -> ProviderBuilder {
    Provider::builder().count_prompts(|body, own| own + messages(body).len() as u64 - 1)
}

fn characters_by_four() -> ProviderBuilder {
    let length = |message: &Value| message["content"].as_str().map_or(0, |text| text.chars().count() as u64);
    Provider::builder().count_prompts(move |body, _| messages(body).iter().map(length).sum::<u64>() / 4)
}

/// Asserts that no call after the tenth is refused, and that some are if the limiter is not told of
/// the responses.
#[track_caller]
fn refuses_nothing_after_ten(server: fn() -> ProviderBuilder, number: u64, words: u64) {
    for seed in SEEDS {
        let bodies = chats(seed, number, words);
        let refused =
            |unused, is_told| refused(server(), REQUESTS, Counting::Refilling, unused, is_told, &bodies);
        for unused in [Unused::GivenBack, Unused::Kept] {
            let late = refused(unused, true);
            println!("seed {seed}, {unused:?}: {} of {number} refused", late.len());
            assert!(late.iter().all(|call| *call < 10), "seed {seed}, {unused:?}: {late:?}");
        }
        let late = refused(Unused::Kept, false);
        println!("seed {seed}, without learning: {} of {number} refused", late.len());
        assert!(late.iter().any(|call| *call >= 10), "seed {seed}, without learning: {late:?}");
    }
}

#[test]
fn a_server_that_counts_as_we_do_refuses_nothing() {
    for seed in SEEDS {
        let bodies = chats(seed, 2_000, 20);
        for unused in [Unused::GivenBack, Unused::Kept] {
            let late = refused(Provider::builder(), REQUESTS, Counting::Refilling, unused, true, &bodies);
            println!("seed {seed}, {unused:?}: {} of 2000 refused", late.len());
            assert!(late.is_empty(), "seed {seed}, {unused:?}: {late:?}");
        }
    }
}

#[test]
fn a_server_that_counts_a_token_more_for_a_second_message_refuses_nothing_after_ten_calls() {
    refuses_nothing_after_ten(a_token_more_for_two, 2_000, 20);
}

#[test]
fn a_server_that_counts_a_quarter_of_the_characters_refuses_nothing_after_ten_calls() {
    refuses_nothing_after_ten(characters_by_four, 900, 200);
}

#[test]
fn a_server_that_counts_in_windows_refuses_nothing_once_that_is_declared() {
    for (seed, windows) in SEEDS.zip([Windows::Fixed, Windows::Sliding, Windows::Split(6)]) {
        let bodies = chats(seed, 900, 5);
        let refused = |counting, is_told| {
            let server = Provider::builder().windows(windows);
            refused(server, FEW_REQUESTS, counting, Unused::Kept, is_told, &bodies)
        };
        let late = refused(Counting::InWindows, true);
        println!("{windows:?}: {} of 900 refused", late.len());
        assert!(late.is_empty(), "{windows:?}: {late:?}");
        // A bucket that refills allows 610 requests in a minute.
        let late = refused(Counting::Refilling, false);
        println!("{windows:?}, not declared: {} of 900 refused", late.len());
        assert!(!late.is_empty(), "{windows:?}");
    }
}
