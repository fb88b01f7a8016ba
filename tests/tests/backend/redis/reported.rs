//! The event of an update that another process has made. It is emitted on the driver's thread, so
//! one subscriber collects the events of the whole test binary.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::{self, Write as _};
use std::sync::Mutex;

use openlimit::{Rate, RateLimiter};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{eventually, secs};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The events of the limiter with this name.
static EVENTS: Mutex<Vec<String>> = Mutex::new(Vec::new());
const NAME: &str = "reported";

struct Collector;

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "openlimit"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(event.metadata().level().to_string());
        event.record(&mut text);
        if text.0.contains(NAME) {
            EVENTS.lock().unwrap().push(text.0);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn an_update_that_was_taken_over_is_reported_once_and_not_where_it_was_made() {
    tracing::subscriber::set_global_default(Collector).unwrap();
    let server = RedisServer::start();
    let limiter = || {
        let limiter = RateLimiter::builder().name(NAME).tokens(Rate::per_day(1_000));
        limiter.redis(server.url()).build().unwrap()
    };
    let (one, other) = (limiter(), limiter());
    one.update(|limits| limits.tokens(Rate::per_day(2_000))).unwrap();
    for limiter in [&one, &other, &one, &other] {
        limiter.flush(secs(20)).blocking().unwrap();
    }
    let events = || EVENTS.lock().unwrap().clone();
    eventually("it is reported", || !events().is_empty());
    let message = "another process has updated the limits: 2000 tokens / day";
    assert_eq!(events(), [format!("INFO message={message} limiter={NAME}")]);
}
