//! A keyed limiter compared with limiters that are built apart, one for each key, and never
//! forgotten. Both say the same about every call, to the nanosecond, so forgetting cannot be seen.
//!
//! Responses are left out: from the first one on, a limiter notes when its calls were admitted, and
//! a key that was forgotten begins anew with that.

use openlimit::testing::ManualClock;
use openlimit::{Cost, Keyed, Permit, Rate, RateLimiter};
use openlimit_tests::{Call, nanos};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Move {
    /// A call of one key that may not wait: requests and tokens.
    Try(u64, u64, u64),
    /// A call that may wait.
    Start(u64, u64, u64),
    /// A `usize` selects a call or a permit, modulo their number.
    Poll(usize),
    Leave(usize),
    Settle(usize, u64),
    Cancel(usize),
    Keep(usize),
    Hold(u64, u64),
    Advance(u64),
    /// Many other keys come, so that all that are idle are forgotten.
    Crowd,
}

/// The keys that are compared.
const KEYS: u64 = 4;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn forgetting_cannot_be_seen(jitter in 0..60_000_000_u64, moves in vec(any_move(), 1..80)) {
        play(jitter, &moves)?;
    }
}

fn any_move() -> impl Strategy<Value = Move> {
    let call = (0..KEYS, 0..3_u64, prop_oneof![0..100_u64, 900..1_100_u64, 0..30_000_u64]);
    let time = prop_oneof![0..1_000_000_u64, 0..2_000_000_000_u64, 0..100_000_000_000_u64];
    prop_oneof![
        4 => call.clone().prop_map(|(key, requests, tokens)| Move::Try(key, requests, tokens)),
        4 => call.prop_map(|(key, requests, tokens)| Move::Start(key, requests, tokens)),
        2 => any::<usize>().prop_map(Move::Poll),
        1 => any::<usize>().prop_map(Move::Leave),
        2 => (any::<usize>(), 0..3_000_u64).prop_map(|(permit, used)| Move::Settle(permit, used)),
        1 => any::<usize>().prop_map(Move::Cancel),
        2 => any::<usize>().prop_map(Move::Keep),
        1 => (0..KEYS, 0..5_000_000_000_u64).prop_map(|(key, time)| Move::Hold(key, time)),
        5 => time.prop_map(Move::Advance),
        5 => Just(Move::Crowd),
    ]
}

/// The same thing in the keyed limiter and in the one that was built apart.
type Both<T> = (T, T);

struct Game {
    clock: ManualClock,
    keyed: Keyed<u64, RateLimiter>,
    apart: Vec<RateLimiter>,
    calls: Vec<Both<Call>>,
    permits: Vec<Both<Permit>>,
    crowds: u64,
}

fn play(jitter: u64, moves: &[Move]) -> Result<(), TestCaseError> {
    let clock = ManualClock::new();
    let builder = || {
        let builder = RateLimiter::builder().requests(Rate::per_second(10)).tokens(Rate::per_minute(60_000));
        builder.jitter(nanos(jitter)).clock(&clock)
    };
    let mut game = Game {
        keyed: builder().keyed().build().unwrap(),
        apart: (0..KEYS).map(|_| builder().build().unwrap()).collect(),
        clock: clock.clone(),
        calls: Vec::new(),
        permits: Vec::new(),
        crowds: 0,
    };
    for step in moves {
        game.step(step)?;
        game.compare()?;
    }
    Ok(())
}

impl Game {
    fn of(&self, key: u64) -> Both<RateLimiter> {
        (self.keyed.of(&key), self.apart[key as usize].clone())
    }

    fn step(&mut self, step: &Move) -> Result<(), TestCaseError> {
        match *step {
            Move::Try(key, requests, tokens) => {
                let (keyed, apart) = self.of(key);
                let cost = || Cost::new().requests(requests).tokens(tokens);
                self.over((keyed.try_acquire(cost()), apart.try_acquire(cost())))?;
            }
            Move::Start(key, requests, tokens) => {
                let (keyed, apart) = self.of(key);
                let start = |limiter: &RateLimiter| {
                    Call::start(limiter.acquire(Cost::new().requests(requests).tokens(tokens)))
                };
                self.calls.push((start(&keyed), start(&apart)));
            }
            Move::Poll(call) if !self.calls.is_empty() => {
                let place = call % self.calls.len();
                let (keyed, apart) = &mut self.calls[place];
                match (keyed.over(), apart.over()) {
                    (Some(keyed), Some(apart)) => {
                        self.calls.swap_remove(place);
                        self.over((keyed, apart))?;
                    }
                    (keyed, apart) => prop_assert!(keyed.is_none() && apart.is_none(), "{keyed:?} {apart:?}"),
                }
            }
            Move::Leave(call) if !self.calls.is_empty() => {
                drop(self.calls.swap_remove(call % self.calls.len()));
            }
            Move::Settle(permit, used) => self.end(permit, |permit| permit.settle(used)),
            Move::Cancel(permit) => self.end(permit, Permit::cancel),
            Move::Keep(permit) => self.end(permit, drop),
            Move::Hold(key, time) => {
                let (keyed, apart) = self.of(key);
                keyed.hold(nanos(time), "a test").unwrap();
                apart.hold(nanos(time), "a test").unwrap();
            }
            Move::Advance(time) => self.clock.advance(nanos(time)),
            Move::Crowd => {
                for _ in 0..300 {
                    self.crowds += 1;
                    drop(self.keyed.of(&(KEYS + self.crowds)));
                }
            }
            Move::Poll(_) | Move::Leave(_) => {}
        }
        Ok(())
    }

    fn over(&mut self, both: Both<Result<Permit, openlimit::AcquireError>>) -> Result<(), TestCaseError> {
        match both {
            (Ok(keyed), Ok(apart)) => {
                prop_assert_eq!(keyed.waited(), apart.waited());
                prop_assert_eq!(keyed.waited_for(), apart.waited_for());
                self.permits.push((keyed, apart));
            }
            (Err(keyed), Err(apart)) => prop_assert_eq!(keyed.to_string(), apart.to_string()),
            (keyed, apart) => prop_assert!(false, "{:?} and {:?}", keyed, apart),
        }
        Ok(())
    }

    fn end(&mut self, permit: usize, end: impl Fn(Permit)) {
        if !self.permits.is_empty() {
            let (keyed, apart) = self.permits.swap_remove(permit % self.permits.len());
            end(keyed);
            end(apart);
        }
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        for key in 0..KEYS {
            let (keyed, apart) = self.of(key);
            let (keyed, apart) = (keyed.status().unwrap(), apart.status().unwrap());
            prop_assert_eq!(keyed.waiting, apart.waiting);
            prop_assert_eq!(keyed.next, apart.next);
            prop_assert_eq!(keyed.hold, apart.hold);
            for (keyed, apart) in keyed.limits.iter().zip(&apart.limits) {
                prop_assert_eq!(keyed.available, apart.available);
                prop_assert_eq!(keyed.debt, apart.debt);
                prop_assert_eq!(keyed.full_in, apart.full_in);
                prop_assert_eq!(keyed.pace, apart.pace);
            }
        }
        Ok(())
    }
}
