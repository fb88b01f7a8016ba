//! Tests of `#[rate_limited]`.

mod client;
mod concurrency;
mod feedback;
mod functions;
mod future_size;
mod futures;
mod hygiene;
mod neighbours;
mod priority;
mod receivers;
mod refusals;
mod retry;
mod stack;
mod stream;
mod usage;
