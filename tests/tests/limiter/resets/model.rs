//! Random runs against a simple model: a list of resets, a number, and a queue.

use std::collections::VecDeque;
use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{Permit, Rate, RateLimiter};
use openlimit_tests::{Call, nanos, nanos_of};
use proptest::collection::vec;
use proptest::prelude::*;

use super::date;

/// The declared amount. No call is larger than half of it.
const AMOUNT: u64 = 100;

/// Half past one in Los Angeles on some days around the changes of 2026, in seconds since 1970. On
/// 2026-11-01, clocks show it twice.
const RESETS: [u64; 10] = [
    1_772_875_800,
    1_772_962_200,
    1_773_045_000,
    1_773_131_400,
    1_773_217_800,
    1_793_349_000,
    1_793_435_400,
    1_793_521_800,
    1_793_611_800,
    1_793_698_200,
];

/// A step of a random run. A `usize` selects one of the existing calls, modulo their number.
#[derive(Clone, Debug)]
enum Move {
    Try(u64),
    Arrive(u64),
    Advance(u64),
    /// The clock moves to so many nanoseconds before the next reset.
    Near(u64),
    Leave(usize),
    Cancel(usize),
    Settle(usize, u64),
    Charge(u64),
    Update(u64),
    Reset,
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0..=AMOUNT / 2).prop_map(Move::Try),
        6 => (0..=AMOUNT / 2).prop_map(Move::Arrive),
        3 => (0..60_000_000_000_000_u64).prop_map(Move::Advance),
        3 => (0..100_000_000_u64).prop_map(Move::Near),
        1 => any::<usize>().prop_map(Move::Leave),
        2 => any::<usize>().prop_map(Move::Cancel),
        4 => (any::<usize>(), 0..3 * AMOUNT).prop_map(|(call, used)| Move::Settle(call, used)),
        1 => (0..AMOUNT).prop_map(Move::Charge),
        1 => (AMOUNT / 2..2 * AMOUNT).prop_map(Move::Update),
        1 => Just(Move::Reset),
    ]
}

/// What the limiter should do.
struct Model {
    /// The resets to come, in nanoseconds of the clock.
    resets: VecDeque<u64>,
    jitter: u64,
    amount: u64,
    /// The highest amount of this window.
    highest: u64,
    taken: u64,
    /// Grows with each reset. What belongs to an earlier number cannot be given back.
    window: u64,
    now: u64,
    /// The number, the amount and the arrival of each call that waits.
    waiting: VecDeque<(usize, u64)>,
    /// The number of each call that has left the queue, when that was, and in which window.
    departed: Vec<(usize, u64, u64)>,
}

impl Model {
    fn has_room(&self, amount: u64) -> bool {
        let is_open = self.resets.front().is_none_or(|next| self.now + self.jitter < *next);
        amount == 0 || is_open && self.taken + amount <= self.amount
    }

    /// Returns what is carried on into the next window.
    fn owed(&self) -> u64 {
        self.taken.saturating_sub(self.highest)
    }

    fn pump(&mut self) {
        while let Some((number, amount)) = self.waiting.front().copied()
            && self.has_room(amount)
        {
            self.waiting.pop_front();
            self.taken += amount;
            self.departed.push((number, self.now, self.window));
        }
    }

    fn advance(&mut self, end: u64) {
        while let Some(next) = self.resets.front().copied().filter(|next| *next <= end) {
            self.resets.pop_front();
            self.now = next;
            self.taken = self.owed();
            self.highest = self.amount;
            self.window += 1;
            self.pump();
        }
        self.now = end;
    }

    fn give_back(&mut self, amount: u64, window: u64) {
        if window == self.window {
            self.taken = self.taken.saturating_sub(amount);
            self.pump();
        }
    }
}

/// A call of the limiter.
enum State {
    Waits(Call, u64),
    Admitted(Permit, u64),
    Over,
}

struct World {
    clock: ManualClock,
    limiter: RateLimiter,
    model: Model,
    calls: Vec<State>,
    amounts: Vec<u64>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_limit_that_resets_decides_as_a_simple_model(
        first in 0..2_usize,
        jitter in prop_oneof![Just(0), Just(50_000_000), 0..2_000_000_000_u64],
        moves in vec(any_move(), 1..120),
    ) {
        let mut world = World::new(first * 5, jitter);
        for next in moves {
            world.play(next);
            world.compare();
        }
    }
}

impl World {
    /// A world that begins an hour before a reset.
    fn new(first: usize, jitter: u64) -> Self {
        let clock = ManualClock::new();
        let begins = RESETS[first] - 3_600;
        clock.set_date(date(begins));
        let limiter = RateLimiter::builder().clock(&clock).jitter(nanos(jitter)).tokens(rate(AMOUNT));
        let resets = RESETS[first..first + 5].iter().map(|reset| (reset - begins) * 1_000_000_000);
        let model = Model {
            resets: resets.collect(),
            jitter,
            amount: AMOUNT,
            highest: AMOUNT,
            taken: 0,
            window: 0,
            now: 0,
            waiting: VecDeque::new(),
            departed: Vec::new(),
        };
        Self { clock, limiter: limiter.build().unwrap(), model, calls: Vec::new(), amounts: Vec::new() }
    }

    fn play(&mut self, next: Move) {
        match next {
            Move::Try(amount) => {
                let expected = self.model.waiting.is_empty() && self.model.has_room(amount);
                let call = self.limiter.try_acquire(amount);
                assert_eq!(call.is_ok(), expected, "a call of {amount}: {call:?}");
                if let Ok(permit) = call {
                    self.model.taken += amount;
                    self.calls.push(State::Admitted(permit, self.model.window));
                    self.amounts.push(amount);
                }
            }
            Move::Arrive(amount) => {
                self.model.waiting.push_back((self.calls.len(), amount));
                self.model.pump();
                let call = Call::start(self.limiter.acquire(amount));
                self.calls.push(State::Waits(call, self.model.now));
                self.amounts.push(amount);
            }
            Move::Advance(time) => self.advance(self.model.now + time),
            Move::Near(before) => {
                let next = self.model.resets.front().copied().unwrap_or_default();
                self.advance(next.saturating_sub(before).max(self.model.now));
            }
            Move::Leave(call) => {
                if let Some((place, State::Waits(..))) =
                    self.pick(call, |call| matches!(call, State::Waits(..)))
                {
                    self.model.waiting.retain(|(number, _)| *number != place);
                    self.model.pump();
                }
            }
            Move::Cancel(call) => {
                if let Some((place, State::Admitted(permit, window))) = self.pick(call, is_admitted) {
                    permit.cancel();
                    self.model.give_back(self.amounts[place], window);
                }
            }
            Move::Settle(call, used) => {
                if let Some((place, State::Admitted(permit, window))) = self.pick(call, is_admitted) {
                    permit.settle(used);
                    let reserved = self.amounts[place];
                    self.model.give_back(reserved.saturating_sub(used), window);
                    self.model.taken += used.saturating_sub(reserved);
                }
            }
            Move::Charge(amount) => {
                drop(self.limiter.charge(amount).unwrap());
                self.model.taken += amount;
            }
            Move::Update(amount) => {
                self.limiter.update(|limits| limits.tokens(rate(amount))).unwrap();
                self.model.amount = amount;
                self.model.highest = self.model.highest.max(amount);
                self.model.pump();
            }
            Move::Reset => {
                self.limiter.reset().unwrap();
                self.model.taken = 0;
                self.model.highest = self.model.amount;
                // What was charged before cannot be given back.
                self.model.window += 1;
                self.model.pump();
            }
        }
    }

    /// Advances to a moment, but not to the last reset, after which the model knows nothing.
    fn advance(&mut self, end: u64) {
        let last = self.model.resets.back().copied().unwrap_or_default();
        let end = end.min(last - 1);
        self.clock.advance(nanos(end - nanos_of(&self.clock)));
        self.model.advance(end);
    }

    /// Takes one of the calls that are as wanted.
    fn pick(&mut self, call: usize, is_wanted: fn(&State) -> bool) -> Option<(usize, State)> {
        let places: Vec<_> = (0..self.calls.len()).filter(|place| is_wanted(&self.calls[*place])).collect();
        let place = *places.get(call % places.len().max(1))?;
        Some((place, std::mem::replace(&mut self.calls[place], State::Over)))
    }

    /// Compares all calls with the model.
    fn compare(&mut self) {
        for (number, at, window) in self.model.departed.drain(..) {
            let call = std::mem::replace(&mut self.calls[number], State::Over);
            let State::Waits(mut call, arrived) = call else { panic!("call {number} does not wait") };
            assert!(call.poll(), "call {number} still waits at {}, and is due at {at}", self.model.now);
            let permit = call.admitted();
            assert_eq!(permit.waited(), nanos(at - arrived), "call {number}");
            self.calls[number] = State::Admitted(permit, window);
        }
        for (number, call) in self.calls.iter_mut().enumerate() {
            if let State::Waits(call, _) = call {
                assert!(!call.poll(), "call {number} was admitted at {}", self.model.now);
            }
        }
        let status = self.limiter.status().unwrap();
        assert_eq!(status.limits[0].debt, self.model.owed());
        let resets_in = self.model.resets.front().map(|next| Duration::from_nanos(next - self.model.now));
        assert!(resets_in.is_none() || status.limits[0].resets_in == resets_in, "{status}");
        if let Some((_, amount)) = self.model.waiting.front() {
            let next = self.due_of(*amount);
            assert!(next.is_none() || status.next == next, "{status}: {next:?}");
        }
    }

    /// Returns the time until a call of an amount that is next is due, if that is in a window that
    /// the model knows.
    fn due_of(&self, amount: u64) -> Option<Duration> {
        let windows = (self.model.owed() + amount).div_ceil(self.model.amount);
        let reset = self.model.resets.get(usize::try_from(windows).ok()? - 1)?;
        Some(Duration::from_nanos(reset - self.model.now))
    }
}

fn rate(amount: u64) -> Rate {
    Rate::per_day(amount).resets_at("01:30", "America/Los_Angeles")
}

fn is_admitted(call: &State) -> bool {
    matches!(call, State::Admitted(..))
}
