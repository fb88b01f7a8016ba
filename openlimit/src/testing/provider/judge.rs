//! `Judge`: counts the tokens of each call, decides about it and answers it, in order of arrival.
//!
//! It runs on a thread of its own. Counting a prompt takes far longer than reading it from the
//! network. On the network's thread, it would delay the reading of later calls and falsify their
//! arrival times. Here each call is decided as of the time at which it was read, no matter how long
//! it waited for this thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::account::{AccountState, Standing};
use super::answer::Answer;
use super::arrival::Arrival;
use super::error_reply::ErrorReply;
use super::reply::HttpReply;
use super::request::{Endpoint, Request};

/// Returns the latency of each admitted call.
pub(super) type Latency = Box<dyn FnMut() -> Duration + Send>;

/// A call that was read and waits for the decision.
#[derive(Debug)]
pub(super) struct PendingCall {
    pub(super) at: Instant,
    pub(super) endpoint: Endpoint,
    pub(super) path: Box<str>,
    pub(super) body: Bytes,
    pub(super) reply: oneshot::Sender<HttpReply>,
}

/// Decides about calls.
pub(super) struct Judge {
    pub(super) account: Arc<Mutex<AccountState>>,
    pub(super) answer_tokens: u64,
    pub(super) charges_usage: bool,
    pub(super) latency: Latency,
}

impl Judge {
    /// Decides about calls until every sender is gone or the provider stops.
    pub(super) fn run(mut self, calls: &mpsc::Receiver<PendingCall>, stopping: &AtomicBool) {
        for call in calls {
            if stopping.load(Ordering::Relaxed) {
                return;
            }
            let (reply, sender) = self.judge(call);
            // A client that hung up meanwhile is charged all the same, as by any provider.
            let _ = sender.send(reply);
        }
    }

    fn judge(&mut self, call: PendingCall) -> (HttpReply, oneshot::Sender<HttpReply>) {
        let PendingCall { at, endpoint, path, body, reply } = call;
        let request = Request::read(endpoint, &body);
        let tokens = request.as_ref().map_or(0, Request::charge);
        let (verdict, number, standings) = {
            // Locked for the decision only. Counting comes before it, and writing the answer after.
            let mut account = self.account.lock();
            let verdict = request.and_then(|request| match account.admit(at, tokens) {
                Ok(()) => Ok(request),
                Err(refusal) => Err(ErrorReply::refused(&request.model, &refusal)),
            });
            let status = verdict.as_ref().map_or_else(|error| error.status.as_u16(), |_| 200);
            account.record(Arrival { at, path, status, tokens });
            (verdict, account.arrivals().len(), account.standings(at).collect::<Vec<Standing>>())
        };
        let answered = match verdict {
            Ok(request) => {
                let answer = Answer::new(&request, number, self.answer_tokens);
                let used = if self.charges_usage { answer.used } else { tokens };
                HttpReply::from(answer).after((self.latency)()).correcting(tokens, used)
            }
            Err(error) => HttpReply::from(error),
        };
        (answered.with_standings(&standings), reply)
    }
}
