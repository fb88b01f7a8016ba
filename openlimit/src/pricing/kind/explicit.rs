//! `Explicit`: the kind of limiter that prices nothing.

/// Reads no params: the limiter takes explicit costs.
#[derive(Clone, Copy, Debug)]
pub enum Explicit {}
