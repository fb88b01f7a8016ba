//! A key that several clients and another consumer share. The clients learn of the other consumer
//! only by what responses say is left, and by refusals.
//!
//! All clients, the server and the provider share one clock, which the loop moves. So every run is
//! the same.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use redis::Connection;

use super::closed_loop::{JITTER, MILLISECOND, backend};
use super::member::Member;
use super::server::RedisServer;
use super::world::scripted;
use crate::admission::{Admission, Plan, Policy, Standing};
use crate::backend::{Backend, Buckets as _};
use crate::bucket::{CLIMB, Metering};
use crate::limits::{Amounts, Dimension, Limit, Rate};
use crate::pricing::PriceOptions;
use crate::queue::{Grant, Queue, Urgency, Waiter};

const SECOND: u64 = 1_000_000_000;

/// The provider allows 100 requests per second, and its bucket holds one second.
const RATE: u64 = 100;

/// The calls of each client that wait at any time.
const WAITING: usize = 20;

/// The time from the provider to a client.
const BACK: u64 = 10 * MILLISECOND;

/// The longest time from a client to the provider. Each call takes a random part of it.
const LONGEST_WAY: u64 = 20 * MILLISECOND;

/// The hold after a refusal, as `congestion` of the module `limiter` has it.
const REST: u64 = 300 * MILLISECOND;

/// How long a run is.
const END: u64 = 120 * SECOND;

/// What happens at a moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The other consumer makes a call, if it is true, and plans the next one.
    Other(bool),
    /// The call of a member and a charge reaches the provider.
    Arrives(usize, u64),
    /// The response to a call reaches its member: what is left, or a refusal.
    Returns(usize, u64, Option<u64>),
}

/// The shares of calls that were refused, and the share of what the other left that was used.
#[derive(Debug)]
struct Figures {
    refused: f64,
    others_refused: f64,
    used: f64,
}

struct Run<'a> {
    connection: &'a mut Connection,
    script: String,
    members: Vec<Member>,
    plan: Plan,
    events: BinaryHeap<Reverse<(u64, usize, Event)>>,
    count: usize,
    now: u64,
    random: u64,
    /// The requests that the provider's bucket has room for, and when.
    left: (f64, u64),
    /// The calls of the clients and of the other: admitted, and refused.
    own: [u64; 2],
    others: [u64; 2],
    /// The other's rate now, and until when.
    share: (f64, u64),
}

#[test]
fn several_clients_are_refused_hardly_more_often_than_one_limiter_in_memory() {
    let server = RedisServer::start();
    let mut connection = server.connect();
    for clients in [0, 1, 2, 4] {
        let figures = Run::new(clients, &mut connection).run();
        assert!(figures.refused <= 0.001 && figures.others_refused <= 0.005, "{clients}: {figures:?}");
        assert!(figures.used >= 0.97, "{clients}: {figures:?}");
    }
}

impl<'a> Run<'a> {
    fn new(clients: usize, connection: &'a mut Connection) -> Self {
        let rate = Rate::per_second(RATE);
        let metering = Metering::new(rate, Duration::from_secs(1), JITTER, (0, 100));
        let member = |id: usize| {
            let mut backend = backend(metering, clients);
            if let Backend::Redis(slots) = &mut backend {
                slots.max_hold = 600 * SECOND;
            }
            let grace = JITTER.as_nanos() as u64 / 2;
            let policy = Policy { grace, max_hold: 600 * SECOND, ..Policy::default() };
            let admission = Admission::new(backend, Queue::new(1), Arc::new(policy));
            Member::new(admission, &format!("key {clients}"), id)
        };
        let limits = vec![Limit::new(Dimension::Requests, rate)];
        Self {
            script: scripted(connection, &[false], 0),
            connection,
            members: (0..clients.max(1)).map(member).collect(),
            plan: Plan::new("chat".into(), limits, &[metering], true, PriceOptions::default()),
            events: BinaryHeap::new(),
            count: 0,
            now: 0,
            random: 0x9e37_79b9_7f4a_7c15,
            left: (RATE as f64, 0),
            own: [0, 0],
            others: [0, 0],
            share: (0.0, 0),
        }
    }

    fn run(mut self) -> Figures {
        self.schedule(1, Event::Other(false));
        while self.now < END {
            let next = (0..self.members.len()).map(|id| self.serve(id)).min().unwrap_or(u64::MAX);
            match self.events.peek().copied() {
                Some(Reverse((at, _, event))) if at <= self.now => {
                    self.events.pop();
                    self.happens(event);
                }
                event => {
                    let event = event.map_or(u64::MAX, |Reverse((at, ..))| at);
                    self.now = next.min(event).max(self.now + 1);
                }
            }
        }
        let share = |[admitted, refused]: [u64; 2]| refused as f64 / (admitted + refused) as f64;
        let left = (END / SECOND + 1) * RATE - self.others[0];
        Figures {
            refused: share(self.own),
            others_refused: share(self.others),
            used: self.own[0] as f64 / left as f64,
        }
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((at, self.count, event)));
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Other(calls) => {
                if self.now >= self.share.1 {
                    self.share = (0.7 * self.unit(), self.now + 2 * SECOND);
                }
                if calls {
                    let left = self.provider_takes();
                    self.others[usize::from(left.is_none())] += 1;
                }
                let gap = -self.unit().ln() / (self.share.0 * RATE as f64).max(1e-9);
                let at = self.now.saturating_add((gap * 1e9) as u64 + 1);
                // Its share changes before that, and a Poisson process remembers nothing.
                self.schedule(at.min(self.share.1), Event::Other(at < self.share.1));
            }
            Event::Arrives(id, charge) => {
                let left = self.provider_takes();
                self.own[usize::from(left.is_none())] += 1;
                self.schedule(self.now + BACK, Event::Returns(id, charge, left));
            }
            Event::Returns(id, charge, left) => {
                let (now, plan) = (self.now, &self.plan);
                let admission = self.members[id].admission();
                let said = Standing {
                    place: 0,
                    limit: Some(RATE),
                    remaining: Some(left.unwrap_or(0)),
                    resets_in: None,
                };
                admission.observe(plan, &[said], Some(charge), now);
                if left.is_none() {
                    let rest =
                        if admission.backend.cut(0, CLIMB, charge, now) { REST } else { 5 * MILLISECOND };
                    admission.backend.hold_limit(0, now + rest, now);
                }
            }
        }
    }

    /// Lets the provider decide about a call. Returns how many requests are left; `None` if it
    /// refuses.
    fn provider_takes(&mut self) -> Option<u64> {
        let (left, at) = self.left;
        let left = (left + (self.now - at) as f64 * RATE as f64 / 1e9).min(RATE as f64);
        let admits = left >= 1.0;
        self.left = (if admits { left - 1.0 } else { left }, self.now);
        admits.then_some(self.left.0 as u64)
    }

    /// Does everything that a member can do now. Returns when it can do more.
    fn serve(&mut self, id: usize) -> u64 {
        let member = &mut self.members[id];
        while member.waiting() < WAITING {
            member.join(Waiter::new(Amounts::Few([1, 0, 0]), self.now, Urgency::default()));
        }
        let (admitted, mut next) = member.serve(&self.script, self.connection, self.now);
        for Grant { charge, .. } in admitted {
            let way = (self.unit() * LONGEST_WAY as f64) as u64;
            self.schedule(self.now + way, Event::Arrives(id, charge));
            next = self.now;
        }
        next
    }

    /// Returns a pseudorandom number between zero and one, by xorshift.
    fn unit(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((self.random >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
}
