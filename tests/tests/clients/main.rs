//! Tests of the adapters: the real clients send to real servers, with their own retries on.
//!
//! What every adapter promises is one function in `suite`, which each client runs. The other files
//! contain what only one client does.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod any_limiter;
mod async_openai;
mod client;
mod reqwest;
mod reqwest_http2;
mod reqwest_retries;
mod server;
mod suite;
mod tower;
mod ureq;
