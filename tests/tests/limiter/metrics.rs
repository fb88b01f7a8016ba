//! Metrics: what a recorder sees of calls, and of a status. Recorders run under no lock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit, with_local_recorder,
};
use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{Cost, Keyed, Rate, RateLimiter, Stack, Usage};
use openlimit_tests::{Call, plain, secs};

/// Keeps sums of counters, the last values of gauges, and all values of histograms.
#[derive(Default)]
struct Recorded {
    values: Mutex<BTreeMap<String, Vec<f64>>>,
    described: Mutex<Vec<String>>,
}

struct One(Arc<Recorded>, String, RateLimiter);

impl One {
    fn change(&self, change: impl FnOnce(&mut Vec<f64>)) {
        // It would never return under the limiter's lock.
        self.2.status().expect("it is built");
        change(self.0.values.lock().expect("no test panics").entry(self.1.clone()).or_default());
    }
}

impl CounterFn for One {
    fn increment(&self, value: u64) {
        self.change(|values| *values = vec![values.iter().sum::<f64>() + value as f64]);
    }

    fn absolute(&self, _: u64) {}
}

impl GaugeFn for One {
    fn increment(&self, _: f64) {}

    fn decrement(&self, _: f64) {}

    fn set(&self, value: f64) {
        self.change(|values| *values = vec![value]);
    }
}

impl HistogramFn for One {
    fn record(&self, value: f64) {
        self.change(|values| values.push(value));
    }
}

struct TestRecorder(Arc<Recorded>, RateLimiter);

impl TestRecorder {
    fn one(&self, key: &Key) -> Arc<One> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(One(Arc::clone(&self.0), format!("{}{{{}}}", key.name(), labels.join(",")), self.1.clone()))
    }

    fn describe(&self, key: &KeyName) {
        self.0.described.lock().expect("no test panics").push(key.as_str().to_owned());
    }
}

impl Recorder for TestRecorder {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&key);
    }

    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&key);
    }

    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&key);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.one(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.one(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.one(key))
    }
}

#[test]
fn calls_are_counted_and_a_status_sets_the_gauges() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").requests(Rate::per_minute(60)).tokens(Rate::per_second(900));
    let limiter = limiter.concurrency(9).build().expect("valid options");
    let recorded = Arc::<Recorded>::default();
    with_local_recorder(&TestRecorder(Arc::clone(&recorded), limiter.clone()), || {
        let first = limiter.try_acquire(900).expect("there is room");
        let waits = Call::start(limiter.acquire(90));
        assert!(limiter.try_acquire(1).is_err());
        limiter.status().expect("it is built").record();
        first.settle(Usage::new(300, 100));
        clock.advance(secs(1));
        let second = waits.admitted();
        second.refused(Observation::from_parts(429, [("retry-after-ms", "1")], b""));
    });
    let values = recorded.values.lock().expect("no test panics");
    let value = |name: &str| values.get(name).cloned().unwrap_or_else(|| panic!("{name}: {values:#?}"));
    for (name, expected) in [
        ("openlimit.calls.admitted{limiter=chat}", vec![2.0]),
        ("openlimit.calls.refused{limiter=chat,reason=would_wait}", vec![1.0]),
        ("openlimit.provider.refusals{limiter=chat,status=429}", vec![1.0]),
        ("openlimit.wait.duration{limiter=chat}", vec![0.0, 1.0]),
        ("openlimit.reserved{limiter=chat,dimension=tokens}", vec![990.0]),
        ("openlimit.reserved{limiter=chat,dimension=requests}", vec![2.0]),
        ("openlimit.used{limiter=chat,dimension=tokens}", vec![400.0]),
        ("gen_ai.client.token.usage{limiter=chat,gen_ai.token.type=input}", vec![300.0]),
        ("gen_ai.client.token.usage{limiter=chat,gen_ai.token.type=output}", vec![100.0]),
        ("openlimit.waiting{limiter=chat}", vec![1.0]),
        ("openlimit.in_flight{limiter=chat}", vec![1.0]),
        ("openlimit.wait.longest{limiter=chat}", vec![0.0]),
        ("openlimit.limit.amount{limiter=chat,limit=tokens / second}", vec![900.0]),
        ("openlimit.limit.available{limiter=chat,limit=tokens / second}", vec![0.0]),
        ("openlimit.limit.pace{limiter=chat,limit=tokens / second}", vec![1.0]),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    let described = recorded.described.lock().expect("no test panics");
    for name in values.keys() {
        let name = name.split('{').next().unwrap_or_default();
        assert!(described.iter().any(|described| described == name), "{name} is not described");
    }
}

#[test]
fn the_gauges_of_a_limit_go_on_after_an_update() {
    let clock = ManualClock::new();
    let resets = Rate::per_day(90).resets_at("00:00", "UTC");
    let limiter = plain(&clock).name("chat").requests(resets).requests(Rate::per_minute(60));
    let limiter = limiter.build().expect("valid rates");
    let recorded = Arc::<Recorded>::default();
    with_local_recorder(&TestRecorder(Arc::clone(&recorded), limiter.clone()), || {
        limiter.status().expect("it is built").record();
        let update = limiter.update(|limits| limits.requests(Rate::per_minute(30)));
        update.expect("a valid rate");
        limiter.status().expect("it is built").record();
    });
    let values = recorded.values.lock().expect("no test panics");
    let amounts = values.iter().filter(|(name, _)| name.starts_with("openlimit.limit.amount"));
    let amounts: Vec<_> = amounts.map(|(name, values)| (name.as_str(), values[0])).collect();
    let expected = [
        ("openlimit.limit.amount{limiter=chat,limit=requests / day (resets at 00:00 UTC)}", 90.0),
        ("openlimit.limit.amount{limiter=chat,limit=requests / minute}", 30.0),
    ];
    assert_eq!(amounts, expected);
}

#[test]
fn without_a_recorder_nothing_happens() {
    let limiter = RateLimiter::builder().requests(Rate::per_second(5)).build().expect("valid rates");
    limiter.try_acquire(Cost::new()).expect("there is room").settle(1);
    limiter.status().expect("it is built").record();
}

#[test]
fn a_stacked_call_counts_in_each_limiter_and_waits_in_one() {
    let clock = ManualClock::new();
    let tenant = plain(&clock).name("tenant").requests(Rate::per_second(9)).build().expect("valid rates");
    let account = plain(&clock).name("account").tokens(Rate::per_second(900)).build().expect("valid rates");
    let stack = Stack::of((&tenant, &account));
    let recorded = Arc::<Recorded>::default();
    with_local_recorder(&TestRecorder(Arc::clone(&recorded), account.clone()), || {
        drop(stack.try_acquire(900).expect("there is room"));
        assert!(stack.try_acquire(1).is_err());
        assert!(stack.try_acquire(-1).is_err());
        let waits = Call::start(stack.acquire(900));
        clock.advance(secs(1));
        waits.admitted().settle(Usage::new(300, 100));
    });
    let values = recorded.values.lock().expect("no test panics");
    let value = |name: &str| values.get(name).cloned().unwrap_or_else(|| panic!("{name}: {values:#?}"));
    for (name, expected) in [
        ("openlimit.calls.admitted{limiter=tenant}", vec![2.0]),
        ("openlimit.calls.admitted{limiter=account}", vec![2.0]),
        ("openlimit.wait.duration{limiter=tenant}", vec![0.0, 0.0]),
        ("openlimit.wait.duration{limiter=account}", vec![0.0, 1.0]),
        ("openlimit.reserved{limiter=tenant,dimension=requests}", vec![2.0]),
        ("openlimit.reserved{limiter=account,dimension=tokens}", vec![1_800.0]),
        ("openlimit.used{limiter=account,dimension=tokens}", vec![400.0]),
        ("openlimit.calls.refused{limiter=account,reason=would_wait}", vec![1.0]),
        ("openlimit.calls.refused{limiter=tenant,reason=params}", vec![1.0]),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    assert_eq!(values.keys().filter(|name| name.starts_with("openlimit.calls.refused")).count(), 2);
}

#[test]
fn the_recorder_is_asked_once_for_the_metrics_of_all_keys() {
    let clock = ManualClock::new();
    let other = plain(&clock).requests(Rate::per_second(9)).build().expect("a valid rate");
    let tenants = plain(&clock).name("tenants").requests(Rate::per_second(9)).keyed();
    let tenants: Keyed<u64, RateLimiter> = tenants.build().expect("a valid rate");
    let recorded = Arc::<Recorded>::default();
    with_local_recorder(&TestRecorder(Arc::clone(&recorded), other), || {
        for tenant in 0..3 {
            drop(tenants.of(&tenant).try_acquire(Cost::new()).expect("there is room"));
        }
    });
    let values = recorded.values.lock().expect("no test panics");
    assert_eq!(values["openlimit.calls.admitted{limiter=tenants}"], [3.0]);
    let described = recorded.described.lock().expect("no test panics");
    assert_eq!(described.iter().filter(|name| *name == "openlimit.calls.admitted").count(), 1);
}
