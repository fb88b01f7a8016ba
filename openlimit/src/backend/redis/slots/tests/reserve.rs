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
        if let Some(call) = self.departed[client].last_mut() {
            let back = back.min(call.amount);
            call.amount -= back;
            let mut amounts = Amounts::Few([back, 0, 0]);
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

/// Returns how long the calls of this priority waited, of one client or of all.
fn waits(crowd: &Crowd, priority: Priority) -> Vec<u64> {
    let mut waits: Vec<_> =
        crowd.calls(|call| call.priority == priority).iter().map(|call| call.departed - call.arrived).collect();
    waits.sort_unstable();
    waits
}

/// Keeps so many small calls below waiting at each of these clients.
fn flood(crowd: &mut Crowd, clients: std::ops::Range<usize>) {
    for client in clients {
        while crowd.clients[client].waits(Low) < 30 {
            crowd.call(client, 10, Low);
        }
    }
}

/// Has all clients flood the limit with calls below for 20 s, beside calls above that take 15 % of it.
fn flooded(burst: Duration, look_aheads: &[u64]) -> Crowd {
    let mut crowd = Crowd::new(limit(burst), look_aheads);
    for step in 0..4_000 {
        flood(&mut crowd, 0..look_aheads.len());
        if step % 13 == 0 {
            let client = crowd.random(look_aheads.len() as u64) as usize;
            crowd.call(client, 10, High);
        }
        crowd.pass(5 * MILLISECOND);
    }
    crowd.check();
    crowd
}

#[test]
fn a_flood_of_calls_below_uses_all_of_its_share_and_those_above_pass_it() {
    for clients in [1, 3] {
        for burst in [1_000, 100] {
            let crowd = flooded(Duration::from_millis(burst), &[100 * MILLISECOND; 3][..clients]);
            let used = crowd.used(2 * SECOND, |call| call.priority == Low);
            assert!(used >= 19 * 800 * 995 / 1_000, "{used} of {}", 19 * 800);
            let longest = *waits(&crowd, High).last().expect("calls");
            assert!(longest <= 3 * TRIP, "{longest}");
            for calls in &crowd.departed {
                let used: u64 = calls.iter().filter(|call| call.priority == Low).map(|call| call.amount).sum();
                assert!(used >= 20 * 800 / clients as u64 * 9 / 10, "{used} of one client of {clients}");
            }
        }
    }
}

#[test]
fn a_call_above_waits_for_a_look_ahead_of_those_below_at_most_where_calls_leave_one_by_one() {
    // Besides it waits for the calls above before it.
    let crowd = flooded(Duration::from_millis(33), &[100 * MILLISECOND; 3]);
    let longest = *waits(&crowd, High).last().expect("calls");
    assert!(longest <= 120 * MILLISECOND, "{longest}");
}

#[test]
fn no_client_is_starved_by_one_that_looks_further_ahead() {
    let look_aheads = [100 * MILLISECOND, 300 * MILLISECOND, 20 * MILLISECOND];
    let crowd = flooded(Duration::from_secs(1), &look_aheads);
    let used = crowd.used(2 * SECOND, |call| call.priority == Low);
    assert!(used >= 19 * 800 * 99 / 100, "{used} of {}", 19 * 800);
    let longest = *waits(&crowd, High).last().expect("calls");
    assert!(longest <= 20 * MILLISECOND, "{longest}");
    for calls in &crowd.departed {
        let used: u64 = calls.iter().filter(|call| call.priority == Low).map(|call| call.amount).sum();
        println!("{used}");
        assert!(used >= 800, "{used}");
    }
}

#[test]
fn a_large_call_below_is_not_starved_by_small_ones_of_other_clients() {
    for (large, clients) in [(700, 2), (700, 5), (1_000, 3)] {
        let mut crowd = Crowd::new(limit(Duration::from_secs(1)), &[100 * MILLISECOND; 5][..clients]);
        for step in 0..8_000 {
            flood(&mut crowd, 1..clients);
            if step > 400 && crowd.clients[0].waiting.is_empty() {
                crowd.call(0, large, Low);
            }
            if step % 20 == 0 {
                crowd.call(0, 10, High);
                crowd.call(1, 10, High);
            }
            crowd.pass(5 * MILLISECOND);
        }
        crowd.check();
        let mut of_large: Vec<_> =
            crowd.calls(|call| call.amount == large).iter().map(|call| call.departed - call.arrived).collect();
        of_large.sort_unstable();
        let used = crowd.used(2 * SECOND, |call| call.priority == Low);
        let high = waits(&crowd, High);
        println!("large {large} clients {clients} n {} max {}ms p50 {}ms; used {used} of {}; high max {}us; batches {}", of_large.len(), of_large[of_large.len()-1] / MILLISECOND,
            of_large[of_large.len()/2] / MILLISECOND, 39 * 800, high[high.len()-1]/1000, crowd.batches);
    }
}

#[test]
fn calls_above_alone_use_all_of_the_limit() {
    let mut crowd = Crowd::new(limit(Duration::from_secs(1)), &[100 * MILLISECOND; 2]);
    for _ in 0..1_000 {
        for client in 0..2 {
            while crowd.clients[client].waits(High) < 20 {
                crowd.call(client, 10, High);
            }
        }
        crowd.pass(5 * MILLISECOND);
    }
    crowd.check();
    let used = crowd.used(2 * SECOND, |_| true);
    assert!(used >= 4_000 * 995 / 1_000, "{used}");
}

#[test]
fn where_both_wait_each_gets_its_part() {
    let mut crowd = Crowd::new(limit(Duration::from_secs(1)), &[100 * MILLISECOND; 2]);
    for _ in 0..4_000 {
        flood(&mut crowd, 0..2);
        for client in 0..2 {
            while crowd.clients[client].waits(High) < 20 {
                crowd.call(client, 10, High);
            }
        }
        crowd.pass(5 * MILLISECOND);
    }
    crowd.check();
    let [low, high] = [Low, High].map(|priority| crowd.used(2 * SECOND, |call| call.priority == priority));
    println!("low {low} high {high} {}", crowd.batches);
}

#[test]
fn whatever_calls_do_the_limit_and_the_share_keep_their_bounds() {
    for burst in [1_000, 250, 33] {
        let look_aheads = [100 * MILLISECOND, 300 * MILLISECOND, 20 * MILLISECOND];
        let mut crowd = Crowd::new(limit(Duration::from_millis(burst)), &look_aheads);
        for step in 0..3_000 {
            let client = crowd.random(3) as usize;
            // Bursts of calls, and quiet times.
            if step % 400 < 300 {
                for _ in 0..crowd.random(3) {
                    let amount = 1 + crowd.random(20) * if crowd.random(40) == 0 { 30 } else { 1 };
                    let priority = [High, Low, Low][crowd.random(3) as usize];
                    crowd.call(client, amount, priority);
                }
            }
            match crowd.random(12) {
                0 => crowd.leave(client),
                1 => {
                    let back = crowd.random(20);
                    crowd.settle(client, back);
                }
                _ => {}
            }
            let time = crowd.random(30) * MILLISECOND;
            crowd.pass(time);
        }
        crowd.check();
        // All that still wait go in time.
        crowd.pass(60 * SECOND);
        assert!(crowd.clients.iter().all(|client| client.waiting.is_empty()));
        println!("n {}", crowd.calls(|_| true).len());
    }
}
