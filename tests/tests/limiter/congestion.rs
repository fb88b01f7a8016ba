//! Refusals alone: a limiter shares a key with another consumer, and responses say nothing of what
//! is left, or only old news.
//!
//! The calls of the other consumer come at random moments, as calls do that a network has delayed.

use std::collections::VecDeque;

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{Cost, Permit, Rate, RateLimiter};
use openlimit_tests::{Call, millis};

/// A provider that allows 100 requests a second, and a limiter that is declared so.
#[derive(Clone, Copy)]
struct Setting {
    /// The time in which the provider's bucket refills, in seconds.
    full: f64,
    /// The time after which a reply arrives, and a refusal, in milliseconds.
    reply: u64,
    refusal: u64,
    /// Whether responses say what is left.
    headers: bool,
    /// Whether refusals say when to come back.
    waits: bool,
    /// Whether the limiter is told of responses.
    observes: bool,
}

const SETTING: Setting =
    Setting { full: 1.0, reply: 20, refusal: 20, headers: true, waits: true, observes: true };

/// The key. The other consumer takes a random part of 0 to 70 % of the limit, another one every two
/// seconds, and never waits.
struct SharedKey {
    full: f64,
    left: f64,
    random: u64,
    part: f64,
    refused: [u32; 2],
    admitted: [u32; 2],
}

impl SharedKey {
    fn random(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Lets a millisecond pass, in which the other consumer makes its calls.
    fn pass(&mut self, milli: u64) {
        self.left = (self.left + 0.1).min(self.full);
        if milli.is_multiple_of(2_000) {
            self.part = self.random() * 0.7;
        }
        if self.random() < self.part * 0.1 {
            self.take(1);
        }
    }

    /// Returns true if a call is served.
    fn take(&mut self, who: usize) -> bool {
        let is_served = self.left >= 1.0;
        self.left -= f64::from(is_served);
        self.admitted[who] += u32::from(is_served);
        self.refused[who] += u32::from(!is_served);
        is_served
    }

    /// Answers a call of ours.
    fn respond(&mut self, setting: Setting) -> Observation {
        let missing = (1.0 - self.left).max(0.0) * 10.0;
        let is_served = self.take(0);
        let mut response = Observation::new(if is_served { 200 } else { 429 });
        if setting.headers {
            response = response
                .header("x-ratelimit-limit-requests", self.full.to_string())
                .header("x-ratelimit-remaining-requests", self.left.floor().to_string())
                .header("x-ratelimit-reset-requests", format!("{:.3}s", (self.full - self.left) / 100.0));
        }
        if setting.waits && !is_served {
            response = response.header("retry-after-ms", format!("{missing:.3}"));
        }
        response
    }
}

/// The figures of a run, in percent.
#[derive(Debug)]
struct Figures {
    ours_refused: f64,
    others_refused: f64,
    /// The share of what the other consumer leaves.
    used: f64,
}

/// Runs for five minutes, with calls always waiting.
fn run(setting: Setting, seed: u64) -> Figures {
    const MILLIS: u64 = 300_000;
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder().clock(&clock).requests(Rate::per_second(100));
    let limiter = limiter.build().expect("valid rates");
    let full = 100.0 * setting.full;
    let mut key = SharedKey { full, left: full, random: seed, part: 0.0, refused: [0; 2], admitted: [0; 2] };
    let mut waiting: VecDeque<Call> = VecDeque::new();
    // When each response arrives. Refusals are not behind replies.
    let mut responses: [VecDeque<(u64, Permit, Observation)>; 2] = Default::default();
    for milli in 0..MILLIS {
        key.pass(milli);
        clock.advance(millis(1));
        for responses in &mut responses {
            while responses.front().is_some_and(|(at, ..)| *at <= milli) {
                let (_, permit, response) = responses.pop_front().expect("there is one");
                match response.status() {
                    _ if !setting.observes => {}
                    200 => permit.observe(&response),
                    _ => drop(permit.refused(&response)),
                }
            }
        }
        while waiting.len() < 20 {
            waiting.push_back(Call::start(limiter.acquire(Cost::new())));
        }
        while let Some(permit) = waiting.front_mut().and_then(Call::over) {
            waiting.pop_front();
            let response = key.respond(setting);
            let is_refused = response.status() == 429;
            let at = milli + if is_refused { setting.refusal } else { setting.reply };
            responses[usize::from(is_refused)].push_back((at, permit.expect("no timeout"), response));
        }
    }
    let [ours, others] = key.admitted.map(f64::from);
    let [our_refusals, other_refusals] = key.refused.map(f64::from);
    Figures {
        ours_refused: 100.0 * our_refusals / (ours + our_refusals),
        others_refused: 100.0 * other_refusals / (others + other_refusals),
        used: 100.0 * ours / (0.1 * MILLIS as f64 + full - others),
    }
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

#[test]
fn without_observing_both_are_refused_again_and_again() {
    let figures = run(Setting { observes: false, ..SETTING }, SEED);
    assert!(figures.ours_refused > 10.0 && figures.others_refused > 30.0, "{figures:?}");
}

/// Checks the aims for a bucket of one second that responses say nothing of, or only old news.
fn assert_adapts(setting: Setting) {
    for seed in [SEED, 77] {
        let Figures { ours_refused, others_refused, used } = run(setting, seed);
        assert!(ours_refused <= 1.0, "{ours_refused:.2} % of ours are refused");
        assert!(others_refused <= 3.0, "{others_refused:.2} % of the other's are refused");
        assert!(used >= 95.0, "{used:.2} % is used");
    }
}

#[test]
fn refusals_alone_are_enough_to_share_a_limit() {
    for waits in [false, true] {
        assert_adapts(Setting { headers: false, waits, refusal: 50, ..SETTING });
    }
}

#[test]
fn refusals_are_enough_where_replies_come_later_than_the_bucket_refills() {
    for reply in [3_000, 10_000] {
        assert_adapts(Setting { reply, refusal: 50, ..SETTING });
    }
}
