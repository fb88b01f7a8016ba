//! The judge: a thread that decides about calls and answers them, in order of arrival.
//!
//! Counting a prompt takes far longer than reading it from the network. On the network's thread, it
//! would delay the reading of later calls and falsify their arrival times. Here each call is
//! decided as of the time at which it was read, no matter how long it waited for this thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use hyper::body::Bytes;
use tokio::sync::oneshot;

use super::model::ProviderModel;
use super::reply::ProviderReply;
use super::route::Route;

/// A call that was read and waits for the decision.
#[derive(Debug)]
pub(super) struct PendingCall {
    pub(super) at: Instant,
    pub(super) route: Route,
    pub(super) path: Box<str>,
    pub(super) body: Bytes,
    pub(super) reply: oneshot::Sender<ProviderReply>,
}

/// Decides about calls until every sender is gone or the provider stops.
pub(super) fn judge(model: &ProviderModel, calls: &mpsc::Receiver<PendingCall>, stopping: &AtomicBool) {
    for call in calls {
        if stopping.load(Ordering::Relaxed) {
            return;
        }
        let reply = model.decide(call.at, &call.route, call.path, &call.body);
        // A client that hung up meanwhile is charged all the same, as by any provider.
        let _ = call.reply.send(reply);
    }
}
