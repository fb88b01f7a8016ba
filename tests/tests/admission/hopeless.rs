//! Calls that wait and cannot make their deadlines any more, because the queue has moved back. They
//! are refused as soon as that is known, and the calls behind them move up.

use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Builder, Cost, Percent, Permit, Priority, Rate, RateLimiter, Usage, kind};
use openlimit_tests::model::{Limit, Model};
use openlimit_tests::random::{NAMES, admissible, builder, cost, limits};
use openlimit_tests::{Call, millis, nanos, nanos_of, plain, requests_and_tokens, secs};
use proptest::collection::vec;
use proptest::prelude::*;

/// A limiter of ten requests a second, none of which is left.
fn used_up(clock: &ManualClock) -> RateLimiter {
    let limiter = plain(clock).requests(Rate::per_second(10)).build().expect("valid rates");
    while limiter.try_acquire(Cost::new()).is_ok() {}
    limiter
}

fn within(limiter: &RateLimiter, timeout: Duration) -> Call {
    Call::start(limiter.acquire(Cost::new()).timeout(timeout))
}

/// Returns which of the calls still wait. All others must have been refused for their timeouts.
fn waiting(calls: &mut [Call]) -> Vec<bool> {
    let still = |call: &mut Call| match call.over() {
        None => true,
        Some(Err(AcquireError::Timeout { .. })) => false,
        Some(outcome) => panic!("{outcome:?}"),
    };
    calls.iter_mut().map(still).collect()
}

#[test]
fn a_debt_refuses_those_who_have_no_time_for_it_and_no_other() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(10)).build().expect("valid rates");
    let first = Call::start(limiter.acquire(Cost::new())).admitted();
    while limiter.try_acquire(Cost::new()).is_ok() {}
    // The call in place n is due after n tenths of a second.
    let spare = [0, 250, 0, 150, 1_000, 0];
    let mut calls: Vec<Call> =
        (1..).zip(spare).map(|(place, spare)| within(&limiter, millis(100 * place + spare))).collect();
    // A debt of two. The first call is refused, which takes one off for the others. When the third
    // one is, too, the others go as if nothing had happened.
    first.settle(Usage::from(0).with("requests", 3));
    assert_eq!(waiting(&mut calls), [false, true, false, true, true, true]);
    clock.advance(secs(1));
    for (place, due) in [(5, 600), (4, 500), (3, 400), (1, 300)] {
        assert_eq!(calls.remove(place).admitted().waited(), millis(due));
    }
}

#[test]
fn a_hold_refuses_those_whose_deadlines_are_before_its_end() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock);
    let mut calls = [secs(1), secs(5), secs(6)].map(|timeout| within(&limiter, timeout));
    limiter.hold(millis(5_500), "maintenance").expect("it is built");
    for call in &mut calls[..2] {
        let Some(Err(AcquireError::Held { waited, wait, .. })) = call.over() else { panic!("not held") };
        assert_eq!(waited, secs(0));
        assert!(wait >= millis(5_500));
    }
    assert!(!calls[2].poll());
    clock.advance(secs(6));
    let [.., last] = calls;
    drop(last.admitted());
}

#[test]
fn a_lower_limit_or_a_charge_refuses_those_who_have_no_time_for_it() {
    let changes: [fn(&RateLimiter); 2] = [
        |limiter| limiter.update(|limits| limits.requests(Rate::per_second(3))).expect("a valid rate"),
        |limiter| drop(limiter.charge(Cost::new().requests(2)).expect("nothing is refused")),
    ];
    for change in changes {
        let limiter = used_up(&ManualClock::new());
        let mut calls = [150, 250, 2_000].map(|timeout| within(&limiter, millis(timeout)));
        change(&limiter);
        assert_eq!(waiting(&mut calls), [false, false, true]);
    }
}

#[test]
fn whatever_moved_calls_back_before_a_release_or_a_reset_what_does_so_later_counts() {
    let ends: [fn(&RateLimiter); 2] =
        [|limiter| limiter.release().expect("it is built"), |limiter| limiter.reset().expect("it is built")];
    for end in ends {
        let limiter = used_up(&ManualClock::new());
        let mut long = within(&limiter, secs(60));
        for wait in 1..20 {
            limiter.hold(secs(wait), "maintenance").expect("it is built");
        }
        assert!(!long.poll());
        end(&limiter);
        while limiter.try_acquire(Cost::new()).is_ok() {}
        let mut call = within(&limiter, millis(300));
        assert!(!call.poll());
        drop(limiter.charge(Cost::new().requests(20)).expect("nothing is refused"));
        assert_eq!(waiting(&mut [call]), [false]);
    }
}

#[test]
fn higher_calls_that_go_before_it_leave_a_low_call_no_time() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock);
    let mut low = Call::start(limiter.acquire(Cost::new()).priority(Priority::Low).timeout(millis(450)));
    let mut high = Vec::new();
    for _ in 0..3 {
        high.push(Call::start(limiter.acquire(Cost::new()).priority(Priority::High)));
        assert!(!low.poll());
    }
    high.push(Call::start(limiter.acquire(Cost::new()).priority(Priority::High)));
    let AcquireError::Timeout { waited, wait, .. } = low.refused() else { panic!("no timeout") };
    assert_eq!((waited, wait), (secs(0), millis(500)));
}

#[test]
fn a_call_that_is_refused_counts_as_one_that_overtakes_no_other() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock);
    let start = |priority, timeout| {
        let call = limiter.acquire(Cost::new()).priority(priority);
        Call::start(if timeout == 0 { call } else { call.timeout(millis(timeout)) })
    };
    let low = start(Priority::Low, 0);
    let high: Vec<Call> = (0..8).map(|_| start(Priority::High, 0)).collect();
    // It is the last of the nine that overtake the low call, at 0.9 s. The debt leaves it no time.
    let mut ninth = start(Priority::High, 950);
    // It goes behind the low call, at 1.1 s. Without the ninth it goes before that one, and the
    // debt does not delay it.
    let last = start(Priority::Normal, 1_150);
    drop(limiter.charge(Cost::new().requests(2)).expect("nothing is refused"));
    assert!(matches!(ninth.over(), Some(Err(AcquireError::Timeout { .. }))));
    clock.advance(secs(2));
    drop(high);
    assert_eq!(last.admitted().waited(), millis(1_100));
    assert_eq!(low.admitted().waited(), millis(1_200));
}

#[test]
fn a_low_call_that_is_refused_leaves_its_turn_to_the_one_behind_it() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock);
    let call = |priority| limiter.acquire(Cost::new()).priority(priority);
    let mut low = [1_050, 2_200].map(|timeout| Call::start(call(Priority::Low).timeout(millis(timeout))));
    let high: Vec<Call> = (0..20).map(|_| Call::start(call(Priority::High))).collect();
    // The low calls are the tenth and the twentieth. If the first of them leaves now, nine high calls
    // go before the second one, too, and not eighteen.
    drop(limiter.charge(Cost::new().requests(4)).expect("nothing is refused"));
    assert_eq!(waiting(&mut low), [false, true]);
    clock.advance(millis(1_400));
    let [_, second] = low;
    assert_eq!(second.admitted().waited(), millis(1_400));
    drop(high);
}

#[test]
fn a_low_call_that_is_refused_holds_no_high_call_up_any_more() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock);
    let call = |priority| limiter.acquire(Cost::new()).priority(priority);
    let [first, normal] = [(); 2].map(|()| Call::start(call(Priority::Normal)));
    let mut low = Call::start(call(Priority::Low).timeout(millis(1_350)));
    let overtake: Vec<Call> = (0..9).map(|_| Call::start(call(Priority::High))).collect();
    clock.advance(secs(1));
    [first].into_iter().chain(overtake).for_each(|call| drop(call.admitted()));
    // The low call is owed its turn. Those before it go in the order of their arrival, so this one is
    // due after 300 ms. If the low call leaves, it is due after 100 ms, before the normal call.
    let mut high = Call::start(call(Priority::High).timeout(millis(350)));
    drop(limiter.charge(Cost::new().requests(2)).expect("nothing is refused"));
    assert_eq!(waiting(std::slice::from_mut(&mut low)), [false]);
    assert!(!high.poll());
    clock.advance(secs(1));
    assert_eq!(high.admitted().waited(), millis(300));
    assert_eq!(normal.admitted().waited(), millis(1_400));
}

#[test]
fn high_calls_that_pass_a_head_that_waits_for_its_share_go_before_it() {
    let clock = ManualClock::new();
    let reserve = (Priority::High, Percent(50));
    let builder = plain(&clock).tokens(Rate::per_second(100)).reserve(reserve);
    let limiter = builder.build().expect("a valid reserve");
    let start = |tokens, priority| Call::start(limiter.acquire(tokens).priority(priority));
    // Nothing is left of the share. The head waits 0.8 s for it, and ten calls overtake the head.
    drop(start(50, Priority::Low).admitted());
    let head = start(40, Priority::Low);
    (0..9).for_each(|_| drop(start(1, Priority::High).admitted()));
    drop(start(41, Priority::High).admitted());
    let low = start(40, Priority::Low);
    let normal = Call::start(limiter.acquire(1).priority(Priority::Normal).timeout(secs(1)));
    // Nothing is left of the limit, but these are due earlier than the head. They overtake the
    // normal call meanwhile, so that one goes before the second low call.
    let high: Vec<Call> = (0..9).map(|_| start(1, Priority::High)).collect();
    clock.advance(secs(2));
    assert_eq!(head.admitted().waited(), millis(800));
    assert_eq!(normal.admitted().waited(), millis(820));
    assert_eq!(low.admitted().waited(), millis(1_620));
    drop(high);
}

#[test]
fn what_moved_the_queue_back_before_a_call_joined_does_not_refuse_it() {
    let limiter = plain(&ManualClock::new()).tokens(Rate::per_second(10)).build().expect("valid rates");
    drop(limiter.charge(10).expect("nothing is refused"));
    let call = |tokens, priority| limiter.acquire(tokens).priority(priority);
    // As things stand, they are due after 500, 700 and 700 ms. The last one only knows of the first.
    let calls = [(5, Priority::Normal, 500), (2, Priority::Normal, 900), (0, Priority::Low, 600)];
    let mut calls =
        calls.map(|(tokens, priority, time)| Call::start(call(tokens, priority).timeout(millis(time))));
    // The first one has no time for this one. Without it, the last one is due after 300 ms.
    let high = Call::start(call(1, Priority::High));
    assert_eq!(waiting(&mut calls), [false, true, true]);
    drop(high);
}

#[test]
fn a_call_waits_for_the_one_before_it_also_if_it_takes_from_another_limit() {
    let clock = ManualClock::new();
    let limiter = requests_and_tokens(&clock, Rate::per_second(10), Rate::per_second(10));
    drop(limiter.charge(Cost::new().requests(0).tokens(10)).expect("nothing is refused"));
    let ahead = [1, 2, 3].map(|tokens| Call::start(limiter.acquire(tokens)));
    for cost in [Cost::new(), Cost::new().requests(0)] {
        let call = |timeout| Call::start(limiter.acquire(cost.clone()).timeout(timeout));
        let AcquireError::Timeout { wait, .. } = call(millis(599)).refused() else { panic!("no timeout") };
        assert_eq!(wait, millis(600), "{cost:?}");
        assert!(!call(millis(600)).poll(), "{cost:?}");
    }
    clock.advance(millis(600));
    ahead.into_iter().for_each(|call| drop(call.admitted()));
}

#[test]
fn each_limit_counts() {
    let clock = ManualClock::new();
    let limiter = requests_and_tokens(&clock, Rate::per_second(10), Rate::per_second(1_000));
    let first = Call::start(limiter.acquire(Cost::new().tokens(500))).admitted();
    while limiter.try_acquire(0).is_ok() {}
    let call = |tokens, timeout| Call::start(limiter.acquire(Cost::new().tokens(tokens)).timeout(timeout));
    // Only the second one takes tokens, and those before it take none.
    let mut calls = [call(0, millis(100)), call(400, millis(300)), call(0, millis(300))];
    first.settle(Usage::from(1_100));
    // The debt of 100 and its 400 tokens are there after half a second.
    assert_eq!(waiting(&mut calls), [true, false, true]);
}

#[test]
fn a_refund_refuses_nobody() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("valid rates");
    let permit = Call::start(limiter.acquire(100)).admitted();
    let mut calls = [10, 20, 30].map(|tokens| Call::start(limiter.acquire(tokens).timeout(secs(1))));
    permit.settle(Usage::from(95));
    assert_eq!(waiting(&mut calls), [true; 3]);
    clock.advance(secs(1));
    calls.into_iter().for_each(|call| drop(call.admitted()));
}

#[test]
fn a_long_queue_is_checked_from_its_front_now_and_then() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(10_000)).build().expect("valid rates");
    let permits: Vec<_> = std::iter::from_fn(|| limiter.try_acquire(Cost::new()).ok()).take(20_000).collect();
    let mut calls: Vec<Call> = (1..=10_000).map(|place| within(&limiter, millis(1) * place / 10)).collect();
    let mut permits = permits.into_iter();
    let mut refused = |calls: &mut Vec<Call>| {
        permits.next().expect("a permit").settle(Usage::from(0).with("requests", 2));
        calls.iter_mut().filter(|call| call.wakes() > 0).count()
    };
    // Each has no time to spare, and one unit of debt is for one of them.
    assert_eq!(refused(&mut calls), 1);
    // The walk was long, so the next one comes later.
    assert_eq!(refused(&mut calls), 1);
    clock.advance(millis(20));
    assert!(calls[1].over().is_some_and(|outcome| outcome.is_err()));
    assert!(calls[2].over().is_some_and(|outcome| outcome.is_ok()));
}

/// A step of a random run.
#[derive(Clone, Debug)]
enum Move {
    /// A call of these amounts arrives, and may wait for so long.
    Arrive(Priority, Vec<u64>, u64),
    Advance(u64),
    /// An admitted call, chosen by the first number, used more or less of a dimension.
    Settle(usize, usize, u64),
}

fn any_move() -> impl Strategy<Value = Move> {
    let priority = prop_oneof![Just(Priority::Low), Just(Priority::Normal), Just(Priority::High)];
    let amount = prop_oneof![0..3_u64, 0..50_u64, 0..3_000_u64];
    let time = || prop_oneof![0..1_000_000_000_u64, 0..10_000_000_000_u64, 0..1_000_000_000_000_u64];
    prop_oneof![
        6 => (priority, vec(amount, 3), time()).prop_map(|(priority, amounts, timeout)| {
            Move::Arrive(priority, amounts, timeout)
        }),
        3 => time().prop_map(Move::Advance),
        3 => (any::<usize>(), 0..3_usize, 0..3_000_u64).prop_map(|(which, dimension, used)| {
            Move::Settle(which, dimension, used)
        }),
    ]
}

/// A limiter and its model, and the calls that wait, with their deadlines.
struct Game {
    clock: ManualClock,
    limiter: RateLimiter,
    model: Model,
    waiting: Vec<(usize, u64, Call)>,
    admitted: Vec<(usize, Permit)>,
}

impl Game {
    /// Compares each call that does not wait any more with the model.
    fn look(&mut self) -> Result<(), TestCaseError> {
        let now = nanos_of(&self.clock);
        let (mut refused, mut admitted) = (Vec::new(), Vec::new());
        for (call, deadline, mut asks) in std::mem::take(&mut self.waiting) {
            match asks.over() {
                None => self.waiting.push((call, deadline, asks)),
                Some(Ok(permit)) => admitted.push((call, deadline, permit)),
                Some(Err(_)) => refused.push((call, deadline)),
            }
        }
        for (call, deadline) in &refused {
            // Without the others that were refused, and if nothing else happened, would it have
            // made it?
            let mut alone = self.model.clone();
            refused.iter().filter(|(other, _)| other != call).for_each(|(other, _)| alone.cancel(*other));
            alone.advance(1 << 61);
            prop_assert!(alone.admitted(*call) > Some(*deadline), "call {call} would have been admitted");
        }
        refused.iter().for_each(|(call, _)| self.model.cancel(*call));
        for (call, deadline, _) in &self.waiting {
            prop_assert!(*deadline > now, "call {call} waits beyond its deadline");
            prop_assert_eq!(self.model.admitted(*call), None, "call {} waits", call);
        }
        for (call, deadline, _) in &admitted {
            prop_assert!(self.model.admitted(*call).is_some_and(|at| at <= *deadline), "call {call}");
        }
        self.admitted.extend(admitted.into_iter().map(|(call, _, permit)| (call, permit)));
        Ok(())
    }

    /// Lets time pass, from one deadline to the next.
    fn advance(&mut self, by: u64) -> Result<(), TestCaseError> {
        let end = nanos_of(&self.clock) + by;
        while nanos_of(&self.clock) < end {
            let now = nanos_of(&self.clock);
            let deadlines = self.waiting.iter().map(|(_, deadline, _)| *deadline);
            let step = deadlines.fold(end, u64::min).max(now + 1) - now;
            self.model.advance(step);
            self.clock.advance(nanos(step));
            self.look()?;
        }
        Ok(())
    }

    fn play(&mut self, limits: &[Limit], next: Move, call: usize) -> Result<(), TestCaseError> {
        match next {
            Move::Arrive(priority, amounts, timeout) => {
                let amounts = admissible(limits, &amounts);
                self.model.arrive(call, priority, amounts.clone());
                let acquire = self.limiter.acquire(cost(limits, &amounts)).priority(priority);
                let deadline = nanos_of(&self.clock) + timeout;
                self.waiting.push((call, deadline, Call::start(acquire.timeout(nanos(timeout)))));
            }
            Move::Advance(by) => self.advance(by)?,
            Move::Settle(which, dimension, used) if !self.admitted.is_empty() => {
                let (call, permit) = self.admitted.swap_remove(which % self.admitted.len());
                let cost = permit.cost();
                let tokens = cost.amount(&openlimit::Dimension::Tokens);
                permit.settle(Usage::from(tokens).with(NAMES[dimension], used));
                if limits.iter().any(|limit| limit.dimension == dimension) {
                    self.model.settle(call, dimension, used);
                }
            }
            Move::Settle(..) => {}
        }
        self.look()
    }
}

/// Plays the moves on a limiter and its model, until no call waits any more.
fn play_all(
    builder: Builder<kind::Explicit>,
    model: Model,
    clock: ManualClock,
    limits: &[Limit],
    moves: Vec<Move>,
) -> Result<(), TestCaseError> {
    let limiter = builder.build().expect("the limits are valid");
    let mut game = Game { clock, limiter, model, waiting: Vec::new(), admitted: Vec::new() };
    for (call, next) in moves.into_iter().enumerate() {
        game.play(limits, next, call)?;
    }
    game.advance(1 << 45)?;
    prop_assert!(game.waiting.is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_call_is_refused_that_would_make_it_and_none_waits_beyond_its_deadline(
        limits in limits(Just(0)),
        moves in vec(any_move(), 1..60),
    ) {
        let clock = ManualClock::new();
        play_all(builder(&limits, &clock), Model::new(limits.clone()), clock, &limits, moves)?;
    }

    #[test]
    fn nor_where_a_part_of_the_limits_is_kept(
        limits in limits(Just(0)),
        (priority, percent) in (prop_oneof![Just(Priority::Normal), Just(Priority::High)], 1..100_u8),
        moves in vec(any_move(), 1..60),
    ) {
        let clock = ManualClock::new();
        let model = Model::new(limits.clone()).with_reserve(priority, percent);
        let builder = builder(&limits, &clock).reserve((priority, Percent(percent)));
        play_all(builder, model, clock, &limits, moves)?;
    }
}
