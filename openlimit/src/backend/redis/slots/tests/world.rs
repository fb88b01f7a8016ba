//! The world of the tests: a server, its clients, every grant, and the check of the bound.

use std::time::Duration;

use redis::{Cmd, Connection, RedisResult};

use super::super::{Alone, LOCAL, SharedLimit, Slots, Windows};
use super::client::Tenant;
use super::server::RedisServer;
use crate::backend::redis::OnOutage;
use crate::backend::redis::key::Keys;
use crate::backend::redis::scale::Scale;
use crate::backend::redis::script::Script;
use crate::backend::redis::settings::KEPT;
use crate::backend::redis::terms::Terms;
use crate::backend::redis::trip::UsualTrip;
use crate::backend::redis::wire::{BatchReply, Decision};
use crate::backend::tests::below;
use crate::backend::{Buckets as _, Memory, Starting};
use crate::bucket::Metering;
use crate::limits::{Amounts, Calendar, Rate};
use crate::queue::Queue;
use crate::time::Dates;

/// Limits of requests and tokens that are lower than what the clients of the tests ask for.
pub(super) const SLOW: [Rate; 2] = [Rate::per_second(1_000), Rate::per_second(50_000)];
/// Limits that are about what the clients ask for, so that the buckets run empty now and then.
pub(super) const FAST: [Rate; 2] = [Rate::per_second(8_000), Rate::per_second(400_000)];
pub(super) const BURST: Duration = Duration::from_millis(200);
pub(super) const JITTER: Duration = Duration::from_millis(20);
/// The time from batch to batch, in nanoseconds.
pub(super) const STEP: u64 = 200_000;

/// The server's time at zero of the clients' clock, in microseconds.
pub(super) const EPOCH: u64 = 1_700_000_000_000_000;

/// Has a server load the script for limits, each of which resets or not, and the last of which are
/// `shares`. It takes the time from its last argument. Returns its hash.
pub(super) fn scripted(connection: &mut Connection, reset: &[bool], shares: usize) -> String {
    loaded(connection, &Script::of(reset, shares))
}

fn loaded(connection: &mut Connection, script: &Script) -> String {
    let script = script.text.replace("redis.call('TIME')", "{0, ARGV[5]}");
    assert!(script.contains("{0, ARGV[5]}"), "the script does not read the clock any more");
    redis::cmd("SCRIPT").arg("LOAD").arg(script).query(connection).unwrap()
}

/// The identity of the limiter.
pub(super) const IDENTITY: &str = "openlimit 1\nof the test\n";

/// Returns the command by which a server decides a batch at `time`, in microseconds.
pub(super) fn command(script: &str, identity: &str, keys: &[String; 2], batch: &[u8], time: u64) -> Cmd {
    let mut command = redis::cmd("EVALSHA");
    command.arg(script).arg(2).arg(keys).arg(identity).arg(batch).arg(KEPT).arg(KEPT).arg(time);
    command
}

pub(super) fn metering(rate: Rate) -> Metering {
    Metering::new(rate, BURST, JITTER, (0, 100))
}

/// A server, the clients' clock, and all grants.
pub(super) struct World {
    _server: RedisServer,
    pub(super) connection: Connection,
    script: String,
    pub(super) scales: Vec<Scale>,
    /// The windows of each limit, if it resets.
    pub(super) windows: [Option<Windows>; 2],
    pub(super) granted: Vec<Granted>,
    /// When the state was lost, and by how much grants may exceed the bound because of that.
    pub(super) lost: Vec<(u64, [u64; 2])>,
    /// The number of times that a slot was brought forward.
    pub(super) brought_forward: u64,
    pub(super) random: u64,
    /// The clock of the clients, in nanoseconds. The server's goes at the same pace.
    pub(super) clock: u64,
    /// By how much the server's clock was set back, in microseconds.
    back: u64,
    /// The batches so far.
    recorded: Vec<Recorded>,
    /// The usual round trip, as its clients know it.
    trip: UsualTrip,
}

/// A batch that was decided.
struct Recorded {
    keys: [String; 2],
    batch: Vec<u8>,
    /// What the server's clock showed.
    time: u64,
    reply: Vec<u8>,
}

/// One grant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Granted {
    /// The number of the charge.
    pub(super) charge: u64,
    /// The moment of the grant, in nanoseconds of the server's clock.
    pub(super) at: u64,
    pub(super) wait: u64,
    /// Its weight in each limit, less its refunds.
    pub(super) weights: [u64; 2],
}

impl World {
    pub(super) fn start(rates: [Rate; 2]) -> Self {
        Self::metered_by(rates.map(metering))
    }

    /// Starts a world with two clients that the server knows.
    pub(super) fn of_two() -> (Self, Tenant, Tenant) {
        let mut world = Self::start(SLOW);
        let (mut one, mut other) = (world.client(), world.client());
        for client in [&mut one, &mut other] {
            world.call(client, [1, 0]);
        }
        (world, one, other)
    }

    /// Starts a world whose limits have any terms.
    pub(super) fn metered_by(meterings: [Metering; 2]) -> Self {
        let server = RedisServer::start();
        let mut connection = server.connect();
        let pause = Scale::longest_pause(&meterings);
        let scales = meterings.map(|metering| Scale::new(&metering, pause));
        let windows = meterings.map(|metering| {
            let calendar = Calendar::of(metering.rate).unwrap()?;
            Some(Windows::new(calendar, Dates::From(1_000 * EPOCH.cast_signed())))
        });
        Self {
            _server: server,
            script: scripted(&mut connection, &scales.map(|scale| scale.resets()), 0),
            connection,
            scales: scales.into(),
            windows,
            granted: Vec::new(),
            lost: Vec::new(),
            brought_forward: 0,
            random: 0x9e37_79b9_7f4a_7c15,
            clock: STEP,
            back: 0,
            recorded: Vec::new(),
            trip: UsualTrip::default(),
        }
    }

    pub(super) fn client(&mut self) -> Tenant {
        let terms = Terms {
            jitter: JITTER.as_nanos() as u64,
            look_ahead: 300_000_000,
            lease: None,
            patience: 0,
            on_outage: OnOutage::Wait,
        };
        let limit = |place: usize| {
            let (scale, windows) = (self.scales[place], self.windows[place].clone());
            SharedLimit { place, dimension: place, share: 100, scale, windows }
        };
        let starting = Starting {
            name: None,
            limits: &[],
            meterings: &SLOW.map(metering),
            dimensions: &[0, 1],
            reserve: None,
            max_hold: 0,
            dates: Dates::From(0),
            on_system_time: true,
        };
        let alone = Alone::new(Memory::new(&starting, LOCAL), 2);
        let slots =
            Slots::new(&[limit(0), limit(1)], terms, "".into(), alone, 600_000_000_000, self.trip.clone());
        Tenant {
            slots,
            queue: Queue::new(2),
            keys: ["test:{world}".to_owned(), Keys::new("test:", "world", None).client()],
            sent: Vec::new(),
            reply: Vec::new(),
            wait_at_most: u64::MAX,
            seen: 0,
            taken: Vec::new(),
        }
    }

    /// Creates a client with a look-ahead of 20 ms.
    pub(super) fn short_look_ahead_client(&mut self) -> Tenant {
        let mut client = self.client();
        client.looks_ahead(20_000_000);
        client
    }

    /// Has a call of the client granted and admitted.
    pub(super) fn call(&mut self, client: &mut Tenant, amounts: [u64; 2]) {
        client.join(amounts);
        self.exchange(client);
        client.all_go();
    }

    /// Lets a client learn what the server knows.
    pub(super) fn learn(&mut self, client: &mut Tenant) -> BatchReply {
        client.slots.wants_news = true;
        self.exchange(client)
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        self.clock += time.as_nanos() as u64;
    }

    /// Sets the server's clock back.
    pub(super) fn set_server_back(&mut self, time: Duration) {
        self.back += time.as_micros() as u64;
    }

    /// Sets the server's clock ahead, by no more than it was set back.
    pub(super) fn set_server_ahead(&mut self, time: Duration) {
        self.back -= time.as_micros() as u64;
    }

    /// Returns a pseudorandom number below `most`.
    pub(super) fn random(&mut self, most: usize) -> usize {
        below(&mut self.random, most as u64) as usize
    }

    /// Makes one round trip of the client, if it has anything to send.
    pub(super) fn exchange(&mut self, client: &mut Tenant) -> BatchReply {
        self.exchange_while(client, |_, _| ())
    }

    /// Makes one round trip, and runs `act` after the batch was decided and before its reply
    /// arrives.
    pub(super) fn exchange_while(
        &mut self,
        client: &mut Tenant,
        act: impl FnOnce(&mut Self, &mut Tenant),
    ) -> BatchReply {
        self.clock += STEP;
        // Nothing is held back for a batch with calls.
        if client.slots.flush_at < u64::MAX {
            client.slots.flush_at = 0;
        }
        let Ok(batch) = client.slots.collect(&client.queue, false, self.clock) else {
            return BatchReply::default();
        };
        let sent = self.clock;
        let asked: Vec<_> =
            client.slots.in_flight.iter().flatten().map(|call| call.weights.clone()).collect();
        let reply = self.decide(client, &batch);
        let mut charge = reply.charges_before();
        for (weights, Decision { wait, granted, .. }) in asked.iter().zip(&reply.calls) {
            if *granted {
                charge += 1;
                let weights = [0, 1].map(|limit| weights[limit]);
                let at = reply.decided * 1_000 + wait;
                self.granted.push(Granted { charge, at, wait: *wait, weights });
            }
        }
        client.seen = self.granted.len();
        act(self, client);
        client.check_held();
        let before: Vec<_> = client.slots.slots.iter().map(|slot| (slot.charge, slot.due)).collect();
        client.slots.apply(&reply, &client.queue, sent, self.clock);
        for slot in &client.slots.slots {
            let is_moved = before.iter().any(|(charge, due)| *charge == slot.charge && *due != slot.due);
            if is_moved {
                let wait = slot.due - client.slots.seen_at;
                self.grant_of(slot.charge).at = reply.decided * 1_000 + wait;
                self.brought_forward += 1;
            }
        }
        client.check_held();
        reply
    }

    pub(super) fn run(&mut self, client: &mut Tenant, batch: &[u8]) -> BatchReply {
        client.sent = batch.to_vec();
        client.reply = self.eval(&client.keys, batch);
        let (keys, reply) = (client.keys.clone(), client.reply.clone());
        self.recorded.push(Recorded { keys, batch: batch.to_vec(), time: self.time(), reply });
        self.read(&client.reply)
    }

    fn read(&self, reply: &[u8]) -> BatchReply {
        BatchReply::read(reply, &[0, 1].map(|limit| self.windows[limit].is_some())).unwrap()
    }

    pub(super) fn eval(&mut self, keys: &[String; 2], batch: &[u8]) -> Vec<u8> {
        self.eval_as(IDENTITY, keys, batch).unwrap()
    }

    /// Has a batch of a client with this identity decided.
    pub(super) fn eval_as(
        &mut self,
        identity: &str,
        keys: &[String; 2],
        batch: &[u8],
    ) -> RedisResult<Vec<u8>> {
        let command = command(&self.script, identity, keys, batch, self.time());
        command.query(&mut self.connection)
    }

    /// Returns what the server's clock shows, in microseconds.
    fn time(&self) -> u64 {
        EPOCH - self.back + self.clock / 1_000
    }

    /// Asserts that the script decides all batches so far in the same way if its variables are in
    /// tables, as those of many limits are. None of them may have been lost.
    pub(super) fn check_in_tables(&self) {
        let server = RedisServer::start();
        let mut connection = server.connect();
        let reset: Vec<_> = self.scales.iter().map(Scale::resets).collect();
        let script = loaded(&mut connection, &Script::new(&reset, 0, true));
        for Recorded { keys, batch, time, reply } in &self.recorded {
            let command = command(&script, IDENTITY, keys, batch, *time);
            let in_tables: Vec<u8> = command.query(&mut connection).unwrap();
            assert_eq!(&in_tables, reply);
        }
    }

    /// Returns how much of each refund of a batch the server will give back in each limit. Has it
    /// decide the batch with one refund more each time, on a copy of the state.
    fn give(&mut self, client: &Tenant, batch: &Batch) -> Vec<[u64; 2]> {
        if batch.refunds().is_empty() {
            return Vec::new();
        }
        let values: [Option<Vec<u8>>; 2] =
            redis::cmd("MGET").arg(&client.keys).query(&mut self.connection).unwrap();
        let keys = ["{world}copy".to_owned(), "{world}reply".to_owned()];
        let mut pipe = redis::pipe();
        for refunds in 1..=batch.refunds().len() {
            pipe.cmd("DEL").arg(&keys).ignore();
            for (key, value) in keys.iter().zip(&values) {
                if let Some(value) = value {
                    pipe.cmd("SET").arg(key).arg(value).ignore();
                }
            }
            pipe.add_command(command(&self.script, IDENTITY, &keys, &batch.with(refunds), self.time()));
        }
        let replies: Vec<Vec<u8>> = pipe.query(&mut self.connection).unwrap();
        let (mut given, mut before) = (Vec::new(), [0, 0]);
        for reply in replies {
            let reply = self.read(&reply);
            let sum = [0, 1].map(|limit| reply.buckets[limit].given);
            given.push([0, 1].map(|limit| sum[limit] - before[limit]));
            before = sum;
        }
        given
    }

    /// Sends the last batch again, and asserts that the reply is the same.
    pub(super) fn send_again(&mut self, client: &mut Tenant) {
        if !client.sent.is_empty() {
            let (sent, before) = (client.sent.clone(), client.reply.clone());
            let again = self.run(client, &sent);
            assert_eq!(client.reply[8..], before[8..]);
            assert!(again.now >= again.decided);
        }
    }

    /// Has a batch decided, and subtracts its refunds from the grants that they are of.
    fn decide(&mut self, client: &mut Tenant, bytes: &[u8]) -> BatchReply {
        let batch = Batch::read(bytes, self.windows.iter().flatten().count());
        let given = self.give(client, &batch);
        let reply = self.run(client, bytes);
        let mut sum = [0, 0];
        for (refund, given) in batch.refunds().iter().zip(given) {
            for limit in [0, 1].into_iter().filter(|limit| given[*limit] > 0) {
                sum[limit] += given[limit];
                assert!(given[limit] <= refund[1 + limit], "more is given back than was asked for");
                let call = self.grant_of(refund[0]);
                assert!(given[limit] <= call.weights[limit], "more is given back than was taken");
                call.weights[limit] -= given[limit];
            }
        }
        assert_eq!(sum, [0, 1].map(|limit| reply.buckets[limit].given));
        reply
    }

    /// Returns the grant of a charge.
    fn grant_of(&mut self, charge: u64) -> &mut Granted {
        self.granted.iter_mut().find(|call| call.charge == charge).expect("the charge was granted")
    }

    /// Refunds a part of one call.
    pub(super) fn give_back(&mut self, client: &mut Tenant) {
        if !client.taken.is_empty() {
            let (charge, mut amounts) = client.taken.swap_remove(self.random(client.taken.len()));
            let part = 1 + self.random(4) as u64;
            amounts.as_mut_slice().iter_mut().for_each(|amount| *amount /= part);
            client.give_back(&amounts, charge, self.clock);
        }
    }

    pub(super) fn give_all_back(&mut self, client: &mut Tenant) {
        for (charge, amounts) in std::mem::take(&mut client.taken) {
            client.give_back(&amounts, charge, self.clock);
        }
    }

    pub(super) fn owe(&mut self, client: &mut Tenant) {
        client.slots.owe(&Amounts::Few([0, self.random(500) as u64, 0]), self.clock);
    }

    /// Returns the value of a key.
    pub(super) fn get(&mut self, key: &str) -> Vec<u8> {
        redis::cmd("GET").arg(key).query(&mut self.connection).unwrap()
    }

    /// Returns for how many seconds a key is kept.
    pub(super) fn kept_for(&mut self, key: &str) -> u64 {
        redis::cmd("TTL").arg(key).query(&mut self.connection).unwrap()
    }

    /// Returns copies of what these keys hold.
    pub(super) fn copies(&mut self, keys: &[String]) -> Vec<(String, Vec<u8>)> {
        keys.iter().map(|key| (key.clone(), self.get(key))).collect()
    }

    /// Replaces all that the server holds by copies.
    pub(super) fn restore(&mut self, copies: &[(String, Vec<u8>)]) {
        redis::cmd("FLUSHALL").exec(&mut self.connection).unwrap();
        redis::cmd("MSET").arg(copies).exec(&mut self.connection).unwrap();
    }

    /// Deletes the state. From then on only the clients know what was in the buckets. The first one
    /// that comes does not know what others were granted since its last reply, and as much may be
    /// granted again.
    pub(super) fn lose_the_state(&mut self, clients: &[Tenant]) {
        redis::cmd("FLUSHALL").exec(&mut self.connection).unwrap();
        let unseen = |client: &Tenant| {
            let since = &self.granted[client.seen..];
            [0, 1].map(|limit| since.iter().map(|call| call.weights[limit]).sum::<u64>())
        };
        let unseen: Vec<_> = clients.iter().map(unseen).collect();
        let most = [0, 1].map(|limit| unseen.iter().map(|unseen| unseen[limit]).max().unwrap_or(0));
        self.lost.push(((EPOCH * 1_000 + self.clock), most));
    }

    /// Asserts the bound: in every window from one grant to another, no more is granted than what
    /// leaks meanwhile, and the burst or the largest call. Slots lie ahead by up to the look-ahead,
    /// so a loss of the state also affects windows that begin somewhat later.
    pub(super) fn check(&mut self) {
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

/// A batch of two limits, as `wire.rs` lays it out.
struct Batch {
    numbers: Vec<f64>,
    /// The place of the first refund.
    first: usize,
}

/// The places of the number of refunds, and of the first refund if no limit resets.
const REFUNDS: usize = 19;
const FIRST_REFUND: usize = 41;

impl Batch {
    /// Reads a batch of limits of which so many reset.
    fn read(bytes: &[u8], resets: usize) -> Self {
        let numbers = bytes.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()));
        Self { numbers: numbers.collect(), first: FIRST_REFUND + 5 * resets }
    }

    /// Returns the charge and the weights of each refund.
    fn refunds(&self) -> Vec<[u64; 3]> {
        let refunds = self.numbers[self.first..].chunks_exact(4).take(self.numbers[REFUNDS] as usize);
        refunds.map(|refund| [refund[0] as u64, refund[2] as u64, refund[3] as u64]).collect()
    }

    /// Returns the bytes of the same batch with its first `refunds` refunds.
    fn with(&self, refunds: usize) -> Vec<u8> {
        let mut numbers = self.numbers.clone();
        numbers.drain(self.first + 4 * refunds..self.first + 4 * numbers[REFUNDS] as usize);
        numbers[REFUNDS] = refunds as f64;
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }
}
