//! A provider that resets by the calendar refuses nothing, and serves the whole amount.

use std::collections::VecDeque;
use std::time::Duration;

use openlimit::testing::{ManualClock, Provider, ProviderModel};
use openlimit::{Cost, Rate, RateLimiter};
use openlimit_tests::{Call, millis, nanos, secs};

use super::{HOUR, date};

/// A call that is on its way to the provider.
struct Sent {
    arrives: Duration,
}

/// Makes a call.
fn ask(provider: &ProviderModel) {
    provider.answer(
        "/v1/chat/completions",
        [],
        br#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}"#,
    );
}

struct Game {
    clock: ManualClock,
    limiter: RateLimiter,
    provider: ProviderModel,
    sent: VecDeque<Sent>,
    random: u64,
}

impl Game {
    /// A game that begins at a date, in seconds since 1970.
    fn new(begins: u64, rate: Rate, skew: i64) -> Self {
        let clock = ManualClock::new();
        clock.set_date(date(begins));
        let limiter = RateLimiter::builder().clock(&clock).requests(rate).build().unwrap();
        let provider = Provider::builder().clock(&clock).requests(rate).date_skew(skew).build().unwrap();
        Self { clock, limiter, provider, sent: VecDeque::new(), random: 0x9e37_79b9_7f4a_7c15 }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    /// Sends the calls that have departed. They need up to the jitter.
    fn send(&mut self, calls: &mut VecDeque<Call>) {
        while let Some(front) = calls.front_mut()
            && front.poll()
        {
            drop(calls.pop_front().unwrap().admitted());
            let delay = [0, self.random(50_000_000), 49_999_999][self.random(3) as usize];
            self.sent.push_back(Sent { arrives: self.clock.now() + nanos(delay) });
        }
        self.sent.make_contiguous().sort_by_key(|sent| sent.arrives);
    }

    /// Lets time pass, in steps of 20 ms around the resets and of a minute elsewhere. Timers are up
    /// to 20 ms late.
    fn pass(&mut self, time: Duration, calls: &mut VecDeque<Call>) {
        let end = self.clock.now() + time;
        while self.clock.now() < end {
            let step = if self.is_near_reset() { millis(20) } else { secs(60) };
            let next = self.sent.front().map_or(end, |sent| sent.arrives).min(end);
            let step = step.min(next.saturating_sub(self.clock.now())).max(nanos(1));
            self.clock.jump(step);
            while self.sent.front().is_some_and(|sent| sent.arrives <= self.clock.now()) {
                self.sent.pop_front();
                ask(&self.provider);
            }
            self.send(calls);
        }
    }

    fn is_near_reset(&self) -> bool {
        let resets_in = self.limiter.status().unwrap().limits[0].resets_in.unwrap();
        let has_begun = |hours: u32| (hours * HOUR).abs_diff(resets_in) <= secs(2);
        resets_in <= secs(61) || (23..=25).any(has_begun)
    }
}

/// Plays some days with more calls than are allowed. Returns how many were served and refused.
fn play(begins: u64, rate: Rate, days: u32, skew: i64) -> (usize, usize) {
    let mut game = Game::new(begins, rate, skew);
    let calls = u64::from(days + 1) * rate.amount();
    let mut calls: VecDeque<_> = (0..calls).map(|_| Call::start(game.limiter.acquire(Cost::new()))).collect();
    game.send(&mut calls);
    game.pass(24 * HOUR * days, &mut calls);
    (game.provider.admitted(), game.provider.refused())
}

#[test]
fn days_in_utc() {
    let rate = Rate::per_day(40).resets_at("00:00", "UTC");
    // From noon to noon: four windows.
    assert_eq!(play(1_767_268_800, rate, 3, 0), (160, 0));
}

#[test]
fn days_in_los_angeles_while_the_clocks_change() {
    let rate = Rate::per_day(40).resets_at("00:00", "America/Los_Angeles");
    // Noon in UTC on 2026-03-07 and 2026-10-31.
    for begins in [1_772_884_800, 1_793_448_000] {
        assert_eq!(play(begins, rate, 3, 0), (160, 0), "{begins}");
    }
}

#[test]
fn a_provider_whose_clock_is_behind_refuses_calls() {
    let rate = Rate::per_day(40).resets_at("00:00", "UTC");
    let (served, refused) = play(1_767_268_800, rate, 2, -1);
    assert!(served <= 120 && refused > 0, "the test can fail: {served} {refused}");
}

#[test]
fn a_bucket_that_refills_is_refused() {
    let clock = ManualClock::new();
    let resets = Rate::per_day(40).resets_at("00:00", "UTC");
    let limiter = RateLimiter::builder().clock(&clock).requests(Rate::per_day(40)).build().unwrap();
    let provider = Provider::builder().clock(&clock).requests(resets).build().unwrap();
    for _ in 0..12 {
        while let Ok(permit) = limiter.try_acquire(Cost::new()) {
            drop(permit);
            ask(&provider);
        }
        clock.advance(HOUR);
    }
    assert!(provider.refused() > 0);
}
