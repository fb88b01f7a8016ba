//! `Explicit`: the kind of limiter that takes costs only.

/// A limiter without a way to read params: it takes explicit costs.
#[derive(Clone, Copy, Debug)]
pub enum Explicit {}
