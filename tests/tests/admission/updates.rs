//! Limits that are updated, reset and charged while calls wait and settle, against a model.
//!
//! The model keeps the history, and replays it each time. A level is a time of the rate, so an
//! update changes none. It counts in floats, and a limiter rounds to the later nanosecond. So
//! both are compared to [`NEARLY`], and as much time passes after each move.
//!
//! A part may be kept for high calls. Then each limit has a share, which is a limit of dimensions
//! of its own. Calls that wait are normal ones. High ones are admitted at once, or leave.

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Percent, Permit, Priority, Rate, RateLimiter, Usage};
use openlimit_tests::model::Limit;
use openlimit_tests::random::{NAMES, admissible, builder, cost, limits};
use openlimit_tests::{Call, nanos, nanos_of};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// By how much the times of the limiter and of the model may differ, in nanoseconds.
const NEARLY: u64 = 100_000;

/// The largest debt that a limit keeps exactly, in periods. A larger one is cut (`bucket`).
const LARGEST_DEBT: f64 = 15.0;

/// The number of dimensions, behind which those of the shares come.
const SHARE: usize = NAMES.len();

/// How many high calls may go before a normal one that waits.
const MOST_OVERTAKES: usize = 9;

#[derive(Clone, Debug)]
enum Move {
    Arrive(Vec<u64>),
    ArriveHigh(Vec<u64>),
    Charge(Vec<u64>),
    Advance(u64),
    /// A call that waits, or that was granted but not polled since, is dropped.
    Drop(usize),
    Cancel(usize),
    Settle(usize, usize, u64),
    /// Each limit gets another amount and burst, given as parts of a hundred, and the limiter
    /// another headroom.
    Update(Vec<(u64, u64)>, u8),
    Reset,
}

fn any_move() -> impl Strategy<Value = Move> {
    let amounts = || vec(prop_oneof![0..3_u64, 0..50_u64, 0..3_000_u64], 3);
    let time = prop_oneof![0..1_000_u64, 0..1_000_000_000_u64, 0..100_000_000_000_000_u64];
    let part = prop_oneof![Just(100_u64), 1..100_u64, 100..1_000_u64];
    let headroom = prop_oneof![Just(0), Just(5), Just(50)];
    prop_oneof![
        6 => amounts().prop_map(Move::Arrive),
        3 => amounts().prop_map(Move::ArriveHigh),
        1 => amounts().prop_map(Move::Charge),
        6 => time.prop_map(Move::Advance),
        2 => any::<usize>().prop_map(Move::Drop),
        2 => any::<usize>().prop_map(Move::Cancel),
        3 => (any::<usize>(), 0..3_usize, 0..300_u64).prop_map(|(which, dimension, used)| {
            Move::Settle(which, dimension, used)
        }),
        3 => (vec((part.clone(), part), 4), headroom).prop_map(|(parts, headroom)| Move::Update(parts, headroom)),
        1 => Just(Move::Reset),
    ]
}

#[derive(Clone, Debug)]
enum Event {
    /// The call, or `usize::MAX`.
    Charge(usize, Vec<u64>),
    Update(Vec<Limit>),
    Reset,
}

#[derive(Debug)]
struct Model {
    first: Vec<Limit>,
    /// Those of the shares come last.
    limits: Vec<Limit>,
    /// The part that is kept for high calls, in percent.
    kept: Option<u8>,
    /// The first call that waits, and how many high calls have gone before it.
    overtaken: (usize, usize),
    history: Vec<(u64, Event)>,
    queue: Vec<(usize, Vec<u64>)>,
    admitted: Vec<Option<u64>>,
    refused: Vec<bool>,
    /// The calls that take nothing from a share.
    is_high: Vec<bool>,
    now: u64,
    /// False once a debt was larger than [`LARGEST_DEBT`]. From then on, both may differ.
    is_exact: bool,
}

/// Returns the time of the rate that an amount is, in nanoseconds.
#[allow(clippy::cast_precision_loss, reason = "the model is approximate")]
fn weight(limit: &Limit, amount: u64) -> f64 {
    amount as f64 * limit.period as f64 / limit.amount as f64
}

/// Returns how much of that leaks in a nanosecond.
fn leak(limit: &Limit) -> f64 {
    f64::from(100 - limit.headroom) / 100.0
}

/// Returns the limits, and the shares of the calls for which `kept` percent of them are not kept.
fn with_shares(limits: &[Limit], kept: Option<u8>) -> Vec<Limit> {
    let shares = limits.iter().flat_map(|limit| kept.map(|kept| limit.without(kept)));
    limits.iter().cloned().chain(shares).collect()
}

/// Returns what a call takes that takes from its share, too.
fn below(amounts: &[u64]) -> Vec<u64> {
    amounts.repeat(2)
}

/// Returns what a high call takes.
fn above(amounts: &[u64]) -> Vec<u64> {
    [amounts, &[0; SHARE]].concat()
}

impl Model {
    fn new(limits: &[Limit], kept: Option<u8>) -> Self {
        let limits = with_shares(limits, kept);
        Self {
            first: limits.clone(),
            limits,
            kept,
            overtaken: (0, 0),
            history: Vec::new(),
            queue: Vec::new(),
            admitted: Vec::new(),
            refused: Vec::new(),
            is_high: Vec::new(),
            now: 0,
            is_exact: true,
        }
    }

    /// Returns the level of a limit now, in nanoseconds of its rate.
    #[allow(clippy::cast_precision_loss, reason = "the model is approximate")]
    fn level(&self, place: usize) -> f64 {
        let (mut limits, mut level, mut then) = (&self.first, 0_f64, 0);
        for (at, event) in
            self.history.iter().chain([&(self.now, Event::Charge(usize::MAX, vec![0; 2 * SHARE]))])
        {
            let limit = &limits[place];
            level = (level - (at - then) as f64 * leak(limit)).max(0.0);
            then = *at;
            match event {
                Event::Charge(_, amounts) => level += weight(limit, amounts[limit.dimension]),
                Event::Update(updated) => limits = updated,
                Event::Reset => level = 0.0,
            }
        }
        level
    }

    /// Returns the limits without those of the shares.
    fn whole_limits(&self) -> Vec<Limit> {
        self.limits.iter().filter(|limit| limit.dimension < SHARE).cloned().collect()
    }

    /// Returns in how many nanoseconds these limits have room for a call. It may be in the past.
    #[allow(clippy::cast_precision_loss, reason = "the model is approximate")]
    fn room_in(&self, amounts: &[u64], is_one: impl Fn(&Limit) -> bool) -> f64 {
        let limits = self.limits.iter().enumerate().filter(|(_, limit)| is_one(limit));
        let times = limits.map(|(place, limit)| {
            let (asked, burst) = (weight(limit, amounts[limit.dimension]), limit.burst as f64);
            let room = if asked > burst * (1.0 + 1e-12) { 0.0 } else { burst - asked };
            if asked > 0.0 { (self.level(place) - room) / leak(limit) } else { f64::MIN }
        });
        times.fold(f64::MIN, f64::max)
    }

    /// Returns for how many nanoseconds the head has to wait.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the model is approximate")]
    fn wait(&self, amounts: &[u64]) -> u64 {
        self.room_in(amounts, |_| true).ceil() as u64
    }

    /// Returns by how many nanoseconds it is too early for a high call to be admitted.
    fn high_is_early_by(&self, amounts: &[u64]) -> f64 {
        let early = self.room_in(amounts, |_| true);
        match self.queue.first() {
            // The head is owed its turn, unless it waits for its share alone.
            Some((call, head)) if self.overtaken == (*call, MOST_OVERTAKES) => {
                let [share, limit] = [true, false]
                    .map(|is_share| self.room_in(head, |limit| (limit.dimension >= SHARE) == is_share));
                early.max(limit - share)
            }
            _ => early,
        }
    }

    /// Notes that a high call is admitted.
    fn admit_high(&mut self, amounts: Vec<u64>) {
        if let Some((head, _)) = self.queue.first() {
            let before = if self.overtaken.0 == *head { self.overtaken.1 } else { 0 };
            self.overtaken = (*head, MOST_OVERTAKES.min(before + 1));
        }
        let call = self.admitted.len();
        self.admitted.push(Some(self.now));
        self.refused.push(false);
        self.is_high.push(true);
        self.happens(Event::Charge(call, amounts));
    }

    fn advance(&mut self, by: u64) {
        let end = self.now + by;
        while let Some((call, amounts)) = self.queue.first().cloned() {
            let at = self.now + self.wait(&amounts);
            // What is due this nearly is due.
            if at > end {
                break;
            }
            self.now = at;
            self.queue.remove(0);
            self.admitted[call] = Some(at);
            self.happens(Event::Charge(call, amounts));
        }
        self.now = end;
    }

    fn arrive(&mut self, amounts: Vec<u64>) {
        self.queue.push((self.admitted.len(), amounts));
        self.admitted.push(None);
        self.refused.push(false);
        self.is_high.push(false);
    }

    fn charge(&mut self, amounts: Vec<u64>) {
        self.happens(Event::Charge(usize::MAX, amounts));
    }

    fn charge_of(&mut self, call: usize) -> Option<&mut Vec<u64>> {
        self.history.iter_mut().find_map(|(_, event)| match event {
            Event::Charge(of, amounts) if *of == call => Some(amounts),
            _ => None,
        })
    }

    fn cancel(&mut self, call: usize) {
        self.queue.retain(|(waits, _)| *waits != call);
        if let Some(amounts) = self.charge_of(call) {
            amounts.fill(0);
        }
    }

    fn settle(&mut self, call: usize, dimension: usize, used: u64) {
        let is_above = self.is_high[call];
        let Some(amounts) = self.charge_of(call) else { return };
        let mut more = vec![0; 2 * SHARE];
        for dimension in if is_above { vec![dimension] } else { vec![dimension, SHARE + dimension] } {
            let reserved = amounts[dimension];
            amounts[dimension] = used.min(reserved);
            more[dimension] = used.saturating_sub(reserved);
        }
        self.charge(more);
    }

    fn update(&mut self, limits: Vec<Limit>) {
        for (call, amounts) in self.queue.clone() {
            if admissible(&limits, &amounts[..SHARE]) != amounts[..SHARE] {
                self.refused[call] = true;
                self.queue.retain(|(waits, _)| *waits != call);
            }
        }
        self.limits = with_shares(&limits, self.kept);
        self.happens(Event::Update(self.limits.clone()));
    }

    /// Notes what happens now.
    #[allow(clippy::cast_precision_loss, reason = "the model is approximate")]
    fn happens(&mut self, event: Event) {
        self.history.push((self.now, event));
        let periods = |(place, limit): (usize, &Limit)| self.level(place) / limit.period as f64;
        self.is_exact &= self.limits.iter().enumerate().map(periods).all(|debt| debt <= LARGEST_DEBT);
    }
}

enum Party {
    Asks(Call, u64),
    Has(Permit),
    Gone,
}

/// The limiter, the model, and the calls of both.
struct Play {
    clock: ManualClock,
    limiter: RateLimiter,
    model: Model,
    parties: Vec<Party>,
}

impl Play {
    fn advance(&mut self, by: u64) {
        self.model.advance(by);
        self.clock.advance(nanos(by));
    }

    /// Returns one of the calls that match, chosen by `which`.
    fn nth(&self, which: usize, matches: impl Fn(&Party) -> bool) -> Option<usize> {
        let all: Vec<_> = (0..self.parties.len()).filter(|call| matches(&self.parties[*call])).collect();
        (!all.is_empty()).then(|| all[which % all.len()])
    }

    fn take_permit(&mut self, which: usize) -> Option<(usize, Permit)> {
        let call = self.nth(which, |party| matches!(party, Party::Has(_)))?;
        match std::mem::replace(&mut self.parties[call], Party::Gone) {
            Party::Has(permit) => Some((call, permit)),
            _ => None,
        }
    }

    fn step(&mut self, step: &Move) -> Result<(), TestCaseError> {
        let limits = self.model.whole_limits();
        match step {
            Move::Arrive(amounts) => {
                let amounts = admissible(&limits, amounts);
                let call = Call::start(self.limiter.acquire(cost(&limits, &amounts)));
                self.parties.push(Party::Asks(call, nanos_of(&self.clock)));
                self.model.arrive(below(&amounts));
            }
            // Without a part that is kept, it is for the model of priorities.
            Move::ArriveHigh(_) if self.model.kept.is_none() => {}
            Move::ArriveHigh(amounts) => {
                let amounts = admissible(&limits, amounts);
                let acquire = self.limiter.acquire(cost(&limits, &amounts)).priority(Priority::High);
                let early = self.model.high_is_early_by(&above(&amounts));
                let admitted = Call::start(acquire).over();
                let is_right =
                    if admitted.is_some() { early <= NEARLY as f64 } else { early >= -(NEARLY as f64) };
                prop_assert!(is_right || !self.model.is_exact, "{early} ns too early: {admitted:?}");
                if let Some(permit) = admitted {
                    self.parties.push(Party::Has(permit.map_err(fails)?));
                    self.model.admit_high(above(&amounts));
                }
            }
            Move::Charge(amounts) => {
                let amounts = admissible(&limits, amounts);
                drop(self.limiter.charge(cost(&limits, &amounts)).map_err(fails)?);
                self.model.charge(below(&amounts));
            }
            Move::Advance(by) => self.advance(*by),
            Move::Drop(which) => {
                if let Some(call) = self.nth(*which, |party| matches!(party, Party::Asks(..))) {
                    self.parties[call] = Party::Gone;
                    self.model.cancel(call);
                }
            }
            Move::Cancel(which) => {
                if let Some((call, permit)) = self.take_permit(*which) {
                    permit.cancel();
                    self.model.cancel(call);
                }
            }
            Move::Settle(which, dimension, used) => {
                if let Some((call, permit)) = self.take_permit(*which) {
                    // A `Usage` always includes a number of tokens.
                    let tokens = self.model.charge_of(call).map_or(0, |amounts| amounts[1]);
                    permit.settle(Usage::from(tokens).with(NAMES[*dimension], *used));
                    if limits.iter().any(|limit| limit.dimension == *dimension) {
                        self.model.settle(call, *dimension, *used);
                    }
                }
            }
            Move::Update(parts, headroom) => {
                let updated = limits.into_iter().zip(parts).map(|(limit, (amount, burst))| Limit {
                    amount: (limit.amount * amount / 100).clamp(1, 1_000_000),
                    burst: (limit.burst / 100 * burst).clamp(limit.period / 1_000, 2 * limit.period),
                    headroom: *headroom,
                    ..limit
                });
                let updated: Vec<_> = updated.collect();
                let changed = self.limiter.update(|update| {
                    updated.iter().fold(update.headroom(Percent(*headroom)), |update, limit| {
                        let rate = Rate::new(limit.amount, nanos(limit.period)).burst(nanos(limit.burst));
                        update.limit(openlimit::Limit::new(NAMES[limit.dimension], rate))
                    })
                });
                changed.map_err(fails)?;
                self.model.update(updated);
            }
            Move::Reset => {
                self.limiter.reset().map_err(fails)?;
                self.model.happens(Event::Reset);
            }
        }
        // Lets both come to the same end.
        self.advance(NEARLY);
        self.look()
    }

    /// Polls all calls, and compares when they were admitted.
    fn look(&mut self) -> Result<(), TestCaseError> {
        for (call, party) in self.parties.iter_mut().enumerate() {
            let Party::Asks(asks, arrived) = party else { continue };
            let (found, expected) = match asks.over() {
                None => (None, self.model.admitted[call]),
                Some(Ok(permit)) => {
                    let waited = u64::try_from(permit.waited().as_nanos()).unwrap_or(u64::MAX);
                    let found = *arrived + waited;
                    *party = Party::Has(permit);
                    (Some(found), self.model.admitted[call])
                }
                Some(Err(AcquireError::TooLarge { .. })) => {
                    prop_assert!(self.model.refused[call], "call {call} was refused");
                    *party = Party::Gone;
                    continue;
                }
                Some(Err(error)) => return Err(fails(error)),
            };
            let is_near = match (found, expected) {
                (Some(found), Some(expected)) => found.abs_diff(expected) <= NEARLY,
                (found, expected) => found == expected && !self.model.refused[call],
            };
            prop_assert!(
                is_near || !self.model.is_exact,
                "call {call} at {found:?}, expected at {expected:?}"
            );
        }
        Ok(())
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn fails(error: impl ToString) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_call_is_admitted_when_the_model_admits_it_whatever_is_changed(
        limits in limits(Just(0)),
        kept in option::of(1..99_u8),
        moves in vec(any_move(), 1..60),
    ) {
        let mut distinct: Vec<Limit> = Vec::new();
        for limit in limits {
            let is_same = |other: &Limit| (other.dimension, other.period) == (limit.dimension, limit.period);
            if !distinct.iter().any(is_same) {
                distinct.push(limit);
            }
        }
        let clock = ManualClock::new();
        let builder = builder(&distinct, &clock);
        let reserve = kept.map(|kept| (Priority::High, Percent(kept)));
        let builder = reserve.into_iter().fold(builder, |builder, reserve| builder.reserve(reserve));
        let limiter = builder.build().expect("the limits are valid");
        let mut play = Play { clock, limiter, model: Model::new(&distinct, kept), parties: Vec::new() };
        for step in &moves {
            play.step(step)?;
        }
        play.advance(1 << 58);
        play.look()?;
        let waits = play.parties.iter().any(|party| matches!(party, Party::Asks(..)));
        // A larger debt may last for longer than that.
        prop_assert!(!waits || !play.model.is_exact, "a call was never admitted");
    }
}
