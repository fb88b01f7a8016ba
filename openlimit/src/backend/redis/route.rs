//! `Route`: finds the server that holds a limiter's buckets. In a cluster that is the node that has
//! their hash slot at the moment.
//!
//! A node that does not have the slot names the one that does. So a route keeps nothing of a
//! cluster but the node that replied last, and a node that does not reply only affects the limiters
//! whose keys it has. (The cluster connection of the `redis` crate makes all requests wait while it
//! looks for any slot, and for nodes that do not reply.)

use std::sync::Arc;
use std::time::Duration;

use ::redis::Cmd;
use tokio::time::{Instant, sleep};

use super::announced::Listener;
use super::failure::Failure;
use super::pool::Server;
use super::problem::needs_new_connection;
use super::settings::Settings;

/// The route to the buckets of one limiter.
pub(super) struct Route {
    settings: Arc<Settings>,
    /// The limiter, which listens to every server that it tries.
    listener: Arc<Listener>,
    /// The server to try next.
    next: Arc<Server>,
    /// The server that replied last.
    last: Arc<Server>,
    /// Counts through the nodes of the settings, to try each when another one cannot serve. Their
    /// number stands for `last`.
    place: usize,
}

/// The most redirections that are followed without a pause. One is usual, and a second one follows
/// when a slot is just moving.
const QUICK_TRIES: u32 = 2;

/// The pause before each further redirection. While a slot moves, its nodes may name each other in
/// turn.
const PAUSE: Duration = Duration::from_millis(5);

impl Route {
    /// Creates a route that begins at the first node of the settings.
    pub(super) fn new(settings: Arc<Settings>, listener: Arc<Listener>) -> Self {
        let next = Server::of(&settings.nodes[0]);
        next.listen(&listener);
        Self { settings, listener, last: Arc::clone(&next), next, place: 0 }
    }

    /// Opens the connection to the server to try next, unless it is open.
    pub(super) async fn connect(&self) {
        self.next.connect().await;
    }

    /// Runs a command on the server that has its keys, and follows redirections.
    pub(super) async fn run(&mut self, command: &Cmd) -> Result<Vec<u8>, Failure> {
        let start = Instant::now();
        let mut tries = 0;
        // The node that the keys are being moved to.
        let mut target: Option<Arc<Server>> = None;
        loop {
            let (server, asking) = match target.take() {
                Some(target) => (target, true),
                None => (Arc::clone(&self.next), false),
            };
            let failure = match server.run(command, asking).await {
                Ok(reply) => {
                    self.last = Arc::clone(&self.next);
                    return Ok(reply);
                }
                Err(failure) => failure,
            };
            let access = server.access();
            let redirected = || failure.error.redirect_node().and_then(|(address, _)| access.to(address));
            match (failure.error.code(), redirected()) {
                _ if !access.cluster => return Err(failure),
                (Some("MOVED"), Some(access)) => self.turn_to(Server::of(&access)),
                (Some("ASK"), Some(access)) => target = Some(Server::of(&access)),
                (Some("TRYAGAIN"), _) => {}
                (code, _) => {
                    if code == Some("CLUSTERDOWN") || needs_new_connection(&failure.error, true) {
                        self.try_another_node();
                    }
                    return Err(failure);
                }
            }
            if start.elapsed() > access.timeout {
                return Err(failure);
            }
            tries += 1;
            if tries > QUICK_TRIES {
                sleep(PAUSE).await;
            }
        }
    }

    /// Turns to another node, since the last one tried cannot serve. Others may know which node has
    /// taken its slots over.
    fn try_another_node(&mut self) {
        let given = &self.settings.nodes;
        self.place = (self.place + 1) % (given.len() + 1);
        self.turn_to(given.get(self.place).map_or_else(|| Arc::clone(&self.last), Server::of));
    }

    fn turn_to(&mut self, server: Arc<Server>) {
        server.listen(&self.listener);
        self.next = server;
    }
}
