//! The names of the attribute's options. Editors complete them from here, and show these docs.

/// The limiter to wait for: a static, a field, a method call, an argument, or a tuple of these.
pub mod limiter {}
/// The request. Its cost is what the call takes from the limits.
pub mod params {}
/// The cost of the call: a `Cost`, or an integer for one request with that many tokens.
pub mod cost {}
/// The longest wait, a `Duration`.
pub mod timeout {}
/// The end of the wait, an `Instant`.
pub mod deadline {}
/// The `Priority` of the call among those that wait.
pub mod priority {}
/// The return value for a refused call: a closure that receives the `AcquireError`.
pub mod on_error {}
/// The number of tokens that the call really used: a closure that receives the successful reply.
pub mod usage {}
/// Believes the reply: settles the usage that it states, and holds all calls after a refusal.
pub mod feedback {}
/// What an error says about limits: a closure that receives the error.
pub mod refused {}
/// How often a call that the provider refused is made again.
pub mod retry {}
/// Moves the permit into the stream that the function returns, which settles the call.
pub mod stream {}
/// A name for the permit, so that the body can settle or cancel it.
pub mod permit {}
