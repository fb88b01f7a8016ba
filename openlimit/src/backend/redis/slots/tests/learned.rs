//! Calls that name ten times the output that they need, and reserve what was learned. Four clients
//! use nearly the share of the limit that one limiter in memory uses.
//!
//! All clients and the server share one clock, which the loop moves. So every run is the same.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use redis::Connection;

use super::closed_loop::{JITTER, backend};
use super::member::Member;
use super::server::RedisServer;
use super::world::scripted;
use crate::admission::{Admission, Policy};
use crate::backend::Buckets as _;
use crate::bucket::Metering;
use crate::learning::{Input, LearnedLimit, Learning, Lesson, Output, SiteId};
use crate::limits::{Amounts, Dimension, Priced, Rate, Usage};
use crate::queue::{Grant, Queue, Urgency, Waiter};

const SECOND: u64 = 1_000_000_000;
const RATE: u64 = 10_000;
const NAMED: u64 = 1_600;

/// The mean time that a call takes, in seconds.
const TAKES: u64 = 5;

/// How long a loop runs, and from when on it is measured.
const END: u64 = 70 * SECOND;
const WARM: u64 = 45 * SECOND;

/// The part of the limit that was used, and the most by which it exceeded the bound, in seconds.
#[derive(Clone, Copy, Debug)]
struct Used {
    share: f64,
    excess: f64,
}

struct Run<'a> {
    /// In seconds.
    burst: u64,
    connection: &'a mut Connection,
    script: String,
    members: Vec<Member>,
    /// When each call ends, and its number.
    ends: BinaryHeap<Reverse<(u64, usize)>>,
    /// The member of each call, its grant, and its output.
    calls: Vec<(usize, Option<Grant>, u64)>,
    now: u64,
    random: u64,
    used: u64,
    level: f64,
    level_at: u64,
    worst: f64,
}

/// Runs a loop in memory and with four clients. Asserts that they use at most five points less, and
/// exceed the bound by so many seconds at most.
#[track_caller]
fn four_clients_use_nearly_as_much(burst: u64, excess: f64) {
    let server = RedisServer::start();
    let mut connection = server.connect();
    let [alone, four] = [0, 4].map(|clients| Run::new(burst, clients, &mut connection).run());
    println!("burst {burst} s: {four:?}, and in memory {alone:?}");
    assert!(four.share >= alone.share - 0.05, "{four:?}, and in memory {alone:?}");
    assert!(four.excess <= excess && alone.excess <= excess, "{four:?}, and in memory {alone:?}");
}

#[test]
fn with_a_burst_of_1_s_four_clients_use_nearly_as_much_as_one_limiter_in_memory() {
    four_clients_use_nearly_as_much(1, 0.5);
}

#[test]
fn with_a_burst_of_10_s_four_clients_use_nearly_as_much_as_one_limiter_in_memory() {
    four_clients_use_nearly_as_much(10, 2.0);
}

impl<'a> Run<'a> {
    fn new(burst: u64, clients: usize, connection: &'a mut Connection) -> Self {
        let metering = Metering::new(Rate::per_second(RATE), Duration::from_secs(burst), JITTER, (0, 100));
        let member = |id: usize| {
            let limit = LearnedLimit {
                dimension: Dimension::Tokens,
                limit: 0,
                place: 0,
                rate: Rate::per_second(RATE),
                crowd: Duration::from_secs(burst),
                most: RATE * burst,
            };
            let learning = Learning::new(Output::Learned, Input::Counted, vec![limit]);
            let queue = Queue::new(1);
            let grace = JITTER.as_nanos() as u64 / 2;
            let policy = Policy { grace, learning: Some(learning), ..Policy::default() };
            let admission = Admission::new(backend(metering, clients), queue, Arc::new(policy));
            Member::new(admission, &format!("learned {burst}"), id)
        };
        Self {
            burst,
            script: scripted(connection, &[false], 0),
            connection,
            members: (0..clients.max(1)).map(member).collect(),
            ends: BinaryHeap::new(),
            calls: Vec::new(),
            now: 0,
            random: 0x9e37_79b9_7f4a_7c15,
            used: 0,
            level: 0.0,
            level_at: 0,
            worst: 0.0,
        }
    }

    fn run(mut self) -> Used {
        let callers = 100 + 150 * TAKES as usize;
        (0..callers).for_each(|caller| self.arrive(caller % self.members.len()));
        while self.now < END {
            let next = (0..self.members.len()).map(|id| self.serve(id)).min();
            match self.ends.peek().copied() {
                Some(Reverse((at, call))) if at <= self.now => {
                    self.ends.pop();
                    self.settle(call);
                }
                end => {
                    let end = end.map_or(u64::MAX, |Reverse((at, _))| at);
                    self.now = next.unwrap_or(u64::MAX).min(end).max(self.now + 1);
                }
            }
        }
        let share = self.used as f64 / (RATE * (END - WARM) / SECOND) as f64;
        Used { share, excess: self.worst / RATE as f64 }
    }

    /// Lets the next call of a member arrive.
    fn arrive(&mut self, id: usize) {
        let priced = Priced {
            input: 0,
            output: NAMED,
            choices: 1,
            is_named: true,
            is_sum: true,
            model: None,
            spend: None,
        };
        let lesson = Lesson { priced, site: SiteId::default() };
        let mut amounts = Amounts::Few([NAMED, 0, 0]);
        let member = &mut self.members[id];
        member.admission().reserve(&lesson, &mut amounts);
        let call =
            Waiter { lesson: Some(Box::new(lesson)), ..Waiter::new(amounts, self.now, Urgency::default()) };
        member.join(call);
    }

    /// Ends a call, and lets the next one arrive.
    fn settle(&mut self, call: usize) {
        let (id, grant, output) = &mut self.calls[call];
        let (id, grant) = (*id, grant.take().expect("it is in flight"));
        let reserved = grant.amounts.as_slice()[0];
        let [less, more] = [reserved.saturating_sub(*output), output.saturating_sub(reserved)];
        let admission = self.members[id].admission();
        admission.give_back(&[0], &Amounts::Few([less, 0, 0]), grant.charge, self.now);
        admission.backend.owe(&Amounts::Few([more, 0, 0]), self.now);
        admission.teach(&grant.lesson.expect("it was learned"), &Usage::new(0, *output));
        self.arrive(id);
    }

    /// Does everything that a member can do now. Returns when it can do more.
    fn serve(&mut self, id: usize) -> u64 {
        let (admitted, next) = self.members[id].serve(&self.script, self.connection, self.now);
        admitted.into_iter().for_each(|grant| self.admit(id, grant));
        next
    }

    /// Counts an admitted call.
    fn admit(&mut self, id: usize, grant: Grant) {
        const SIGMA: f64 = 0.8;
        let normal = (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos();
        let mean = NAMED as f64 / 10.0;
        let output = (mean.ln() - SIGMA * SIGMA / 2.0 + SIGMA * normal).exp() as u64;
        let output = output.clamp(1, NAMED);
        let takes = (TAKES * SECOND) as f64 * (0.5 + self.unit());
        self.ends.push(Reverse((self.now + takes as u64, self.calls.len())));
        self.calls.push((id, Some(grant), output));
        let leaked = RATE as f64 * (self.now - self.level_at) as f64 / SECOND as f64;
        self.level = (self.level - leaked).max(0.0) + output as f64;
        self.level_at = self.now;
        self.worst = self.worst.max(self.level - (RATE * self.burst) as f64);
        self.used += if self.now > WARM { output } else { 0 };
    }

    /// Returns a pseudorandom number between zero and one, by xorshift.
    fn unit(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((self.random >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
}
