//! The driver's end of a session: it carries batches until the limiter is gone.
//!
//! A batch whose reply is lost is sent again as it is, since the server knows the reply by the
//! number of the batch. So its refunds and its debts count once, whichever sending was decided.
//!
//! That is so also if it is then refused for a reason that has to be mended, such as a missing
//! permission. All calls that wait fail, and the next one has the same batch sent again. But if the
//! server says that no sending was decided, a new batch takes along what was in it.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::{Instant, sleep, timeout};

use super::link::Link;
use super::owner::{Collected, Owner};
use super::retry::Retry;
use crate::backend::redis::client::{Batch, Client, NoReply};
use crate::backend::redis::failure::Fate;
use crate::backend::redis::settings::Settings;
use crate::backend::redis::wire::BatchReply;
use crate::error::{StoreError, StoreProblem};
use crate::time::Time;

/// Decides the batches of a session. Tests replace it.
pub(super) trait Decider {
    /// Connects, so that a batch is on its way as soon as it is sent. If that fails, the error is
    /// that of the batch.
    fn connect(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Decides a batch, of which so much is known. After an error it may have been decided all the
    /// same. The same bytes then have the same reply.
    fn decide(
        &mut self,
        batch: &Batch,
        fate: Fate,
    ) -> impl Future<Output = Result<BatchReply, NoReply>> + Send;
}

impl Decider for Client {
    fn connect(&mut self) -> impl Future<Output = ()> + Send {
        Self::connect(self)
    }

    fn decide(
        &mut self,
        batch: &Batch,
        fate: Fate,
    ) -> impl Future<Output = Result<BatchReply, NoReply>> + Send {
        Self::decide(self, batch, fate)
    }
}

/// Runs a session until its limiter is gone. Restarts it after a panic.
pub(super) async fn supervise<D: Decider>(
    mut owner: Owner,
    link: Arc<Link>,
    settings: Arc<Settings>,
    decider: impl Fn() -> D,
) {
    while let Err(panic) = caught(run(&mut owner, &link, decider())).await {
        let panicked = format!("it panicked: {}", settings.cleaned(&panic));
        let error = settings.error(StoreProblem::Driver(panicked));
        // The state may be inconsistent after a panic, and this panic again.
        let _ = caught(stop(&mut owner, &error, &link)).await;
        sleep(Retry::MOST).await;
    }
}

/// Runs a future to its end, or to its panic.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let text = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast_ref::<&str>().unwrap_or(&"for an unknown reason")).to_owned(),
    };
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(text(panic))),
    })
    .await
}

/// Carries batches until the limiter is gone.
async fn run(owner: &mut Owner, link: &Link, mut decider: impl Decider) {
    while let Some(batch) = next(owner, link).await {
        let (mut retry, mut fate, began) = (Retry::default(), Fate::Undecided, Instant::now());
        loop {
            // In boxes, so that a session that waits takes little memory: there may be one for each
            // of many keys.
            Box::pin(decider.connect()).await;
            let sent = Time::System.now();
            let decided = Box::pin(decider.decide(&batch, fate)).await;
            let NoReply { error, fate: known, other_limits } = match decided {
                Ok(reply) => {
                    owner.apply(&reply, sent, link).await;
                    link.flushes.decided();
                    break;
                }
                Err(no_reply) => no_reply,
            };
            fate = known;
            if let Some(theirs) = other_limits
                && owner.take_over(&theirs, link).await
            {
                // Two processes that update again and again must not make this one spin.
                sleep(Retry::LEAST).await;
                break;
            }
            let is_lasting = !error.is_transient();
            if is_lasting && fate != Fate::Unknown {
                if fate == Fate::Undecided {
                    owner.take_back(link).await;
                }
                stop(owner, &error, link).await;
                sleep(Retry::AFTER_REFUSAL).await;
                break;
            }
            let waiting = owner.failed(&error, link).await;
            if is_lasting {
                link.flushes.failed(&error);
                sleep(Retry::AFTER_REFUSAL).await;
            }
            let waiting = waiting.map(|waiting| waiting || link.flushes.any());
            let goes_on = retry.pause(waiting, link).await;
            // By then the server may have forgotten that it decided it.
            let is_old = fate == Fate::Unknown && began.elapsed() > Retry::LONGEST;
            if !goes_on || is_old {
                owner.give_up(link).await;
                break;
            }
        }
    }
}

/// Gives up the batch in flight, if there is one still, and fails every call and flush that waits.
async fn stop(owner: &mut Owner, error: &StoreError, link: &Link) {
    link.flushes.failed(error);
    owner.failed(error, link).await;
    owner.give_up(link).await;
}

/// Waits until there is something to send, and returns the batch. `None` once the limiter is gone.
async fn next(owner: &mut Owner, link: &Link) -> Option<Batch> {
    loop {
        let flushing = link.flushes.begin();
        let wait = match owner.collect(flushing, link).await {
            Collected::Batch(batch) => return Some(batch),
            Collected::Nothing(wait) => wait,
            Collected::Gone => return None,
        };
        match wait {
            Some(wait) => _ = timeout(wait, link.wake.notified()).await,
            None => link.wake.notified().await,
        }
    }
}
