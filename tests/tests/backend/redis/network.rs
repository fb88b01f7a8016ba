//! A slow network, and servers that stand still while calls arrive: the bound holds, calls go on,
//! and none fails.

use openlimit::Redis;
use openlimit_tests::redis::{Crowd, Proxy, RedisServer, Share};
use openlimit_tests::{millis, secs};

const SHARE: Share = Share { rate: 400, burst: 200 };

#[test]
fn calls_go_on_with_ten_milliseconds_each_way() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.delay(millis(10));
    let crowd = Crowd::start(SHARE, &Redis::new(server.url_at(proxy.address())), secs(1), 4, 16);
    crowd.go_on(1_200);
    let outcome = crowd.stop();
    outcome.assert_no_excess();
    outcome.assert_went_on(millis(500));
}

#[test]
fn a_few_callers_far_away_go_on_too() {
    const SLOW: Share = Share { rate: 100, burst: 20 };
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.delay(millis(10));
    let crowd = Crowd::start(SLOW, &Redis::new(server.url_at(proxy.address())), secs(1), 1, 4);
    crowd.go_on(250);
    let outcome = crowd.stop();
    outcome.assert_no_excess();
    outcome.assert_went_on(millis(500));
}

#[test]
fn calls_go_on_although_connections_are_cut() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let crowd = Crowd::start(SHARE, &Redis::new(server.url_at(proxy.address())), secs(1), 4, 16);
    for _ in 0..20 {
        crowd.go_on(50);
        proxy.cut();
    }
    let outcome = crowd.stop();
    outcome.assert_no_excess();
    outcome.assert_went_on(millis(500));
}

#[test]
fn calls_go_on_after_pauses_longer_than_the_time_out() {
    let server = RedisServer::start();
    let crowd = Crowd::start(SHARE, &Redis::new(server.url()), millis(200), 4, 16);
    crowd.go_on(300);
    server.client_pause(500);
    crowd.go_on(300);
    server.stop();
    std::thread::sleep(millis(500));
    server.cont();
    crowd.go_on(300);
    let outcome = crowd.stop();
    outcome.assert_no_excess();
    outcome.assert_went_on(secs(1));
}
