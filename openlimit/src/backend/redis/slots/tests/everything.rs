//! Everything at once: calls that are settled, cancelled and refused, holds, probes, rates that are
//! cut and adopted, outages in which processes decide alone, states that are lost, limits that are
//! updated, and resets.
//!
//! While that goes on, calls depart within the bound and never during a hold. Once it is over,
//! every client gets its part again, and together they use the limit.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::alone::alone;
use super::world::{BURST, JITTER, SLOW, World, metering};
use crate::admission::{Admission, Decided, Policy};
use crate::backend::redis::identity::Identity;
use crate::backend::redis::shared::shared;
use crate::backend::redis::slots::{LOCAL, Met, Slots};
use crate::backend::redis::wire::{Announcement, BatchReply};
use crate::backend::{Backend, Buckets as _, Starting};
use crate::bucket::CLIMB;
use crate::error::{StoreError, StoreProblem};
use crate::limits::{Amounts, Limit, Percent, Rate};
use crate::queue::{Grant, Key, Outcome, Queue, Refusals, Urgency, Waiter};
use crate::time::Dates;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;
const STEP: u64 = 2 * MILLI;

/// For how long faults go on, for how long their effects may last, and for how long the parts of
/// the clients are measured then.
const FAULTS: u64 = 10 * SECOND;
const AFTERMATH: u64 = 10 * SECOND;
const STEADY: u64 = 5 * SECOND;

/// By how much calls exceed the bound for a second after the state was lost, in nanoseconds of the
/// rate: by what was granted ahead and that the client that comes first does not know of.
const UNKNOWN: u64 = 500 * MILLI;

/// The amount of each limit as declared, in a second.
const DECLARED: [u64; 2] = [1_000, 50_000];

/// Returns the weights of a unit of limits with these amounts, in nanoseconds.
fn weights(amounts: [u64; 2]) -> [u64; 2] {
    amounts.map(|amount| SECOND / amount)
}

struct Member {
    admission: Admission,
    keys: [String; 2],
    flight: Option<Flight>,
    waiting: Vec<Key>,
    calls: Vec<Call>,
    is_cut_off: bool,
    /// The limits that it knows.
    limits: [u64; 2],
    /// The limits by which each of its charges was granted.
    granted_by: HashMap<u64, [u64; 2]>,
}

/// A batch without a reply.
struct Flight {
    bytes: Vec<u8>,
    sent: u64,
    /// When its reply arrives, or it is known that none does.
    at: u64,
    reply: Option<BatchReply>,
    /// The limits of the state, if the batch was refused because they are others.
    others: Option<String>,
    identity: Arc<Identity>,
    /// The limits by which its calls weigh.
    limits: [u64; 2],
}

/// An admitted call.
struct Call {
    grant: Grant,
    ends: u64,
    departure: usize,
}

struct Departure {
    member: usize,
    at: u64,
    charge: u64,
    used: [u64; 2],
    /// The limits by which it was granted.
    limits: [u64; 2],
    /// True if its process decided alone.
    was_alone: bool,
}

struct Run {
    world: World,
    members: Vec<Member>,
    departures: Vec<Departure>,
    lost: Vec<u64>,
    resets: Vec<Reset>,
    /// Holds that are announced, and when they are heard.
    announced: Vec<(u64, Announcement)>,
}

/// When a reset was decided, and the last charge before it.
struct Reset {
    at: u64,
    charges: u64,
}

/// What happens beside what always does.
#[derive(Clone, Copy, Default)]
struct Also {
    losses: bool,
    updates: bool,
    resets: bool,
}

#[test]
fn whatever_comes_together_calls_depart_within_the_bound_and_all_go_on_afterwards() {
    (1..=2).for_each(|seed| run(seed, Also::default()));
    run(5, Also { losses: true, ..Also::default() });
}

#[test]
fn whatever_comes_together_the_bound_holds_across_updates_and_all_agree_on_the_newest_limits() {
    run(1, Also { updates: true, ..Also::default() });
    run(4, Also { updates: true, losses: true, resets: false });
    run(46, Also { updates: true, losses: false, resets: true });
}

fn run(seed: u64, also: Also) {
    let mut world = World::start(SLOW);
    world.random = world.random.wrapping_mul(seed);
    let is_even = seed.is_multiple_of(2);
    let members = (0..3).map(|id| {
        let mut client = alone(world.client(), Percent(25));
        if is_even {
            client.slots.terms.look_ahead = 100 * MILLI;
        } else {
            client.looks_ahead([300, 100, 20][id] * MILLI);
        }
        let (_, identity) = with_starting(DECLARED, |starting| shared(starting, &[0, 1])).unwrap();
        client.slots = client.slots.identified(identity);
        let backend = Backend::Redis(Box::new(client.slots));
        let grace = JITTER.as_nanos() as u64 / 2;
        let policy = Policy { grace, max_hold: 600 * SECOND, ..Policy::default() };
        Member {
            admission: Admission::new(backend, Queue::new(2), Arc::new(policy)),
            keys: [client.keys[0].clone(), format!("{} {id}", client.keys[1])],
            flight: None,
            waiting: Vec::new(),
            calls: Vec::new(),
            is_cut_off: false,
            limits: DECLARED,
            granted_by: HashMap::new(),
        }
    });
    let members = members.collect();
    let (departures, lost, resets, announced) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut run = Run { world, members, departures, lost, resets, announced };
    while run.world.clock < FAULTS {
        run.fault(also);
        run.step(true);
    }
    for member in &mut run.members {
        member.is_cut_off = false;
        member.admission.release(run.world.clock);
        (0..2).for_each(|place| member.admission.backend.set_rate(place, 1, 1, run.world.clock));
        if also.updates {
            member.update(DECLARED, None, run.world.clock);
        }
    }
    while run.world.clock < FAULTS + AFTERMATH + STEADY {
        run.step(false);
    }
    run.check_bound();
    let known: Vec<_> =
        run.members.iter_mut().map(|member| slots(&mut member.admission.backend).identity()).collect();
    assert!(known.iter().all(|identity| identity.text() == known[0].text()), "seed {seed}");
    assert!(run.members.iter().all(|member| member.limits == DECLARED), "seed {seed}");
    assert_eq!(known[0].version() > 1, also.updates, "seed {seed}");
    let steady = run.departures.iter().filter(|call| call.at >= FAULTS + AFTERMATH);
    let mut parts = [0; 3];
    steady.for_each(|call| parts[call.member] += call.used[0]);
    let all: u64 = parts.iter().sum();
    assert!(all * weights(DECLARED)[0] >= STEADY / 100 * 75, "{parts:?} with seed {seed}");
    // Clients that look further ahead get more.
    let least = all / if is_even { 8 } else { 50 };
    assert!(parts.iter().all(|part| *part >= least), "{parts:?} with seed {seed}");
}

/// Calls `act` with limits of these amounts in a second.
fn with_starting<T>(amounts: [u64; 2], act: impl FnOnce(&Starting<'_>) -> T) -> T {
    let rates = amounts.map(Rate::per_second);
    let limits = [Limit::new("requests", rates[0]), Limit::new("tokens", rates[1])];
    act(&Starting {
        name: None,
        limits: &limits,
        meterings: &rates.map(metering),
        dimensions: &[0, 1],
        reserve: None,
        max_hold: 0,
        dates: Dates::From(0),
        on_system_time: true,
    })
}

impl Member {
    fn update(&mut self, limits: [u64; 2], version: Option<u64>, now: u64) {
        with_starting(limits, |starting| self.admission.backend.change(starting, version, now)).unwrap();
        self.limits = limits;
    }

    /// Does what the driver does after a batch was refused because the state has other limits.
    fn meet(&mut self, others: &str, now: u64) {
        match slots(&mut self.admission.backend).meet(others) {
            Met::Older(newer) => {
                let limits = [0, 1].map(|place| newer.limits[place].0);
                self.update(limits, Some(newer.version), now);
            }
            Met::SameAge => {}
            Met::Other => panic!("{others}"),
        }
    }
}

impl Run {
    fn random(&mut self, most: u64) -> u64 {
        self.world.random(most as usize) as u64
    }

    /// Lets something happen now and then.
    fn fault(&mut self, also: Also) {
        let (now, id, place) = (self.world.clock, self.random(3) as usize, self.random(2) as usize);
        let (what, until) = (self.random(600), now + self.random(400) * MILLI);
        let (left, allowed) = (self.random(200) as i64 - 50, [250, 500, 1_000][self.random(3) as usize]);
        let updated = DECLARED.map(|amount| amount * [4, 7, 10, 20][self.random(4) as usize] / 10);
        let Member { admission, is_cut_off, limits, .. } = &mut self.members[id];
        match what {
            0 => admission.backend.hold(until, now),
            1 => admission.backend.hold_limit(place, until, now),
            2 => admission.backend.exhaust(until, now),
            3..6 => admission.release(now),
            6 | 7 => admission.backend.cap(place, left, now),
            8 => admission.backend.set_rate(place, allowed, 1_000, now),
            9 => *is_cut_off = true,
            10..15 => *is_cut_off = false,
            15 if also.losses => {
                redis::cmd("FLUSHALL").exec(&mut self.world.connection).unwrap();
                self.lost.push(now);
            }
            16 | 17 if also.updates => self.members[id].update(updated, None, now),
            18 if also.resets => with_starting(*limits, |starting| admission.reset(starting, now)),
            _ => {}
        }
    }

    /// Lets a step of time pass.
    fn step(&mut self, with_faults: bool) {
        self.world.clock += STEP;
        self.hear();
        for id in 0..self.members.len() {
            self.end_calls(id, with_faults);
            self.arrive(id);
            // Before a reply tells of a hold.
            self.admit(id);
            self.exchange(id);
            self.admit(id);
        }
    }

    /// Lets all members hear what is announced, whatever is on its way to them.
    fn hear(&mut self) {
        let now = self.world.clock;
        for (_, announcement) in self.announced.extract_if(.., |(at, _)| *at <= now) {
            for member in self.members.iter_mut().filter(|member| !member.is_cut_off) {
                slots(&mut member.admission.backend).hear(&announcement, now);
            }
        }
    }

    fn arrive(&mut self, id: usize) {
        let now = self.world.clock;
        while self.members[id].admission.queue.len() < 15 {
            let large = if self.random(100) == 0 { 60 } else { 1 };
            let amounts = Amounts::Few([(1 + self.random(4)) * large, self.random(100), 0]);
            let timeout = if self.random(4) == 0 { self.random(500) * MILLI } else { u64::MAX };
            let member = &mut self.members[id];
            if let Some(charge) = member.admission.take(amounts.as_slice(), now) {
                self.depart(id, Grant::at_once(amounts, charge));
                continue;
            }
            let waiter = Waiter::new(amounts.clone(), now, Urgency::default().within(timeout));
            match member.admission.arrive(waiter, now, &mut Vec::new()) {
                Decided::Admitted(charge) => self.depart(id, Grant::at_once(amounts, charge)),
                Decided::Waits(key) => member.waiting.push(key),
                Decided::Refused(_) => return,
            }
        }
        // One of them is cancelled.
        if self.random(40) == 0 {
            let key = self.members[id].waiting.pop();
            key.map(|key| self.members[id].admission.queue.leave(key));
        }
    }

    fn exchange(&mut self, id: usize) {
        let now = self.world.clock;
        let trip = self.random(4) * MILLI;
        let is_decided = self.random(2) == 0;
        let member = &mut self.members[id];
        if let Some(flight) = member.flight.take_if(|flight| flight.at <= now) {
            let slots = slots(&mut member.admission.backend);
            let queue = &member.admission.queue;
            if let Some(others) = flight.others {
                member.meet(&others, now);
            } else if let Some(reply) = flight.reply {
                let charges = reply.charges_before() + 1..=reply.charges;
                member.granted_by.extend(charges.map(|charge| (charge, flight.limits)));
                let refused = slots.apply(&reply, queue, flight.sent, now);
                refuse(&mut member.admission, refused);
            } else {
                let error = StoreError::new(&"".into(), StoreProblem::TimedOut(Duration::ZERO));
                let (refused, _) = slots.failed(&error, queue, now);
                refuse(&mut member.admission, refused);
                self.send(id, flight.bytes, (flight.identity, flight.limits), trip, is_decided);
                return;
            }
        }
        let Member { admission, flight, limits, .. } = &mut self.members[id];
        let slots = slots(&mut admission.backend);
        if flight.is_none()
            && let Ok(bytes) = slots.collect(&admission.queue, false, now)
        {
            let by = (slots.identity(), *limits);
            self.send(id, bytes, by, trip, is_decided);
        }
    }

    /// Sends a batch, which the server decides if the client is not cut off, or if `is_decided`.
    fn send(
        &mut self,
        id: usize,
        bytes: Vec<u8>,
        by: (Arc<Identity>, [u64; 2]),
        trip: u64,
        is_decided: bool,
    ) {
        let sent = self.world.clock;
        let (identity, limits) = by;
        let Member { keys, is_cut_off, .. } = &mut self.members[id];
        let mut decided = None;
        if !*is_cut_off || is_decided {
            decided = Some(self.world.eval_as(&identity.text(), keys, &bytes));
        }
        if let Some(Ok(reply)) = &decided
            && resets(&bytes)
        {
            let charges = BatchReply::read(reply, &[false; 2]).unwrap().charges_before();
            // A batch that is sent again gets the same reply.
            if self.resets.iter().all(|reset| reset.charges != charges) {
                self.resets.push(Reset { at: sent, charges });
            }
        }
        let (mut reply, mut others) = (None, None);
        match decided.filter(|_| !*is_cut_off) {
            Some(Ok(bytes)) => reply = BatchReply::read(&bytes, &[false; 2]),
            Some(Err(error)) => {
                let text = error.detail().and_then(|detail| detail.strip_prefix("limits ")).unwrap();
                others = text.split_once(' ').map(|(_, others)| others.to_owned());
            }
            None => {}
        }
        // Some are announced again, and some never.
        if let Some(holds) = reply.as_ref().map(Announcement::of).filter(Announcement::holds)
            && self.random(2) == 0
        {
            let late = self.random(3) * STEP;
            self.announced.push((sent + late, holds));
        }
        let Member { flight, .. } = &mut self.members[id];
        let at = sent + if reply.is_some() || others.is_some() { trip } else { 20 * MILLI };
        *flight = Some(Flight { bytes, sent, at, reply, others, identity, limits });
    }

    /// Admits all calls that are due.
    fn admit(&mut self, id: usize) {
        let now = self.world.clock;
        let Member { admission, waiting, .. } = &mut self.members[id];
        admission.pump(now, &mut Vec::new());
        let mut over = Vec::new();
        waiting.retain(|key| {
            let (outcome, _) = admission.queue.poll(*key, Waker::noop().clone());
            let waits = outcome.is_none();
            over.extend(outcome);
            waits
        });
        for outcome in over {
            if let Outcome::Admitted(grant) = outcome {
                self.depart(id, grant);
            }
        }
    }

    fn depart(&mut self, id: usize, grant: Grant) {
        let at = self.world.clock;
        let member = &self.members[id];
        let backend = &member.admission.backend;
        assert!(grant.is_probe || backend.held_until() <= at, "a call departs during a hold");
        let amounts = grant.amounts.as_slice();
        self.departures.push(Departure {
            member: id,
            at,
            charge: grant.charge,
            used: [amounts[0], amounts[1]],
            limits: member.granted_by.get(&grant.charge).copied().unwrap_or(member.limits),
            was_alone: grant.charge >= LOCAL,
        });
        let ends = at + self.random(80) * MILLI;
        let departure = self.departures.len() - 1;
        self.members[id].calls.push(Call { grant, ends, departure });
    }

    /// Settles, cancels and refuses calls that end now.
    fn end_calls(&mut self, id: usize, with_faults: bool) {
        let now = self.world.clock;
        let (ended, rest) = self.members[id].calls.drain(..).partition(|call| call.ends <= now);
        self.members[id].calls = rest;
        for Call { grant, departure, .. } in ended as Vec<Call> {
            let (how, place) = (self.random(if with_faults { 400 } else { 40 }), self.random(2) as usize);
            let wait = self.random(300) * MILLI;
            let admission = &mut self.members[id].admission;
            let reserved = [grant.amounts.as_slice()[0], grant.amounts.as_slice()[1]];
            let charge = grant.charge;
            match how {
                // Cancelled before it was sent.
                0..10 => {
                    admission.pass_probe_on(&grant, now);
                    admission.give_back(&[0, 1], &grant.amounts, charge, now);
                    self.departures[departure].used = [0, 0];
                }
                // Used less.
                10..30 => {
                    admission.end_probe(charge, true, now);
                    let used = [reserved[0], reserved[1] / 2];
                    let unused = Amounts::Few([0, reserved[1] - used[1], 0]);
                    admission.give_back(&[0, 1], &unused, charge, now);
                    self.departures[departure].used = used;
                }
                // Refused.
                40..43 => {
                    admission.end_probe(charge, true, now);
                    admission.backend.cut(place, CLIMB, charge, now);
                    admission.backend.hold(now + wait, now);
                }
                43 => {
                    admission.end_probe(charge, true, now);
                    admission.backend.exhaust(now + wait, now);
                }
                // Used more.
                44..50 => {
                    admission.end_probe(charge, true, now);
                    admission.backend.owe(&Amounts::Few([0, 50, 0]), now);
                }
                _ => admission.end_probe(charge, true, now),
            }
        }
    }

    /// Asserts that the calls which Redis granted fill each bucket up to the burst or the largest
    /// call, each by the limits by which it was granted. A reset begins new buckets. Calls that were
    /// granted before it, and depart after it, are in none.
    fn check_bound(&self) {
        let bucket_of = |charge| self.resets.partition_point(|reset| reset.charges < charge);
        for bucket in 0..=self.resets.len() {
            let ends = self.resets.get(bucket).map_or(u64::MAX, |reset| reset.at);
            let calls = self
                .departures
                .iter()
                .filter(|call| !call.was_alone && bucket_of(call.charge) == bucket && call.at <= ends);
            (0..2).for_each(|limit| self.check_bucket(limit, calls.clone()));
        }
    }

    fn check_bucket<'a>(&self, limit: usize, calls: impl Iterator<Item = &'a Departure>) {
        let burst = BURST.as_nanos() as u64;
        let (mut level, mut last, mut largest) = (0, 0, burst);
        for call in calls {
            let weight = call.used[limit] * weights(call.limits)[limit];
            let is_unknown = self.lost.iter().any(|at| (*at..*at + SECOND).contains(&call.at));
            level = u64::saturating_sub(level, call.at - last);
            if !is_unknown {
                level = level.min(largest);
            }
            (level, last, largest) = (level + weight, call.at, largest.max(weight));
            let most = largest + if is_unknown { UNKNOWN } else { 0 };
            assert!(level <= most, "limit {limit}: {level} ns at {}, {:?}", call.at, self.lost);
        }
    }
}

/// Returns true if a batch has a reset.
fn resets(bytes: &[u8]) -> bool {
    let hold_ends: [u8; 8] = bytes[17 * 8..18 * 8].try_into().unwrap();
    f64::from_le_bytes(hold_ends) > 2.0
}

fn slots(backend: &mut Backend) -> &mut Slots {
    let Backend::Redis(slots) = backend else { panic!("the buckets are in Redis") };
    slots
}

fn refuse(admission: &mut Admission, refused: Refusals) {
    for (key, refusal) in refused {
        admission.refuse(key, refusal, &mut Vec::new());
    }
}
