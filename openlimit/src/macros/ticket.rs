//! Starts an acquisition for `#[rate_limited]`: the limiter, then the cost of the call.

use crate::limiter::{AsLimiter, Levels};
use crate::pricing::kind::{Explicit, Price};
use crate::{Acquire, Cost, Limiter, Stack};

/// A call that has a limiter, but no cost yet.
#[derive(Debug)]
pub struct Ticket<'a, K>(&'a Limiter<K>);

/// Begins the expansion of the attribute. `K` is inferred, so that a wrong type is one error and
/// not three.
pub fn limiter<L: AsLimiter<Kind = K> + ?Sized, K>(limiter: &L) -> Ticket<'_, K> {
    Ticket(limiter.as_limiter())
}

impl<K> Ticket<'_, K> {
    /// Prices the request.
    pub fn params<P: Price<K>>(self, params: P) -> Acquire {
        self.0.acquire(params)
    }

    /// Takes the cost as it is: a [`Cost`], or an integer for one request with that many tokens.
    pub fn cost<C: Outright<K>>(self, cost: C) -> Acquire {
        self.0.acquire(cost)
    }

    /// Takes one request. Called if neither `params` nor `cost` is given.
    pub fn request(self) -> Acquire
    where
        K: Unpriced,
    {
        self.0.acquire(Cost::new())
    }
}

/// A call that has several limiters, but no cost yet.
#[derive(Debug)]
pub struct StackTicket<L>(Stack<L>);

/// Begins the expansion of the attribute with a tuple of limiters.
pub fn stack<L>(limiters: L) -> StackTicket<L> {
    StackTicket(Stack::of(limiters))
}

impl<L> StackTicket<L> {
    /// Prices the request in each limiter.
    pub fn params<P>(self, params: P) -> Acquire
    where
        L: Levels<P>,
    {
        self.0.acquire(params)
    }

    /// Takes the cost as it is.
    pub fn cost<C: Outright<Explicit>>(self, cost: C) -> Acquire
    where
        L: Levels<C>,
    {
        self.0.acquire(cost)
    }

    /// Takes one request. Called if neither `params` nor `cost` is given.
    pub fn request(self) -> Acquire
    where
        L: Levels<Cost> + UnpricedLevels,
    {
        self.0.acquire(Cost::new())
    }
}

/// A value that the option `cost` takes.
#[diagnostic::on_unimplemented(
    message = "`cost` must be a number of tokens or a `Cost`, not `{Self}`",
    label = "expected an integer or a `Cost`",
    note = "`cost = 900` and `cost = text.len()` are one request with that many tokens",
    note = "`cost = Cost::new().input_tokens(900)` names what it counts",
    note = "`params = request` prices the request"
)]
pub trait Outright<K>: Price<K> {}

impl<K> Outright<K> for u64 {}
impl<K> Outright<K> for u32 {}
impl<K> Outright<K> for usize {}
impl<K> Outright<K> for i64 {}
impl<K> Outright<K> for i32 {}
impl<K> Outright<K> for Cost {}
impl<K> Outright<K> for &Cost {}

/// A kind of limiter whose calls need no cost.
#[diagnostic::on_unimplemented(
    message = "this limiter needs the cost of the call",
    label = "needs `params = ..` or `cost = ..`",
    note = "`params = request` prices the request; `cost = 900` is one request with 900 tokens"
)]
pub trait Unpriced {}

impl Unpriced for Explicit {}

/// Limiters whose calls need no cost.
pub trait UnpricedLevels {}

macro_rules! stacks {
    ($(($($limiter:ident),+))+) => {$(
        impl<$($limiter: AsLimiter<Kind: Unpriced>),+> UnpricedLevels for ($($limiter,)+) {}
    )+};
}

stacks!((A, B)(A, B, C)(A, B, C, D));
