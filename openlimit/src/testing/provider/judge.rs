//! `Judge`: counts, decides and answers, one call after the other, in the order of their arrival.
//!
//! It has a thread of its own. Counting a prompt takes far longer than reading it from the network; done on the
//! network's thread it would delay the reading of the calls behind it, and so falsify their arrival times. Here
//! every call is judged as of the time at which it was read, however long it then waited for this thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Arrival;
use super::answer::Answer;
use super::complaint::Complaint;
use super::ledger::{Ledger, Standing};
use super::reply::Reply;
use super::request::{Endpoint, Request};

/// How long each admitted call takes.
pub(super) type Latency = Box<dyn FnMut() -> Duration + Send>;

/// A call that was read and is to be judged.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) at: Instant,
    pub(super) endpoint: Endpoint,
    pub(super) path: Box<str>,
    pub(super) body: Bytes,
    pub(super) reply: oneshot::Sender<Reply>,
}

pub(super) struct Judge {
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) answer_tokens: u64,
    pub(super) charges_usage: bool,
    pub(super) latency: Latency,
}

impl Judge {
    /// Judges until every sender is gone, or until the provider stops.
    pub(super) fn run(mut self, calls: &mpsc::Receiver<Call>, stopping: &AtomicBool) {
        for call in calls {
            if stopping.load(Ordering::Relaxed) {
                return;
            }
            let (reply, sender) = self.judge(call);
            // Whoever hung up meanwhile was charged all the same, as by any provider.
            let _ = sender.send(reply);
        }
    }

    fn judge(&mut self, call: Call) -> (Reply, oneshot::Sender<Reply>) {
        let Call { at, endpoint, path, body, reply } = call;
        let request = Request::read(endpoint, &body);
        let tokens = request.as_ref().map_or(0, Request::charge);
        let (verdict, number, standings) = {
            // Held for the decision only: counting came before it, and the answer is written after it.
            let mut ledger = self.ledger.lock();
            let verdict = request.and_then(|request| match ledger.admit(at, tokens) {
                Ok(()) => Ok(request),
                Err(refusal) => Err(Complaint::refused(&request.model, &refusal)),
            });
            let status = verdict.as_ref().map_or_else(|complaint| complaint.status.as_u16(), |_| 200);
            ledger.record(Arrival { at, path, status, tokens });
            (verdict, ledger.arrivals().len(), ledger.standings(at).collect::<Vec<Standing>>())
        };
        let answered = match verdict {
            Ok(request) => {
                let answer = Answer::new(&request, number, self.answer_tokens);
                let used = if self.charges_usage { answer.used } else { tokens };
                Reply::from(answer).after((self.latency)()).correcting(tokens, used)
            }
            Err(complaint) => Reply::from(complaint),
        };
        (answered.with_standings(&standings), reply)
    }
}
