//! The server loses its state: no call fails, and hardly more is granted than without the loss.
//!
//! The excess is the grants whose replies reached no client. Their number depends on how busy the
//! machine is. The tests beside the script, in the library, check the exact amount.

use std::time::Duration;

use openlimit::Redis;
use openlimit_tests::redis::{Crowd, RedisServer, Share};
use openlimit_tests::{millis, secs};

const SHARE: Share = Share { rate: 400, burst: 200 };
const TIMEOUT: Duration = Duration::from_millis(200);

#[test]
fn a_server_that_was_killed_and_comes_back_empty_grants_hardly_more() {
    let server = RedisServer::start();
    let crowd = Crowd::start(SHARE, &Redis::new(server.url()), TIMEOUT, 4, 16);
    for _ in 0..2 {
        crowd.go_on(200);
        server.restart();
    }
    // The rate stays the same.
    crowd.go_on(400);
    let outcome = crowd.stop();
    outcome.assert_hardly_more(2);
    outcome.assert_went_on(secs(1));
}

#[test]
fn nor_does_one_that_forgets_everything_again_and_again() {
    let server = RedisServer::start();
    let crowd = Crowd::start(SHARE, &Redis::new(server.url()), TIMEOUT, 4, 16);
    for _ in 0..5 {
        crowd.go_on(150);
        server.flush_all();
        server.script_flush();
    }
    crowd.go_on(150);
    let outcome = crowd.stop();
    outcome.assert_hardly_more(5);
    outcome.assert_went_on(millis(500));
}

#[test]
fn a_key_that_was_evicted_is_no_new_burst() {
    let server = RedisServer::start();
    let crowd = Crowd::start(SHARE, &Redis::new(server.url()), TIMEOUT, 1, 16);
    for _ in 0..5 {
        crowd.go_on(50);
        server.cli::<()>("DEL openlimit:{crowd}");
    }
    crowd.go_on(50);
    let outcome = crowd.stop();
    outcome.assert_excess_of(SHARE.burst / 20);
    outcome.assert_went_on(millis(500));
}
