//! A cluster of three masters. A limiter is in one slot, which moves while calls are granted.

use std::thread;

use openlimit::Redis;
use openlimit_tests::redis::{Cluster, Crowd, Share, quota};
use openlimit_tests::{millis, secs};

const SHARE: Share = Share { rate: 400, burst: 200 };

#[test]
fn a_slot_that_moves_between_masters_costs_nothing_and_grants_nothing_more() {
    let cluster = Cluster::start();
    let redis = Redis::cluster(cluster.urls());
    let slot = cluster.slot_of("openlimit:{crowd}");
    let crowd = Crowd::start(SHARE, &redis, secs(1), 4, 16);
    for _ in 0..3 {
        crowd.go_on(200);
        cluster.migrate_slot(slot, || crowd.go_on(50));
    }
    crowd.go_on(200);
    let outcome = crowd.stop();
    outcome.assert_no_excess();
    outcome.assert_went_on(millis(500));

    // The quota hardly refills, so the number is exact.
    let slot = cluster.slot_of("openlimit:{quota}");
    let clients = [1, 2, 3].map(|time| quota::client(&redis.clone().timeout(secs(time))));
    thread::scope(|scope| {
        let takes = clients.iter().map(|client| {
            let take = || (0..20).map(|_| quota::take(client, 5).len() as u64).sum::<u64>();
            scope.spawn(take)
        });
        let takes: Vec<_> = takes.collect();
        cluster.migrate_slot(slot, || {});
        let taken: u64 = takes.into_iter().map(|take| take.join().expect("a caller panicked")).sum();
        assert_eq!(taken, 300);
    });
    quota::assert_taken(&redis, 300);
}

#[test]
fn keys_that_are_ahead_of_their_slot_or_on_both_sides_of_it_are_found() {
    let cluster = Cluster::start();
    // The user has only the rights that the limiter needs.
    for node in cluster.nodes() {
        let rules = "~openlimit:* +eval +evalsha +get +set +time +cluster|info +asking";
        node.cli::<()>(&format!("ACL SETUSER ann on >secret {rules}"));
    }
    let urls = cluster.addresses().into_iter().map(|address| format!("redis://ann:secret@{address}"));
    let redis = Redis::cluster(urls).timeout(secs(20));
    let [client, newcomer] = [(); 2].map(|()| quota::client(&redis));
    let _ = quota::take(&client, 1);
    let slot = cluster.slot_of("openlimit:{quota}");
    thread::scope(|scope| {
        cluster.migrate_slot_slowly(
            slot,
            || {
                // Its key does not exist yet, so it has to wait for the slot.
                scope.spawn(|| quota::take(&newcomer, 1));
                thread::sleep(millis(100));
                let _ = quota::take(&client, 1);
            },
            || _ = quota::take(&client, 1),
        );
    });
    let _ = quota::take(&client, 1);
    for client in [&client, &newcomer] {
        assert_eq!(client.status().expect("it was built").store.expect("it is shared").outages, 0);
    }
    quota::assert_taken(&redis, 5);
}

#[test]
fn a_node_that_does_not_answer_keeps_nobody_from_the_others() {
    let cluster = Cluster::start();
    for node in cluster.nodes() {
        node.cli::<()>("CONFIG SET cluster-require-full-coverage no");
    }
    let owner = cluster.owner_of(cluster.slot_of("openlimit:{quota}"));
    let (dead, other) = ((owner + 1) % 3, (owner + 2) % 3);
    cluster.nodes()[dead].stop();
    for nodes in [[dead, owner, other], [other, dead, owner], [dead, other, dead]] {
        let urls = nodes.map(|node| cluster.nodes()[node].url());
        let client = quota::client(&Redis::cluster(urls).timeout(millis(500)));
        let _ = quota::take(&client, 1);
    }
    cluster.nodes()[dead].cont();
}
