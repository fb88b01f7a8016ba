//! A crowd of clients of one limit, a part of which is kept for calls above a priority.
//!
//! All clients and the server share one clock, which the loop moves. So every run is the same.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use redis::Connection;

use super::super::{Alone, LOCAL, SharedLimit, Slots, Windows};
use super::server::RedisServer;
use super::world::{EPOCH, IDENTITY, command, scripted};
use crate::admission::{Admission, Decided, Policy};
use crate::backend::redis::OnOutage;
use crate::backend::redis::key::Keys;
use crate::backend::redis::scale::Scale;
use crate::backend::redis::terms::Terms;
use crate::backend::redis::trip::UsualTrip;
use crate::backend::redis::wire::BatchReply;
use crate::backend::tests::below;
use crate::backend::{Backend, Buckets as _, Memory, Starting};
use crate::bucket::Metering;
use crate::limits::{Amounts, Calendar, Percent, Priority};
use crate::queue::{Key, Outcome, Queue, Reserve, Urgency, Waiter};
use crate::time::Dates;

pub(super) const MILLISECOND: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000 * MILLISECOND;
pub(super) const JITTER: Duration = Duration::from_millis(20);

/// The time from a client to the server.
const WAY: u64 = MILLISECOND;

/// A round trip to the server.
pub(super) const TRIP: u64 = 2 * WAY;

/// The part of the limit that is for calls below, in percent.
pub(super) const SHARE: u8 = 80;

/// A limiter, its calls that wait, and the reply on its way: when it arrives, and when its batch
/// was sent.
pub(super) struct Client {
    pub(super) admission: Admission,
    pub(super) waiting: Vec<(Key, Call)>,
    keys: [String; 2],
    reply: Option<(u64, u64, BatchReply)>,
}

/// A call, and the charge that it departed with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) amount: u64,
    pub(super) priority: Priority,
    pub(super) arrived: u64,
    pub(super) departed: u64,
    pub(super) charge: u64,
}

/// The clients of one limit, and their calls that have departed.
pub(super) struct Crowd {
    _server: RedisServer,
    connection: Connection,
    script: String,
    metering: Metering,
    pub(super) clients: Vec<Client>,
    pub(super) departed: Vec<Vec<Call>>,
    pub(super) now: u64,
    /// The number of batches so far.
    pub(super) batches: u64,
    random: u64,
}

impl Client {
    /// Creates a client that looks ahead, or a limiter whose buckets are in memory.
    fn new(metering: Metering, look_ahead: Option<u64>) -> Self {
        let dates = || Dates::From(1_000 * EPOCH.cast_signed());
        let meterings = [metering, metering.share(SHARE)];
        let starting = Starting {
            name: None,
            limits: &[],
            meterings: &meterings,
            dimensions: &[0, 1],
            reserve: Some((Priority::High, Percent(100 - SHARE))),
            max_hold: 600 * SECOND,
            dates: dates(),
            on_system_time: true,
        };
        let terms = Terms {
            jitter: JITTER.as_nanos() as u64,
            look_ahead: look_ahead.unwrap_or(0),
            lease: None,
            patience: 0,
            on_outage: OnOutage::Wait,
        };
        let pause = Scale::longest_pause(&meterings);
        let shared = [0, 1].map(|place| SharedLimit {
            place,
            dimension: place,
            share: meterings[place].share,
            scale: Scale::new(&meterings[place], pause),
            windows: Calendar::of(meterings[place].rate)
                .expect("a calendar")
                .map(|calendar| Windows::new(calendar, dates())),
        });
        let alone = Alone::new(Memory::new(&starting, LOCAL), 2);
        let slots = Slots::new(&shared, terms, "".into(), alone, 600 * SECOND, UsualTrip::default());
        let policy = Policy { grace: terms.slack(), max_hold: 600 * SECOND, ..Policy::default() };
        let backend = match look_ahead {
            Some(_) => Backend::Redis(Box::new(slots)),
            None => Backend::Memory(Memory::new(&starting, 0)),
        };
        let admission =
            Admission::new(backend, Queue::new(2), Arc::new(policy)).reserving(Reserve::from(Priority::High));
        let keys = ["{crowd}".to_owned(), Keys::new("", "crowd", None).client()];
        Self { admission, waiting: Vec::new(), keys, reply: None }
    }

    pub(super) fn slots(&mut self) -> &mut Slots {
        let Backend::Redis(slots) = &mut self.admission.backend else { panic!("the buckets are in Redis") };
        slots
    }

    /// Returns how many of its calls of a priority wait.
    pub(super) fn waits(&self, priority: Priority) -> usize {
        self.waiting.iter().filter(|(_, call)| call.priority == priority).count()
    }
}

impl Crowd {
    /// Creates clients with these look-aheads.
    pub(super) fn new(metering: Metering, look_aheads: &[u64]) -> Self {
        let clients = look_aheads.iter().map(|look_ahead| Client::new(metering, Some(*look_ahead)));
        Self::of(metering, clients.collect())
    }

    /// Creates a limiter in memory.
    pub(super) fn in_memory(metering: Metering) -> Self {
        Self::of(metering, vec![Client::new(metering, None)])
    }

    fn of(metering: Metering, clients: Vec<Client>) -> Self {
        let server = RedisServer::start();
        let mut connection = server.connect();
        Self {
            _server: server,
            script: scripted(&mut connection, &[metering.rate.has_resets(); 2], 1),
            connection,
            metering,
            departed: vec![Vec::new(); clients.len()],
            clients,
            now: SECOND,
            batches: 0,
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Returns a pseudorandom number below `most`.
    pub(super) fn random(&mut self, most: u64) -> u64 {
        below(&mut self.random, most)
    }

    /// Has a call of a client arrive.
    pub(super) fn call(&mut self, client: usize, amount: u64, priority: Priority) {
        let (now, of) = (self.now, &mut self.clients[client]);
        let call = Call { amount, priority, arrived: now, departed: 0, charge: 0 };
        let mut amounts = Amounts::Few([amount, 0, 0]);
        of.admission.fill_share(&mut amounts, priority);
        let urgency = Urgency::default().of(priority);
        let charge = match of.admission.take(amounts.as_slice(), now) {
            Some(charge) => Decided::Admitted(charge),
            None => of.admission.arrive(Waiter::new(amounts, now, urgency), now, &mut Vec::new()),
        };
        match charge {
            Decided::Admitted(charge) => self.departed[client].push(Call { departed: now, charge, ..call }),
            Decided::Waits(key) => of.waiting.push((key, call)),
            Decided::Refused(refusal) => panic!("{refusal:?}"),
        }
    }

    /// Cancels a call of a client that waits.
    pub(super) fn leave(&mut self, client: usize) {
        let which = self.random(u64::MAX) as usize;
        let (now, of) = (self.now, &mut self.clients[client]);
        if !of.waiting.is_empty() {
            let (key, _) = of.waiting.swap_remove(which % of.waiting.len());
            of.admission.queue.leave(key);
            of.admission.pump(now, &mut Vec::new());
        }
    }

    /// Cancels all calls of these that wait.
    pub(super) fn cancel(&mut self, is_meant: impl Fn(&Call) -> bool) {
        for Client { admission, waiting, .. } in &mut self.clients {
            for (key, _) in waiting.extract_if(.., |(_, call)| is_meant(call)) {
                admission.queue.leave(key);
            }
            admission.pump(self.now, &mut Vec::new());
        }
    }

    /// Deletes the state.
    pub(super) fn lose_the_state(&mut self) {
        redis::cmd("FLUSHALL").exec(&mut self.connection).expect("redis answers");
    }

    /// Gives back a part of a call that has departed, of which the check has to know.
    pub(super) fn settle(&mut self, client: usize, back: u64) {
        if let Some(last) = self.departed[client].len().checked_sub(1) {
            self.settle_call(client, last, back);
        }
    }

    /// Gives back a part of one of the calls of a client that have departed.
    pub(super) fn settle_call(&mut self, client: usize, which: usize, back: u64) {
        let (now, of) = (self.now, &mut self.clients[client]);
        let call = &mut self.departed[client][which];
        let back = back.min(call.amount);
        call.amount -= back;
        let mut amounts = Amounts::Few([back, 0, 0]);
        of.admission.fill_share(&mut amounts, call.priority);
        of.admission.backend.refund(&amounts, call.charge, now, |_, _| ());
    }

    /// Has a call of a client use so much more than it had reserved.
    pub(super) fn owe(&mut self, client: usize, amount: u64, priority: Priority) {
        let (now, of) = (self.now, &mut self.clients[client]);
        let mut amounts = Amounts::Few([amount, 0, 0]);
        of.admission.fill_share(&mut amounts, priority);
        of.admission.backend.owe(&amounts, now);
    }

    /// Lets time pass, in which the clients do what they can.
    pub(super) fn pass(&mut self, time: u64) {
        let end = self.now + time;
        loop {
            let next = (0..self.clients.len()).map(|client| self.serve(client)).min();
            self.now = next.unwrap_or(u64::MAX).max(self.now + 1).min(end);
            if self.now == end {
                return;
            }
        }
    }

    /// Does everything that a client can do now. Returns when it can do more.
    fn serve(&mut self, client: usize) -> u64 {
        let (now, of) = (self.now, &mut self.clients[client]);
        if let Some((_, sent, reply)) = of.reply.take_if(|(at, ..)| *at <= now)
            && let Admission { backend: Backend::Redis(slots), queue, .. } = &mut of.admission
        {
            assert!(slots.apply(&reply, queue, sent, now).is_empty());
        }
        of.admission.pump(now, &mut Vec::new());
        let Client { admission, waiting, .. } = of;
        waiting.retain(|(key, call)| {
            let (outcome, _) = admission.queue.poll(*key, Waker::noop().clone());
            let Some(outcome) = outcome else { return true };
            let Outcome::Admitted(grant) = outcome else { panic!("{outcome:?}") };
            self.departed[client].push(Call { departed: now, charge: grant.charge, ..*call });
            false
        });
        let mut next = of.admission.next().unwrap_or(u64::MAX);
        if of.reply.is_none()
            && let Admission { backend: Backend::Redis(slots), queue, .. } = &mut of.admission
        {
            match slots.collect(queue, false, now) {
                Ok(batch) => {
                    let reply = self.decide(client, &batch);
                    self.clients[client].reply = Some((now + TRIP, now, reply));
                }
                Err(at) => next = next.min(at.unwrap_or(u64::MAX)),
            }
        }
        next.min(self.clients[client].reply.as_ref().map_or(u64::MAX, |(at, ..)| *at))
    }

    /// Has a batch of a client decided.
    pub(super) fn decide(&mut self, client: usize, batch: &[u8]) -> BatchReply {
        self.batches += 1;
        let time = EPOCH + (self.now + WAY) / 1_000;
        let command = command(&self.script, IDENTITY, &self.clients[client].keys, batch, time);
        let bytes: Vec<u8> = command.query(&mut self.connection).expect("redis answers");
        BatchReply::read(&bytes, &[self.metering.rate.has_resets(); 2]).expect("a reply")
    }

    /// Returns the calls of this priority that have departed, of all clients, in their order.
    pub(super) fn calls(&self, is_counted: impl Fn(&Call) -> bool) -> Vec<Call> {
        let mut calls: Vec<_> = self.departed.iter().flatten().copied().filter(is_counted).collect();
        calls.sort_by_key(|call| call.departed);
        calls
    }

    /// Asserts the bound of the limit, and that of the share.
    pub(super) fn check(&self) {
        let share = self.metering.share(SHARE);
        for (metering, calls) in [
            (self.metering, self.calls(|_| true)),
            (share, self.calls(|call| call.priority < Priority::High)),
        ] {
            let scale = Scale::new(&metering, metering.jitter);
            let calls: Vec<_> = calls.iter().map(|call| (call.departed, scale.weight(call.amount))).collect();
            for (first, (from, _)) in calls.iter().enumerate() {
                let (mut sum, mut largest) = (0, 0);
                for (departed, weight) in &calls[first..] {
                    (sum, largest) = (sum + weight, largest.max(*weight));
                    // Times of the server are microseconds.
                    let most = departed - from + largest.max(scale.burst) + 2_000;
                    assert!(sum <= most, "{sum} ns in {} ns, share {}", most, metering.share);
                }
            }
        }
    }

    /// Returns the sum of what calls took that departed within a time.
    pub(super) fn used(&self, from: u64, is_counted: impl Fn(&Call) -> bool) -> u64 {
        self.calls(is_counted).iter().filter(|call| call.departed >= from).map(|call| call.amount).sum()
    }
}
