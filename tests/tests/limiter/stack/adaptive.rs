//! `Concurrency::Adaptive` in stacks: in each limiter, a stacked call counts as it would alone.

use std::io::Read;

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Builder, Concurrency, Cost, Permit, Rate, RateLimiter, Stack, kind};
use openlimit_tests::{Call, millis, plain, secs};
use proptest::collection::vec;
use proptest::prelude::*;

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Dropped,
    Settled(u64),
    Streamed,
    Cancelled,
    Refused,
    Failed,
}

const ENDS: [End; 6] =
    [End::Dropped, End::Settled(10), End::Streamed, End::Cancelled, End::Refused, End::Failed];

impl End {
    fn is_success(self) -> bool {
        matches!(self, Self::Dropped | Self::Settled(_) | Self::Streamed)
    }

    fn of(self, permit: Permit) {
        match self {
            Self::Dropped => drop(permit),
            Self::Settled(used) => permit.settle(used),
            Self::Streamed => {
                let body: &[u8] = br#"{"usage": {"prompt_tokens": 3, "completion_tokens": 7}}"#;
                permit.wrap_read(body).read_to_end(&mut Vec::new()).expect("it is in memory");
            }
            Self::Cancelled => permit.cancel(),
            Self::Refused => _ = permit.refused(Observation::new(429)),
            Self::Failed => _ = permit.refused(Observation::new(500)),
        }
    }
}

/// Returns a builder of limiters that no refusal holds, so that the next call may depart at once.
fn unheld(clock: &ManualClock) -> Builder<kind::Explicit> {
    plain(clock).max_hold(secs(0))
}

fn adaptive(builder: Builder<kind::Explicit>, least: u32, most: u32) -> RateLimiter {
    builder.concurrency(Concurrency::Adaptive(least..=most)).build().expect("valid options")
}

/// Returns how many calls are in flight, and how many may be.
fn in_flight(limiter: &RateLimiter) -> (u32, u32) {
    let flights = limiter.status().expect("it is built").in_flight.expect("it is limited");
    (flights.calls, flights.most)
}

#[test]
fn a_success_in_one_limiter_does_not_count_by_the_call_for_which_it_makes_room_in_another() {
    for end in ENDS {
        for is_outside in [true, false] {
            let clock = ManualClock::new();
            let one =
                unheld(&clock).tokens(Rate::per_second(100)).concurrency(1).build().expect("valid options");
            let two = adaptive(unheld(&clock), 2, 9);
            let stack = if is_outside { Stack::of((&two, &one)) } else { Stack::of((&one, &two)) };
            let first = stack.try_acquire(50).expect("there is room");
            let next = Call::start(stack.acquire(50));
            end.of(first);
            assert_eq!(in_flight(&two), (1, 2), "{end:?}");
            drop(next.admitted());
        }
    }
}

#[test]
fn a_refund_does_not_let_a_success_count_by_the_call_for_which_it_makes_room() {
    for end in [End::Settled(10), End::Streamed, End::Cancelled] {
        let clock = ManualClock::new();
        let rated = || unheld(&clock).tokens(Rate::per_second(100));
        let (account, tenant) = (rated().build().expect("valid rates"), adaptive(unheld(&clock), 2, 9));
        let alone = adaptive(rated(), 2, 9);
        let stacks =
            [(vec![&tenant, &account], &tenant), (vec![&account, &tenant], &tenant), (vec![&alone], &alone)];
        for (limiters, adapts) in stacks {
            let stack = Stack::of(limiters);
            let first = stack.try_acquire(100).expect("there is room");
            let next = Call::start(stack.acquire(50));
            end.of(first);
            assert_eq!(in_flight(adapts), (1, 2), "{end:?}");
            next.admitted().cancel();
            clock.advance(secs(9));
        }
        let first = alone.try_acquire(100).expect("there is room");
        let next = Call::start(alone.acquire(50));
        end.of(first);
        assert_eq!(in_flight(&alone), (1, 2), "{end:?}");
        drop(next);
    }
}

#[test]
fn a_refusal_cuts_all_limiters_before_it_makes_room_in_one() {
    let clock = ManualClock::new();
    let one = || unheld(&clock).concurrency(1).build().expect("valid options");
    let fifty = || {
        let limiter = adaptive(unheld(&clock), 1, 50);
        while in_flight(&limiter).1 < 50 {
            let calls: Vec<_> = std::iter::from_fn(|| limiter.try_acquire(Cost::new()).ok()).collect();
            drop(calls);
        }
        limiter
    };
    let (inner, outer, ones) = (fifty(), fifty(), [one(), one()]);
    let stacks = [(Stack::of((&inner, &ones[0])), &inner), (Stack::of((&ones[1], &outer)), &outer)];
    for (stack, adapts) in stacks {
        let first = stack.try_acquire(Cost::new()).expect("there is room");
        let next = Call::start(stack.acquire(Cost::new()));
        let mut most = vec![in_flight(adapts).1];
        End::Refused.of(first);
        most.push(in_flight(adapts).1);
        // It departed after that, so its refusal is of another crowd.
        End::Refused.of(next.admitted());
        most.push(in_flight(adapts).1);
        assert_eq!(most, [50, 40, 32]);
    }
}

#[test]
fn a_call_that_a_hold_of_one_limiter_refuses_lets_no_other_depart_before_the_hold_of_the_next() {
    let clock = ManualClock::new();
    let limiter = || plain(&clock).tokens(Rate::per_second(100)).build().expect("valid rates");
    let (tenant, account) = (limiter(), limiter());
    let stack = Stack::of((&tenant, &account));
    let first = stack.try_acquire(10).expect("there is room");
    drop(account.try_acquire(90).expect("there is room"));
    let refused = Call::start(stack.acquire(50).timeout(secs(1)));
    let mut behind = Call::start(tenant.acquire(10));
    clock.advance(millis(100));
    assert!(!behind.poll());
    first.refused(Observation::from_parts(429, [("retry-after", "20")], b""));
    assert!(matches!(refused.refused(), AcquireError::Held { .. }));
    assert!(!behind.poll());
    clock.advance(secs(22));
    drop(behind.admitted());
}

/// The rule of `Concurrency::Adaptive`, for one limiter.
struct Model {
    least: u32,
    highest: u32,
    calls: u32,
    most: u32,
    last: u64,
    cut: u64,
    successes: u32,
}

impl Model {
    fn depart(&mut self) -> u64 {
        self.calls += 1;
        self.last += 1;
        self.last
    }

    fn end(&mut self, number: u64, end: End) {
        let is_news = number > self.cut;
        if is_news && end.is_success() && self.calls >= self.most {
            self.successes += 1;
            let round = if self.cut == 0 { 1 } else { self.most.max(20) };
            if self.successes >= round && self.most < self.highest {
                (self.most, self.successes) = (self.most + 1, 0);
            }
        }
        if is_news && end == End::Refused {
            self.most = (self.most * 4 / 5).max(self.least);
            (self.cut, self.successes) = (self.last, 0);
        }
        self.calls -= 1;
    }
}

/// A step of a random run. A `usize` selects one of the calls in flight, modulo their number.
#[derive(Clone, Debug)]
enum Move {
    /// Arrives at these limiters, with so many tokens.
    Arrive(Vec<usize>, u64),
    End(usize, End),
    Advance(u64),
    /// The last call that waits is dropped.
    Leave,
}

fn any_move() -> impl Strategy<Value = Move> {
    let end = prop_oneof![
        2 => (0..80_u64).prop_map(End::Settled),
        4 => (0..ENDS.len()).prop_map(|which| ENDS[which]),
    ];
    prop_oneof![
        6 => (vec(0..3_usize, 1..4), 0..60_u64).prop_map(|(levels, tokens)| Move::Arrive(levels, tokens)),
        6 => (any::<usize>(), end).prop_map(|(which, end)| Move::End(which, end)),
        1 => (0..2_000_u64).prop_map(Move::Advance),
        1 => Just(Move::Leave),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_limiter_of_a_stack_adapts_as_it_would_alone(
        ranges in vec((1..6_u32, 0..9_u32), 3),
        moves in vec(any_move(), 1..200),
    ) {
        let clock = ManualClock::new();
        let rated = || unheld(&clock).tokens(Rate::per_second(100));
        let limiters: Vec<_> = ranges.iter().map(|(least, more)| adaptive(rated(), *least, least + more)).collect();
        let mut models: Vec<_> = ranges
            .iter()
            .map(|(least, more)| Model {
                least: *least, highest: least + more, calls: 0, most: *least, last: 0, cut: 0, successes: 0,
            })
            .collect();
        let mut waiting: Vec<(Call, Vec<usize>)> = Vec::new();
        let mut running: Vec<(Permit, Vec<(usize, u64)>)> = Vec::new();
        for next in moves {
            match next {
                Move::Arrive(mut levels, tokens) => {
                    let stack: Vec<_> = levels.iter().map(|level| &limiters[*level]).collect();
                    let call = Call::start(Stack::of(stack).acquire(tokens));
                    levels.sort_unstable();
                    levels.dedup();
                    waiting.push((call, levels));
                }
                Move::End(which, end) if !running.is_empty() => {
                    let (permit, numbers) = running.swap_remove(which % running.len());
                    end.of(permit);
                    numbers.iter().for_each(|(level, number)| models[*level].end(*number, end));
                }
                Move::Advance(time) => clock.advance(millis(time)),
                Move::Leave => drop(waiting.pop()),
                Move::End(..) => {}
            }
            for (mut call, levels) in std::mem::take(&mut waiting) {
                match call.over() {
                    Some(outcome) => {
                        let departs = |level: usize| (level, models[level].depart());
                        running.push((outcome.expect("nothing refuses it"), levels.into_iter().map(departs).collect()));
                    }
                    None => waiting.push((call, levels)),
                }
            }
            for (limiter, model) in limiters.iter().zip(&models) {
                prop_assert_eq!(in_flight(limiter), (model.calls, model.most));
            }
        }
    }
}
