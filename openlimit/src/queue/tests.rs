//! Tests of the list itself: any order, and leaving from anywhere.
//!
//! They are here, since programs can only use the order of arrival.

use std::sync::Arc;
use std::task::{Wake, Waker};

use super::{KEPT, Key, Order, Outcome, Queue, Refusal, Waiter, by_arrival};
use crate::limits::Amounts;

/// Orders calls by size, smallest first; equal ones by arrival.
fn smallest_first(newcomer: &Waiter, waiting: &Waiter) -> bool {
    newcomer.amounts.as_slice()[0] < waiting.amounts.as_slice()[0]
}

fn waiter(amount: u64) -> Waiter {
    Waiter::new(Amounts::Few([amount, 0, 0]), 0, u64::MAX)
}

fn queue(order: Order, amounts: &[u64]) -> (Queue, Vec<Key>) {
    let mut queue = Queue::new(1, order);
    let keys = amounts.iter().map(|amount| queue.join(waiter(*amount))).collect();
    (queue, keys)
}

/// Returns the amounts of all waiters, in their order.
fn line(queue: &Queue) -> Vec<u64> {
    let line: Vec<_> = queue.iter().map(|(_, waiter)| waiter.amounts.as_slice()[0]).collect();
    assert_eq!(line.len(), queue.len());
    line
}

#[test]
fn each_order_has_its_line() {
    assert_eq!(line(&queue(by_arrival, &[3, 1, 2, 1]).0), [3, 1, 2, 1]);
    assert_eq!(line(&queue(smallest_first, &[3, 1, 2, 1, 0, 4]).0), [0, 1, 1, 2, 3, 4]);
}

#[test]
fn those_who_leave_from_anywhere_leave_the_others_in_order() {
    for leaves in 0..4 {
        let (mut queue, keys) = queue(smallest_first, &[30, 10, 40, 20]);
        let left = queue.leave(keys[leaves]).0.map(|waiter| waiter.amounts.as_slice()[0]);
        let rest: Vec<u64> = [10, 20, 30, 40].into_iter().filter(|amount| Some(*amount) != left).collect();
        assert_eq!(line(&queue), rest);
        queue.join(waiter(25));
        assert_eq!(line(&queue).iter().sum::<u64>(), rest.iter().sum::<u64>() + 25);
        assert!(line(&queue).is_sorted());
    }
}

#[test]
fn a_newcomer_has_ahead_of_it_what_goes_before_it() {
    let (first_come, _) = queue(by_arrival, &[30, 10, 40]);
    assert_eq!(first_come.ahead_of(&waiter(20), 0), 80);
    assert!(first_come.head_before(&waiter(20)).is_some());
    let (smallest, _) = queue(smallest_first, &[30, 10, 40]);
    assert_eq!(smallest.ahead_of(&waiter(20), 0), 10);
    assert_eq!(smallest.ahead_of(&waiter(40), 0), 80);
    assert!(smallest.head_before(&waiter(10)).is_some());
    assert!(smallest.head_before(&waiter(9)).is_none());
}

#[test]
fn a_waker_that_is_not_stored_is_handed_back_and_not_dropped_under_the_lock() {
    struct Foreign;

    impl Wake for Foreign {
        fn wake(self: Arc<Self>) {}
    }

    let foreign = Waker::from(Arc::new(Foreign));
    let (mut queue, keys) = queue(by_arrival, &[1, 1]);
    let (outcome, replaced) = queue.poll(keys[0], foreign.clone());
    assert!(outcome.is_none() && !replaced.will_wake(&foreign));
    queue.finish(keys[1], |_| Outcome::Refused(Refusal::WouldWait { wait: 0, limit: 0 }));
    let (outcome, unused) = queue.poll(keys[1], foreign.clone());
    assert!(outcome.is_some() && unused.will_wake(&foreign));
}

#[test]
fn the_storage_of_a_rush_is_returned_when_it_is_over() {
    let (mut queue, keys) = queue(by_arrival, &[1; 3 * KEPT]);
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
