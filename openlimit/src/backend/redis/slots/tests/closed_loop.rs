//! Closed loops: callers acquire, hold the call for a while, settle to what it used, and start
//! again. Over Redis they use nearly the share of the limit that they use in memory, where refunds
//! are exact.
//!
//! All clients and the server share one clock, which the loop moves. So every run is the same.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;
use std::time::Duration;

use redis::Connection;

use super::super::{Alone, SharedLimit, Slots, Windows};
use super::server::RedisServer;
use super::world::{EPOCH, IDENTITY, command, scripted};
use crate::backend::redis::OnOutage;
use crate::backend::redis::scale::Scale;
use crate::backend::redis::terms::Terms;
use crate::backend::redis::trip::UsualTrip;
use crate::backend::redis::wire::BatchReply;
use crate::backend::{Backend, Buckets as _, Memory, Starting};
use crate::bucket::Metering;
use crate::limits::{Amounts, Calendar, Rate};
use crate::queue::{Queue, Urgency, Waiter};
use crate::time::Dates;

pub(super) const MILLISECOND: u64 = 1_000_000;
pub(super) const JITTER: Duration = Duration::from_millis(50);

/// The time of a batch to the server, and of a reply back.
pub(super) const WAY: u64 = MILLISECOND / 2;

/// A closed loop on one limit of tokens.
#[derive(Clone, Copy, Debug)]
struct Loop {
    /// Per second.
    rate: u64,
    burst: Duration,
    callers: usize,
    /// The reservation of a call on average. Callers reserve from 60 to 135 % of it if it `varies`.
    reserves: u64,
    varies: bool,
    /// The percentage of its reservation that a call uses.
    uses: u64,
    holds: Duration,
    /// The time of a batch to the server, and of a reply back.
    way: u64,
    /// By how much smaller the calls of every other caller are.
    smaller: u64,
}

/// What came of a run, in its second half.
#[derive(Debug)]
struct Figures {
    /// The share of the limit that was used.
    share: f64,
    /// The calls that were admitted, by client.
    admitted: Vec<u64>,
    /// The batches of each client in a second, on average.
    batches: f64,
}

/// A loop whose calls all reserve the same, with the burst and the hold in seconds.
const fn even(rate: u64, burst: u64, callers: usize, reserves: u64, uses: u64) -> Loop {
    let (burst, holds) = (Duration::from_secs(burst), Duration::from_secs(1));
    Loop { rate, burst, callers, reserves, varies: false, uses, holds, way: WAY, smaller: 1 }
}

/// A loop of 64 callers whose calls reserve different amounts, with the hold in milliseconds.
const fn varied(reserves: u64, holds: u64) -> Loop {
    let (burst, holds) = (Duration::from_secs(1), Duration::from_millis(holds));
    Loop { rate: 100_000, burst, callers: 64, reserves, varies: true, uses: 20, holds, way: WAY, smaller: 1 }
}

/// As in the table of BENCHMARKS.md.
impl fmt::Display for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, burst, callers, reserves, uses, holds, .. } = self;
        write!(f, "{rate} / s, burst {burst:?}, {callers} callers, {reserves}")?;
        f.write_str(if self.varies { " on average" } else { "" })?;
        match self.smaller {
            1 => {}
            smaller => write!(f, " and {}", reserves / smaller)?,
        }
        write!(f, ", uses {uses} %, {holds:?}")
    }
}

/// Asserts that one client comes within two points of exact refunds, and four clients within
/// `points`. Prints a row for BENCHMARKS.md, and returns what came of the four.
#[track_caller]
fn is_nearly_exact(of: Loop, points: f64) -> Figures {
    let server = RedisServer::start();
    let mut connection = server.connect();
    let [exact, one, four] = [0, 1, 4].map(|clients| Run::new(of, clients, &mut connection).run());
    let [exact, one, share] = [&exact, &one, &four].map(|figures| figures.share);
    println!(
        "| {of} | {:.1} % | {:.1} % | {:.1} % | {:?} | {:.0} |",
        100.0 * exact,
        100.0 * one,
        100.0 * share,
        four.admitted,
        four.batches
    );
    assert!(one >= exact - 0.02, "one client used {one} of the limit, exact refunds {exact}: {of:?}");
    assert!(share >= exact - points, "four clients used {share} of the limit, exact refunds {exact}: {of:?}");
    four
}

#[test]
fn calls_that_use_half_of_what_they_reserve_use_nearly_what_exact_refunds_allow() {
    is_nearly_exact(even(100_000, 1, 256, 1_000, 50), 0.05);
}

#[test]
fn calls_that_use_a_tenth_of_what_they_reserve_use_a_limit_with_a_long_burst() {
    is_nearly_exact(even(100_000, 10, 256, 4_000, 10), 0.05);
}

#[test]
fn few_callers_whose_calls_wait_for_long_use_a_limit_with_a_long_burst() {
    is_nearly_exact(even(10_000, 10, 32, 4_000, 10), 0.05);
}

#[test]
fn short_calls_use_nearly_what_exact_refunds_allow() {
    is_nearly_exact(varied(8_000, 20), 0.05);
    is_nearly_exact(varied(1_000, 20), 0.05);
}

#[test]
fn calls_that_reserve_more_than_the_burst_together_use_nearly_what_exact_refunds_allow() {
    is_nearly_exact(varied(8_000, 300), 0.05);
}

/// One call waits for much, and others give it back.
#[test]
fn calls_of_a_quarter_of_the_burst_go_as_soon_as_other_clients_give_enough_back() {
    let (burst, holds) = (Duration::from_secs(4), Duration::from_millis(500));
    let of = Loop { burst, callers: 20, holds, uses: 10, ..varied(100_000, 0) };
    is_nearly_exact(of, 0.05);
    is_nearly_exact(Loop { burst: Duration::from_secs(1), reserves: 30_000, uses: 50, ..of }, 0.05);
}

/// Large calls of one size. Their clients wait in line, and take turns.
fn large_calls_go(burst: u64, sizes: &[u64]) {
    for (percent, uses) in sizes.iter().flat_map(|percent| [(*percent, 50), (*percent, 10)]) {
        let of = even(100_000, burst, 32, 1_000 * burst * percent, uses);
        let four = is_nearly_exact(of, 0.05);
        let (all, least): (u64, _) = (four.admitted.iter().sum(), four.admitted.iter().min());
        assert!(least >= Some(&(all / 5)), "{four:?} of {of:?}");
        assert!(four.batches <= 50.0, "{four:?} of {of:?}");
    }
}

#[test]
fn large_calls_use_nearly_what_exact_refunds_allow_and_their_clients_take_turns() {
    large_calls_go(1, &[12, 47, 75, 100]);
}

#[test]
fn large_calls_use_a_limit_with_a_long_burst_and_their_clients_take_turns() {
    large_calls_go(10, &[47, 100]);
}

/// Each client asks once a second, to keep its place. All other batches are counted.
#[test]
fn a_long_line_costs_few_batches_more_than_a_short_one() {
    let server = RedisServer::start();
    let mut connection = server.connect();
    // Each refund may bring the next turns, so clients ask more often.
    for (percent, uses, most) in [(25, 100, 50.0), (100, 10, 350.0)] {
        let holds = Duration::from_millis(20);
        let of = Loop { holds, ..even(100_000, 1, 128, 1_000 * percent, uses) };
        let exact = Run::new(of, 0, &mut connection).run().share;
        for clients in [4, 64] {
            let Figures { share, batches, .. } = Run::new(of, clients, &mut connection).run();
            let all = (batches - 1.0) * clients as f64;
            assert!(share >= exact - 0.05 && all <= most, "{share} of {exact}, {all} batches: {of:?}");
        }
    }
}

#[test]
fn clients_with_one_caller_each_do_not_wait_for_their_turns_while_there_is_room() {
    let server = RedisServer::start();
    let mut connection = server.connect();
    let (holds, way) = (Duration::from_millis(5), MILLISECOND / 10);
    let of = Loop { varies: true, holds, way, ..even(100_000, 1, 16, 1_000, 50) };
    let [exact, share] = [0, 16].map(|clients| Run::new(of, clients, &mut connection).run().share);
    assert!(share >= exact - 0.02, "sixteen clients used {share} of the limit, exact refunds {exact}");
}

/// Every other client makes small calls. Those that were granted some ask more often for more.
#[test]
fn clients_with_small_calls_beside_large_ones_are_granted_as_many() {
    let server = RedisServer::start();
    let mut connection = server.connect();
    let of = Loop { holds: Duration::from_millis(20), smaller: 100, ..even(100_000, 1, 64, 47_000, 10) };
    let Figures { share, admitted, .. } = Run::new(of, 4, &mut connection).run();
    let [one, other] = [admitted[1], admitted[3]];
    assert!(share >= 0.99 && one.min(other) * 5 >= one.max(other) * 4, "{share}: {admitted:?}");
}

/// Every other client makes small calls.
#[test]
fn large_calls_and_small_calls_of_other_clients_keep_neither_back() {
    for (percent, uses) in [(25, 100), (47, 50), (100, 50)] {
        let of = Loop { uses, smaller: 30, ..even(100_000, 1, 64, 1_000 * percent, uses) };
        let four = is_nearly_exact(of, 0.05);
        // Each client has the same number of calls waiting, and each call goes in its turn.
        let least = four.admitted.iter().min();
        let large = u64::max(four.admitted[0], four.admitted[2]);
        assert!(least >= Some(&(large * 3 / 4)), "{four:?} of {of:?}");
    }
}

#[test]
fn a_few_callers_far_away_lose_nothing_of_the_rate() {
    let (burst, holds, way) = (Duration::from_millis(200), Duration::ZERO, 10 * MILLISECOND);
    for (rate, callers) in [(100, 16), (100, 4), (400, 64)] {
        let of = Loop { rate, burst, callers, reserves: 1, varies: false, uses: 100, holds, way, smaller: 1 };
        is_nearly_exact(of, 0.02);
        // A call takes more than half of what fits.
        is_nearly_exact(Loop { burst: JITTER + Duration::from_micros(1_500_000 / rate), ..of }, 0.02);
    }
}

/// One run of a loop.
struct Run<'a> {
    of: Loop,
    connection: &'a mut Connection,
    script: String,
    members: Vec<Member>,
    /// When each call ends, its caller, and its charge.
    held: BinaryHeap<Reverse<(u64, usize, u64)>>,
    now: u64,
    /// The amount used by calls admitted in the second half.
    used: u64,
    /// The batches, and the admitted calls by client, in the second half.
    batches: u64,
    admitted: Vec<u64>,
    /// The level of a bucket that all calls fill with what they use, in tokens.
    level: f64,
    level_at: u64,
}

/// A client. Without clients there is one member, whose buckets are in memory.
struct Member {
    backend: Backend,
    queue: Queue,
    /// The callers in the queue.
    waiting: VecDeque<usize>,
    keys: [String; 2],
    /// The reply on its way: when it arrives, and when its batch was sent.
    reply: Option<(u64, u64, BatchReply)>,
}

impl<'a> Run<'a> {
    fn new(of: Loop, clients: usize, connection: &'a mut Connection) -> Self {
        let members = (0..clients.max(1)).map(|id| of.member(id, clients)).collect();
        let (held, script) = (BinaryHeap::new(), scripted(connection, &[false], 0));
        let admitted = vec![0; clients.max(1)];
        Self {
            of,
            connection,
            script,
            members,
            held,
            now: 0,
            used: 0,
            level: 0.0,
            level_at: 0,
            batches: 0,
            admitted,
        }
    }

    /// Runs the loop. Asserts the bound on the way.
    fn run(mut self) -> Figures {
        let half = self.of.half();
        let [middle, end] = [half, 2 * half].map(|time| time.as_nanos() as u64);
        for caller in 0..self.of.callers {
            self.arrive(caller);
        }
        while self.now < end {
            let next = (0..self.members.len()).map(|id| self.serve(id, middle)).min();
            match self.held.peek().copied() {
                Some(Reverse((at, caller, charge))) if at <= self.now => {
                    self.held.pop();
                    let rest = self.of.reserves(caller) - self.of.uses(caller);
                    let id = caller % self.members.len();
                    if rest > 0 {
                        let backend = &mut self.members[id].backend;
                        backend.refund(&Amounts::Few([rest, 0, 0]), charge, self.now, |_, _| ());
                    }
                    self.arrive(caller);
                }
                held => {
                    let held = held.map_or(u64::MAX, |Reverse((at, ..))| at);
                    self.now = next.unwrap_or(u64::MAX).min(held).max(self.now + 1);
                }
            }
        }
        let seconds = half.as_secs_f64();
        Figures {
            share: self.used as f64 / (self.of.rate as f64 * seconds),
            admitted: self.admitted,
            batches: self.batches as f64 / (seconds * self.members.len() as f64),
        }
    }

    /// Lets a caller's next call arrive.
    fn arrive(&mut self, caller: usize) {
        let id = caller % self.members.len();
        let member = &mut self.members[id];
        let amounts = Amounts::Few([self.of.reserves(caller), 0, 0]);
        member.queue.join(Waiter::new(amounts, self.now, Urgency::default()));
        member.waiting.push_back(caller);
    }

    /// Does everything that a member can do now. Returns when it can do more.
    fn serve(&mut self, id: usize, middle: u64) -> u64 {
        let (now, mut next) = (self.now, u64::MAX);
        let Member { backend, queue, waiting, keys, reply } = &mut self.members[id];
        if let Some((_, sent, reply)) = reply.take_if(|(at, ..)| *at <= now)
            && let Backend::Redis(slots) = backend
        {
            assert!(slots.apply(&reply, queue, sent, now).is_empty());
        }
        let mut admitted = Vec::new();
        while let Some((key, head)) = queue.head()
            && let Some(due) = backend.due(head, now)
        {
            if due.at > now {
                next = due.at;
                break;
            }
            let amounts = head.amounts.clone();
            let charge = backend.charge(&amounts, now, now);
            queue.leave(key);
            admitted.extend(waiting.pop_front().map(|caller| (caller, charge)));
        }
        if let Backend::Redis(slots) = backend
            && reply.is_none()
        {
            match slots.collect(queue, false, now) {
                Ok(batch) => {
                    self.batches += u64::from(now > middle);
                    let time = EPOCH + (now + self.of.way) / 1_000;
                    let command = command(&self.script, IDENTITY, keys, &batch, time);
                    let bytes: Vec<u8> = command.query(self.connection).unwrap();
                    *reply = Some((now + 2 * self.of.way, now, BatchReply::read(&bytes, &[false]).unwrap()));
                }
                Err(at) => next = next.min(at.unwrap_or(u64::MAX)),
            }
        }
        next = next.min(reply.as_ref().map_or(u64::MAX, |(at, ..)| *at));
        for (caller, charge) in admitted {
            self.admit(caller, charge, now > middle);
        }
        next
    }

    /// Counts an admitted call.
    fn admit(&mut self, caller: usize, charge: u64, counts: bool) {
        let (uses, rate) = (self.of.uses(caller), self.of.rate as f64 / 1e9);
        self.level = (self.level - (self.now - self.level_at) as f64 * rate).max(0.0) + uses as f64;
        self.level_at = self.now;
        // A call may depart later than it was due, and the jitter covers that.
        let burst = rate * self.of.burst.as_nanos() as f64;
        assert!(self.level <= burst.max(uses as f64) + 1.0, "{} of {burst} at once", self.level);
        self.used += if counts { uses } else { 0 };
        self.admitted[caller % self.members.len()] += u64::from(counts);
        self.held.push(Reverse((self.now + self.of.holds.as_nanos() as u64, caller, charge)));
    }
}

impl Loop {
    fn reserves(&self, caller: usize) -> u64 {
        let part = if self.varies { 12 + caller as u64 % 16 } else { 20 };
        self.reserves * part / 20 / if caller % 2 == 1 { self.smaller } else { 1 }
    }

    fn uses(&self, caller: usize) -> u64 {
        self.reserves(caller) * self.uses / 100
    }

    /// Returns the time of each half of a run. The fewer calls fit the burst, the longer it takes
    /// until the share that is used is known.
    fn half(&self) -> Duration {
        let fit = self.rate as f64 * self.burst.as_secs_f64() / self.reserves as f64;
        let bursts = if fit < 10.0 { 4 } else { 2 };
        bursts * self.burst.max(Duration::from_secs(3))
    }

    fn member(&self, id: usize, clients: usize) -> Member {
        let backend =
            backend(Metering::new(Rate::per_second(self.rate), self.burst, JITTER, (0, 100)), clients);
        let name = format!("{{{self:?} {clients}}}");
        let keys = [name.clone(), format!("{name} {id}")];
        Member { backend, queue: Queue::new(1), waiting: VecDeque::new(), keys, reply: None }
    }
}

/// Creates the backend of one of several clients. Without clients it is in memory.
pub(super) fn backend(metering: Metering, clients: usize) -> Backend {
    let (limits, meterings, dimensions) = (&[], &[metering], &[0]);
    let memory = Memory::new(
        &Starting {
            name: None,
            limits,
            meterings,
            dimensions,
            reserve: None,
            max_hold: 0,
            dates: Dates::From(0),
            on_system_time: true,
        },
        0,
    );
    if clients == 0 {
        return Backend::Memory(memory);
    }
    let terms = Terms {
        jitter: JITTER.as_nanos() as u64,
        look_ahead: 100 * MILLISECOND,
        lease: None,
        patience: 0,
        on_outage: OnOutage::Wait,
    };
    let calendar = Calendar::of(metering.rate).unwrap();
    let windows = calendar.map(|calendar| Windows::new(calendar, Dates::From(1_000 * EPOCH.cast_signed())));
    let limit =
        SharedLimit { place: 0, dimension: 0, share: 100, scale: Scale::new(&metering, JITTER), windows };
    let alone = Alone::new(memory, 1);
    Backend::Redis(Box::new(Slots::new(&[limit], terms, "".into(), alone, 0, UsualTrip::default())))
}
