//! A part of every limit that is kept for calls above a priority, over several clients.

use std::ops::Range;
use std::time::Duration;

use super::crowd::{Call, Crowd, JITTER, MILLISECOND, SECOND, TRIP};
use crate::backend::Buckets as _;
use crate::bucket::Metering;
use crate::limits::{Amounts, Priority, Rate};
use crate::queue::{Urgency, Waiter};

use Priority::{High, Low};

/// The usual look-ahead.
const LOOK_AHEAD: u64 = 100 * MILLISECOND;

/// A limit of 1 000 per second.
fn limit(burst: Duration) -> Metering {
    Metering::new(Rate::per_second(1_000), burst, JITTER, (0, 100))
}

/// What the share of the calls below is worth in a second.
const SHARE: u64 = 800;

/// Returns the longest wait of these calls.
fn longest(crowd: &Crowd, is_counted: impl Fn(&Call) -> bool) -> u64 {
    let calls = crowd.calls(is_counted);
    calls.iter().map(|call| call.departed - call.arrived).max().expect("calls")
}

fn is_high(call: &Call) -> bool {
    call.priority == High
}

fn is_low(call: &Call) -> bool {
    call.priority == Low
}

/// Keeps many small calls waiting at each of these clients.
fn flood(crowd: &mut Crowd, clients: Range<usize>, priority: Priority) {
    for client in clients {
        while crowd.clients[client].waits(priority) < 30 {
            crowd.call(client, 10, priority);
        }
    }
}

/// Has all clients flood the limit with calls below for 20 s, beside calls above that take 15 % of
/// it. Returns what the calls below of each client took, too.
fn flooded(burst: Duration, look_aheads: &[u64]) -> (Crowd, Vec<u64>) {
    let mut crowd = Crowd::new(limit(burst), look_aheads);
    for step in 0..4_000 {
        flood(&mut crowd, 0..look_aheads.len(), Low);
        if step % 13 == 0 {
            let client = crowd.random(look_aheads.len() as u64) as usize;
            crowd.call(client, 10, High);
        }
        crowd.pass(5 * MILLISECOND);
    }
    crowd.check();
    let took = |calls: &Vec<Call>| calls.iter().copied().filter(is_low).map(|call| call.amount).sum();
    let parts = crowd.departed.iter().map(took).collect();
    (crowd, parts)
}

#[test]
fn a_flood_of_calls_below_uses_all_of_its_share_and_those_above_pass_it() {
    // A call above waits for round trips alone, or for a look-ahead if the burst is no longer than
    // that.
    for (burst, most) in [(1_000, 2 * TRIP), (100, LOOK_AHEAD)] {
        for clients in [1, 3] {
            let (crowd, parts) = flooded(Duration::from_millis(burst), &[LOOK_AHEAD; 3][..clients]);
            let used = crowd.used(2 * SECOND, is_low);
            assert!(used >= 19 * SHARE * 995 / 1_000, "{used}");
            assert!(longest(&crowd, is_high) <= most, "{}", longest(&crowd, is_high));
            assert!(parts.iter().all(|part| *part >= 20 * SHARE / clients as u64 * 9 / 10), "{parts:?}");
        }
    }
}

#[test]
fn a_call_above_waits_for_a_look_ahead_of_those_below_where_calls_leave_one_by_one() {
    let (crowd, parts) = flooded(Duration::from_millis(33), &[LOOK_AHEAD; 3]);
    // And for the last one below, and for calls above that came before it.
    let most = LOOK_AHEAD + 40 * MILLISECOND;
    assert!(longest(&crowd, is_high) <= most, "{}", longest(&crowd, is_high));
    assert!(parts.iter().sum::<u64>() >= 20 * SHARE * 9 / 10, "{parts:?}");
}

#[test]
fn no_client_is_starved_by_one_that_looks_further_ahead() {
    let (crowd, parts) = flooded(Duration::from_secs(1), &[LOOK_AHEAD, 3 * LOOK_AHEAD, LOOK_AHEAD / 5]);
    let used = crowd.used(2 * SECOND, is_low);
    assert!(used >= 19 * SHARE * 995 / 1_000, "{used}");
    assert!(longest(&crowd, is_high) <= 3 * TRIP, "{}", longest(&crowd, is_high));
    // They take turns, and one that looks further ahead takes more in each.
    assert!(parts.iter().all(|part| *part >= 20 * SHARE / 100), "{parts:?}");
}

#[test]
fn a_large_call_below_is_not_starved_by_small_ones_nor_by_calls_above_of_its_own_client() {
    for (large, clients) in [(700, 2), (700, 5), (1_000, 3)] {
        let mut crowd = Crowd::new(limit(Duration::from_secs(1)), &[LOOK_AHEAD; 5][..clients]);
        for step in 0..4_000 {
            flood(&mut crowd, 1..clients, Low);
            if step > 200 && crowd.clients[0].waits(Low) == 0 {
                crowd.call(0, large, Low);
            }
            if step % 20 == 0 {
                crowd.call(0, 10, High);
                crowd.call(1, 10, High);
            }
            crowd.pass(5 * MILLISECOND);
        }
        crowd.check();
        // About as long as its own weight in the share.
        let waited = longest(&crowd, |call| call.amount == large);
        assert!(waited <= 2 * SECOND, "{waited} of {large} beside {clients}");
        let least = crowd.calls(|call| is_low(call) && call.amount < large).len();
        assert!(least > 50, "{least} small calls beside {large}");
        let used = crowd.used(2 * SECOND, is_low);
        // The last large one still waits.
        assert!(used + large >= 19 * SHARE * 995 / 1_000, "{used} beside {large} and {clients}");
        // A call of the whole limit leaves no room until a part of it has leaked.
        let most = if large < 1_000 { 2 * TRIP } else { LOOK_AHEAD + 40 * MILLISECOND };
        assert!(longest(&crowd, is_high) <= most, "{}", longest(&crowd, is_high));
    }
}

#[test]
fn a_client_that_dies_keeps_others_back_until_its_call_was_due_and_for_little_more_than_a_second_at_most() {
    // The second call weighs 0.31 s of the share, behind a look-ahead of calls: so it is due in
    // 0.41 s.
    for (amount, least, most) in [(1_000, 1_000, 1_300), (250, 400, 600)] {
        let mut crowd = Crowd::new(limit(Duration::from_secs(1)), &[LOOK_AHEAD; 2]);
        for step in 0..200 {
            flood(&mut crowd, 0..1, Low);
            if step == 199 {
                crowd.call(1, amount, Low);
            }
            crowd.pass(5 * MILLISECOND);
        }
        crowd.clients.pop();
        let died = crowd.now;
        for _ in 0..800 {
            flood(&mut crowd, 0..1, Low);
            crowd.pass(5 * MILLISECOND);
        }
        // What was granted before the claim departs within a look-ahead.
        let late = crowd.calls(|call| call.departed > died + LOOK_AHEAD);
        let first = late[0].departed - died;
        assert!((least..most).contains(&(first / MILLISECOND)), "{first} ns after a call of {amount}");
        // The share was kept for it meanwhile, and is of use to others then.
        assert!(crowd.used(died + 2 * SECOND, is_low) >= 2 * SHARE * 99 / 100);
    }
}

#[test]
fn calls_above_alone_use_all_of_the_limit() {
    let mut crowd = Crowd::new(limit(Duration::from_secs(1)), &[LOOK_AHEAD; 2]);
    for _ in 0..1_000 {
        flood(&mut crowd, 0..2, High);
        crowd.pass(5 * MILLISECOND);
    }
    crowd.check();
    assert!(crowd.used(2 * SECOND, is_high) >= 4_000 * 995 / 1_000);
}

#[test]
fn where_both_wait_for_the_limit_one_call_in_ten_is_one_below() {
    let mut crowd = Crowd::new(limit(Duration::from_secs(1)), &[LOOK_AHEAD; 2]);
    for _ in 0..1_000 {
        flood(&mut crowd, 0..2, Low);
        flood(&mut crowd, 0..2, High);
        crowd.pass(5 * MILLISECOND);
    }
    crowd.check();
    let [low, all] = [is_low, |_: &Call| true].map(|is_counted| crowd.used(2 * SECOND, is_counted));
    assert!(all >= 4_000 * 995 / 1_000, "{all}");
    assert!((all * 9 / 100..=all * 11 / 100).contains(&low), "{low} of {all}");
}

#[test]
fn calls_of_nothing_go_although_those_below_wait_for_their_share() {
    let mut crowd = Crowd::new(limit(Duration::from_secs(1)), &[LOOK_AHEAD]);
    flood(&mut crowd, 0..1, Low);
    for _ in 0..4 {
        crowd.call(0, 400, Low);
    }
    crowd.call(0, 0, Low);
    crowd.call(0, 0, High);
    crowd.pass(10 * SECOND);
    assert!(crowd.clients[0].waiting.is_empty());
}

#[test]
fn a_call_of_nothing_below_does_not_have_one_above_in_line_asked_for_again_and_again() {
    let mut crowd = Crowd::new(limit(Duration::from_secs(1)), &[LOOK_AHEAD]);
    crowd.call(0, 980, High);
    // It is granted for a moment ahead, and overtaken.
    crowd.call(0, 60, Low);
    crowd.pass(2 * TRIP);
    crowd.call(0, 300, High);
    crowd.call(0, 0, Priority::Normal);
    let before = crowd.batches;
    crowd.pass(20 * TRIP);
    assert!(crowd.clients[0].waits(Low) == 1 && crowd.clients[0].waits(High) == 1);
    assert!(crowd.batches - before <= 3, "{}", crowd.batches - before);
    crowd.pass(SECOND);
    assert!(crowd.clients[0].waiting.is_empty());
}

#[test]
fn whatever_calls_do_the_limit_and_the_share_keep_their_bounds_and_all_go() {
    for burst in [1_000, 250, 33] {
        let look_aheads = [LOOK_AHEAD, 3 * LOOK_AHEAD, LOOK_AHEAD / 5];
        let mut crowd = Crowd::new(limit(Duration::from_millis(burst)), &look_aheads);
        for step in 0..3_000 {
            let client = crowd.random(3) as usize;
            // Bursts of calls, and quiet times.
            if step % 400 < 300 {
                for _ in 0..crowd.random(3) {
                    let large = if crowd.random(40) == 0 { 30 } else { 1 };
                    let (amount, priority) =
                        (crowd.random(21) * large, [High, Low, Low][crowd.random(3) as usize]);
                    crowd.call(client, amount, priority);
                }
            }
            match crowd.random(12) {
                0 => crowd.leave(client),
                1 => {
                    let back = crowd.random(20);
                    crowd.settle(client, back);
                }
                _ => {}
            }
            let time = crowd.random(30) * MILLISECOND;
            crowd.pass(time);
        }
        crowd.check();
        assert!(crowd.calls(is_low).len() > 1_000 && crowd.calls(is_high).len() > 500);
        crowd.pass(60 * SECOND);
        assert!(crowd.clients.iter().all(|client| client.waiting.is_empty()));
    }
}

#[test]
fn a_large_call_below_is_not_asked_for_again_and_again_while_calls_above_wait() {
    let mut crowd = Crowd::new(limit(Duration::from_secs(1)), &[LOOK_AHEAD]);
    for _ in 0..20 {
        crowd.call(0, 50, High);
    }
    crowd.pass(100 * MILLISECOND);
    crowd.call(0, 700, Low);
    let before = crowd.batches;
    for _ in 0..40 {
        crowd.call(0, 50, High);
        crowd.pass(50 * MILLISECOND);
    }
    crowd.check();
    let batches = crowd.batches - before;
    assert!(batches <= 2 * 160, "{batches} in 2 s");
}

#[test]
fn calls_below_go_on_when_the_one_in_front_that_was_kept_back_leaves() {
    let mut crowd = Crowd::new(limit(Duration::from_secs(1)), &[LOOK_AHEAD]);
    crowd.call(0, 700, Low);
    crowd.pass(10 * MILLISECOND);
    crowd.call(0, 750, Low);
    crowd.pass(10 * MILLISECOND);
    crowd.call(0, 10, Low);
    crowd.pass(10 * MILLISECOND);
    let (key, _) = crowd.clients[0].waiting.remove(0);
    let now = crowd.now;
    crowd.clients[0].admission.queue.leave(key);
    crowd.clients[0].admission.pump(now, &mut Vec::new());
    crowd.pass(20 * MILLISECOND);
    assert!(crowd.clients[0].waiting.is_empty());
}

#[test]
fn a_call_below_of_a_higher_priority_is_asked_for_before_one_that_was_kept_back() {
    let mut crowd = Crowd::new(limit(Duration::from_secs(1)), &[LOOK_AHEAD]);
    crowd.call(0, 700, Low);
    crowd.pass(10 * MILLISECOND);
    crowd.call(0, 750, Low);
    crowd.pass(10 * MILLISECOND);
    crowd.call(0, 10, Priority::Normal);
    crowd.pass(20 * MILLISECOND);
    assert_eq!(crowd.clients[0].waits(Priority::Normal), 0);
}

#[test]
fn a_call_below_that_is_owed_its_turn_departs_where_few_calls_may_be_in_flight() {
    for room in [1, 2, 3] {
        let mut crowd = Crowd::new(limit(Duration::from_secs(1)), &[LOOK_AHEAD]);
        crowd.clients[0].slots().set_room(room);
        for _ in 0..1_000 {
            for priority in [High, Low] {
                while crowd.clients[0].waits(priority) < 4 {
                    crowd.call(0, 100, priority);
                }
            }
            crowd.pass(10 * MILLISECOND);
        }
        crowd.check();
        let since = crowd.now - 5 * SECOND;
        for priority in [High, Low] {
            let used = crowd.used(since, |call| call.priority == priority);
            assert!(used >= 500, "calls of {priority:?} used {used} of 5000 where {room} may be in flight");
        }
        let used = crowd.used(since, |_| true);
        assert!(used >= 4_800, "{used} of 5000 are used where {room} may be in flight");
    }
}

#[test]
fn a_call_of_several_limiters_keeps_its_turn_where_few_calls_may_be_in_flight() {
    let mut crowd = Crowd::new(limit(Duration::from_secs(1)), &[LOOK_AHEAD]);
    crowd.clients[0].slots().set_room(1);
    crowd.call(0, 700, Low);
    crowd.pass(50 * MILLISECOND);
    // It waits for its share, and is owed its turn.
    crowd.call(0, 500, Low);
    for _ in 0..9 {
        crowd.call(0, 1, High);
        crowd.pass(10 * MILLISECOND);
    }
    // This call passes it, and then waits for another limiter.
    let call = Waiter::new(Amounts::Few([10, 0, 0]), crowd.now, Urgency::default().of(High));
    let now = crowd.now;
    let key = crowd.clients[0].admission.join_stacked(call, 0, now, &mut Vec::new()).expect("room");
    crowd.pass(5 * MILLISECOND);
    let now = crowd.now;
    assert!(crowd.clients[0].admission.turn(key, now).is_some());
    crowd.pass(2 * SECOND);
    let now = crowd.now;
    assert!(crowd.clients[0].admission.turn(key, now).is_none(), "its slot has expired");
    assert_eq!(crowd.clients[0].waits(Low), 1);
    crowd.clients[0].admission.retract(key, 0, now);
    crowd.pass(5 * MILLISECOND);
    let (now, admission) = (crowd.now, &mut crowd.clients[0].admission);
    let due = admission.turn(key, now).expect("a slot");
    assert!(admission.depart_stacked(key, due, now).is_some());
    crowd.pass(SECOND);
    assert_eq!(crowd.clients[0].waits(Low), 0);
}
