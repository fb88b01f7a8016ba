//! Tests of what limiters learn from the usage of their calls.

mod crowd;
mod money;
mod prompts;
mod servers;
mod sites;
