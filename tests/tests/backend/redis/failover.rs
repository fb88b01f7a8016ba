//! Another server takes over, with the state that it has: hardly more is granted, and calls wait
//! while no server accepts writes.

use std::thread;
use std::time::Duration;

use openlimit::Redis;
use openlimit_tests::redis::{Crowd, Proxy, RedisServer, Replica, Share, quota};
use openlimit_tests::{millis, secs};

const SHARE: Share = Share { rate: 400, burst: 200 };
const TIMEOUT: Duration = Duration::from_millis(200);

/// A primary and its replica, and an address at which clients reach the one that serves.
struct Pair {
    primary: RedisServer,
    replica: Replica,
    address: Proxy,
}

impl Pair {
    fn start() -> Self {
        let primary = RedisServer::start();
        let replica = Replica::of(&primary);
        let address = Proxy::to(primary.address());
        Self { primary, replica, address }
    }

    fn redis(&self) -> Redis {
        Redis::new(self.primary.url_at(self.address.address())).timeout(TIMEOUT)
    }

    fn fail_over(&self) {
        self.primary.kill_9();
        self.replica.promote();
        self.address.redirect(self.replica.server().address());
        self.address.cut();
    }
}

#[test]
fn a_replica_that_lagged_by_a_second_grants_hardly_more() {
    let pair = Pair::start();
    let crowd = Crowd::start(SHARE, &pair.redis(), TIMEOUT, 4, 16);
    crowd.go_on(300);
    pair.replica.wait_until_in_sync(&pair.primary);
    pair.replica.lag();
    crowd.go_on(400);
    pair.fail_over();
    crowd.go_on(400);
    let outcome = crowd.stop();
    outcome.assert_hardly_more(1);
    outcome.assert_went_on(secs(1));
}

#[test]
fn an_answer_that_was_lost_with_the_primary_comes_from_the_replica() {
    let pair = Pair::start();
    let client = quota::client(&pair.redis());
    let _ = quota::take(&client, 100);
    pair.address.freeze_replies();
    thread::scope(|scope| {
        let caller = scope.spawn(|| quota::take(&client, 20));
        thread::sleep(millis(100));
        pair.replica.wait_until_in_sync(&pair.primary);
        pair.fail_over();
        pair.address.resume();
        assert_eq!(caller.join().expect("a caller panicked").len(), 20);
    });
    quota::assert_taken(&pair.redis(), 120);
}

#[test]
fn what_a_replica_had_not_heard_of_stays_taken() {
    let pair = Pair::start();
    // Each client has its own connection.
    let clients = [0, 1, 2].map(|more| quota::client(&pair.redis().timeout(TIMEOUT + millis(more))));
    for client in &clients {
        let _ = quota::take(client, 50);
    }
    pair.replica.wait_until_in_sync(&pair.primary);
    pair.replica.lag();
    for client in &clients {
        let _ = quota::take(client, 50);
    }
    pair.fail_over();
    // As soon as the clients that know of it have called.
    for client in &clients {
        let _ = quota::take(client, 10);
    }
    quota::assert_taken(&pair.redis(), 330);
}

#[test]
fn callers_wait_while_nobody_may_write() {
    let server = RedisServer::start();
    let crowd = Crowd::start(SHARE, &Redis::new(server.url()), secs(1), 4, 16);
    crowd.go_on(300);
    server.make_read_only();
    // The calls use up meanwhile what was granted ahead.
    thread::sleep(millis(600));
    server.promote();
    crowd.go_on(300);
    let outcome = crowd.stop();
    outcome.assert_no_excess();
    outcome.assert_went_on(secs(1));
}
