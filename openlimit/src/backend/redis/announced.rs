//! Holds that the server announces: they reach other processes before their next batch.
//!
//! The batch with which a hold begins has the script publish it. Every connection subscribes to
//! the channel, and hands what comes there to the limiters that have the key. So a hold stops them
//! as soon as the server knows of it, and half a round trip has passed.
//!
//! Nothing depends on that. A server may not support it or forbid it, and a message may be lost.
//! The next reply says the same.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use ::redis::{PushInfo, PushKind, Value};
use parking_lot::Mutex;

use super::wire::Announcement;
use crate::backend::{Backend, Served};
use crate::queue::Refusals;

/// The channel of all announcements. `decide/reply.lua` publishes there.
pub(super) const CHANNEL: &str = "openlimit:holds";

/// Returns the message if it came on the channel.
pub(super) fn message(push: &PushInfo) -> Option<&[u8]> {
    match (&push.kind, &*push.data) {
        (PushKind::Message, [Value::BulkString(channel), Value::BulkString(message)])
            if channel == CHANNEL.as_bytes() =>
        {
            Some(message)
        }
        _ => None,
    }
}

/// A limiter that follows the announcements for its key.
pub(super) struct Listener {
    key: String,
    limiter: Weak<dyn Served>,
}

/// The listeners of one server.
#[derive(Default)]
pub(super) struct Listeners(Mutex<HashMap<String, Vec<Weak<Listener>>>>);

impl Listener {
    pub(super) fn new(key: String, limiter: Weak<dyn Served>) -> Arc<Self> {
        Arc::new(Self { key, limiter })
    }

    fn hear(&self, announcement: &Announcement) {
        let Some(limiter) = self.limiter.upgrade() else { return };
        limiter.serve(&mut |backend, _, now| {
            if let Backend::Redis(slots) = backend {
                slots.hear(announcement, now);
            }
            Refusals::new()
        });
    }
}

impl Listeners {
    /// Adds a listener, until it is dropped. Does nothing if it is there already.
    pub(super) fn add(&self, listener: &Arc<Listener>) {
        let mut listeners = self.0.lock();
        if listeners.len() == listeners.capacity() {
            // Without those that were dropped it may not have to grow.
            listeners.retain(|_, of_key| of_key.iter().any(|listener| listener.strong_count() > 0));
        }
        let of_key = listeners.entry(listener.key.clone()).or_default();
        of_key.retain(|other| other.strong_count() > 0 && !other.ptr_eq(&Arc::downgrade(listener)));
        of_key.push(Arc::downgrade(listener));
    }

    /// Hands a message on the channel to the listeners that it is for.
    pub(super) fn receive(&self, message: &[u8]) {
        let Some((announcement, key)) = Announcement::read(message) else { return };
        // Not under the lock: a limiter takes its own.
        let listeners: Vec<_> = match self.0.lock().get(key) {
            Some(of_key) => of_key.iter().filter_map(Weak::upgrade).collect(),
            None => return,
        };
        listeners.iter().for_each(|listener| listener.hear(&announcement));
    }
}
