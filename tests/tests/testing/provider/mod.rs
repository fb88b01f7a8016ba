//! Tests of the strict provider, seen through HTTP and, on a manual clock, without it.

mod ask;
mod client;
mod clock;
mod counting;
mod dialects;
mod faults;
mod http;
mod limits;
mod never_refuses;
mod others;
mod quotas;
mod resets;
mod streams;
mod windows;
