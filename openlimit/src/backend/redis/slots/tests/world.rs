//! The world of the tests: a server, its clients, every grant, and the check of the bound.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use redis::Connection;

use super::super::{SharedLimit, Slots};
use super::client::Tenant;
use super::server::RedisServer;
use crate::backend::redis::OnOutage;
use crate::backend::redis::key::Keys;
use crate::backend::redis::scale::Scale;
use crate::backend::redis::script::Script;
use crate::backend::redis::settings::KEPT;
use crate::backend::redis::terms::Terms;
use crate::backend::redis::wire::{BatchReply, Decision};
use crate::backend::{Buckets as _, Memory};
use crate::bucket::Metering;
use crate::limits::{Amounts, Rate};
use crate::queue::{Order, Queue, by_arrival};

/// Limits of requests and tokens that are lower than what the clients of the tests ask for.
pub(super) const SLOW: [Rate; 2] = [Rate::per_second(1_000), Rate::per_second(50_000)];
/// Limits that are about what the clients ask for, so that the buckets run empty now and then.
pub(super) const FAST: [Rate; 2] = [Rate::per_second(8_000), Rate::per_second(400_000)];
pub(super) const BURST: Duration = Duration::from_millis(200);
pub(super) const JITTER: Duration = Duration::from_millis(20);
/// How far the clients' clock advances from batch to batch, in nanoseconds: as far as it takes to
/// flush a refund.
pub(super) const STEP: u64 = 10_000_000;

fn metering(rate: Rate) -> Metering {
    Metering::new(rate, BURST, JITTER, (0, 100))
}

/// A server, the clients' clock, and all grants.
pub(super) struct World {
    _server: RedisServer,
    pub(super) connection: Connection,
    pub(super) script: Arc<Script>,
    pub(super) scales: Vec<Scale>,
    pub(super) granted: Vec<Granted>,
    /// The sum of all refunds of each bucket, in the last reply.
    pub(super) given: [u64; 2],
    /// When the state was lost, and by how much grants may exceed the bound because of that.
    pub(super) lost: Vec<(u64, [u64; 2])>,
    /// The number of slots that were moved.
    pub(super) moved: u64,
    pub(super) random: u64,
    pub(super) clock: u64,
}

/// One grant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Granted {
    pub(super) client: usize,
    /// The number of the client's charge.
    pub(super) charge: u64,
    /// The moment of the grant, in nanoseconds of the server's clock.
    pub(super) at: u64,
    pub(super) wait: u64,
    /// Its weight in each limit, less its refunds.
    pub(super) weights: [u64; 2],
}

impl World {
    pub(super) fn start(rates: [Rate; 2]) -> Self {
        let server = RedisServer::start();
        let connection = server.connect();
        let scales = rates.map(|rate| Scale::new(&metering(rate), JITTER));
        Self {
            _server: server,
            connection,
            script: Script::of(2),
            scales: scales.into(),
            granted: Vec::new(),
            given: [0; 2],
            lost: Vec::new(),
            moved: 0,
            random: 0x9e37_79b9_7f4a_7c15,
            clock: 1,
        }
    }

    pub(super) fn client(&mut self) -> Tenant {
        self.client_in_order(by_arrival)
    }

    /// Creates a client whose queue has another order.
    pub(super) fn client_in_order(&mut self, order: Order) -> Tenant {
        let terms = Terms {
            slack: 10_000_000,
            look_ahead: 300_000_000,
            lease: None,
            patience: 0,
            on_outage: OnOutage::Wait,
        };
        let limit = |place| SharedLimit { place, dimension: place, scale: self.scales[place] };
        let slots = Slots::new(&[limit(0), limit(1)], terms, "".into(), Memory::default());
        let id = self.random(usize::MAX);
        Tenant {
            id,
            slots,
            queue: Queue::new(2, order),
            keys: ["test:{world}".to_owned(), Keys::new("test:", "world").client()],
            sent: Vec::new(),
            reply: Vec::new(),
            wait_at_most: u64::MAX,
            seen: 0,
            taken: Vec::new(),
            refunds: Vec::new(),
        }
    }

    /// Creates a client with a look-ahead of 20 ms.
    pub(super) fn short_look_ahead_client(&mut self) -> Tenant {
        let mut client = self.client();
        client.slots.terms.look_ahead = 20_000_000;
        client
    }

    /// Has a call of the client granted and admitted.
    pub(super) fn call(&mut self, client: &mut Tenant, amounts: [u64; 2]) {
        client.join(amounts);
        self.exchange(client);
        client.all_go();
    }

    /// Returns a pseudorandom number below `most`, by xorshift.
    pub(super) fn random(&mut self, most: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % most as u64) as usize
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
        let Ok(batch) = client.slots.collect(&client.queue, false, self.clock) else {
            return BatchReply {
                now: 0,
                decided: 0,
                epoch: 0,
                count: 0,
                run: 0,
                alone: false,
                buckets: Vec::new(),
                calls: Vec::new(),
            };
        };
        let moves = client.slots.moving.is_some();
        let asked: Vec<_> =
            client.slots.in_flight.iter().flatten().map(|call| call.amounts.clone()).collect();
        let reply = self.decide(client, &batch);
        let asked = &asked[usize::from(moves && !reply.alone)..];
        self.moved += u64::from(moves && reply.alone);
        let mut charge = client.slots.ledger.charges + 1;
        for (amounts, Decision { wait, granted, .. }) in asked.iter().zip(&reply.calls) {
            if *granted {
                charge += 1;
                let weights = [0, 1].map(|limit| self.scales[limit].weight(amounts.as_slice()[limit]));
                let at = reply.decided * 1_000 + wait;
                self.granted.push(Granted { client: client.id, charge, at, wait: *wait, weights });
            }
        }
        client.seen = self.granted.len();
        act(self, client);
        client.check_held();
        let granted = reply.calls.iter().rfind(|call| call.granted);
        let is_far = granted.is_some_and(|call| call.wait > client.slots.look_ahead());
        if reply.alone && client.taken_out().is_some() {
            client.refunds.iter_mut().for_each(|refund| refund.weights[0] = refund.weights[1]);
        }
        if is_far {
            client.refunds.iter_mut().for_each(|refund| refund.weights[1] = refund.weights[0]);
        }
        client.slots.apply(&reply, &client.queue, self.clock, self.clock);
        client.check_held();
        reply
    }

    pub(super) fn run(&mut self, client: &mut Tenant, batch: &[u8]) -> BatchReply {
        let mut command = redis::cmd("EVAL");
        command.arg(&self.script.text).arg(2).arg(&client.keys);
        command.arg("openlimit 1\nof the test\n").arg(batch).arg(KEPT).arg(KEPT);
        client.sent = batch.to_vec();
        client.reply = command.query(&mut self.connection).unwrap();
        BatchReply::read(&client.reply, 2).unwrap()
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

    /// Has a batch decided, and subtracts its refunds from the grants that they are of: from the
    /// latest ones first, since their bound is the highest.
    pub(super) fn decide(&mut self, client: &mut Tenant, batch: &[u8]) -> BatchReply {
        let reply = self.run(client, batch);
        let mut refunds = std::mem::take(&mut client.refunds);
        refunds.sort_by_key(|refund| Reverse(refund.charge));
        let out = client.taken_out().filter(|_| reply.alone);
        for (limit, bucket) in reply.buckets.iter().enumerate() {
            let mut given = bucket.given.saturating_sub(self.given[limit]);
            self.given[limit] = bucket.given;
            if let Some((charge, last)) = &out {
                given = given.saturating_sub(last[limit]);
                let mut granted = self.granted.iter_mut();
                let call = granted.find(|call| (call.client, call.charge) == (client.id, *charge));
                if let Some(call) = call {
                    call.weights[limit] = 0;
                }
            }
            for refund in refunds.iter_mut().filter(|refund| refund.limit == limit) {
                let (charge, weights) = (refund.charge, &mut refund.weights);
                let weight = &mut weights[usize::from(out.is_some())];
                let part = given.min(*weight);
                given -= part;
                *weight -= part;
                if out.is_none() {
                    weights[1] = weights[1].saturating_sub(part);
                }
                let call =
                    self.granted.iter_mut().find(|call| (call.client, call.charge) == (client.id, charge));
                if let Some(call) = call {
                    assert!(part <= call.weights[limit], "more is given back than was taken");
                    call.weights[limit] -= part;
                }
            }
            assert_eq!(given, 0, "more is given back than was asked for");
        }
        if reply.alone && out.is_none() && client.slots.ledger.removable.is_some() {
            // The rest of these refunds is due if the last call is taken out later.
            client.refunds = refunds;
        }
        reply
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

    pub(super) fn forget_scripts(&mut self) {
        redis::cmd("SCRIPT").arg("FLUSH").exec(&mut self.connection).unwrap();
    }

    /// Deletes the state. From then on only the clients know what was in the buckets. The first one
    /// that comes does not know what others were granted since its last reply, and as much may be
    /// granted again.
    pub(super) fn lose_the_state(&mut self, clients: &[Tenant]) {
        redis::cmd("FLUSHALL").exec(&mut self.connection).unwrap();
        self.given = [0; 2];
        let unseen = |client: &Tenant| {
            let since = &self.granted[client.seen..];
            [0, 1].map(|limit| since.iter().map(|call| call.weights[limit]).sum::<u64>())
        };
        let unseen: Vec<_> = clients.iter().map(unseen).collect();
        let most = [0, 1].map(|limit| unseen.iter().map(|unseen| unseen[limit]).max().unwrap_or(0));
        let (secs, micros): (u64, u64) = redis::cmd("TIME").query(&mut self.connection).unwrap();
        self.lost.push(((secs * 1_000_000 + micros) * 1_000, most));
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
