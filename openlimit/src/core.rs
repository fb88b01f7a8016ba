//! stub: admits everything at once
use crate::amounts::Amounts;
use crate::bucket::Bucket;
use crate::kind::Pricing;
use crate::permit::Grant;
use crate::time::Time;
use crate::{AcquireError, Cost, Limit, Permit, Usage};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

pub(crate) type Key = usize;
pub(crate) struct Core {
    name: Arc<str>,
    limits: Vec<Limit>,
    pricing: Pricing,
}

#[derive(Clone)]
pub(crate) enum Handle {
    Static(&'static Core),
    Shared(Arc<Core>),
}
impl std::ops::Deref for Handle {
    type Target = Core;
    fn deref(&self) -> &Core {
        match self {
            Self::Static(c) => c,
            Self::Shared(c) => c,
        }
    }
}
impl Handle {
    pub(crate) fn forever(core: Core) -> Self {
        Self::Static(Box::leak(Box::new(core)))
    }
    pub(crate) fn shared(core: Core) -> Self {
        Self::Shared(Arc::new(core))
    }
    pub(crate) fn admit(
        &self,
        amounts: Amounts,
        _timeout: u64,
        _waker: &Waker,
    ) -> Result<Key, Result<Permit, AcquireError>> {
        Err(self.try_admit(amounts))
    }
    pub(crate) fn try_admit(&self, amounts: Amounts) -> Result<Permit, AcquireError> {
        Ok(Permit::new(self.clone(), Grant { amounts, charge: 0, wait: None }))
    }
    pub(crate) fn poll(&self, _key: Key, _waker: &Waker) -> Poll<Result<Permit, AcquireError>> {
        Poll::Pending
    }
}
impl Core {
    pub(crate) fn new(
        name: Arc<str>,
        limits: Vec<Limit>,
        _b: Vec<Bucket>,
        _j: Duration,
        _r: bool,
        pricing: Pricing,
        _t: Time,
    ) -> Self {
        Self { name, limits, pricing }
    }
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
    pub(crate) fn limits(&self) -> &[Limit] {
        &self.limits
    }
    pub(crate) fn pricing(&self) -> Pricing {
        self.pricing
    }
    pub(crate) fn resolve(&self, cost: &Cost) -> Result<Amounts, AcquireError> {
        Ok(Amounts::from_fn(3, |i| cost.amounts()[i]))
    }
    pub(crate) fn leave(&self, _key: Key) {}
    pub(crate) fn settle(&self, _a: &Amounts, _c: u64, _u: &Usage) {}
    pub(crate) fn refund(&self, _a: &Amounts, _c: u64) {}
}
