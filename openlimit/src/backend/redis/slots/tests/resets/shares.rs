//! The share of calls below a priority in limits that reset: it is as in memory.

use std::time::Duration;

use super::super::crowd::{Call, Crowd, JITTER, MILLISECOND, TRIP};
use super::super::server::RedisServer;
use super::super::world::{EPOCH, IDENTITY, command, scripted};
use super::{AMOUNT, HOUR, RESET, SECOND, hourly};
use crate::backend::Buckets as _;
use crate::backend::redis::wire::{BatchReply, Writer};
use crate::backend::tests::below;
use crate::bucket::Metering;
use crate::limits::{Priority, Rate};

use Priority::{High, Low, Normal};

const LOOK_AHEAD: u64 = 100 * MILLISECOND;

/// What calls below may take of a window.
const SHARE: u64 = AMOUNT / 5 * 4;

/// After how long a process knows what it gave back itself, which waits for other refunds before it
/// is sent.
const LATE: u64 = 40 * MILLISECOND;

/// The same for what others gave back: it asks once a second.
const NOTICED: u64 = SECOND + LATE;

/// The length of a window where many of them pass.
const MINUTE: u64 = 60 * SECOND;

/// A limit that resets every minute.
fn minutely() -> Metering {
    let rate = Rate::new(AMOUNT, Duration::from_secs(60)).resets_at("00:00", "UTC");
    Metering::new(rate, rate.period(), JITTER, (0, 100))
}

/// The same limit in memory and on a server, where it has several clients.
struct Both {
    memory: Crowd,
    shared: Crowd,
    random: u64,
    /// How much later a call may depart than in memory.
    late: u64,
}

impl Both {
    fn new(clients: usize, seed: u64) -> Self {
        let (memory, shared) =
            (Crowd::in_memory(minutely()), Crowd::new(minutely(), &[LOOK_AHEAD; 3][..clients]));
        let late = if clients > 1 { NOTICED } else { LATE };
        Self { memory, shared, late, random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    }

    fn random(&mut self, most: u64) -> u64 {
        below(&mut self.random, most)
    }

    fn call(&mut self, client: usize, amount: u64, priority: Priority) {
        self.memory.call(0, amount, priority);
        self.shared.call(client, amount, priority);
    }

    /// Gives back a part of one call, which a client has made.
    fn settle(&mut self, client: usize, back: u64) {
        let calls = &self.shared.departed[client];
        if !calls.is_empty() {
            let which = below(&mut self.random, calls.len().min(5) as u64) as usize + 1;
            let which = calls.len().saturating_sub(which);
            let arrived = calls[which].arrived;
            self.shared.settle_call(client, which, back);
            let same = self.memory.departed[0].iter().position(|call| call.arrived == arrived);
            self.memory.settle_call(0, same.expect("it has departed here, too"), back);
        }
    }

    /// Cancels all calls that wait, of one priority or lower ones.
    fn cancel(&mut self, priority: Priority) {
        for crowd in [&mut self.memory, &mut self.shared] {
            crowd.cancel(|call| call.priority <= priority);
        }
    }

    /// Lets time pass, but not to a moment just before a reset, where no call departs, or just
    /// after it.
    fn pass(&mut self, time: u64) {
        let end = self.shared.now + time;
        let rest = MINUTE - (end + HOUR - RESET) % MINUTE;
        let time = if (2 * SECOND..MINUTE - 2 * SECOND).contains(&rest) { time } else { time + 4 * SECOND };
        self.memory.pass(time);
        self.shared.pass(time);
    }

    /// Asserts that the same calls have departed at about the same time.
    fn check(&self) {
        let [memory, shared] = [&self.memory, &self.shared].map(|crowd| {
            let mut calls = crowd.calls(|_| true);
            calls.sort_by_key(|call| (call.arrived, call.priority));
            calls
        });
        for (shared, memory) in shared.iter().zip(&memory) {
            assert_eq!(
                [shared.arrived, shared.amount],
                [memory.arrived, memory.amount],
                "{shared:?} and {memory:?}"
            );
            let range = memory.departed..=memory.departed + self.late;
            assert!(range.contains(&shared.departed), "{shared:?} and {memory:?}");
        }
        assert_eq!(shared.len(), memory.len(), "{:?} and {:?}", shared.last(), memory.last());
    }
}

/// A small call in most cases, and one of most of a share or of more than that in others.
fn amount(both: &mut Both) -> u64 {
    if both.random(8) == 0 { 30 + both.random(71) } else { both.random(12) }
}

#[test]
fn a_process_takes_from_each_window_and_its_share_what_one_with_buckets_in_memory_takes() {
    let (mut windows, [mut above, mut below, mut late]) = (0, [0; 3]);
    for seed in 1..=2 {
        let mut both = Both::new(1, seed);
        for _ in 0..700 {
            let waits = [High, Low].map(|priority| both.shared.clients[0].waits(priority) > 0);
            let amount = amount(&mut both);
            match both.random(10) {
                0..3 if !waits[0] => both.call(0, amount, High),
                3..6 if !waits[1] => both.call(0, amount, Low),
                6 => both.settle(0, amount),
                7 if both.random(6) == 0 => {
                    let priority = [High, Low][both.random(2) as usize];
                    for crowd in [&mut both.memory, &mut both.shared] {
                        crowd.owe(0, amount / 2, priority);
                    }
                }
                8 if waits[1] && both.random(8) == 0 => both.cancel(Low),
                9 if both.random(20) == 0 => both.cancel(High),
                9 if both.random(10) == 0 => {
                    let (left, rate, now) = (both.random(120), 1 << both.random(3), both.shared.now);
                    for crowd in [&mut both.memory, &mut both.shared] {
                        let backend = &mut crowd.clients[0].admission.backend;
                        if left % 2 == 0 {
                            backend.cap(0, left.cast_signed() - 10, now);
                        } else {
                            backend.set_rate(0, 1, rate, now);
                        }
                    }
                }
                _ => {}
            }
            let time = 50 + both.random(5_000);
            both.pass(time * MILLISECOND);
            both.check();
        }
        windows += both.shared.now / MINUTE;
        above += both.shared.calls(|call| call.priority == High).len();
        below += both.shared.calls(|call| call.priority == Low).len();
        late += both.shared.calls(|call| waited(call) > SECOND).len();
    }
    let counts = [above, below, late];
    assert!(counts.iter().all(|count| *count > 60) && windows > 40, "{counts:?} in {windows} windows");
}

#[test]
fn processes_take_together_what_one_with_buckets_in_memory_takes() {
    let mut both = Both::new(3, 4);
    for _ in 0..400 {
        let (client, amount) = (both.random(3) as usize, amount(&mut both));
        match both.random(6) {
            0..2 => both.call(client, amount, High),
            2..5 => both.call(client, amount, [Normal, Low][amount as usize % 2]),
            _ => both.settle(client, amount),
        }
        both.pass(NOTICED);
        both.cancel(High);
        let time = both.random(2_000);
        both.pass(time * MILLISECOND);
        both.check();
    }
    assert!(both.shared.now / MINUTE > 10 && both.shared.calls(|_| true).len() > 200);
}

fn waited(call: &Call) -> u64 {
    call.departed - call.arrived
}

#[test]
fn calls_above_pass_any_number_of_times_while_one_below_waits_for_the_reset_of_its_share() {
    let mut crowd = Crowd::new(hourly(AMOUNT), &[LOOK_AHEAD]);
    crowd.call(0, SHARE, Low);
    crowd.pass(SECOND);
    crowd.call(0, 10, Low);
    for _ in 0..20 {
        crowd.call(0, 2, High);
        crowd.pass(SECOND / 4);
        crowd.settle(0, 2);
        crowd.pass(SECOND / 4);
    }
    let above = crowd.calls(|call| call.priority == High);
    assert!(above.len() == 20 && above.iter().all(|call| waited(call) <= 2 * TRIP), "{above:?}");
    let left = RESET - crowd.now;
    crowd.pass(left + 2 * TRIP);
    assert!(crowd.clients[0].waiting.is_empty());
}

/// Lets a call below wait for a reset of the limit itself. In each window, those above take what
/// they can. They are settled, and owe as much again as they had reserved.
fn waits_beside_debts(mut crowd: Crowd) -> Crowd {
    crowd.owe(0, 50, High);
    crowd.call(0, AMOUNT - 50, High);
    crowd.pass(SECOND);
    crowd.owe(0, 50, High);
    crowd.call(0, SHARE - 10, Low);
    while crowd.clients[0].waits(Low) > 0 && crowd.now < 10 * MINUTE {
        (crowd.clients[0].waits(High)..30).for_each(|_| crowd.call(0, 5, High));
        let before = crowd.departed[0].len();
        crowd.pass(SECOND / 2);
        for which in before..crowd.departed[0].len() {
            crowd.settle_call(0, which, 1);
            crowd.owe(0, 6, High);
        }
    }
    crowd
}

#[test]
fn a_call_below_that_is_owed_its_turn_holds_up_those_above_until_a_window_has_room_for_it() {
    let memory = waits_beside_debts(Crowd::in_memory(minutely()));
    let memory = memory.calls(|call| call.priority == Low);
    // The second window begins with the debt of the nine calls above that went first.
    assert!(waited(&memory[0]) < 3 * MINUTE, "{memory:?}");
    let shared = waits_beside_debts(Crowd::new(minutely(), &[LOOK_AHEAD]));
    let shared = shared.calls(|call| call.priority == Low);
    assert!(waited(&shared[0]) <= waited(&memory[0]) + LATE, "{shared:?} and {memory:?}");
}

#[test]
fn no_lease_lets_calls_above_pass_one_below_that_is_owed_its_turn() {
    let mut crowd = Crowd::new(minutely(), &[LOOK_AHEAD]);
    crowd.call(0, 95, High);
    crowd.pass(SECOND);
    crowd.clients[0].slots().terms.lease = Some(SECOND / 10);
    crowd.call(0, 10, Low);
    for _ in 0..12 {
        crowd.call(0, 0, High);
        crowd.pass(SECOND / 10);
    }
    assert_eq!(crowd.clients[0].waits(High), 3);
    // That is sent before the call below is asked for again.
    crowd.settle_call(0, 0, 1);
    crowd.pass(SECOND / 10);
    assert_eq!(crowd.clients[0].waits(High), 3);
    crowd.settle_call(0, 0, 4);
    crowd.pass(SECOND);
    assert!(crowd.clients[0].waiting.is_empty());
}

#[test]
fn a_call_below_that_waits_for_the_reset_is_asked_for_once_a_second() {
    let mut crowd = Crowd::new(hourly(AMOUNT), &[LOOK_AHEAD; 2]);
    crowd.call(1, SHARE, Low);
    crowd.pass(SECOND);
    crowd.call(0, 10, Low);
    crowd.pass(SECOND);
    let before = crowd.batches;
    crowd.pass(20 * SECOND);
    let batches = crowd.batches - before;
    assert!((19..=21).contains(&batches), "{batches}");
    // Each call above costs its own batch, and its refund another one, in which the call below is.
    for _ in 0..40 {
        crowd.call(0, 2, High);
        crowd.pass(SECOND / 4);
        crowd.settle(0, 2);
        crowd.pass(SECOND / 4);
    }
    let batches = crowd.batches - before - batches;
    assert!(batches <= 20 + 3 * 40, "{batches}");
    // What another process gives back is noticed within a second.
    crowd.settle(1, 10);
    crowd.pass(SECOND + LATE);
    assert!(crowd.clients[0].waiting.is_empty());
}

#[test]
fn what_calls_above_give_back_lets_one_below_go_that_waits_for_the_window_itself() {
    let mut crowd = Crowd::new(hourly(AMOUNT), &[LOOK_AHEAD]);
    crowd.call(0, AMOUNT, High);
    crowd.pass(SECOND);
    crowd.call(0, 10, Low);
    crowd.pass(SECOND);
    crowd.settle(0, 20);
    crowd.pass(LATE);
    assert!(crowd.clients[0].waiting.is_empty());
}

#[test]
fn a_refusal_of_a_call_below_states_the_reset_of_its_limit() {
    let mut crowd = Crowd::new(hourly(AMOUNT), &[LOOK_AHEAD]);
    crowd.call(0, SHARE, Low);
    crowd.pass(SECOND);
    crowd.call(0, 10, Low);
    // The last reply is old meanwhile.
    crowd.pass(SECOND / 2);
    let now = crowd.now;
    let slots = crowd.clients[0].slots();
    let [below, above] = [[10, 10], [10, 0]].map(|amounts| slots.known_reset(&amounts, now));
    assert!(below.0.abs_diff(RESET - now) <= TRIP && below.1 == 0, "{below:?}");
    assert_eq!(above, (0, 0));
    assert_eq!(slots.wait_of_next(&[10, 10], now).0, 0, "which another process may give back");
}

#[test]
fn a_share_outlasts_a_state_that_was_lost() {
    let mut crowd = Crowd::new(hourly(AMOUNT), &[LOOK_AHEAD; 2]);
    crowd.call(0, SHARE - 10, Low);
    crowd.pass(SECOND);
    crowd.lose_the_state();
    crowd.clients[0].slots().wants_news = true;
    crowd.pass(SECOND);
    crowd.call(1, 11, Low);
    crowd.call(1, 20, High);
    crowd.pass(SECOND);
    assert_eq!([Low, High].map(|priority| crowd.clients[1].waits(priority)), [1, 0]);
    crowd.cancel(|_| true);
    crowd.call(1, 10, Low);
    crowd.pass(SECOND);
    assert!(crowd.clients[1].waiting.is_empty());
}

/// What a call takes from a limit that resets and from one that leaks, and from their shares.
type Weights = [u64; 4];

/// Returns a batch of a client that looks 100 ms ahead, of one call.
fn batch(weights: Weights) -> Vec<u8> {
    let mut batch = Writer::default();
    let mut write = |numbers: &[u64]| numbers.iter().for_each(|number| batch.number(*number));
    write(&[1, 0]);
    write(&[0; 10]);
    write(&[LOOK_AHEAD, 20 * MILLISECOND, 0, 0, 0, 0, 0, 0, 1]);
    let hour = |hours: u64| EPOCH + RESET / 1_000 + hours * HOUR / 1_000 - HOUR / 1_000;
    for (size, resets) in [(AMOUNT, true), (SECOND, false), (SHARE, true), (SECOND, false)] {
        write(&[0; 8]);
        write(&[size, size]);
        if resets {
            write(&[hour(0), hour(1), hour(2), 20_000, size]);
        }
    }
    write(&[0; 6 * 4]);
    write(&[u64::MAX]);
    write(&weights);
    batch.finish()
}

#[test]
fn a_call_below_that_waits_for_a_reset_keeps_none_of_other_clients_back_from_another_limit() {
    let server = RedisServer::start();
    let mut connection = server.connect();
    let script = scripted(&mut connection, &[true, false, true, false], 2);
    let mut decide = |client: &str, weights: Weights| {
        let keys = ["{x}".to_owned(), format!("{{x}}{client}")];
        let command = command(&script, IDENTITY, &keys, &batch(weights), EPOCH);
        let reply: Vec<u8> = command.query(&mut connection).expect("redis answers");
        BatchReply::read(&reply, &[true, false, true, false]).expect("a reply")
    };
    // The share of the window is used up, and that of the other limit is nearly full.
    for (client, weights) in [("a", [SHARE, 0, SHARE, 0]), ("b", [0, SECOND / 2, 0, SECOND * 9 / 10])] {
        assert_eq!(decide(client, weights).granted(), 1);
    }
    let waits = decide("c", [1, SECOND / 2, 1, SECOND / 2]);
    assert!(waits.calls.is_empty(), "{waits:?}");
    let other = decide("d", [0, SECOND / 20, 0, SECOND / 20]);
    assert_eq!(other.granted(), 1, "{other:?}");
}
