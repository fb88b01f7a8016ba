//! Processes that decide alone while they cannot reach Redis: what they take is repaid when they
//! are back, unless nobody else could have had it.

use std::time::Duration;

use super::super::{Alone, Slots};
use super::client::Tenant;
use super::world::{BURST, EPOCH, SLOW, World, metering};
use crate::backend::redis::OnOutage;
use crate::backend::redis::slots::LOCAL;
use crate::backend::redis::wire::BatchReply;
use crate::backend::{Buckets as _, Memory, Starting};
use crate::bucket::{CLIMB, Metering};
use crate::error::{StoreError, StoreProblem};
use crate::limits::{Amounts, Limit, Percent, Rate};
use crate::time::Dates;

const STEP: Duration = Duration::from_millis(5);
const BURST_NANOS: u64 = BURST.as_nanos() as u64;

/// What a call takes: ten requests.
const CALL: u64 = 10_000_000;

/// What may be granted ahead and not used when a state is lost, with a short look-ahead.
const UNUSED: u64 = 60_000_000;

/// Processes with a share of a quarter each, whose calls take ten requests, or 10 ms of the rate.
struct Processes {
    world: World,
    all: Vec<Process>,
    /// The level of a bucket that all calls fill when they depart, and the time of the last one.
    level: u64,
    level_at: u64,
    /// The sum of all calls, in nanoseconds of the rate.
    taken: u64,
}

struct Process {
    client: Tenant,
    /// The batch that got no reply, while the process is cut off.
    unanswered: Option<Vec<u8>>,
    /// True if it has calls to make.
    is_busy: bool,
}

impl Processes {
    fn start(count: usize) -> Self {
        Self::with_shares(count, Percent(25))
    }

    fn with_shares(count: usize, share: Percent) -> Self {
        let mut world = World::start(SLOW);
        let all = (0..count).map(|_| Process {
            client: alone(world.client(), share),
            unanswered: None,
            is_busy: true,
        });
        let all = all.collect();
        Self { world, all, level: 0, level_at: 0, taken: 0 }
    }

    fn looking_less_far(mut self) -> Self {
        self.all.iter_mut().for_each(|process| process.client.looks_ahead(20_000_000));
        self
    }

    /// Lets time pass. All processes make their calls.
    fn pass(&mut self, time: Duration) {
        for _ in 0..time.as_nanos() / STEP.as_nanos() {
            self.world.pass(STEP);
            for process in 0..self.all.len() {
                self.serve(process);
            }
        }
    }

    fn serve(&mut self, process: usize) {
        let now = self.world.clock;
        let Process { client, unanswered, is_busy } = &mut self.all[process];
        while *is_busy && client.queue.len() < 40 {
            client.join([10, 0]);
        }
        if unanswered.is_none()
            && let Ok(batch) = client.slots.collect(&client.queue, false, now)
        {
            let reply = self.world.run(client, &batch);
            client.slots.apply(&reply, &client.queue, now, now);
        }
        while let Some((key, head)) = client.queue.head()
            && let Some(due) = client.slots.due(head, now)
            && due.at <= now
        {
            let amounts = head.amounts.clone();
            client.slots.charge(&amounts, now, now);
            client.queue.leave(key);
            self.level = self.level.saturating_sub(now - self.level_at) + 10_000_000;
            (self.level_at, self.taken) = (now, self.taken + 10_000_000);
        }
    }

    /// Cuts a process off.
    fn cut(&mut self, process: usize) {
        let Process { client, unanswered, .. } = &mut self.all[process];
        let batch = client.slots.collect(&client.queue, true, self.world.clock).unwrap();
        *unanswered = Some(batch);
        let error = StoreError::new(&"".into(), StoreProblem::TimedOut(Duration::ZERO));
        client.slots.failed(&error, &client.queue, self.world.clock);
        assert!(client.slots.is_local());
    }

    /// Lets a process have the reply that it has waited for.
    fn answer(&mut self, process: usize) {
        let now = self.world.clock;
        let Process { client, unanswered, .. } = &mut self.all[process];
        let reply = self.world.run(client, &unanswered.take().unwrap());
        client.slots.apply(&reply, &client.queue, now, now);
    }

    /// Lets a process reach the server again. Its calls leave. Returns the reply to the batch with
    /// what it took.
    fn mend(&mut self, process: usize) -> BatchReply {
        let now = self.world.clock;
        let Process { client, unanswered, .. } = &mut self.all[process];
        client.all_leave();
        let batch = unanswered.take().unwrap();
        let reply = self.world.run(client, &batch);
        client.slots.apply(&reply, &client.queue, now, now);
        let batch = client.slots.collect(&client.queue, true, now).unwrap();
        let reply = self.world.run(client, &batch);
        client.slots.apply(&reply, &client.queue, now, now);
        reply
    }

    /// Returns the level now of a bucket that all calls filled.
    fn level(&self) -> u64 {
        self.level.saturating_sub(self.world.clock - self.level_at)
    }
}

/// Lets a client decide alone while it cannot reach the server.
pub(super) fn alone(client: Tenant, share: Percent) -> Tenant {
    alone_by(&SLOW.map(metering), client, share)
}

/// Does the same for limits with any terms.
pub(super) fn alone_by(whole: &[Metering; 2], mut client: Tenant, share: Percent) -> Tenant {
    let memory = |meterings: &[Metering; 2]| {
        Memory::new(
            &Starting {
                name: None,
                limits: &[],
                meterings,
                dimensions: &[0, 1],
                reserve: None,
                max_hold: 0,
                dates: Dates::From(1_000 * EPOCH.cast_signed()),
                on_system_time: true,
            },
            LOCAL,
        )
    };
    client.slots.terms.on_outage = OnOutage::Local(share);
    let part = whole.map(|metering| client.slots.terms.on_outage.part(&metering));
    client.slots.alone = Alone::new(memory(&part), 2);
    client
}

#[test]
fn what_a_process_took_while_another_used_the_whole_limit_is_repaid() {
    let mut processes = Processes::start(2);
    processes.pass(Duration::from_secs(2));
    processes.cut(0);
    processes.pass(Duration::from_secs(15));
    // A quarter of 15 s.
    let excess = processes.level();
    assert!((3_700_000_000..4_000_000_000).contains(&excess), "{excess}");
    processes.mend(0);
    // Nobody calls until it has leaked.
    processes.pass(Duration::from_secs(5));
    assert!(processes.level() <= BURST_NANOS, "{} is not repaid", processes.level() - BURST_NANOS);
    let (before, since) = (processes.taken, processes.world.clock);
    processes.pass(Duration::from_secs(5));
    assert!(processes.level() <= BURST_NANOS);
    let rate = (processes.taken - before) as f64 / (processes.world.clock - since) as f64;
    assert!((0.98..1.04).contains(&rate), "{rate} of the limit is used after that");
}

#[test]
fn what_nobody_else_could_have_had_is_not_owed() {
    let mut processes = Processes::start(2);
    processes.all[1].is_busy = false;
    processes.pass(Duration::from_secs(2));
    processes.cut(0);
    processes.pass(Duration::from_secs(15));
    let reply = processes.mend(0);
    assert!(reply.buckets[0].level <= BURST_NANOS, "{reply:?}");
}

#[test]
fn a_burst_taken_just_before_the_end_is_owed_however_long_nobody_called() {
    let mut processes = Processes::start(2);
    processes.pass(Duration::from_secs(1));
    processes.all.iter_mut().for_each(|process| process.is_busy = false);
    processes.pass(Duration::from_secs(2));
    processes.cut(0);
    processes.pass(Duration::from_secs(15));
    // A quarter of what fits into the burst: four calls.
    processes.all[0].is_busy = true;
    processes.serve(0);
    let taken = processes.level();
    assert_eq!(taken, 40_000_000);
    processes.all[0].is_busy = false;
    let reply = processes.mend(0);
    assert!((39_000_000..=40_000_000).contains(&reply.buckets[0].level), "{reply:?}");
}

#[test]
fn idle_time_pays_for_what_was_taken_only_once() {
    let mut processes = Processes::start(3);
    processes.pass(Duration::from_secs(2));
    processes.all[2].is_busy = false;
    processes.cut(0);
    processes.cut(1);
    // Both take a quarter of 16 s, which is 8 s together. The third lets the limit stand idle for
    // some 9 s of that.
    processes.pass(Duration::from_secs(10));
    processes.all[2].is_busy = true;
    processes.pass(Duration::from_secs(6));
    let first = processes.mend(0).buckets[0].level;
    let second = processes.mend(1).buckets[0].level;
    assert!(first < 500_000_000, "{first}");
    assert!(second < 500_000_000, "{second}");
    processes.pass(Duration::from_secs(1));
    // Now a third process takes as much, in a time in which nothing stands idle.
    processes.cut(2);
    processes.pass(Duration::from_secs(8));
    let third = processes.mend(2).buckets[0].level;
    assert!((1_900_000_000..2_600_000_000).contains(&third), "{third}");
}

#[test]
fn many_short_outages_of_four_processes_are_repaid() {
    let mut processes = Processes::start(4);
    processes.pass(Duration::from_secs(2));
    for outage in 0..13_usize {
        let cut: Vec<_> = (0..4).filter(|process| (outage * 7 + process) % 3 == 0).collect();
        cut.iter().for_each(|process| processes.cut(*process));
        processes.pass(Duration::from_millis(700 + 100 * outage as u64));
        cut.iter().for_each(|process| drop(processes.mend(*process)));
        processes.pass(Duration::from_secs(2));
    }
    processes.pass(Duration::from_secs(5));
    assert!(processes.level() <= BURST_NANOS, "{} is not repaid", processes.level() - BURST_NANOS);
    let used = processes.taken as f64 / processes.world.clock as f64;
    assert!((0.98..=1.01).contains(&used), "{used} of the limit is used");
}

#[test]
fn what_was_taken_alone_is_not_taken_again_if_the_server_does_not_hear_of_it() {
    for (count, share) in [(1, 100), (4, 25)] {
        for millis in [20, 60, 300, 2_500] {
            let mut processes = Processes::with_shares(count, Percent(share)).looking_less_far();
            processes.pass(Duration::from_secs(2));
            for _ in 0..10 {
                // The reply comes, but none to the next batch, which has what was taken.
                (0..count).for_each(|process| processes.cut(process));
                processes.pass(Duration::from_millis(millis));
                let level = processes.level();
                assert!(level <= BURST_NANOS, "{level} of {count} after {millis} ms");
                (0..count).for_each(|process| processes.answer(process));
            }
        }
    }
}

#[test]
fn idle_time_pays_for_what_was_taken_in_each_of_two_outages() {
    let mut processes = Processes::with_shares(1, Percent(100)).looking_less_far();
    processes.pass(Duration::from_secs(2));
    for _ in 0..2 {
        processes.cut(0);
        processes.pass(Duration::from_millis(2_500));
        processes.answer(0);
    }
    processes.cut(0);
    let level = processes.mend(0).buckets[0].level;
    // The least of each.
    assert!(level <= 2 * BURST_NANOS + UNUSED, "{level}");
}

#[test]
fn idle_time_pays_for_what_was_taken_in_two_outages_that_are_reported_together() {
    let mut processes = Processes::with_shares(1, Percent(100)).looking_less_far();
    processes.pass(Duration::from_secs(2));
    processes.cut(0);
    processes.pass(Duration::from_millis(2_500));
    processes.answer(0);
    // The batch with what it took is refused in the end, so the next one has all of it.
    processes.cut(0);
    processes.pass(Duration::from_millis(2_500));
    let (now, client) = (processes.world.clock, &mut processes.all[0].client);
    let lasting = StoreError::new(&"".into(), StoreProblem::Driver("".into()));
    client.slots.take_back();
    client.slots.failed(&lasting, &client.queue, now);
    client.all_leave();
    let batch = client.slots.collect(&client.queue, true, now).unwrap();
    let level = processes.world.run(client, &batch).buckets[0].level;
    assert!(level <= 2 * BURST_NANOS + UNUSED, "{level}");
}

#[test]
fn what_is_owed_at_least_of_a_limit_stays_if_only_another_one_is_taken_from_later() {
    let mut processes = Processes::with_shares(1, Percent(100)).looking_less_far();
    processes.pass(Duration::from_secs(2));
    processes.all[0].is_busy = false;
    processes.all[0].client.all_leave();
    processes.pass(Duration::from_secs(1));
    for (amounts, time) in [([100, 0, 0], 1_000), ([0, 5_000, 0], 0)] {
        processes.cut(0);
        processes.pass(Duration::from_millis(time));
        let now = processes.world.clock;
        processes.all[0].client.slots.charge(&Amounts::Few(amounts), now, now);
        if amounts[0] > 0 {
            processes.answer(0);
        }
    }
    let (now, client) = (processes.world.clock, &mut processes.all[0].client);
    let lasting = StoreError::new(&"".into(), StoreProblem::Driver("".into()));
    client.slots.take_back();
    client.slots.failed(&lasting, &client.queue, now);
    let batch = client.slots.collect(&client.queue, true, now).unwrap();
    let reply = processes.world.run(client, &batch);
    assert_eq!([0, 1].map(|limit| reply.buckets[limit].level), [100_000_000; 2]);
}

#[test]
fn what_is_owed_at_least_has_leaked_if_the_server_hears_of_it_late() {
    let mut processes = Processes::with_shares(1, Percent(100)).looking_less_far();
    processes.pass(Duration::from_secs(2));
    processes.all[0].is_busy = false;
    processes.cut(0);
    processes.all[0].client.all_leave();
    processes.pass(Duration::from_secs(1));
    processes.all[0].is_busy = true;
    processes.serve(0);
    processes.all[0].is_busy = false;
    processes.all[0].client.all_leave();
    assert!(processes.level() >= 170_000_000);
    processes.answer(0);
    // From here on, the batch with what it took is on its way.
    processes.cut(0);
    processes.pass(Duration::from_millis(100));
    processes.answer(0);
    let (level, known) = (processes.level(), processes.all[0].client.slots.ledger.level(0));
    assert!(known.abs_diff(level) <= CALL, "{known} for {level}");
}

#[test]
fn idle_time_pays_only_once_for_processes_that_never_saw_the_state() {
    let mut processes = Processes::start(3);
    processes.all[0].is_busy = false;
    processes.all[1].is_busy = false;
    processes.pass(Duration::from_secs(1));
    processes.all[2].is_busy = false;
    // Two processes start while they cannot reach the server.
    processes.cut(0);
    processes.cut(1);
    processes.all[0].is_busy = true;
    processes.all[1].is_busy = true;
    // Both take a quarter of 16 s, which is 8 s together. The limit stood idle for 6 s of that.
    processes.pass(Duration::from_secs(6));
    processes.all[2].is_busy = true;
    processes.pass(Duration::from_secs(10));
    let first = processes.mend(0).buckets[0].level;
    let second = processes.mend(1).buckets[0].level;
    assert!(first < 500_000_000, "{first}");
    assert!(second > 2_000_000_000, "{second}");
}

#[test]
fn what_all_took_while_redis_was_away_is_repaid_after_its_state_was_lost() {
    for millis in [50, 100, 200, 300, 500, 700, 1_500, 10_000] {
        let mut processes = Processes::start(3).looking_less_far();
        processes.pass(Duration::from_secs(2));
        (0..3).for_each(|process| processes.cut(process));
        processes.pass(Duration::from_millis(millis));
        redis::cmd("FLUSHALL").exec(&mut processes.world.connection).unwrap();
        let replies = [2, 0, 1].map(|process| processes.mend(process));
        let (known, level) = (replies[2].buckets[0].level, processes.level());
        assert!(
            (level.saturating_sub(CALL)..=level + UNUSED).contains(&known),
            "{known} for {level} after {millis} ms"
        );
        processes.pass(Duration::from_secs(1));
        assert!(processes.level() <= BURST_NANOS, "{} after {millis} ms", processes.level());
    }
}

#[test]
fn what_was_in_a_lost_state_is_not_idle_before_it_has_leaked() {
    let mut processes = Processes::start(2).looking_less_far();
    processes.all[1].is_busy = false;
    processes.pass(Duration::from_secs(2));
    processes.cut(0);
    processes.pass(Duration::from_millis(400));
    redis::cmd("FLUSHALL").exec(&mut processes.world.connection).unwrap();
    // The other process finds an empty state first.
    processes.all[1].is_busy = true;
    processes.serve(1);
    processes.all[1].is_busy = false;
    let (level, known) = (processes.level(), processes.mend(0).buckets[0].level);
    assert!((level..=level + UNUSED).contains(&known), "{known} for {level}");
}

/// Cuts one of two processes off for 15 s. The other one uses the whole limit for the last part of
/// that. Then the state is lost, and that process comes back first. Returns what the first one
/// took beyond the limit, and what is owed.
fn owed_after_a_loss(busy: Duration) -> (u64, u64) {
    let mut processes = Processes::start(2).looking_less_far();
    processes.pass(Duration::from_secs(2));
    processes.cut(0);
    processes.all[1].is_busy = false;
    processes.pass(Duration::from_secs(15) - busy);
    processes.all[1].is_busy = true;
    processes.pass(busy);
    redis::cmd("FLUSHALL").exec(&mut processes.world.connection).unwrap();
    processes.pass(Duration::from_millis(50));
    processes.all[1].is_busy = false;
    let known = processes.mend(0).buckets[0].level;
    (processes.level(), known)
}

#[test]
fn what_a_process_took_for_long_is_repaid_although_the_state_was_lost_before_it_is_back() {
    // A quarter of 15 s.
    let (excess, known) = owed_after_a_loss(Duration::from_secs(15));
    assert!((3_700_000_000..4_000_000_000).contains(&excess), "{excess}");
    assert!((excess - CALL..=excess + UNUSED).contains(&known), "{known} for {excess}");
}

#[test]
fn what_nobody_else_could_have_had_before_a_loss_is_not_owed() {
    // It stood idle for 10 s.
    let (_, known) = owed_after_a_loss(Duration::from_secs(5));
    assert!(known < 500_000_000, "{known}");
}

#[test]
fn what_was_taken_after_a_loss_is_repaid_although_the_process_was_alone_before_it() {
    let mut processes = Processes::start(2).looking_less_far();
    processes.pass(Duration::from_secs(2));
    processes.cut(0);
    // The state that is lost stands idle before.
    processes.all[1].is_busy = false;
    processes.pass(Duration::from_secs(10));
    redis::cmd("FLUSHALL").exec(&mut processes.world.connection).unwrap();
    processes.all[1].is_busy = true;
    processes.pass(Duration::from_secs(1));
    // Two replies of the new state come. None comes to the batch with what it took before them.
    for _ in 0..2 {
        processes.answer(0);
        processes.cut(0);
        processes.pass(Duration::from_millis(100));
    }
    processes.pass(Duration::from_secs(12));
    // A quarter of the last 12 s.
    let excess = processes.level();
    assert!(excess > 3_000_000_000, "{excess}");
    let known = processes.mend(0).buckets[0].level;
    // But for a quarter of the second before, which the idle time pays for.
    assert!(known + 250_000_000 >= excess, "{known} of {excess}");
}

#[test]
fn what_nobody_else_could_have_had_is_not_owed_at_a_rate_that_was_adopted() {
    let whole = [metering(Rate::per_second(100)).open(), metering(SLOW[1])];
    let mut world = World::metered_by(whole);
    let client = alone_by(&whole, world.client(), Percent(100));
    let all = vec![Process { client, unanswered: None, is_busy: true }];
    let mut processes = Processes { world, all, level: 0, level_at: 0, taken: 0 }.looking_less_far();
    processes.all[0].client.slots.set_rate(0, 1_000, 100, processes.world.clock);
    processes.pass(Duration::from_secs(2));
    processes.cut(0);
    processes.pass(Duration::from_secs(15));
    assert!(processes.taken > 16_000_000_000, "{}", processes.taken);
    let level = processes.mend(0).buckets[0].level;
    assert!(level <= BURST_NANOS + UNUSED, "{level}");
}

#[test]
fn alone_a_process_keeps_to_a_rate_that_it_has_from_another_one_also_after_an_update() {
    let mut processes = Processes::start(2);
    processes.all[0].client.slots.set_rate(0, 250, 1_000, processes.world.clock);
    processes.pass(Duration::from_secs(2));
    let now = processes.world.clock;
    let slots = &mut processes.all[1].client.slots;
    with_requests(2_000, |limits| slots.change(limits, Some(1), now)).unwrap();
    processes.cut(1);
    processes.all[0].is_busy = false;
    processes.all[0].client.all_leave();
    let before = processes.taken;
    processes.pass(Duration::from_secs(8));
    // A quarter of a quarter of 8 s, at 2 000 requests in a second.
    let taken = processes.taken - before;
    assert!((900_000_000..1_100_000_000).contains(&taken), "{taken}");
}

#[test]
fn alone_a_process_keeps_to_its_share_of_what_a_response_says_is_left() {
    let mut processes = Processes::start(1);
    processes.all[0].is_busy = false;
    processes.pass(Duration::from_secs(2));
    processes.cut(0);
    let (now, slots) = (processes.world.clock, &mut processes.all[0].client.slots);
    slots.cap(0, 80, now);
    assert!(!slots.has_room(&[21, 0, 0], now));
    assert!(slots.has_room(&[20, 0, 0], now));
    slots.cap(0, -100, now);
    // A debt of 100 of 1 000 in a second, for the whole limit as for a share of it.
    assert!(!slots.has_room(&[1, 0, 0], now + 100_000_000));
    assert!(slots.has_room(&[1, 0, 0], now + 104_000_000));
}

/// Calls `act` with a limit of so many requests in a second.
fn with_requests<T>(amount: u64, act: impl FnOnce(&Starting<'_>) -> T) -> T {
    let rates = [Rate::per_second(amount), SLOW[1]];
    act(&Starting {
        name: None,
        limits: &[Limit::new("requests", rates[0]), Limit::new("tokens", rates[1])],
        meterings: &rates.map(metering),
        dimensions: &[0, 1],
        reserve: None,
        max_hold: 0,
        dates: Dates::From(1_000 * EPOCH.cast_signed()),
        on_system_time: true,
    })
}

#[test]
fn what_was_taken_before_an_update_is_owed_in_proportion() {
    for amount in [100, 1_000, 10_000] {
        let mut processes = Processes::with_shares(1, Percent(100)).looking_less_far();
        processes.pass(Duration::from_secs(2));
        processes.cut(0);
        processes.pass(Duration::from_secs(5));
        let now = processes.world.clock;
        let slots = &mut processes.all[0].client.slots;
        with_requests(amount, |limits| slots.change(limits, None, now)).unwrap();
        // Nobody else used the limit, so it owes its last burst.
        let level = processes.mend(0).buckets[0].level;
        assert!((100_000_000..=BURST_NANOS + UNUSED).contains(&level), "{level} at {amount}");
    }
}

#[test]
fn what_is_given_back_of_a_call_before_a_reset_is_not_taken_from_what_is_owed() {
    let mut processes = Processes::with_shares(1, Percent(100)).looking_less_far();
    processes.pass(Duration::from_secs(2));
    processes.all[0].is_busy = false;
    processes.cut(0);
    processes.pass(Duration::from_secs(1));
    let (now, call) = (processes.world.clock, Amounts::Few([100, 0, 0]));
    let slots = &mut processes.all[0].client.slots;
    let before = slots.charge(&call, now, now);
    with_requests(1_000, |limits| slots.reset(limits, now));
    slots.charge(&call, now, now);
    slots.refund(&call, before, now, |_, _| ());
    assert_eq!(processes.mend(0).buckets[0].level, 100_000_000);
}

#[test]
fn what_is_taken_alone_weighs_by_the_rate_that_climbs_back_meanwhile() {
    let mut processes = Processes::with_shares(1, Percent(100)).looking_less_far();
    processes.pass(Duration::from_secs(2));
    let (now, slots) = (processes.world.clock, &mut processes.all[0].client.slots);
    assert!(slots.cut(0, CLIMB, slots.ledger.charges(), now));
    processes.pass(STEP);
    processes.cut(0);
    processes.pass(Duration::from_secs(20));
    // By the rate of each moment, no more than that time.
    let noted = processes.all[0].client.slots.alone.took[0].all;
    assert!((19_900_000_000..=20_000_000_000 + BURST_NANOS).contains(&noted), "{noted}");
}

#[test]
fn what_is_given_back_alone_weighs_what_it_did_also_after_the_rate_fell() {
    for gives_up_after in [0, 1, 2, 3] {
        let mut processes = Processes::with_shares(1, Percent(100)).looking_less_far();
        processes.all[0].is_busy = false;
        processes.pass(Duration::from_secs(2));
        processes.cut(0);
        let (now, slots) = (processes.world.clock, &mut processes.all[0].client.slots);
        let give_up = |slots: &mut Slots, step| {
            if step == gives_up_after {
                slots.give_up(now);
            }
        };
        let (call, back) = (Amounts::Few([100, 0, 0]), Amounts::Few([90, 0, 0]));
        give_up(slots, 0);
        let before = slots.charge(&call, now, now);
        give_up(slots, 1);
        slots.set_rate(0, 250, 1_000, now);
        give_up(slots, 2);
        let after = slots.charge(&call, now, now);
        assert_eq!(slots.alone.took[0].all, 500_000_000);
        slots.refund(&back, before, now, |_, _| ());
        assert_eq!(slots.alone.took[0].all, 410_000_000, "{gives_up_after}");
        slots.refund(&back, after, now, |_, _| ());
        assert_eq!(slots.alone.took[0].all, 50_000_000, "{gives_up_after}");
    }
}

#[test]
fn what_was_taken_before_the_rate_was_cut_alone_is_owed_by_what_it_weighed() {
    let mut processes = Processes::with_shares(1, Percent(100)).looking_less_far();
    processes.all[0].is_busy = false;
    processes.pass(Duration::from_secs(2));
    processes.cut(0);
    let (now, slots) = (processes.world.clock, &mut processes.all[0].client.slots);
    for _ in 0..2 {
        let charge = slots.charge(&Amounts::Few([50, 0, 0]), now, now);
        assert!(slots.cut(0, CLIMB, charge, now));
    }
    assert_eq!(processes.mend(0).buckets[0].level, 150_000_000);
}

#[test]
fn a_process_that_decides_alone_asks_for_news_although_its_batch_was_given_up_or_taken_back() {
    for end in [Slots::give_up, |slots: &mut Slots, _| slots.take_back()] {
        let mut processes = Processes::start(1);
        processes.all[0].is_busy = false;
        processes.pass(Duration::from_secs(2));
        processes.cut(0);
        let (now, client) = (processes.world.clock, &mut processes.all[0].client);
        client.all_leave();
        end(&mut client.slots, now);
        client.slots.charge(&Amounts::Few([10, 0, 0]), now, now);
        let batch = client.slots.collect(&client.queue, false, now).expect("a batch");
        let reply = processes.world.run(client, &batch);
        client.slots.apply(&reply, &client.queue, now, now);
        assert!(!client.slots.is_local());
    }
}
