//! Tests of the queue itself: its order beside a plain model of it, and leaving from anywhere.

use std::sync::Arc;
use std::task::{Wake, Waker};

use super::lines::{KEPT, Lines as Queue};
use super::order::MOST_OVERTAKES;
use super::{Key, Outcome, Refusal, Reserve, Urgency, Waiter};
use crate::limits::{Amounts, Priority};
use crate::queue::Grant;

const PRIORITIES: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

fn waiter(amount: u64, priority: Priority) -> Waiter {
    Waiter::new(Amounts::Few([amount, 0, 0]), 0, Urgency::default().of(priority))
}

/// A queue of these calls, in the order of their arrival.
fn queue(calls: &[(u64, Priority)]) -> (Queue, Vec<Key>) {
    let mut queue = Queue::new(1, Reserve::default());
    let keys = calls.iter().map(|(amount, priority)| queue.join(waiter(*amount, *priority))).collect();
    (queue, keys)
}

/// Returns the amounts of all waiters, in their order.
fn line(queue: &Queue) -> Vec<u64> {
    let line: Vec<_> = queue.iter().map(|(_, waiter)| waiter.amounts.as_slice()[0]).collect();
    assert_eq!(line.len(), queue.len());
    line
}

/// Admits the head, and returns its amount.
fn admit(queue: &mut Queue) -> Option<u64> {
    let (key, head) = queue.head()?;
    let amount = head.amounts.as_slice()[0];
    queue.finish(key, |waiter| Outcome::Admitted(Grant::at_once(waiter.amounts.take(), 0)));
    queue.leave(key);
    Some(amount)
}

use Priority::{High, Low, Normal};

#[test]
fn within_a_priority_calls_go_as_they_arrived_and_higher_ones_go_first() {
    assert_eq!(line(&queue(&[(3, Normal), (1, Normal), (2, Normal)]).0), [3, 1, 2]);
    let mixed = [(1, Low), (2, Normal), (3, High), (4, Low), (5, High), (6, Normal)];
    assert_eq!(line(&queue(&mixed).0), [3, 5, 2, 6, 1, 4]);
}

#[test]
fn every_tenth_place_is_for_a_lower_call_that_came_before() {
    let mut calls = vec![(1_000, Low), (1_001, Low)];
    calls.extend((0..30).map(|call| (call, High)));
    calls.push((1_002, Low));
    let mut expected: Vec<u64> = (0..9).chain([1_000]).chain(9..18).chain([1_001]).collect();
    // The last one came after all high calls, so none of them overtakes it.
    expected.extend((18..30).chain([1_002]));
    let (mut queue, _) = queue(&calls);
    assert_eq!(line(&queue), expected);
    let admitted: Vec<_> = std::iter::from_fn(|| admit(&mut queue)).collect();
    assert_eq!(admitted, expected);
}

#[test]
fn calls_above_a_reserved_priority_and_those_that_take_nothing_are_counted_apart() {
    let mut queue = Queue::new(1, Reserve::from(High));
    let calls = [(0, Low), (7, Low), (1, High), (2, Normal), (0, High)];
    let keys = calls.map(|(amount, priority)| queue.join(waiter(amount, priority)));
    assert_eq!(queue.above(), 3);
    let head = |of: Option<(Key, &Waiter)>| of.map(|(_, waiter)| waiter.amounts.as_slice()[0]);
    assert_eq!((head(queue.head_above()), head(queue.head_below())), (Some(1), Some(2)));
    for (key, above) in keys.into_iter().zip([2, 2, 1, 1, 0]) {
        queue.leave(key);
        assert_eq!(queue.above(), above);
    }
    assert!(queue.head_below().is_none());
}

#[test]
fn those_who_leave_from_anywhere_leave_the_others_in_order() {
    let calls = [(30, Normal), (10, High), (40, Low), (20, High)];
    for leaves in 0..4 {
        let (mut queue, keys) = queue(&calls);
        let left = queue.leave(keys[leaves]).0.map(|waiter| waiter.amounts.as_slice()[0]);
        let rest: Vec<u64> = [10, 20, 30, 40].into_iter().filter(|amount| Some(*amount) != left).collect();
        assert_eq!(line(&queue), rest);
        queue.join(waiter(35, Normal));
        assert_eq!(line(&queue).iter().sum::<u64>(), rest.iter().sum::<u64>() + 35);
        assert!(line(&queue).is_sorted());
    }
}

#[test]
fn a_newcomer_has_ahead_of_it_what_goes_before_it() {
    let (mut queue, _) = queue(&[(30, Normal), (10, High), (40, Low)]);
    for (priority, ahead, is_first) in [(High, 10, false), (Normal, 40, false), (Low, 80, false)] {
        let newcomer = waiter(1, priority);
        assert_eq!(queue.ahead_of(&newcomer, 0).amount, ahead);
        assert_eq!(queue.head_before(&newcomer).is_none(), is_first);
        assert_eq!(queue.goes_last(&newcomer), priority == Low);
    }
    assert_eq!([admit(&mut queue), admit(&mut queue)], [Some(10), Some(30)]);
    assert!(queue.head_before(&waiter(1, High)).is_none());
    for call in 0..u64::from(MOST_OVERTAKES) {
        assert_eq!(queue.ahead_of(&waiter(1, High), 0).calls, 0);
        queue.join(waiter(call, High));
        assert_eq!(admit(&mut queue), Some(call));
    }
    // The low call is owed its turn.
    assert_eq!(queue.ahead_of(&waiter(1, High), 0), 40.into());
    assert!(queue.head_before(&waiter(1, High)).is_some());
}

/// A call of the model, which knows only the rule, and looks at all calls each time.
#[derive(Clone, Debug)]
struct Plain {
    number: u64,
    priority: Priority,
    overtaken: u64,
}

/// Returns the place of the call that the rule puts first.
fn next(waiting: &[Plain]) -> Option<usize> {
    let front = |priority| waiting.iter().position(|call| call.priority == priority);
    let owed = |call: &usize| waiting[*call].overtaken >= u64::from(MOST_OVERTAKES);
    let lowest_owed = PRIORITIES.iter().rev().filter_map(|priority| front(*priority)).find(owed);
    match lowest_owed {
        Some(owed) => (0..=owed).find(|call| waiting[*call].priority >= waiting[owed].priority),
        None => PRIORITIES.iter().find_map(|priority| front(*priority)),
    }
}

#[test]
fn the_queue_follows_the_rule_and_keeps_its_bound() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |most: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % most
    };
    let (mut queue, mut waiting, mut keys) =
        (Queue::new(1, Reserve::default()), Vec::<Plain>::new(), Vec::new());
    // For each call: by how many higher ones it was overtaken, and by how many it may be.
    let (mut overtakes, mut bounds) = (Vec::new(), Vec::new());
    for number in 0..20_000 {
        // At times more calls come than go, and at times it is the other way round.
        let rush = number / 1_000 % 2 == 0;
        for _ in 0..random(if rush { 4 } else { 2 }) {
            let priority = PRIORITIES[random(3) as usize];
            let number = keys.len() as u64;
            let ahead = waiting.iter().filter(|call| call.priority == priority).count() as u64;
            keys.push(queue.join(waiter(number, priority)));
            waiting.push(Plain { number, priority, overtaken: 0 });
            overtakes.push(0);
            bounds.push(u64::from(MOST_OVERTAKES) * (ahead + 1));
        }
        if random(8) == 0 && !waiting.is_empty() {
            let left = waiting.remove(random(waiting.len() as u64) as usize);
            queue.leave(keys[left.number as usize]);
        }
        assert_eq!(queue.iter().next().map(|(key, _)| key), queue.head().map(|(key, _)| key));
        for _ in 0..random(3) {
            let Some(place) = next(&waiting) else { break };
            let gone = waiting.remove(place);
            assert_eq!(admit(&mut queue), Some(gone.number));
            for priority in PRIORITIES.into_iter().filter(|priority| *priority < gone.priority) {
                let mut line = waiting.iter_mut().filter(|call| call.priority == priority);
                if let Some(front) = line.next()
                    && front.number < gone.number
                {
                    front.overtaken += 1;
                }
            }
            for call in &waiting[..place] {
                assert!(call.priority < gone.priority, "{call:?} was overtaken by {gone:?}");
                overtakes[call.number as usize] += 1;
                assert!(overtakes[call.number as usize] <= bounds[call.number as usize], "{call:?}");
            }
        }
    }
    assert!(overtakes.iter().max() > Some(&100), "no call was overtaken often");
}

#[test]
fn a_waker_that_is_not_stored_is_handed_back_and_not_dropped_under_the_lock() {
    struct Foreign;

    impl Wake for Foreign {
        fn wake(self: Arc<Self>) {}
    }

    let foreign = Waker::from(Arc::new(Foreign));
    let (mut queue, keys) = queue(&[(1, Normal), (1, Normal)]);
    let (outcome, replaced) = queue.poll(keys[0], foreign.clone());
    assert!(outcome.is_none() && !replaced.will_wake(&foreign));
    queue.finish(keys[1], |_| Outcome::Refused(Refusal::WouldWait { wait: 0, limit: 0 }));
    let (outcome, unused) = queue.poll(keys[1], foreign.clone());
    assert!(outcome.is_some() && unused.will_wake(&foreign));
}

#[test]
fn the_storage_of_a_rush_is_returned_when_it_is_over() {
    let (mut queue, keys) = queue(&[(1, Normal); 3 * KEPT]);
    for (place, key) in keys.into_iter().enumerate() {
        assert!(queue.surplus().is_none(), "it is in use");
        if place % 2 == 0 {
            queue.finish(key, |_| Outcome::Refused(Refusal::WouldWait { wait: 0, limit: 0 }));
        }
        queue.leave(key);
    }
    drop(queue.surplus());
    assert!(queue.entries.capacity() <= KEPT);
}
