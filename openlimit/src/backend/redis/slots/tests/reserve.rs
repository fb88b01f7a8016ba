//! A part of every limit that is kept for calls above a priority, over several clients.
//!
//! All clients and the server share one clock, which the loop moves. So every run is the same.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use redis::Connection;

use super::super::{Alone, LOCAL, SharedLimit, Slots};
use super::server::RedisServer;
use super::world::{EPOCH, scripted};
use crate::admission::{Admission, Decided, Policy};
use crate::backend::redis::OnOutage;
use crate::backend::redis::key::Keys;
use crate::backend::redis::scale::Scale;
use crate::backend::redis::terms::Terms;
use crate::backend::redis::wire::BatchReply;
use crate::backend::{Backend, Buckets as _, Memory, Starting};
use crate::bucket::Metering;
use crate::limits::{Amounts, Percent, Priority, Rate};
use crate::queue::{Key, Outcome, Queue, Reserve, Urgency, Waiter};

use Priority::{High, Low};

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLISECOND;
const JITTER: Duration = Duration::from_millis(20);

/// The time from a client to the server.
const WAY: u64 = MILLISECOND;

/// A round trip to the server.
const TRIP: u64 = 2 * WAY;

/// The part of the limit that is for calls below, in percent.
const SHARE: u8 = 80;

/// A limiter, its calls that wait, and the reply on its way: when it arrives, and when its batch was
/// sent.
struct Client {
    admission: Admission,
    waiting: Vec<(Key, Call)>,
    keys: [String; 2],
    reply: Option<(u64, u64, BatchReply)>,
}

/// A call, and the charge that it departed with.
#[derive(Clone, Copy, Debug)]
struct Call {
    amount: u64,
    priority: Priority,
    arrived: u64,
    departed: u64,
    charge: u64,
}

/// The clients of one limit, and their calls that have departed.
struct Crowd {
    _server: RedisServer,
    connection: Connection,
    script: String,
    metering: Metering,
    clients: Vec<Client>,
    departed: Vec<Vec<Call>>,
    now: u64,
    random: u64,
    batches: u64,
}

impl Client {
    fn new(metering: Metering, look_ahead: u64) -> Self {
        let meterings = [metering, metering.share(SHARE)];
        let starting = Starting {
            name: None,
            limits: &[],
            meterings: &meterings,
            dimensions: &[0, 1],
            reserve: Some((High, Percent(100 - SHARE))),
            max_hold: 600 * SECOND,
            dates: crate::time::Dates::From(0),
            on_system_time: true,
        };
        let terms = Terms {
            jitter: JITTER.as_nanos() as u64,
            look_ahead,
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
        });
        let alone = Alone::new(Memory::new(&starting, LOCAL), Memory::new(&starting, LOCAL), 2);
        let slots = Slots::new(&shared, terms, "".into(), alone, 600 * SECOND);
        let policy = Policy { grace: terms.slack(), max_hold: 600 * SECOND, ..Policy::default() };
        let backend = Backend::Redis(Box::new(slots));
        let admission =
            Admission::new(backend, Queue::new(2), Arc::new(policy)).reserving(Reserve::from(High));
        let keys = ["{crowd}".to_owned(), Keys::new("", "crowd", None).client()];
        Self { admission, waiting: Vec::new(), keys, reply: None }
    }

    fn slots(&mut self) -> &mut Slots {
        match &mut self.admission.backend {
            Backend::Redis(slots) => slots,
            _ => unreachable!(),
        }
    }

    /// Returns how many of its calls of a priority wait.
    fn waits(&self, priority: Priority) -> usize {
        self.waiting.iter().filter(|(_, call)| call.priority == priority).count()
    }
}

impl Crowd {
    /// Creates clients with these look-aheads.
    fn new(metering: Metering, look_aheads: &[u64]) -> Self {
        let server = RedisServer::start();
        Self {
            connection: server.connect(),
            _server: server,
            script: scripted(2, 1),
            metering,
            clients: look_aheads.iter().map(|look_ahead| Client::new(metering, *look_ahead)).collect(),
            departed: vec![Vec::new(); look_aheads.len()],
            now: SECOND,
            random: 0x9e37_79b9_7f4a_7c15,
            batches: 0,
        }
    }

    fn random(&mut self, most: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % most
    }

    /// Has a call of a client arrive.
    fn call(&mut self, client: usize, amount: u64, priority: Priority) {
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
    fn leave(&mut self, client: usize) {
        let which = self.random(u64::MAX) as usize;
        let (now, of) = (self.now, &mut self.clients[client]);
        if !of.waiting.is_empty() {
            let (key, _) = of.waiting.swap_remove(which % of.waiting.len());
            of.admission.queue.leave(key);
            of.admission.pump(now, &mut Vec::new());
        }
    }

    /// Gives back a part of a call that has departed, of which the check has to know.
    fn settle(&mut self, client: usize, back: u64) {
        let (now, of) = (self.now, &mut self.clients[client]);
        if let Some(call) = self.departed[client].last() {
            let mut amounts = Amounts::Few([back.min(call.amount), 0, 0]);
            of.admission.fill_share(&mut amounts, call.priority);
            of.admission.backend.refund(&amounts, call.charge, now, |_, _| ());
        }
    }

    /// Lets time pass, in which the clients do what they can.
    fn pass(&mut self, time: u64) {
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
        if let Some((_, sent, reply)) = of.reply.take_if(|(at, ..)| *at <= now) {
            let Client { admission: Admission { backend: Backend::Redis(slots), queue, .. }, .. } = of else {
                unreachable!()
            };
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
        if of.reply.is_none() {
            let Client { admission: Admission { backend: Backend::Redis(slots), queue, .. }, .. } = of else {
                unreachable!()
            };
            match slots.collect(queue, false, now) {
                Ok(batch) => {
                    let mut command = redis::cmd("EVAL");
                    command.arg(&self.script).arg(2).arg(&of.keys).arg("openlimit 1\nof the test\n");
                    command.arg(batch).arg(60).arg(60).arg(EPOCH + (now + WAY) / 1_000);
                    let bytes: Vec<u8> = command.query(&mut self.connection).expect("redis answers");
                    let reply = BatchReply::read(&bytes, 2).expect("a reply");
                    of.reply = Some((now + TRIP, now, reply));
                    self.batches += 1;
                }
                Err(at) => next = next.min(at.unwrap_or(u64::MAX)),
            }
        }
        next.min(of.reply.as_ref().map_or(u64::MAX, |(at, ..)| *at))
    }

    /// Returns the calls of this priority that have departed, of all clients, in their order.
    fn calls(&self, is_counted: impl Fn(&Call) -> bool) -> Vec<Call> {
        let mut calls: Vec<_> = self.departed.iter().flatten().copied().filter(is_counted).collect();
        calls.sort_by_key(|call| call.departed);
        calls
    }

    /// Asserts the bound of the limit, and that of the share.
    fn check(&self) {
        let share = self.metering.share(SHARE);
        for (metering, calls) in
            [(self.metering, self.calls(|_| true)), (share, self.calls(|call| call.priority < High))]
        {
            let scale = Scale::new(&metering, JITTER);
            for (first, from) in calls.iter().enumerate() {
                let (mut sum, mut largest) = (0, 0);
                for call in &calls[first..] {
                    let weight = scale.weight(call.amount);
                    (sum, largest) = (sum + weight, largest.max(weight));
                    // Times of the server are microseconds.
                    let most = call.departed - from.departed + largest.max(scale.burst) + 2_000;
                    assert!(sum <= most, "{sum} ns in {} ns, share {}", most, metering.share);
                }
            }
        }
    }

    /// Returns the sum of what calls took that departed within a time.
    fn used(&self, from: u64, is_counted: impl Fn(&Call) -> bool) -> u64 {
        self.calls(is_counted).iter().filter(|call| call.departed >= from).map(|call| call.amount).sum()
    }
}

/// A limit of 1 000 per second.
fn limit(burst: Duration) -> Metering {
    Metering::new(Rate::per_second(1_000), burst, JITTER, (0, 100))
}

/// A limit whose burst holds a second, and one whose calls of 10 leave one by one.
const BURSTS: [Duration; 2] = [Duration::from_secs(1), Duration::from_millis(31)];

#[test]
fn a_flood_of_calls_below_uses_all_of_its_share_and_those_above_pass_it() {
    for (clients, burst) in [1, 3].into_iter().flat_map(|clients| BURSTS.map(|burst| (clients, burst))) {
        let look_aheads = &[100 * MILLISECOND, 300 * MILLISECOND, 20 * MILLISECOND][..clients];
        let mut crowd = Crowd::new(limit(burst), look_aheads);
        let start = crowd.now;
        for step in 0..4_000 {
            for client in 0..clients {
                while crowd.clients[client].waits(Low) < 30 {
                    crowd.call(client, 10, Low);
                }
            }
            // 15 % of the limit.
            if step % 13 == 0 {
                let client = crowd.random(clients as u64) as usize;
                crowd.call(client, 10, High);
            }
            crowd.pass(5 * MILLISECOND);
        }
        crowd.check();
        let waits = |of: &Crowd| of.calls(|call| call.priority == High).iter().map(|call| call.departed - call.arrived).collect::<Vec<_>>();
        let mut w = waits(&crowd);
        w.sort();
        let low = crowd.used(start + SECOND, |call| call.priority == Low);
        println!("clients {clients} burst {burst:?}: low {low} of {}; high n {} p50 {} p90 {} max {} us; batches {}",
            19 * 800, w.len(), w[w.len()/2]/1000, w[w.len()*9/10]/1000, w[w.len()-1]/1000, crowd.batches);
        let by: Vec<u64> = crowd.departed.iter().map(|d| d.iter().filter(|c| c.priority==Low).map(|c| c.amount).sum()).collect();
        println!("  by client {by:?}");
    }
}
