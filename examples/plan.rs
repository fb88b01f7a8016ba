//! Plans a JSONL file of requests before any of them is sent: how long it takes under the limits,
//! which limit binds, and what would halve the time.
//!
//!     cargo run --release --example plan [requests.jsonl [limits.json]]
//!
//! A row is the body of a chat request, or a row of OpenAI's Batch API, which has it under `body`.
//! Without a file, it plans 600 requests of its own. The limits are the keys of `limiter!` as JSON,
//! such as `{"requests": "500 / minute", "tokens": ["30_000 / minute", "2_000_000 / day"]}`.

use std::env;
use std::fs;
use std::time::Duration;

use anyhow::Context;
use openlimit::{ChatRateLimiter, Cost, Forecast, Limit, LimiterConfig};
use openlimit_examples::request;
use serde_json::{Value, json};

const LIMITS: &str = r#"{ "requests": "200 / minute", "tokens": "30_000 / minute" }"#;

/// How many calls there may be at once, and how long each takes.
const IN_FLIGHT: (usize, Duration) = (6, Duration::from_secs(4));

/// The number of columns of the plot.
const COLUMNS: usize = 72;

fn main() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let requests = match arguments.next() {
        Some(file) => read(&file)?,
        None => (0..600).map(generate).collect(),
    };
    let limits = match arguments.next() {
        Some(file) => fs::read_to_string(&file).context(file)?,
        None => LIMITS.to_owned(),
    };
    let config: LimiterConfig = serde_json::from_str(&limits)?;
    let limiter = ChatRateLimiter::builder().name("chat").config(&config).build()?;

    let costs: Vec<Cost> = requests.iter().map(|request| limiter.cost(request)).collect::<Result<_, _>>()?;
    let forecast = limiter.plan(&costs)?;
    println!("{forecast}\n");
    plot(&forecast, &costs);

    let (calls, time) = IN_FLIGHT;
    println!("\nWith at most {calls} calls at once, {} s each:\n", time.as_secs());
    let forecast = forecast.in_flight(calls, time);
    println!("{forecast}\n");
    plot(&forecast, &costs);
    Ok(())
}

/// Reads the requests of a JSONL file.
fn read(file: &str) -> anyhow::Result<Vec<Value>> {
    let text = fs::read_to_string(file).with_context(|| file.to_owned())?;
    let rows = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let body = |(index, line)| {
        let mut row: Value = serde_json::from_str(line).with_context(|| format!("{file}:{}", index + 1))?;
        let body = row.get_mut("body").map(Value::take);
        Ok(body.unwrap_or(row))
    };
    rows.map(body).collect()
}

/// Returns a request: first short questions, then pages of prose.
fn generate(number: usize) -> Value {
    if number >= 300 {
        return request(number, "gpt-4o");
    }
    json!({
        "model": "gpt-4o",
        "messages": [{ "role": "user", "content": format!("Is {number} a prime? Answer yes or no.") }],
        "max_completion_tokens": 1,
    })
}

/// Shows how much of each limit the calls use over time: what departed in its last period.
fn plot(forecast: &Forecast, costs: &[Cost]) {
    let column = forecast.time() / COLUMNS as u32;
    println!(
        "Use of each limit over time. A column is {column:.1?}, and full if a whole period's amount is used:"
    );
    let limits: Vec<&Limit> = forecast.limits().iter().map(|limit| &limit.limit).collect();
    let names: Vec<String> = limits.iter().map(ToString::to_string).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    for (limit, name) in limits.into_iter().zip(names) {
        let calls = || forecast.departures().zip(costs.iter().map(|cost| cost.amount(limit.dimension())));
        let (mut arriving, mut leaving) = (calls().peekable(), calls().peekable());
        let mut used = 0;
        let bars: String = (1..=COLUMNS as u32)
            .map(|number| {
                // `column * number` would be rounded, and the last call departs at the very end.
                let end = forecast.time() * number / COLUMNS as u32;
                while let Some((_, amount)) = arriving.next_if(|(departure, _)| *departure <= end) {
                    used += amount;
                }
                let period = limit.rate().period();
                while let Some((_, amount)) = leaving.next_if(|(departure, _)| *departure + period <= end) {
                    used -= amount;
                }
                bar(used as f64 / limit.rate().amount() as f64)
            })
            .collect();
        println!("{name:width$}  {bars}");
    }
}

/// Returns a bar for a share of the whole.
fn bar(share: f64) -> char {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    BARS[((share * 8.0).round() as usize).min(BARS.len() - 1)]
}
