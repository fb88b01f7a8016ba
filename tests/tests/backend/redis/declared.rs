//! Declared shared limiters: `redis` and `name` in `limiter!`, for example from the environment,
//! and the errors of wrong ones.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use openlimit::testing::ManualClock;
use openlimit::{
    AcquireError, BuildProblem, Builder, Cost, Counting, Limit, OnOutage, Percent, Rate, RateLimiter, Redis,
    kind, limiter, rate_limited,
};
use openlimit_tests::redis::{RedisServer, Worker, worker};
use openlimit_tests::secs;

/// Not set in this process, since tests share its environment.
const VARIABLE: &str = "OPENLIMIT_TEST_REDIS_URL";

limiter! {
    static FROM_THE_ENVIRONMENT: RateLimiter = {
        requests: 1 / hour,
        redis: std::env::var(VARIABLE)?,
        name: "prod-chat",
    };
}

#[rate_limited(limiter = FROM_THE_ENVIRONMENT, timeout = secs(20))]
fn call() -> Result<u32, AcquireError> {
    Ok(7)
}

limiter! {
    static BY_NAME: RateLimiter = {
        requests: 1 / hour,
        redis: Redis::from_env(VARIABLE).patience(secs(20)),
        name: "prod-chat",
    };
}

#[test]
#[ignore = "the body of the workers"]
fn worker() {
    let Some(job) = worker::job() else { return };
    let called = match job.arg(0) {
        "call" => call(),
        _ => BY_NAME.acquire(Cost::new()).timeout(secs(20)).blocking().map(|_| 7),
    };
    worker::say(called.map_or_else(|error| error.to_string(), |reply| reply.to_string()));
}

fn in_an_environment(job: &str, url: impl AsRef<OsStr>) -> Vec<String> {
    Worker::start_with("redis::declared::worker", &[job], |command| command.env(VARIABLE, url)).finish()
}

#[test]
fn the_url_comes_from_the_environment() {
    let server = RedisServer::start();
    let start = || in_an_environment("call", server.url());
    assert_eq!(start(), ["7"]);
    // The second process finds the limit used up by the first.
    let said = start().concat();
    assert!(
        said.starts_with("limiter `prod-chat` cannot admit the call within its timeout of 20s"),
        "{said}"
    );
    assert!(said.contains("1 requests / hour"), "{said}");
}

#[test]
fn the_url_comes_from_a_variable_that_is_named() {
    let server = RedisServer::start();
    assert_eq!(in_an_environment("by name", server.url()), ["7"]);
    assert_eq!(server.keys()[0], "openlimit:{prod-chat}");
}

#[test]
fn a_variable_without_a_url_is_named_and_what_it_holds_is_not_shown() {
    let problem = |which: &str| {
        format!(
            "its redis cannot be used: expected its URL in the environment variable `OPENLIMIT_TEST_REDIS_URL`, which is {which}"
        )
    };
    let text = |which: &str| format!("limiter `prod-chat` cannot be built: {}", problem(which));
    for _ in 0..2 {
        let refusal = BY_NAME.acquire(Cost::new()).blocking().unwrap_err();
        assert!(
            matches!(&refusal, AcquireError::Build(error) if matches!(error.problem(), BuildProblem::Redis(_)))
        );
        assert_eq!(refusal.to_string(), text("not set"));
    }
    assert_eq!(BY_NAME.init().unwrap_err().to_string(), text("not set"));
    let unset = builder().requests(Rate::per_second(1)).name("chat").redis(Redis::from_env(VARIABLE));
    refused(unset, "chat", &problem("not set"));
    let said = in_an_environment("by name", OsStr::from_bytes(b"redis://:hunter2\xff@localhost"));
    assert_eq!(said, [text("not Unicode")]);
    assert_eq!(in_an_environment("by name", ""), [text("empty")]);
}

#[test]
fn a_variable_that_is_not_set_is_an_error_of_the_first_use_and_of_every_other() {
    // The name comes from a later key, so the declaration has only its path so far.
    let text = "limiter `backend::redis::declared::FROM_THE_ENVIRONMENT` cannot be built: the value of `redis` failed: environment \
                variable not found";
    for _ in 0..2 {
        let refusal = call().unwrap_err();
        assert!(matches!(&refusal, AcquireError::Build(error) if matches!(
            error.problem(),
            BuildProblem::Declaration { key: "redis", .. }
        )));
        assert_eq!(refusal.to_string(), text);
    }
    assert_eq!(FROM_THE_ENVIRONMENT.init().unwrap_err().to_string(), text);
    assert_eq!(FROM_THE_ENVIRONMENT.try_acquire(Cost::new()).unwrap_err().to_string(), text);
    assert_eq!(FROM_THE_ENVIRONMENT.status().unwrap_err().to_string(), text);
}

#[test]
fn a_variable_that_is_no_url_is_an_error_of_the_start() {
    limiter! {
        static WRONG: RateLimiter = {
            requests: 1 / hour,
            redis: std::env::var("PATH")?,
            name: "chat",
        };
    }
    let error = WRONG.init().unwrap_err().to_string();
    assert!(
        error.starts_with(
            "limiter `chat` cannot be built: its redis cannot be used: its URL cannot be read; expected `redis://"
        ),
        "{error}"
    );
    assert!(!error.contains("/bin"), "{error}");
}

#[test]
fn a_configuration_is_a_value_as_well() {
    limiter! {
        static WRONG: RateLimiter = {
            requests: 1 / hour,
            redis: Redis::cluster(["redis://a", "redis://b"]).on_outage(OnOutage::Local(Percent(0))),
            name: "chat",
        };
    }
    assert_eq!(
        WRONG.init().unwrap_err().to_string(),
        "limiter `chat` cannot be built: its redis cannot be used: `OnOutage::Local` has a share of 0 %; give from 1 to 100"
    );
}

fn builder() -> Builder<kind::Explicit> {
    RateLimiter::builder().redis("redis://localhost")
}

#[track_caller]
fn refused(builder: Builder<kind::Explicit>, name: &str, text: &str) {
    let error = builder.build().expect_err("it was built");
    assert_eq!(error.to_string(), format!("limiter `{name}` cannot be built: {text}"));
}

#[test]
fn a_shared_limiter_needs_a_name_of_its_own() {
    let text = "it is shared through redis by its name, and has none; give it one: `name: \"prod-chat\"`";
    refused(builder().requests(Rate::per_second(1)), "unnamed", text);
    refused(builder().requests(Rate::per_second(1)).name(""), "", text);
    refused(builder().requests(Rate::per_second(1)).name("chat").name(""), "", text);
    limiter! {
        static NAMELESS: RateLimiter = { requests: 1 / second, redis: "redis://localhost" };
    }
    // The name of the static is not used either, so that two programs share a limit only on
    // purpose.
    assert_eq!(
        NAMELESS.init().unwrap_err().to_string(),
        format!("limiter `backend::redis::declared::NAMELESS` cannot be built: {text}")
    );
}

#[test]
fn a_shared_limiter_has_the_server_s_clock() {
    refused(
        builder().name("chat").requests(Rate::per_second(1)).clock(&ManualClock::new()),
        "chat",
        "limits shared through redis run on the server's clock; leave the manual clock out",
    );
}

#[test]
fn a_shared_limiter_has_at_most_sixteen_limits() {
    let many = |count: u64| {
        (1..=count).fold(builder().name("chat"), |builder, time| builder.requests(Rate::new(9, secs(time))))
    };
    assert!(many(16).build().is_ok());
    refused(
        many(17),
        "chat",
        "it has 17 limits, and at most 16 can be shared through redis, where a script has at most 200 variables; \
         leave some out, or give them a limiter of their own in a stack",
    );
    refused(
        builder().name("chat"),
        "chat",
        "it has no limits; give it at least one, such as `requests: 200 / minute`",
    );
}

#[test]
fn a_limit_may_be_too_slow_to_be_shared() {
    let slow = Rate::new(1, secs(31 * 86_400));
    refused(
        builder().name("chat").requests(slow),
        "chat",
        "the limit of 1 requests / 2678400s is too slow to be shared through redis: its burst and its \
         largest call, of 1 requests, would together take 52 days or more to flow back; shorten the period \
         or the burst. In windows, the period may be 24 days at most",
    );
    let monthly = Rate::new(1_000, secs(30 * 86_400));
    refused(
        builder().name("chat").requests(monthly).counting(Counting::InWindows),
        "chat",
        "the limit of 1000 requests / 2592000s is too slow to be shared through redis: its burst and its \
         largest call, of 1000 requests, would together take 52 days or more to flow back; shorten the \
         period or the burst. In windows, the period may be 24 days at most",
    );
    assert!(builder().name("chat").requests(slow.burst(secs(1))).build().is_ok());
    assert!(builder().name("chat").requests(Rate::per_day(1)).build().is_ok());
}

#[test]
fn a_limit_per_day_may_be_shared_however_it_is_counted_and_adopted() {
    for counting in [Counting::Refilling, Counting::InWindows] {
        for adopts in [false, true] {
            let limiter = builder().name("chat").tokens(Rate::per_day(1_000)).counting(counting);
            let built = limiter.adopt_limits(adopts).build();
            assert!(built.is_ok(), "{counting:?}, {adopts}: {built:?}");
        }
    }
    let longest = builder().name("chat").requests(Rate::new(9, secs(24 * 86_400)));
    longest.counting(Counting::InWindows).build().expect("it is not too slow");
}

#[test]
fn a_shared_limiter_s_limits_are_checked_as_any_other_s() {
    let chat = || builder().name("chat").requests(Rate::per_second(1));
    refused(
        chat().tokens(Rate::per_minute(0)),
        "chat",
        "the limit of 0 tokens / minute would never admit a call; give an amount of at least 1, or leave the dimension \
         out if it is not limited",
    );
    refused(
        chat().headroom(Percent(100)),
        "chat",
        "a headroom of 100 % leaves nothing of the rate; give less than 100",
    );
    let limit = Limit::new("", Rate::per_second(1));
    assert!(chat().limit(limit).build().is_err());
    for share in [0, 101, 255] {
        let redis = Redis::new("redis://localhost").on_outage(OnOutage::Local(Percent(share)));
        assert!(chat().redis(redis).build().is_err());
    }
}

#[test]
fn eight_limits_of_any_name_hold_together() {
    let server = RedisServer::start();
    let names = ["a", "audio seconds", "\n", "\0", "(burst 1s); 1 requests / second", "é", "🦀"];
    let builder = RateLimiter::builder().name("chat").requests(Rate::per_hour(1_000)).redis(server.url());
    let limiter =
        names.iter().fold(builder, |builder, name| builder.limit(Limit::new(*name, Rate::per_hour(1))));
    let (limiter, same) = (limiter.clone().build().unwrap(), limiter.build().unwrap());
    for name in names {
        let cost = || Cost::new().with(name, 1);
        drop(limiter.acquire(cost()).timeout(secs(20)).blocking().unwrap());
        let refusal = same.acquire(cost()).timeout(secs(20)).blocking().unwrap_err();
        assert!(
            matches!(&refusal, AcquireError::Timeout { limit, .. } if limit.dimension().name() == name),
            "{refusal}"
        );
    }
}

#[test]
fn any_number_of_limits_is_shared_all_or_none() {
    let server = RedisServer::start();
    for limits in [1, 2, 3, 4, 6, 8, 9, 12, 16] {
        let names: Vec<String> = (0..limits).map(|limit| format!("of {limit}")).collect();
        let builder = RateLimiter::builder().name(format!("{limits} limits")).redis(server.url());
        let builder = names.iter().enumerate().fold(builder, |builder, (limit, name)| {
            // The last one allows ten, the others more.
            let rate = Rate::per_day(if limit + 1 == limits { 10 } else { 1_000 });
            builder.limit(Limit::new(name.clone(), rate))
        });
        let limiter = builder.jitter(secs(0)).headroom(Percent(0)).build().unwrap();
        let cost = |amount| names.iter().fold(Cost::new(), |cost, name| cost.with(name.clone(), amount));
        drop(limiter.acquire(cost(6)).blocking().unwrap());
        // A call that is too large for one takes from none.
        let refused = limiter.acquire(cost(6)).timeout(openlimit_tests::millis(50)).blocking();
        assert!(matches!(refused, Err(AcquireError::Timeout { .. })), "{refused:?}");
        drop(limiter.acquire(cost(3)).blocking().unwrap());
    }
}
