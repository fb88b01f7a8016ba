//! Adapters for the clients of LLM APIs, which limit every request that a client sends.

mod errors;
