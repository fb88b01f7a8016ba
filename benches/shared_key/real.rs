//! A minute of real time through a real client, with and without feedback.

use std::thread;
use std::time::{Duration, Instant};

use openlimit::feedback::Observation;
use openlimit::testing::Provider;
use openlimit::{ChatRateLimiter, Percent};
use openlimit_tests::shared_key::{Figures, REQUESTS, TOKENS, params, used};
use ureq::Agent;

use super::aims::{Aims, print};

/// 20 refusals in a minute of about 4 000 calls.
const FEW: Aims = Aims { refused: 0.5, others_refused: 1.0, used: 94.0 };

const CALLERS: usize = 64;

/// How much the provider's buckets hold, and how long its replies take.
const BUCKET: Duration = Duration::from_secs(1);
const LATENCY: Duration = Duration::from_millis(20);

pub(crate) fn run(is_bench: bool) {
    let time = Duration::from_millis(if is_bench { 60_000 } else { 300 });
    for (feedback, aims) in [(false, None), (true, Some(FEW))] {
        let provider = Provider::builder()
            .requests(REQUESTS.burst(BUCKET))
            .tokens(TOKENS.burst(BUCKET))
            .other_consumer(Percent(70), 1)
            .charges_usage(true)
            .latency(LATENCY)
            .start()
            .expect("a free port");
        let limiter = ChatRateLimiter::builder().requests(REQUESTS).tokens(TOKENS);
        let limiter = limiter.build().expect("the limits are valid");
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections(CALLERS)
            .max_idle_connections_per_host(CALLERS)
            .build()
            .into();
        let end = Instant::now() + time;
        thread::scope(|scope| {
            for caller in 0..CALLERS {
                let (provider, limiter, agent) = (&provider, &limiter, &agent);
                scope.spawn(move || call_until(end, caller, provider, limiter, agent, feedback));
            }
        });
        let (refused, admitted, others) = (provider.refused(), provider.admitted(), provider.others());
        let figures = Figures {
            attempts: refused + admitted,
            refused,
            others,
            used: used(time, BUCKET, admitted, others),
        };
        let deaf = if feedback { "" } else { ", without feedback" };
        print(&format!("a minute of ureq, bucket of 1 s, replies after {LATENCY:?}{deaf}"), &figures, aims);
    }
}

fn call_until(
    end: Instant,
    caller: usize,
    provider: &Provider,
    limiter: &ChatRateLimiter,
    agent: &Agent,
    feedback: bool,
) {
    let url = format!("{}/chat/completions", provider.url());
    for number in caller.. {
        let params = params(number);
        let permit = limiter.acquire(&params).blocking().expect("it has no timeout");
        if Instant::now() >= end {
            return permit.cancel();
        }
        let request = agent.post(&url).header("content-type", "application/json");
        let mut response = request.send(params.to_string()).expect("the provider answers");
        let body = response.body_mut().read_to_string().expect("it is text");
        if feedback {
            let headers = response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            permit.responded(&Observation::from_parts(response.status().as_u16(), headers, body.as_bytes()));
        }
    }
}
