//! A key that a limiter shares with another consumer, simulated on a manual clock.
//!
//! The provider is `openlimit::testing::ProviderModel`. So its headers, its errors and its
//! arithmetic are what programs meet, and the limiter learns of the other consumer only through
//! them.

use std::collections::VecDeque;
use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::testing::{Dialect, ManualClock, OtherCalls, Provider, ProviderReply};
use openlimit::{ChatRateLimiter, Percent, Permit, Rate};
use serde_json::{Value, json};

use crate::Call;
use crate::learning::Random;

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

/// The longest way of a call to the provider, in milliseconds: each takes a random time of up to
/// that. Calls that arrived as evenly as they left would be in step with the refilling of a bucket
/// that is nearly empty: they would get all of it, and never learn of the other consumer.
const LONGEST_WAY: u64 = 20;

/// The steps of the simulation. Calls are admitted at their due times within one, and reach the
/// provider at the end of one.
const STEP: Duration = Duration::from_millis(2);

/// The circumstances of a simulation.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// How much the provider's buckets hold, in time.
    pub bucket: Duration,
    /// The time from a call to its reply.
    pub latency: Duration,
    /// The time from a call to its refusal.
    pub refusal: Duration,
    /// The headers of the provider.
    pub dialect: Dialect,
    /// Whether the limiter is told of the responses.
    pub feedback: bool,
    /// How long the simulation goes on.
    pub time: Duration,
    /// The seed of the other consumer.
    pub seed: u64,
}

impl Scenario {
    /// Creates one in which the limiter is told of OpenAI's responses. A refusal comes after 50 ms,
    /// or as fast as an answer if that is less.
    #[must_use]
    pub fn new(bucket: Duration, latency: Duration, time: Duration) -> Self {
        let refusal = latency.min(Duration::from_millis(50));
        Self { bucket, latency, refusal, dialect: Dialect::OpenAi, feedback: true, time, seed: 1 }
    }
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
    let mut random = Random::new(scenario.seed);
    // When each call reaches the provider, and when each reply comes back. Refusals overtake
    // answers.
    let mut sent: VecDeque<(Duration, Permit, &str)> = VecDeque::new();
    let mut answers: VecDeque<(Duration, Permit, ProviderReply)> = VecDeque::new();
    let mut refusals = VecDeque::new();
    let mut next = requests.iter().cycle();
    while clock.now() < scenario.time {
        clock.advance(STEP);
        let now = clock.now();
        for replies in [&mut refusals, &mut answers] {
            while replies.front().is_some_and(|(at, ..)| *at <= now) {
                let (_, permit, reply) = replies.pop_front().expect("there is one");
                if scenario.feedback {
                    permit.responded(&Observation::from_parts(reply.status(), reply.headers(), reply.body()));
                }
            }
        }
        while waiting.len() < WAITING {
            let (cost, body) = next.next().expect("it never ends");
            waiting.push_back((Call::start(limiter.acquire(cost.clone())), body));
        }
        while let Some(outcome) = waiting.front_mut().and_then(|(call, _)| call.over()) {
            let (_, body) = waiting.pop_front().expect("there is one");
            let at = now + Duration::from_millis(random.below(LONGEST_WAY + 1));
            let place = sent.partition_point(|(other, ..)| *other <= at);
            sent.insert(place, (at, outcome.expect("it has no timeout"), body));
        }
        while sent.front().is_some_and(|(at, ..)| *at <= now) {
            let (_, permit, body) = sent.pop_front().expect("there is one");
            let reply = provider.answer("/v1/chat/completions", [], body.as_bytes());
            if reply.status() == 200 {
                answers.push_back((now + reply.head_after(), permit, reply));
            } else {
                refusals.push_back((now + scenario.refusal, permit, reply));
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
