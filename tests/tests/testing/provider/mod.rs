//! Tests of the strict provider, seen through HTTP.

mod client;
mod http;
mod limits;
mod never_refuses;
