//! Replies are late or lost, and batches are sent again. Each batch is decided once, nothing is
//! debited that no call uses, and no call that may wait fails.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::thread;
use std::time::{Duration, Instant};

use openlimit::{AcquireError, Cost, Permit, RateLimiter, Redis};
use openlimit_tests::redis::{Proxy, RedisServer, quota};
use openlimit_tests::{eventually, millis, secs};

/// Shorter than any fault here.
const TIMEOUT: Duration = millis_const(100);
const FAULT: Duration = millis_const(350);

const fn millis_const(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A quota, three clients that connect through a proxy, and a way around the proxy. Two of them
/// share a connection, like two limiters of one process. The third has another timeout, so it does
/// not.
struct World {
    server: RedisServer,
    proxy: Proxy,
    clients: Vec<RateLimiter>,
}

impl World {
    fn start() -> Self {
        let server = RedisServer::start();
        let proxy = Proxy::to(server.address());
        let redis = Redis::new(server.url_at(proxy.address()));
        let client = |process| quota::client(&redis.clone().timeout(TIMEOUT + millis(process)));
        let clients: Vec<_> = [0, 0, 1].map(client).into();
        // So much that the refunds of others do not matter.
        for client in &clients {
            quota::take(client, 50);
        }
        server.reset_stats();
        Self { server, proxy, clients }
    }

    /// Each client calls ten times while `fault` is on.
    fn call_during(&self, fault: impl FnOnce()) {
        thread::scope(|scope| {
            let calls = |client| move || quota::take(client, 10);
            let callers: Vec<_> = self.clients.iter().map(|client| scope.spawn(calls(client))).collect();
            fault();
            for caller in callers {
                assert_eq!(caller.join().expect("a caller panicked").len(), 10);
            }
        });
    }

    /// Returns the number of batches that the server received, with those that it had decided
    /// before.
    fn batches(&self) -> u64 {
        self.server.calls("evalsha")
    }

    /// Returns the number of batches that it decided. Each writes both keys.
    fn decided(&self) -> u64 {
        self.server.calls("set") / 2
    }

    fn assert_taken(&self, taken: u64) {
        quota::assert_taken(&Redis::new(self.server.url()), taken);
    }
}

#[test]
fn a_server_that_pauses_for_longer_than_the_time_out_debits_nothing_twice() {
    let world = World::start();
    world.server.client_pause(FAULT.as_millis() as u64);
    world.call_during(|| {});
    world.assert_taken(180);
}

#[test]
fn nor_does_one_that_stands_still() {
    let world = World::start();
    world.server.stop();
    world.call_during(|| {
        thread::sleep(FAULT);
        world.server.cont();
    });
    // The server received the same batch again and again, and read all of it.
    assert!(world.batches() > world.decided());
    world.assert_taken(180);
}

#[test]
fn a_batch_whose_answer_was_lost_has_the_same_answer_again() {
    let world = World::start();
    world.proxy.freeze_replies();
    world.call_during(|| {
        thread::sleep(FAULT);
        world.proxy.resume();
    });
    assert!(world.batches() > world.decided());
    world.assert_taken(180);
}

#[test]
fn so_it_has_when_the_connection_is_cut_meanwhile() {
    let world = World::start();
    world.proxy.freeze_replies();
    world.call_during(|| {
        thread::sleep(TIMEOUT / 2);
        world.proxy.cut();
        thread::sleep(TIMEOUT / 2);
        world.proxy.cut();
        world.proxy.resume();
    });
    assert!(world.batches() > world.decided());
    world.assert_taken(180);
}

#[test]
fn a_connection_that_is_cut_all_the_time_debits_nothing_twice() {
    let world = World::start();
    for cut in 0..5 {
        world.call_during(|| {
            for _ in 0..5 {
                thread::sleep(millis(cut));
                world.proxy.cut();
            }
        });
    }
    world.assert_taken(150 + 5 * 30);
}

#[test]
fn what_is_given_back_while_answers_are_lost_is_given_back_once() {
    let world = World::start();
    let permits = world.clients.iter().flat_map(|client| quota::take(client, 10));
    let permits: Vec<_> = permits.collect();
    world.proxy.freeze_replies();
    permits.into_iter().for_each(openlimit::Permit::cancel);
    thread::sleep(FAULT);
    world.proxy.resume();
    world.call_during(|| {});
    world.assert_taken(180);
}

#[test]
fn callers_who_leave_while_their_answer_is_lost_cost_nothing() {
    let world = World::start();
    world.proxy.freeze_replies();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for client in &world.clients {
            let calls = (0..10).map(|_| client.acquire(openlimit::Cost::new()));
            let calls = futures_util::future::join_all(calls);
            assert!(tokio::time::timeout(FAULT / 3, calls).await.is_err());
        }
    });
    world.proxy.resume();
    world.assert_taken(150);
}

#[test]
fn what_others_have_given_back_is_there_for_those_who_were_refused_before() {
    let world = World::start();
    let [one, other, _] = &world.clients[..] else { unreachable!("there are three") };
    let permits = quota::take(one, 350);
    let call = || other.acquire(openlimit::Cost::new()).timeout(TIMEOUT).blocking();
    assert!(call().is_err());
    permits.into_iter().for_each(openlimit::Permit::cancel);
    // It asks again when what it knows is older than its look-ahead.
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = call() {
        assert!(Instant::now() < deadline, "{error}");
        thread::sleep(millis(20));
    }
}

/// Has a client cancel 20 of 50 calls in a batch without a reply, and sends that again while
/// `broken` makes the server refuse it for a lasting reason. Then `mended` ends that, and the
/// client goes on. Asserts that the calls are given back once.
#[track_caller]
fn refused_after_silence(
    is_decided: bool,
    broken: impl Fn(&RedisServer),
    mended: impl Fn(&RedisServer),
    goes_on: impl Fn(&RateLimiter),
) {
    let server = RedisServer::builder().user("ann", "secret", "~* &* +@all").start();
    let proxy = Proxy::to(server.address());
    let client = quota::client(&Redis::new(server.url_at(proxy.address())).timeout(TIMEOUT));
    let permits = quota::take(&client, 50);
    server.reset_stats();
    if is_decided {
        proxy.freeze_replies();
    } else {
        proxy.freeze();
    }
    permits.into_iter().take(20).for_each(Permit::cancel);
    let is_away = || client.status().unwrap().store.unwrap().error.is_some();
    eventually("an outage", is_away);
    assert_eq!(server.calls("set"), if is_decided { 2 } else { 0 });
    broken(&server);
    proxy.cut();
    proxy.resume();
    // It tries again after some time, or at once for a call.
    let refusal = client.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap_err();
    let AcquireError::Store { error, .. } = refusal else { panic!("{refusal}") };
    assert!(!error.is_transient() && !is_away(), "{error}");
    mended(&server);
    goes_on(&client);
    quota::assert_taken(&Redis::new(server.url()), 30);
}

fn flush(client: &RateLimiter) {
    // A batch that the server refused before it was mended may still be on its way back.
    eventually("the server accepts it", || client.flush(secs(20)).blocking().is_ok());
}

fn call(client: &RateLimiter) {
    quota::take(client, 1).pop().unwrap().cancel();
}

#[test]
fn what_was_given_back_in_silence_counts_once_if_the_server_then_permits_nothing_for_a_while() {
    let may = |rules: &str| {
        let rules = rules.to_owned();
        move |server: &RedisServer| server.cli::<()>(&format!("ACL SETUSER ann {rules}"))
    };
    for is_decided in [false, true] {
        for goes_on in [call, flush] {
            refused_after_silence(is_decided, may("-evalsha -eval"), may("+evalsha +eval"), goes_on);
        }
    }
}

#[test]
fn it_counts_once_if_the_key_holds_something_else_for_a_while() {
    const KEY: &str = "openlimit:{quota}";
    let broken = |server: &RedisServer| {
        server.cli::<()>(&format!("RENAME {KEY} kept"));
        server.cli::<()>(&format!("RPUSH {KEY} nonsense"));
    };
    let mended = |server: &RedisServer| server.cli::<()>(&format!("RENAME kept {KEY}"));
    for goes_on in [call, flush] {
        refused_after_silence(false, broken, mended, goes_on);
    }
}

#[test]
fn it_counts_once_if_the_server_has_other_limits_for_a_while() {
    const KEY: &str = "openlimit:{quota}";
    let broken = |server: &RedisServer| {
        server.cli::<()>(&format!("RENAME {KEY} kept"));
        let other =
            RateLimiter::builder().name("quota").requests(openlimit::Rate::per_day(7)).redis(server.url());
        drop(quota::take(&other.build().unwrap(), 1));
    };
    let mended = |server: &RedisServer| server.cli::<()>(&format!("RENAME kept {KEY}"));
    for goes_on in [call, flush] {
        refused_after_silence(false, broken, mended, goes_on);
    }
}
