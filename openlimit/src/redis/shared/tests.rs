//! The script, the ledger and the slots against a real server: what several clients are granted together, to the nanosecond.
//!
//! Tests of the whole, with processes and faults, are in the `tests` crate. Here the moments that were granted can be
//! seen, and so the promise be checked exactly, whatever the machine does meanwhile.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use redis::{Client as Opened, Connection};

use super::*;
use crate::Rate;
use crate::queue::Waiter;
use crate::redis::OnOutage;
use crate::redis::key::Keys;
use crate::redis::script::Script;
use crate::redis::wire::{Decision, Reply};

/// Requests and tokens. Clients here ask for more than that without end.
const SLOW: [Rate; 2] = [Rate::per_second(1_000), Rate::per_second(50_000)];
/// Of these they ask for about as much as there is, so that the buckets run empty now and then.
const FAST: [Rate; 2] = [Rate::per_second(8_000), Rate::per_second(400_000)];
const BURST: Duration = Duration::from_millis(200);
const JITTER: Duration = Duration::from_millis(20);

#[test]
fn what_several_clients_are_granted_never_exceeds_the_promise_in_any_window() {
    mixed(SLOW);
}

#[test]
fn nor_does_it_where_the_buckets_run_empty() {
    mixed(FAST);
}

fn mixed(rates: [Rate; 2]) {
    let mut world = World::start(rates);
    let mut clients = [world.client(), world.client(), world.client()];
    for step in 0..3_000 {
        let client = &mut clients[world.random(3)];
        match world.random(20) {
            0 => thread::sleep(Duration::from_millis(world.random(40) as u64)),
            1 => world.give_back(client),
            2 => world.owe(client),
            3 => world.say_again(client),
            4 if step % 7 == 0 => world.forget_scripts(),
            _ => {}
        }
        for _ in 0..world.random(4) {
            // Some take more than the burst of 200 ms.
            let (requests, tokens) =
                (world.random(3), world.random(400) * if world.random(50) == 0 { 40 } else { 1 });
            client.join([requests as u64, tokens as u64]);
        }
        world.exchange(client);
        client.leave_or_go(&mut world);
    }
    world.check();
}

#[test]
fn a_state_that_is_lost_again_and_again_costs_nobody_the_promise() {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client(), world.client()];
    for step in 0..600 {
        if step % 40 == 39 {
            world.lose_the_state(&clients);
        }
        let client = &mut clients[world.random(3)];
        for _ in 0..world.random(4) {
            let (requests, tokens) = (1 + world.random(2), world.random(400));
            client.join([requests as u64, tokens as u64]);
        }
        world.exchange(client);
        client.all_go();
    }
    world.check();
}

#[test]
fn demand_without_end_is_granted_all_that_there_is() {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client()];
    for step in 0..400 {
        let client = &mut clients[step % 2];
        client.join([1, 10]);
        client.join([1, 10]);
        world.exchange(client);
        client.all_go();
    }
    // A request weighs a millisecond, and 180 of them fit.
    let (first, last) = (world.granted[0].at, world.granted.last().map_or(0, |call| call.at));
    let least = (800 - 180) * 1_000_000;
    assert!(last - first <= least + 1_000_000, "{} ns instead of {least}", last - first);
    world.check();
}

#[test]
fn calls_that_do_not_fit_beside_the_jitter_lose_nothing_of_the_rate() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    for _ in 0..120 {
        client.join([190, 0]);
        world.exchange(&mut client);
        client.all_go();
    }
    let (first, last) = (world.granted[0].at, world.granted[119].at);
    assert!(last - first <= 119 * 190_000_000 + 10_000_000, "{} ns", last - first);
    world.check();
}

#[test]
fn a_call_is_granted_what_another_one_gave_back() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    one.join([150, 0]);
    world.exchange(&mut one);
    one.all_leave();
    world.exchange(&mut one);
    other.join([180, 0]);
    world.exchange(&mut other);
    assert_eq!(world.granted.last().map(|call| call.wait), Some(0));
}

#[test]
fn every_limit_is_charged_as_of_the_moment_that_the_slowest_one_allows() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    client.join([180, 0]);
    client.join([100, 9_000]);
    let reply = world.exchange(&mut client);
    assert_eq!(reply.calls[1], Decision { wait: 100_000_000, limit: Some(0), granted: true });
    assert_eq!((reply.buckets[0].level, reply.buckets[1].level), (280_000_000, 280_000_000));
}

#[test]
fn a_call_of_nine_tenths_of_the_burst_has_its_turn_among_small_ones_of_other_clients() {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client(), world.client()];
    let mut large = world.client();
    // Before its turn are those who asked before it, of whom each client has no more than its look-ahead.
    let mut before = 0;
    for step in 0..120 {
        if step == 60 {
            before = world.granted.len();
            large.join([180, 0]);
            let reply = world.exchange(&mut large);
            assert!(reply.calls[0].granted);
        }
        let client = &mut clients[step % 3];
        for _ in 0..10 {
            client.join([1, 0]);
        }
        world.exchange(client);
        client.all_go();
    }
    let turn = world.granted[before];
    assert_eq!(turn.weights[0], 180_000_000);
    assert!(world.granted[before + 1..].iter().all(|later| later.at >= turn.at));
    world.check();
}

#[test]
fn a_small_call_does_not_wait_for_the_moment_of_a_large_one_that_left() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    client.join([180, 0]);
    world.exchange(&mut client);
    client.all_go();
    // It is due when the bucket is empty, in 180 ms and no more: so the look-ahead here is less.
    client.shared.terms.look_ahead = 20_000_000;
    let large = client.join([800, 0]);
    world.exchange(&mut client);
    client.join([1, 0]);
    client.queue.leave(large);
    assert_eq!(client.shared.due(&[1, 0, 0], Some(u64::MAX), world.clock), None);
    let reply = world.exchange(&mut client);
    assert!(reply.calls[0].wait <= 20_000_000, "{:?}", reply.calls);
}

#[test]
fn a_call_that_would_wait_too_long_is_refused_and_charged_nothing() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    one.join([180, 0]);
    world.exchange(&mut one);
    other.wait_at_most = 50_000_000;
    other.join([100, 0]);
    let reply = world.exchange(&mut other);
    assert!(!reply.calls[0].granted && reply.calls[0].wait > 50_000_000 && reply.calls[0].limit == Some(0));
    assert!(reply.buckets[0].level <= 180_000_000);
}

/// A server, its time, and what everyone was granted.
struct World {
    _server: Server,
    connection: Connection,
    script: Arc<Script>,
    scales: Vec<Scale>,
    granted: Vec<Granted>,
    /// What the buckets had been given back at the last look, by everyone.
    given: [u64; 2],
    /// When the state was lost, and by how much more than the promise may be granted for it.
    lost: Vec<(u64, [u64; 2])>,
    random: u64,
    clock: u64,
}

#[derive(Clone, Copy, Debug)]
struct Granted {
    /// The client's batch.
    client: usize,
    charge: u64,
    /// When, in nanoseconds of the server's clock.
    at: u64,
    wait: u64,
    /// What it weighs, less what was given back of it.
    weights: [u64; 2],
}

struct Client {
    id: usize,
    shared: Shared,
    queue: Queue,
    keys: [String; 2],
    /// The batch that was sent last.
    sent: Vec<u8>,
    reply: Vec<u8>,
    wait_at_most: u64,
    /// How many calls had been granted when it came last.
    seen: usize,
    /// What it took, by charge, and may give back or exceed.
    taken: Vec<(u64, Amounts)>,
}

impl World {
    fn start(rates: [Rate; 2]) -> Self {
        let server = Server::start();
        let connection = server.connect();
        let scales = rates.map(|rate| Scale::new(rate, BURST, JITTER, (0, 100)));
        Self {
            _server: server,
            connection,
            script: Script::of(2),
            scales: scales.into(),
            granted: Vec::new(),
            given: [0; 2],
            lost: Vec::new(),
            random: 0x9e37_79b9_7f4a_7c15,
            clock: 1,
        }
    }

    fn client(&mut self) -> Client {
        let terms = Terms {
            slack: 10_000_000,
            look_ahead: 300_000_000,
            lease: None,
            patience: 0,
            on_outage: OnOutage::Wait,
        };
        let shared = Shared::new([0, 1].into(), self.scales.clone().into(), terms, Arc::default(), "".into());
        let id = self.random(usize::MAX);
        Client {
            id,
            shared,
            queue: Queue::new(2),
            keys: ["test:{world}".to_owned(), Keys::new("test:", "world").client()],
            sent: Vec::new(),
            reply: Vec::new(),
            wait_at_most: u64::MAX,
            seen: 0,
            taken: Vec::new(),
        }
    }

    /// xorshift, below `most`.
    fn random(&mut self, most: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % most as u64) as usize
    }

    /// Sends what the client has to say, if anything.
    fn exchange(&mut self, client: &mut Client) -> Reply {
        self.clock += 100_000_000;
        let Some(batch) = client.shared.collect(&client.queue, self.clock) else {
            return Reply {
                now: 0,
                decided: 0,
                epoch: 0,
                count: 0,
                run: 0,
                buckets: Vec::new(),
                calls: Vec::new(),
            };
        };
        let asked: Vec<_> = client.shared.asking.iter().flatten().map(|call| call.amounts.clone()).collect();
        let reply = self.decide(client, &batch);
        let mut charge = client.shared.ledger.charges + 1;
        for (amounts, Decision { wait, granted, .. }) in asked.iter().zip(&reply.calls) {
            if *granted {
                charge += 1;
                let weights = [0, 1].map(|limit| self.scales[limit].weight(amounts.as_slice()[limit]));
                let at = reply.decided * 1_000 + wait;
                self.granted.push(Granted { client: client.id, charge, at, wait: *wait, weights });
            }
        }
        client.shared.told(&reply, self.clock, self.clock);
        client.seen = self.granted.len();
        reply
    }

    fn run(&mut self, client: &mut Client, batch: &[u8]) -> Reply {
        let mut command = redis::cmd("EVAL");
        command.arg(&self.script.text).arg(2).arg(&client.keys);
        command.arg("openlimit 1\nof the test\n").arg(batch).arg(600);
        client.sent = batch.to_vec();
        client.reply = command.query(&mut self.connection).unwrap();
        Reply::read(&client.reply, 2).unwrap()
    }

    /// The same batch again has the same answer, and changes nothing.
    fn say_again(&mut self, client: &mut Client) {
        if !client.sent.is_empty() {
            let (sent, before) = (client.sent.clone(), client.reply.clone());
            let again = self.run(client, &sent);
            assert_eq!(client.reply[8..], before[8..]);
            assert!(again.now >= again.decided);
        }
    }

    /// Has a batch decided, and takes what is given back by it from the calls whose it was. Any of those that were to be given
    /// back may be: each by itself might.
    fn decide(&mut self, client: &mut Client, batch: &[u8]) -> Reply {
        let reply = self.run(client, batch);
        let asked = std::mem::take(&mut client.shared.ledger.asked);
        for (limit, bucket) in reply.buckets.iter().enumerate() {
            let mut given = bucket.given.saturating_sub(self.given[limit]);
            self.given[limit] = bucket.given;
            for (_, charge, weight) in asked.iter().filter(|(of, ..)| *of == limit) {
                let part = given.min(*weight);
                given -= part;
                let call =
                    self.granted.iter_mut().find(|call| (call.client, call.charge) == (client.id, *charge));
                if let Some(call) = call {
                    assert!(part <= call.weights[limit], "more is given back than was taken");
                    call.weights[limit] -= part;
                }
            }
            assert_eq!(given, 0, "more is given back than was asked for");
        }
        reply
    }

    /// Gives back a part of what one call took.
    fn give_back(&mut self, client: &mut Client) {
        if !client.taken.is_empty() {
            let (charge, mut amounts) = client.taken.swap_remove(self.random(client.taken.len()));
            let part = 1 + self.random(4) as u64;
            amounts.as_mut_slice().iter_mut().for_each(|amount| *amount /= part);
            client.shared.refund(amounts.as_slice(), charge, self.clock);
        }
    }

    fn owe(&mut self, client: &mut Client) {
        client.shared.owe(&[0, self.random(500) as u64], self.clock);
    }

    fn forget_scripts(&mut self) {
        redis::cmd("SCRIPT").arg("FLUSH").exec(&mut self.connection).unwrap();
    }

    /// Nothing but the clients knows what was in the buckets. Who comes first cannot know what others were granted since it
    /// came last, and that much more may be granted until they come.
    fn lose_the_state(&mut self, clients: &[Client]) {
        redis::cmd("FLUSHALL").exec(&mut self.connection).unwrap();
        self.given = [0; 2];
        let unseen = |client: &Client| {
            let since = &self.granted[client.seen..];
            [0, 1].map(|limit| since.iter().map(|call| call.weights[limit]).sum::<u64>())
        };
        let unseen: Vec<_> = clients.iter().map(unseen).collect();
        let most = [0, 1].map(|limit| unseen.iter().map(|unseen| unseen[limit]).max().unwrap_or(0));
        let (secs, micros): (u64, u64) = redis::cmd("TIME").query(&mut self.connection).unwrap();
        self.lost.push(((secs * 1_000_000 + micros) * 1_000, most));
    }

    /// In any window from one grant to another, no more than what leaks meanwhile and the burst, or the largest call. Slots lie
    /// ahead by up to the look-ahead, so that a window may suffer from a loss somewhat before it.
    fn check(&mut self) {
        self.granted.sort_by_key(|call| call.at);
        assert!(self.granted.len() > 100);
        for limit in 0..2 {
            for (first, from) in self.granted.iter().enumerate() {
                let (mut sum, mut largest) = (0, 0);
                for call in &self.granted[first..] {
                    sum += call.weights[limit];
                    largest = largest.max(call.weights[limit]);
                    let most = call.at - from.at + largest.max(self.scales[limit].burst);
                    let lost =
                        self.lost.iter().filter(|(at, _)| *at > from.at - 500_000_000 && *at < call.at);
                    let unseen: u64 = lost.map(|(_, most)| most[limit]).sum();
                    assert!(sum <= most + unseen, "limit {limit}: {sum} ns in {} ns", call.at - from.at);
                }
            }
        }
    }
}

impl Client {
    fn join(&mut self, [requests, tokens]: [u64; 2]) -> Key {
        let waiter = Waiter {
            amounts: Amounts::Few([requests, tokens, 0]),
            arrived: 0,
            timeout: self.wait_at_most.saturating_add(1_000_000_000_000).min(self.wait_at_most),
            waker: Waker::noop().clone(),
            number: 0,
        };
        self.queue.join(waiter)
    }

    /// Each who has a slot takes it or, now and then, leaves.
    fn leave_or_go(&mut self, world: &mut World) {
        while let Some((key, waiter)) = self.queue.head() {
            let (amounts, number) = (waiter.amounts.clone(), waiter.number);
            let leaves = world.random(4) == 0;
            if !leaves && !self.take(&amounts, number) {
                return;
            }
            self.queue.leave(key);
        }
        self.shared.release(0);
    }

    fn all_go(&mut self) {
        while let Some((key, waiter)) = self.queue.head() {
            let (amounts, number) = (waiter.amounts.clone(), waiter.number);
            if !self.take(&amounts, number) {
                return;
            }
            self.queue.leave(key);
        }
    }

    fn all_leave(&mut self) {
        while let Some((key, _)) = self.queue.head() {
            self.queue.leave(key);
        }
        self.shared.release(0);
    }

    fn take(&mut self, amounts: &Amounts, number: u64) -> bool {
        if self.shared.due(amounts.as_slice(), Some(number), 0).is_none() {
            return false;
        }
        let charge = self.shared.take(amounts.as_slice(), 0);
        self.taken.extend(charge.map(|charge| (charge, amounts.clone())));
        charge.is_some()
    }
}

struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let program = std::env::var("OPENLIMIT_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let process = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .stdout(Stdio::null())
            .spawn();
        Self { process: process.expect("redis-server is to be installed"), port }
    }

    fn connect(&self) -> Connection {
        let client = Opened::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        for _ in 0..500 {
            if let Ok(connection) = client.get_connection() {
                return connection;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("redis-server does not answer");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
