//! Tests of admission in `openlimit`: the order and the time of admission on limits in memory.

mod bound;
mod cancellation;
mod concurrency;
mod drift;
mod first_free;
mod fork;
mod full;
mod hopeless;
mod hostile_wakers;
mod lateness;
mod model;
mod network;
mod order;
mod priority;
mod refunds;
mod refunds_closed_loop;
mod reserve;
mod runtimes;
mod settle;
mod settle_so_far;
mod sizes;
mod threads;
mod timeouts;
mod wakers;
mod windowed_providers;
mod windows;
