//! The names of the attribute's options, for editors to complete.

/// The limiter that the call waits for: a static, a field, a method call, an argument.
pub mod limiter {}
/// What to price: the value that is also sent to the API.
pub mod params {}
/// The price outright: a `Cost`, or an integer for one request with that many tokens.
pub mod cost {}
/// The longest wait, a `Duration`.
pub mod timeout {}
/// What to return for a refused call: a closure that is given the `AcquireError`.
pub mod on_error {}
/// How many tokens the call used: a closure that is given the successful reply.
pub mod usage {}
/// A name for the permit in the body.
pub mod permit {}
