//! Providers that count prompts otherwise than this library does. A strict bucket, on simulated
//! time, refuses what exceeds its own count.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io::Read;

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{ChatRateLimiter, Cost, Dimension, MessagesRateLimiter, Permit, Rate, Usage};
use openlimit_tests::learning::Random;
use openlimit_tests::{Call, nanos, nanos_of};
use serde_json::{Value, json};

const SECOND: u64 = 1_000_000_000;
const RATE: u64 = 40_000;

/// The time from a request to its reply.
const TAKES: u64 = SECOND / 10;

/// A bucket that holds one second of 40 000 tokens a minute, and charges the prompt by its own
/// count and the largest output.
#[derive(Default)]
struct Server {
    level: f64,
    at: u64,
}

impl Server {
    /// Admits a call of this price, or returns how many tokens are missing.
    fn admit(&mut self, price: u64, at: u64) -> Result<(), u64> {
        let (rate, burst) = (RATE as f64 / 60.0, RATE as f64 / 60.0);
        self.level = (self.level - rate * (at - self.at) as f64 / SECOND as f64).max(0.0);
        self.at = at;
        let after = self.level + price as f64;
        if after <= burst || self.level == 0.0 {
            self.level = after;
            Ok(())
        } else {
            Err((after - burst).ceil() as u64)
        }
    }
}

/// A request, and the length of its prompt as the server counts it.
struct Sent {
    params: Value,
    prompt: u64,
}

/// Sends 2 000 requests, as fast as the limiter lets them. Returns the places of those that the
/// server refused. The usage in a reply states the prompt as the server counts
/// it.
fn refused(limiter: &ChatRateLimiter, clock: &ManualClock, learns: bool, sent: &[Sent]) -> Vec<usize> {
    let mut server = Server::default();
    let mut waiting = VecDeque::new();
    let mut flying: HashMap<usize, (Permit, u64)> = HashMap::new();
    let (mut ends, mut refused, mut next, mut departed) = (BinaryHeap::new(), Vec::new(), 0, 0);
    let cost = |sent: &Sent| {
        let cost = limiter.cost(&sent.params).expect("a price");
        // Nothing is learned from an explicit cost.
        if learns { cost } else { Cost::new().tokens(cost.amount(&Dimension::Tokens)) }
    };
    while departed < sent.len() {
        while waiting.len() < 20 && next < sent.len() {
            waiting.push_back((nanos_of(clock), Call::start(limiter.acquire(cost(&sent[next])))));
            next += 1;
        }
        while let Some((arrived, call)) = waiting.front_mut()
            && let Some(outcome) = call.over()
        {
            let permit = outcome.expect("every call can be admitted");
            let at = *arrived + u64::try_from(permit.waited().as_nanos()).expect("a short wait");
            waiting.pop_front();
            let Sent { params, prompt } = &sent[departed];
            let price = prompt + params["max_tokens"].as_u64().expect("a maximum");
            match server.admit(price, at) {
                Ok(()) => {
                    ends.push(Reverse((at + TAKES, departed)));
                    flying.insert(departed, (permit, *prompt));
                }
                Err(missing) => {
                    refused.push(departed);
                    let body = json!({ "error": { "code": "rate_limit_exceeded", "message": format!(
                        "Rate limit reached on tokens per min (TPM): Limit {RATE}, Used 900, Requested {price}. \
                         Please try again in {}ms.",
                        (missing * 60_000).div_ceil(RATE),
                    ) } });
                    _ = permit.refused(Observation::new(429).body(body.to_string().as_bytes()));
                }
            }
            departed += 1;
        }
        let now = nanos_of(clock);
        let end = ends.peek().map_or(now + SECOND / 10, |Reverse((at, _))| *at);
        clock.advance(nanos(end.clamp(now, now + SECOND / 10) - now));
        while let Some(Reverse((at, call))) = ends.peek().copied()
            && at <= nanos_of(clock)
        {
            ends.pop();
            let (permit, prompt) = flying.remove(&call).expect("it is in flight");
            if learns {
                permit.settle(Usage::new(prompt, 1));
            }
        }
    }
    refused
}

/// The server keeps the largest output charged, so refunds are turned off.
fn limiter(clock: &ManualClock) -> ChatRateLimiter {
    let limiter = ChatRateLimiter::builder().clock(clock).tokens(Rate::per_minute(RATE)).refunds(false);
    limiter.build().expect("valid options")
}

/// Asserts that the server refuses no call after the tenth, and that it would without learning.
#[track_caller]
fn refuses_nothing_after_ten(sent: &[Sent]) {
    let clock = ManualClock::new();
    let late = refused(&limiter(&clock), &clock, true, sent);
    assert!(late.iter().all(|call| *call < 10), "refused: {late:?}");
    let clock = ManualClock::new();
    let late = refused(&limiter(&clock), &clock, false, sent);
    assert!(late.iter().any(|call| *call >= 10), "refused without learning: {late:?}");
}

fn message(role: &str, content: &str) -> Value {
    json!({ "role": role, "content": content })
}

fn words(random: &mut Random, most: u64) -> String {
    const WORDS: [&str; 8] =
        ["sky", "blue ", "Rayleigh", " because", "12345", "\u{4f60}\u{597d}", ".\n", " scattering"];
    (0..=random.below(most)).map(|_| WORDS[random.below(8) as usize]).collect()
}

/// Requests of one or two short messages. The server counts a token more for two.
fn short_chats(seed: u64) -> Vec<Sent> {
    let mut random = Random::new(seed);
    let own = limiter(&ManualClock::new());
    let sent = |number: u64| {
        let mut messages = vec![message("user", &words(&mut random, 20))];
        if number.is_multiple_of(2) {
            messages.insert(0, message("system", "Be brief."));
        }
        let more = messages.len() as u64 - 1;
        let params = json!({ "model": "gpt-4o", "messages": messages, "max_tokens": 1 });
        let prompt = own.cost(&params).expect("a price").amount(&Dimension::InputTokens) + more;
        Sent { params, prompt }
    };
    (0..2_000).map(sent).collect()
}

/// Requests with one message, prose or not. The server divides its characters by four.
fn characters(seed: u64) -> Vec<Sent> {
    let mut random = Random::new(seed);
    let sent = |_| {
        let mixed = words(&mut random, 200);
        let prose = " atmospheric scattering of sunlight".repeat(mixed.len() / 35 + 1);
        let text = if random.below(2) == 0 { mixed } else { prose };
        let prompt = text.chars().count() as u64 / 4;
        let params = json!({ "model": "gpt-4o", "messages": [message("user", &text)], "max_tokens": 16 });
        Sent { params, prompt }
    };
    (0..2_000).map(sent).collect()
}

#[test]
fn one_token_more_for_a_request_with_two_messages_is_learned() {
    (1..6).for_each(|seed| refuses_nothing_after_ten(&short_chats(seed)));
}

#[test]
fn characters_divided_by_four_are_learned() {
    (1..6).for_each(|seed| refuses_nothing_after_ten(&characters(seed)));
}

#[test]
fn a_stream_that_states_only_its_input_teaches_too() {
    let clock = ManualClock::new();
    let limiter = MessagesRateLimiter::builder().clock(&clock).input_tokens(Rate::per_day(1_000_000));
    let limiter = limiter.build().expect("valid options");
    let request =
        json!({ "model": "claude", "max_tokens": 9, "messages": [{ "role": "user", "content": "Hi!" }] });
    let reserved = || {
        let permit = limiter.try_acquire(&request).expect("there is room");
        (permit.cost().amount(&Dimension::InputTokens), permit)
    };
    let (counted, permit) = reserved();
    let begin = format!(
        "data: {{\"type\": \"message_start\", \"message\": {{\"usage\": {{\"input_tokens\": {}}}}}}}\n\n",
        3 * counted
    );
    let end = b"data: {\"type\": \"message_stop\"}\n\n";
    // One event at a time.
    let mut stream = permit.wrap_read(begin.as_bytes().chain(&end[..]));
    stream.read_to_end(&mut Vec::new()).expect("it is in memory");
    assert_eq!(reserved().0, 3 * counted);
}

#[test]
fn a_prompt_that_a_part_of_the_usage_stated_is_learned_with_the_rest() {
    let clock = ManualClock::new();
    let limiter = MessagesRateLimiter::builder().clock(&clock).input_tokens(Rate::per_day(1_000_000));
    let limiter = limiter.build().expect("valid options");
    let request =
        json!({ "model": "claude", "max_tokens": 9, "messages": [{ "role": "user", "content": "Hi!" }] });
    let mut permit = limiter.try_acquire(&request).expect("there is room");
    let counted = permit.cost().amount(&Dimension::InputTokens);
    permit.settle_so_far(Usage::default().with(Dimension::InputTokens, 3 * counted));
    permit.settle(Usage::default().with(Dimension::OutputTokens, 5));
    let later = limiter.try_acquire(&request).expect("there is room");
    assert_eq!(later.cost().amount(&Dimension::InputTokens), 3 * counted);
}
