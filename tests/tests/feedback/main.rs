//! Tests of the reader of responses: headers, errors and usage, as real providers send them.

mod bad_input;
mod errors;
mod headers;
mod http;
mod privacy;
mod reader;
mod refusals;
mod usage;
mod waits;
