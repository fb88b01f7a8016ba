//! `Member`: a limiter of a simulated crowd, in memory or with a real script, and what it does at a
//! moment.

use std::collections::VecDeque;
use std::task::Waker;

use redis::Connection;

use super::closed_loop::WAY;
use super::world::{EPOCH, IDENTITY, command};
use crate::admission::Admission;
use crate::backend::Backend;
use crate::backend::redis::wire::BatchReply;
use crate::queue::{Grant, Key, Outcome, Waiter};

pub(super) struct Member {
    admission: Admission,
    waiting: VecDeque<Key>,
    keys: [String; 2],
    /// When it can do more, if nothing happens to it before.
    next: u64,
    /// The reply on its way: when it arrives, and when its batch was sent.
    reply: Option<(u64, u64, BatchReply)>,
}

impl Member {
    /// Creates the member of this number. All members of one name share their limits.
    pub(super) fn new(admission: Admission, name: &str, id: usize) -> Self {
        let keys = [format!("{{{name}}}"), format!("{{{name}}} {id}")];
        Self { admission, waiting: VecDeque::new(), keys, next: 0, reply: None }
    }

    /// Returns its part that decides, to which something happens.
    pub(super) fn admission(&mut self) -> &mut Admission {
        self.next = 0;
        &mut self.admission
    }

    /// Returns the number of its calls that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn join(&mut self, call: Waiter) {
        let key = self.admission().queue.join(call);
        self.waiting.push_back(key);
    }

    /// Does everything that it can do now. Returns the calls that are admitted, and when it can do
    /// more.
    pub(super) fn serve(&mut self, script: &str, connection: &mut Connection, now: u64) -> (Vec<Grant>, u64) {
        if now < self.next {
            return (Vec::new(), self.next);
        }
        let Self { admission, waiting, keys, reply, .. } = self;
        if let Some((_, sent, reply)) = reply.take_if(|(at, ..)| *at <= now)
            && let Backend::Redis(slots) = &mut admission.backend
        {
            assert!(slots.apply(&reply, &admission.queue, sent, now).is_empty());
        }
        if reply.is_none() && matches!(admission.backend, Backend::Redis(_)) {
            admission.reprice(256);
        }
        admission.pump(now, &mut Vec::new());
        let mut next = admission.next().unwrap_or(u64::MAX);
        if let Backend::Redis(slots) = &mut admission.backend
            && reply.is_none()
        {
            let reset = [!slots.windows.is_empty()];
            match slots.collect(&admission.queue, false, now) {
                Ok(batch) => {
                    let time = EPOCH + (now + WAY) / 1_000;
                    let command = command(script, IDENTITY, keys, &batch, time);
                    let bytes: Vec<u8> = command.query(connection).expect("redis answers");
                    *reply = Some((now + 2 * WAY, now, BatchReply::read(&bytes, &reset).expect("a reply")));
                }
                Err(at) => next = next.min(at.unwrap_or(u64::MAX)),
            }
        }
        next = next.min(reply.as_ref().map_or(u64::MAX, |(at, ..)| *at));
        let mut admitted = Vec::new();
        while let Some(key) = waiting.front()
            && let (Some(Outcome::Admitted(grant)), _) = admission.queue.poll(*key, Waker::noop().clone())
        {
            waiting.pop_front();
            admitted.push(grant);
        }
        self.next = next;
        (admitted, next)
    }
}
