//! A cluster of three masters: a limiter is in one slot, and that moves while calls are granted.

use std::thread;

use openlimit::Redis;
use openlimit_tests::millis;
use openlimit_tests::redis::{Cluster, Crowd, Share, quota};

const SHARE: Share = Share { rate: 400, burst: 200 };

#[test]
fn a_slot_that_moves_between_masters_costs_nothing_and_grants_nothing_more() {
    let cluster = Cluster::start();
    let redis = Redis::cluster(cluster.urls());
    let slot = cluster.slot_of("openlimit:{crowd}");
    let crowd = Crowd::start(SHARE, &redis, 4, 16);
    for _ in 0..3 {
        crowd.go_on(200);
        cluster.migrate_slot(slot, || crowd.go_on(50));
    }
    crowd.go_on(200);
    let outcome = crowd.stop();
    outcome.assert_no_excess();
    outcome.assert_no_loss(millis(200));

    // The same of a quota that hardly refills: to the call.
    let slot = cluster.slot_of("openlimit:{quota}");
    let clients = [(); 3].map(|()| quota::client(&redis));
    thread::scope(|scope| {
        let takes = clients.iter().map(|client| {
            let take = || (0..20).map(|_| quota::take(client, 5).len() as u64).sum::<u64>();
            scope.spawn(take)
        });
        let takes: Vec<_> = takes.collect();
        cluster.migrate_slot(slot, || {});
        let taken: u64 = takes.into_iter().map(|take| take.join().expect("no error reached a caller")).sum();
        assert_eq!(taken, 300);
    });
    quota::assert_taken(&redis, 300);
}
