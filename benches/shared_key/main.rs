//! Shares a key with another consumer, and counts the refusals of both.
//!
//! `cargo bench -p openlimit-tests --bench shared_key` simulates an hour for each row, and then
//! takes two minutes of real time. `-- simulated` and `-- real` select one of them, and `-- redis`
//! the minute over Redis.
//!
//! The provider allows 6 000 requests and 1.2 million tokens a minute. The other consumer takes a
//! random 0 to 70 % of both, another share every two seconds, and never waits. The limiter learns
//! of it from the responses alone.

mod aims;
mod real;
mod simulated;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    let named = |word: &str| arguments.iter().any(|argument| argument == word);
    let all = !named("simulated") && !named("real") && !named("redis");
    println!("\n| provider | refused | the other's refused, % | used of what it leaves, % | aim | met |");
    println!("| --- | --- | --- | --- | --- | --- |");
    if all || named("simulated") {
        simulated::run(is_bench);
    }
    if all || named("real") {
        real::run(is_bench);
    }
    if all || named("real") || named("redis") {
        real::run_over_redis(is_bench);
    }
}
