//! Limits that the provider counts in windows: no window of one period holds more than the amount,
//! wherever it starts.
//!
//! The oracle is a sum over every window that starts with a call. It knows nothing of buckets.

use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{BuildProblem, Cost, Counting, Percent, Permit, Rate, RateLimiter, Usage};
use openlimit_tests::{Call, at_once, millis, nanos, nanos_of, plain, secs};
use proptest::collection::vec;
use proptest::prelude::*;

/// A step of a random run. A `usize` selects one of the existing calls, modulo their number.
#[derive(Clone, Debug)]
enum Move {
    /// A call of requests and tokens arrives, in parts of a million of each limit.
    Arrive(u64, u64),
    Try(u64, u64),
    Advance(u64),
    /// The process stands still, so that timers fire late.
    Jump(u64),
    Leave(usize),
    Cancel(usize),
    Settle(usize, u64),
    /// A response says what is left, and that the limit is so many eighths of the declared one.
    Observe(usize, u64, u64),
    Hold(u64),
    Release,
    /// The jitter becomes another one.
    Jitter(u64),
    /// The burst becomes another one, in thousandths of the period.
    Burst(u32),
    /// The amounts become other ones.
    Amounts(u64, u64),
    /// The headroom becomes another one, in percent.
    Headroom(u8),
}

/// Two limits of one limiter.
#[derive(Clone, Copy, Debug)]
struct Terms {
    amounts: [u64; 2],
    /// In milliseconds.
    period: u64,
    /// In thousandths of the period; `None` for the default.
    burst: Option<u32>,
    jitter: u64,
    headroom: bool,
}

/// A call that was admitted, and the amounts that it has used.
struct Admitted {
    at: u64,
    /// The time that the network may take: the half of the jitter that departures leave to it.
    network: u64,
    amounts: [u64; 2],
    permit: Option<Permit>,
}

struct World {
    clock: ManualClock,
    limiter: RateLimiter,
    terms: Terms,
    waiting: Vec<(u64, [u64; 2], Call)>,
    admitted: Vec<Admitted>,
    /// The amounts of the limits, each from a time on.
    history: Vec<(u64, [u64; 2])>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_window_of_one_period_holds_more_than_the_amount(
        terms in terms(),
        moves in vec(any_move(), 1..150),
    ) {
        let mut world = World::new(terms);
        for next in moves {
            world.play(next);
            world.poll();
        }
        world.check()?;
    }
}

#[test]
fn a_large_call_that_a_lower_jitter_lets_go_departs_by_that_jitter() {
    let (amounts, jitter) = ([168, 1], 1_412_045_294);
    let mut world = World::new(Terms { amounts, period: 673, burst: None, jitter, headroom: false });
    let calls = |parts: [u64; 2]| parts.map(|requests| Move::Arrive(requests, 0));
    let moves = [Move::Headroom(36)].into_iter().chain(calls([47_620, 89_286]));
    let moves = moves.chain([Move::Advance(3_080_969_145)]).chain(calls([839_286, 166_667]));
    for next in moves.chain([Move::Jitter(0), Move::Advance(1_051_562_663)]) {
        world.play(next);
        world.poll();
    }
    assert_eq!(world.admitted.len(), 4);
    world.check().expect("no window holds more than the amount");
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![1..5_u64, 1..100_u64, 1..100_000_u64]
}

fn terms() -> impl Strategy<Value = Terms> {
    let burst = prop_oneof![Just(None), (1..=500_u32).prop_map(Some)];
    let jitter = prop_oneof![Just(0), 0..50_000_000_u64, 0..2_000_000_000_u64];
    ((amount(), amount()), 100..20_000_u64, burst, jitter, any::<bool>()).prop_map(
        |((requests, tokens), period, burst, jitter, headroom)| {
            let burst = burst.filter(|_| requests > 1 && tokens > 1);
            Terms { amounts: [requests, tokens], period, burst, jitter, headroom }
        },
    )
}

fn any_move() -> impl Strategy<Value = Move> {
    let part = || prop_oneof![4 => 0..1_000_u64, 4 => 0..100_000_u64, 1 => 0..=1_000_000_u64];
    let time = || prop_oneof![0..1_000_000_u64, 0..300_000_000_u64, 0..3_000_000_000_u64];
    prop_oneof![
        12 => (part(), part()).prop_map(|(requests, tokens)| Move::Arrive(requests, tokens)),
        6 => (part(), part()).prop_map(|(requests, tokens)| Move::Try(requests, tokens)),
        8 => time().prop_map(Move::Advance),
        4 => time().prop_map(Move::Jump),
        1 => any::<usize>().prop_map(Move::Leave),
        1 => any::<usize>().prop_map(Move::Cancel),
        3 => (any::<usize>(), 0..1_500_000_u64).prop_map(|(which, used)| Move::Settle(which, used)),
        2 => (any::<usize>(), 0..1_000_000_u64, 1..10_u64)
            .prop_map(|(which, left, eighths)| Move::Observe(which, left, eighths)),
        1 => time().prop_map(Move::Hold),
        1 => Just(Move::Release),
        1 => prop_oneof![Just(0), time()].prop_map(Move::Jitter),
        1 => (1..=500_u32).prop_map(Move::Burst),
        1 => (amount(), amount()).prop_map(|(requests, tokens)| Move::Amounts(requests, tokens)),
        1 => (0..50_u8).prop_map(Move::Headroom),
    ]
}

impl Terms {
    fn rates(&self) -> [Rate; 2] {
        let period = millis(self.period);
        self.amounts.map(|amount| {
            let rate = Rate::new(amount, period);
            self.burst.map_or(rate, |burst| rate.burst(period * burst / 1_000))
        })
    }
}

impl World {
    fn new(terms: Terms) -> Self {
        let clock = ManualClock::new();
        let limiter = RateLimiter::builder().clock(&clock).jitter(nanos(terms.jitter));
        let limiter = if terms.headroom { limiter } else { limiter.headroom(Percent(0)) };
        let [requests, tokens] = terms.rates();
        let limiter = limiter.requests(requests).tokens(tokens).counting(Counting::InWindows);
        let limiter = limiter.build().expect("valid limits");
        let history = vec![(0, terms.amounts)];
        Self { clock, limiter, terms, waiting: Vec::new(), admitted: Vec::new(), history }
    }

    fn play(&mut self, next: Move) {
        match next {
            Move::Arrive(requests, tokens) => {
                let amounts = self.amounts(requests, tokens);
                let call = Call::start(self.limiter.acquire(cost(amounts)));
                self.waiting.push((nanos_of(&self.clock), amounts, call));
            }
            Move::Try(requests, tokens) => {
                let amounts = self.amounts(requests, tokens);
                if let Ok(permit) = self.limiter.try_acquire(cost(amounts)) {
                    let at = nanos_of(&self.clock);
                    self.admitted.push(Admitted {
                        at,
                        network: self.network(),
                        amounts,
                        permit: Some(permit),
                    });
                }
            }
            Move::Advance(by) => self.clock.advance(nanos(by)),
            Move::Jump(by) => self.clock.jump(nanos(by)),
            Move::Leave(which) => {
                if !self.waiting.is_empty() {
                    self.waiting.remove(which % self.waiting.len());
                }
            }
            Move::Cancel(which) => {
                if let Some((call, permit)) = self.permit(which) {
                    permit.cancel();
                    self.admitted[call].amounts = [0, 0];
                }
            }
            Move::Settle(which, used) => {
                if let Some((call, permit)) = self.permit(which) {
                    let amounts = &mut self.admitted[call].amounts;
                    let used = amounts.map(|amount| amount * used / 1_000_000);
                    permit.settle(Usage::from(used[1]).with("requests", used[0]));
                    // What it used beyond its reservation is a debt, which nothing could foresee.
                    *amounts = [0, 1].map(|limit| used[limit].min(amounts[limit]));
                }
            }
            Move::Observe(which, left, eighths) => {
                if let Some((call, permit)) = self.permit(which) {
                    let of = self.terms.amounts[1];
                    let (left, of) =
                        ((of * left / 1_000_000).to_string(), (of * eighths).div_ceil(8).to_string());
                    let headers =
                        [("x-ratelimit-remaining-tokens", &*left), ("x-ratelimit-limit-tokens", &*of)];
                    permit.observe(&Observation::from_parts(200, headers, b""));
                    self.admitted[call].permit = Some(permit);
                }
            }
            Move::Hold(time) => self.limiter.hold(nanos(time), "a test").expect("it is built"),
            Move::Release => self.limiter.release().expect("it is built"),
            Move::Jitter(jitter) => {
                // What was due before has departed. A lower jitter may let a large call go at once,
                // which then departs by that jitter.
                self.limiter.update(|limits| limits.jitter(nanos(jitter))).expect("a valid jitter");
                self.terms.jitter = jitter;
            }
            Move::Burst(burst) => self.change(Terms { burst: Some(burst), ..self.terms }),
            Move::Amounts(requests, tokens) => {
                self.change(Terms { amounts: [requests, tokens], ..self.terms });
            }
            Move::Headroom(percent) => {
                self.limiter.update(|limits| limits.headroom(Percent(percent))).expect("valid");
            }
        }
    }

    /// Changes the limits, unless the burst is shorter than a unit.
    fn change(&mut self, terms: Terms) {
        let [requests, tokens] = terms.rates();
        if self.limiter.update(|limits| limits.requests(requests).tokens(tokens)).is_ok() {
            self.poll();
            self.terms = terms;
            self.history.push((nanos_of(&self.clock), terms.amounts));
        }
    }

    fn network(&self) -> u64 {
        self.terms.jitter - self.terms.jitter / 2
    }

    fn amounts(&self, requests: u64, tokens: u64) -> [u64; 2] {
        let [of_requests, of_tokens] = self.terms.amounts;
        [(of_requests * requests / 1_000_000).max(1), of_tokens * tokens / 1_000_000]
    }

    fn permit(&mut self, which: usize) -> Option<(usize, Permit)> {
        let has: Vec<_> =
            (0..self.admitted.len()).filter(|call| self.admitted[*call].permit.is_some()).collect();
        let call = *has.get(which % has.len().max(1))?;
        self.admitted[call].permit.take().map(|permit| (call, permit))
    }

    fn poll(&mut self) {
        let (network, admitted) = (self.network(), &mut self.admitted);
        self.waiting.retain_mut(|(arrived, amounts, call)| match call.over() {
            None => true,
            Some(outcome) => {
                let Ok(permit) = outcome else { return false };
                let at = *arrived + u64::try_from(permit.waited().as_nanos()).expect("it is short");
                admitted.push(Admitted { at, network, amounts: *amounts, permit: Some(permit) });
                false
            }
        });
    }

    /// Asserts that no window holds more than the amount, even if the network delays each call as
    /// much as it takes to fall into it.
    fn check(&mut self) -> Result<(), TestCaseError> {
        let latest = |call: &Admitted| call.at + call.network;
        for from in &self.admitted {
            let ends = latest(from) + self.terms.period * 1_000_000;
            let inside = self.admitted.iter().filter(|call| call.at < ends && latest(call) >= latest(from));
            let first = inside.clone().map(|call| call.at).min().unwrap_or(0);
            let sum = inside.fold([0, 0], |sum, call| [0, 1].map(|limit| sum[limit] + call.amounts[limit]));
            // Of limits that were changed within it, the larger one counts.
            let since = self.history.iter().rposition(|(at, _)| *at < first).unwrap_or(0);
            let within = self.history[since..].iter().take_while(|(at, _)| *at < ends);
            let most = within.fold([0, 0], |most: [u64; 2], (_, amounts)| {
                [0, 1].map(|limit| most[limit].max(amounts[limit]))
            });
            for (sum, amount) in sum.into_iter().zip(most) {
                prop_assert!(sum <= amount, "{} of {} from {} on", sum, amount, from.at);
            }
        }
        Ok(())
    }
}

fn cost([requests, tokens]: [u64; 2]) -> Cost {
    Cost::new().requests(requests).tokens(tokens)
}

/// Keeps 20 calls waiting for so many seconds. Returns when each was admitted.
fn steady(limiter: &RateLimiter, clock: &ManualClock, cost: &Cost, seconds: u64) -> Vec<Duration> {
    let mut waiting: Vec<(Duration, Call)> = Vec::new();
    let mut admitted = Vec::new();
    for _ in 0..seconds * 10 {
        while waiting.len() < 20 {
            waiting.push((clock.now(), Call::start(limiter.acquire(cost.clone()))));
        }
        clock.advance(millis(100));
        waiting.retain_mut(|(arrived, call)| match call.over() {
            None => true,
            Some(outcome) => {
                admitted.push(*arrived + outcome.expect("it fits").waited());
                false
            }
        });
    }
    admitted
}

fn in_windows(clock: &ManualClock) -> openlimit::Builder<openlimit::kind::Explicit> {
    RateLimiter::builder().clock(clock).counting(Counting::InWindows)
}

#[test]
fn requests_use_all_of_the_limit_but_for_the_jitter() {
    let clock = ManualClock::new();
    let limiter = in_windows(&clock).requests(Rate::per_minute(600)).build().expect("valid rates");
    let admitted = steady(&limiter, &clock, &Cost::new(), 600);
    assert!((5_985..=6_000).contains(&admitted.len()), "{} of 6000", admitted.len());
}

#[test]
fn tokens_use_all_but_the_burst() {
    let clock = ManualClock::new();
    let limiter = in_windows(&clock).tokens(Rate::per_minute(40_000)).build().expect("valid rates");
    let calls = steady(&limiter, &clock, &Cost::new().tokens(1_000), 600).len();
    assert!((378..=382).contains(&calls), "{calls} of 400");
}

#[test]
fn calls_of_twice_the_burst_use_two_thirds() {
    let clock = ManualClock::new();
    let limiter = in_windows(&clock).tokens(Rate::per_minute(40_000)).build().expect("valid rates");
    let calls = steady(&limiter, &clock, &Cost::new().tokens(4_000), 600).len();
    assert!((62..=65).contains(&calls), "{calls} of 100");
}

#[test]
fn a_call_of_the_whole_amount_waits_until_it_is_alone_in_its_window() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_minute(600)).counting(Counting::InWindows);
    let limiter = limiter.build().expect("valid rates");
    drop(limiter.try_acquire(1_u64).expect("the first call"));
    let large = Call::start(limiter.acquire(600_u64));
    clock.advance(secs(80));
    let waited = large.admitted().waited();
    assert!((secs(60)..secs(64)).contains(&waited), "{waited:?}");
    // The first call of all has nobody to wait for.
    let limiter = in_windows(&clock).tokens(Rate::per_minute(600)).build().expect("valid rates");
    assert_eq!(limiter.status().expect("it is built").limits[0].available, 600);
    drop(limiter.try_acquire(600_u64).expect("the first call"));
}

#[test]
fn a_large_call_waits_for_one_before_it_as_if_that_had_taken_what_it_used() {
    let (most, used) = (4_000_u64, 400_u64);
    let wait_behind = |takes: u64, settles_at: u64| {
        let clock = ManualClock::new();
        let limiter = in_windows(&clock).tokens(Rate::per_minute(10_000)).build().expect("valid rates");
        clock.advance(secs(60));
        let permit = limiter.try_acquire(takes).expect("the first call");
        clock.advance(millis(settles_at));
        permit.settle(used);
        let large = Call::start(limiter.acquire(most));
        clock.advance(secs(60));
        millis(settles_at) + large.admitted().waited()
    };
    let expected = wait_behind(used, 0);
    assert!((secs(24)..secs(25)).contains(&expected), "{expected:?}");
    // After 20 s a part of what is given back has leaked, and after 26 s all of it.
    for settles_at in [0, 1_000, 20_000, 24_000] {
        assert_eq!(wait_behind(most, settles_at), expected, "settled after {settles_at} ms");
    }
    for settles_at in [26_000, 50_000] {
        assert_eq!(wait_behind(most, settles_at), millis(settles_at));
    }
}

#[test]
fn a_burst_that_is_raised_admits_no_more_than_the_amount_in_a_window() {
    const BURSTS: [u64; 3] = [1, 3, 29];
    let rate = |burst| Rate::per_minute(600).burst(secs(burst));
    for (before, after) in BURSTS.into_iter().flat_map(|before| BURSTS.map(|after| (before, after))) {
        for size in [1, 30, 600_u64] {
            let clock = ManualClock::new();
            let limiter = plain(&clock).tokens(rate(before)).counting(Counting::InWindows).build();
            let limiter = limiter.expect("valid rates");
            let mut admitted = Vec::new();
            for step in 0..2_400 {
                // After more than a window, in which as much was taken as goes.
                if step == 1_210 {
                    limiter.update(|limits| limits.tokens(rate(after))).expect("a valid burst");
                }
                while limiter.try_acquire(size).is_ok() {
                    admitted.push(clock.now());
                }
                clock.advance(millis(100));
            }
            let in_window = |from: usize| {
                admitted[from..].iter().take_while(|at| **at < admitted[from] + secs(60)).count() as u64
                    * size
            };
            let most = (0..admitted.len()).map(in_window).max().unwrap_or(0);
            assert!((300..=600).contains(&most), "{most} in calls of {size}, {before} s to {after} s");
        }
    }
}

#[test]
fn a_quota_per_day_allows_a_twentieth_at_once() {
    let clock = ManualClock::new();
    let limiter = in_windows(&clock).requests(Rate::per_day(10_000)).build().expect("valid rates");
    assert_eq!(at_once(&limiter), 500);
    let half = Rate::per_day(10_000).burst(secs(43_200));
    let limiter = in_windows(&clock).requests(half).build().expect("valid rates");
    assert_eq!(at_once(&limiter), 5_000);
}

#[test]
fn a_burst_above_half_of_the_period_is_an_error() {
    let limiter = RateLimiter::builder().requests(Rate::per_minute(600).burst(secs(31)));
    let error = limiter.counting(Counting::InWindows).build().expect_err("the burst is too long");
    assert!(matches!(error.problem(), BuildProblem::WindowBurst { .. }));
    assert_eq!(
        error.problem().to_string(),
        "the burst of 31s for the limit of 600 requests / minute is above half of its period, and a limit \
         that is counted in windows refills only what the burst leaves of it; give a shorter one, or leave it \
         out for the default"
    );
    assert!(error.problem().limit().is_some());
}

#[test]
fn the_smallest_and_the_largest_limits_keep_their_windows() {
    const MOST: u64 = i64::MAX as u64;
    let long = secs(31 * 86_400);
    for (amount, period) in [(1, nanos(1)), (1, long), (2, long), (MOST, nanos(2)), (MOST, long)] {
        let clock = ManualClock::new();
        let limiter = in_windows(&clock).jitter(Duration::MAX).tokens(Rate::new(amount, period));
        let limiter = limiter.build().expect("valid rates");
        drop(limiter.try_acquire(amount).expect("the first call"));
        assert!(limiter.try_acquire(1_u64).is_err());
        let next = Call::start(limiter.acquire(amount));
        clock.advance(period);
        assert!(limiter.try_acquire(1_u64).is_err());
        // Twice the period, and twice the longest jitter.
        clock.advance(5 * long);
        drop(next.admitted());
    }
}

#[test]
fn an_adopted_limit_keeps_its_windows() {
    for (declared, allowed) in [(30, 3_000_u64), (2, 40)] {
        let clock = ManualClock::new();
        let limiter = in_windows(&clock).requests(Rate::per_minute(declared)).adopt_limits(true).build();
        let limiter = limiter.expect("valid limits");
        let permit = limiter.try_acquire(Cost::new()).expect("it is the first");
        let stated = allowed.to_string();
        let headers =
            [("x-ratelimit-limit-requests", &*stated), ("x-ratelimit-remaining-requests", &*stated)];
        permit.observe(&Observation::from_parts(200, headers, b""));
        clock.advance(secs(200));
        let mut admitted = Vec::new();
        for _ in 0..1_300 {
            while limiter.try_acquire(Cost::new()).is_ok() {
                admitted.push(clock.now());
            }
            clock.advance(millis(100));
        }
        let in_window = |from: usize| {
            admitted[from..].iter().take_while(|at| **at < admitted[from] + secs(60)).count() as u64
        };
        let most = (0..admitted.len()).map(in_window).max().unwrap_or(0);
        assert!(most <= allowed, "{most} of {allowed} that were adopted, {declared} declared");
        assert!(most >= allowed * 9 / 20, "{most} of {allowed} that were adopted, {declared} declared");
    }
}
