//! The server's clock is stepped while calls are granted. A step back grants nothing more, and no
//! call waits until the clock is there again. A step forward grants at most one burst more, beside
//! what had been granted ahead.

use openlimit::Redis;
use openlimit_tests::redis::{Crowd, RedisServer, Share, quota};
use openlimit_tests::{millis, secs};

const SHARE: Share = Share { rate: 400, burst: 200 };
const HOUR: i64 = 3_600_000_000;

#[test]
fn a_clock_that_steps_back_by_an_hour_stalls_nobody_and_grants_nothing_more() {
    let server = RedisServer::builder().clock().start();
    let crowd = Crowd::start(SHARE, &Redis::new(server.url()), secs(1), 4, 16);
    for step in 1..=3 {
        crowd.go_on(300);
        server.shift_clock(-HOUR * step);
    }
    crowd.go_on(400);
    let outcome = crowd.stop();
    outcome.assert_no_excess();
    outcome.assert_went_on(millis(500));
}

#[test]
fn a_clock_that_steps_forward_by_an_hour_grants_no_more_than_a_burst_and_what_was_granted_ahead() {
    let server = RedisServer::builder().clock().start();
    let crowd = Crowd::start(SHARE, &Redis::new(server.url()), secs(1), 4, 16);
    crowd.go_on(400);
    server.shift_clock(HOUR);
    crowd.go_on(800);
    let outcome = crowd.stop();
    // For the server an hour has passed. The bucket is empty, and each waiting call holds a slot.
    outcome.assert_excess_of(SHARE.burst + 4 * 16);
    outcome.assert_went_on(millis(500));
}

#[test]
fn what_was_granted_before_a_step_back_is_not_granted_again() {
    let server = RedisServer::builder().clock().start();
    let redis = Redis::new(server.url());
    let client = quota::client(&redis);
    let _ = quota::take(&client, 200);
    server.shift_clock(-HOUR);
    let _ = quota::take(&client, 100);
    server.shift_clock(0);
    let _ = quota::take(&client, 1);
    server.shift_clock(-HOUR);
    // The step of an hour refilled twenty calls and most of another one.
    quota::assert_taken(&redis, 301 - 20);
}
