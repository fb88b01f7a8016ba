//! A key that a limiter shares with another consumer, simulated on a manual clock.
//!
//! The provider is `openlimit::testing::ProviderModel`. So its headers, its errors and its arithmetic
//! are what programs meet, and the limiter learns of the other consumer only through them.

use std::collections::VecDeque;
use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::testing::{Dialect, ManualClock, OtherCalls, Provider, ProviderReply};
use openlimit::{ChatRateLimiter, Percent, Permit, Rate};
use serde_json::{Value, json};

use crate::Call;

/// The limits: 100 requests and 20 000 tokens a second. The limiter declares the same.
pub const REQUESTS: Rate = Rate::per_minute(6_000);
/// See [`REQUESTS`].
pub const TOKENS: Rate = Rate::per_minute(1_200_000);
const REQUESTS_PER_SECOND: u32 = 100;

/// The burst of the limiter: the default.
const BURST: Duration = Duration::from_secs(1);

/// The most of the limits that the other consumer takes.
const OTHERS_SHARE: Percent = Percent(70);

/// The calls that wait at the limiter at any time.
const WAITING: usize = 20;

/// The steps of the simulation. Calls are admitted at their due times within one, and reach the
/// provider at its end.
const STEP: Duration = Duration::from_millis(5);

/// The circumstances of a simulation.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// How much the provider's buckets hold, in time.
    pub bucket: Duration,
    /// The time from a call to its reply. Refusals come at once.
    pub latency: Duration,
    /// The headers of the provider.
    pub dialect: Dialect,
    /// Whether the limiter is told of the responses.
    pub feedback: bool,
    /// How long the simulation goes on.
    pub time: Duration,
    /// The seed of the other consumer.
    pub seed: u64,
}

/// The result of a simulation.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// The calls that the limiter let through.
    pub attempts: usize,
    /// Those of them that the provider refused.
    pub refused: usize,
    /// The calls of the other consumer.
    pub others: OtherCalls,
    /// The share of what the other consumer left that was used.
    pub used: f64,
}

impl Figures {
    /// Returns the share of the limiter's attempts that was refused.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a share needs no more than a few digits")]
    pub fn refused_share(&self) -> f64 {
        self.refused as f64 / self.attempts as f64
    }

    /// Returns the share of the other consumer's attempts that was refused.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a share needs no more than a few digits")]
    pub fn others_refused_share(&self) -> f64 {
        self.others.refused as f64 / (self.others.refused + self.others.admitted) as f64
    }
}

/// Runs a simulation.
///
/// # Panics
/// If a call is refused by the limiter.
#[must_use]
pub fn run(scenario: &Scenario) -> Figures {
    let clock = ManualClock::new();
    let provider = Provider::builder()
        .requests(REQUESTS.burst(scenario.bucket))
        .tokens(TOKENS.burst(scenario.bucket))
        .other_consumer(OTHERS_SHARE, scenario.seed)
        .latency(scenario.latency)
        .charges_usage(true)
        .dialect(scenario.dialect)
        .clock(&clock)
        .build()
        .expect("the limits are valid");
    let limiter = ChatRateLimiter::builder().requests(REQUESTS).tokens(TOKENS).burst(BURST).clock(&clock);
    let limiter = limiter.build().expect("the limits are valid");
    let requests = [0, 1, 2, 3].map(|number| {
        let params = params(number);
        (limiter.cost(&params).expect("it is a chat"), params.to_string())
    });

    let mut waiting: VecDeque<(Call, &str)> = VecDeque::new();
    // When each reply arrives.
    let mut replies: VecDeque<(Duration, Permit, ProviderReply)> = VecDeque::new();
    let mut next = requests.iter().cycle();
    while clock.now() < scenario.time {
        clock.advance(STEP);
        let now = clock.now();
        while replies.front().is_some_and(|(at, ..)| *at <= now) {
            let (_, permit, reply) = replies.pop_front().expect("there is one");
            if scenario.feedback {
                hear(permit, &reply);
            }
        }
        while waiting.len() < WAITING {
            let (cost, body) = next.next().expect("it never ends");
            waiting.push_back((Call::start(limiter.acquire(cost.clone())), body));
        }
        while let Some(outcome) = waiting.front_mut().and_then(|(call, _)| call.over()) {
            let (_, body) = waiting.pop_front().expect("there is one");
            let permit = outcome.expect("it has no timeout");
            let reply = provider.answer("/v1/chat/completions", [], body.as_bytes());
            if reply.status() == 200 {
                replies.push_back((now + reply.head_after(), permit, reply));
            } else if scenario.feedback {
                hear(permit, &reply);
            }
        }
    }
    let (refused, others) = (provider.refused(), provider.others());
    let admitted = provider.admitted();
    Figures {
        attempts: refused + admitted,
        refused,
        others,
        used: used(scenario.time, scenario.bucket, admitted, others),
    }
}

/// Passes a reply on to the limiter.
fn hear(permit: Permit, reply: &ProviderReply) {
    permit.responded(&Observation::from_parts(reply.status(), reply.headers(), reply.body()));
}

/// Returns the request of a call. It reserves 153 tokens on average, where the limits have room for
/// 200 in each request, so requests are what is scarce.
#[must_use]
pub fn params(number: usize) -> Value {
    let most = [20, 100, 180, 260][number % 4];
    json!({
        "model": "gpt-4o",
        "messages": [{ "role": "user", "content": "Why is the sky blue?" }],
        "max_completion_tokens": most,
    })
}

/// Returns the share of what the other consumer left that was used, in requests.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "a share needs no more than a few digits")]
pub fn used(time: Duration, bucket: Duration, admitted: usize, others: OtherCalls) -> f64 {
    let in_time = |time: Duration| time.as_secs_f64() * f64::from(REQUESTS_PER_SECOND);
    let left = in_time(time + bucket) - others.admitted as f64;
    // The limiter never makes more than it declares, even where a full bucket would allow it.
    admitted as f64 / left.min(in_time(time + BURST))
}
