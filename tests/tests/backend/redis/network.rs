//! A slow network, and servers that stand still while calls arrive: the rate stays the same, and no
//! call fails.

use openlimit::Redis;
use openlimit_tests::redis::{Crowd, Proxy, RedisServer, Share};
use openlimit_tests::{millis, secs};

const SHARE: Share = Share { rate: 400, burst: 200 };

#[test]
fn ten_milliseconds_each_way_cost_nothing_of_the_rate() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.delay(millis(10));
    let crowd = Crowd::start(SHARE, &Redis::new(server.url_at(proxy.address())), secs(1), 4, 16);
    crowd.go_on(1_200);
    let outcome = crowd.stop();
    outcome.assert_no_excess();
    outcome.assert_no_loss(millis(500));
}

#[test]
fn a_few_callers_far_away_lose_nothing_of_the_rate_either() {
    const SLOW: Share = Share { rate: 100, burst: 20 };
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.delay(millis(10));
    let crowd = Crowd::start(SLOW, &Redis::new(server.url_at(proxy.address())), secs(1), 1, 4);
    crowd.go_on(250);
    let outcome = crowd.stop();
    outcome.assert_no_excess();
    // A tenth of the rate is lost if each batch delays the next one by its round trip.
    outcome.assert_no_loss(millis(500));
}

#[test]
fn connections_that_are_cut_cost_nothing_of_the_rate() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let crowd = Crowd::start(SHARE, &Redis::new(server.url_at(proxy.address())), secs(1), 4, 16);
    for _ in 0..20 {
        crowd.go_on(50);
        proxy.cut();
    }
    let outcome = crowd.stop();
    outcome.assert_no_excess();
    outcome.assert_no_loss(millis(500));
}

#[test]
fn pauses_longer_than_the_time_out_cost_no_more_than_their_time() {
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
    outcome.assert_no_loss(secs(1));
}
