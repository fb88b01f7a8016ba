//! `Route`: to the server that holds a limiter's buckets. In a cluster that is the node that has their slot, for now.
//!
//! A node that does not have it says which one does. So nothing is kept of a cluster but the node that answered last, and one that
//! answers no more is no matter to the limiters of the others. (The `redis` crate's own connection to a cluster has all requests
//! wait whenever it looks for a slot, and then for nodes that do not answer.)

use std::sync::Arc;
use std::time::Duration;

use ::redis::Cmd;
use tokio::time::{Instant, sleep};

use super::pool::{Failure, Server};
use super::problem::is_over;
use super::settings::Settings;

pub(super) struct Route {
    settings: Arc<Settings>,
    /// Which is asked next: the one that answered last, or one that was given.
    next: Arc<Server>,
    last: Arc<Server>,
    turn: usize,
}

/// While a slot moves, its nodes may send us to and fro.
const PAUSE: Duration = Duration::from_millis(5);

impl Route {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        let next = Server::of(&settings.nodes[0]);
        Self { settings, last: Arc::clone(&next), next, turn: 0 }
    }

    /// Has a command run where its keys are.
    pub(super) async fn run(&mut self, command: &Cmd) -> Result<Vec<u8>, Failure> {
        let start = Instant::now();
        let mut tries = 0;
        // The node that they are on their way to.
        let mut target: Option<Arc<Server>> = None;
        loop {
            let (server, asking) = match target.take() {
                Some(target) => (target, true),
                None => (Arc::clone(&self.next), false),
            };
            let failure = match server.run(command, asking).await {
                Ok(said) => {
                    self.last = Arc::clone(&self.next);
                    return Ok(said);
                }
                Err(failure) => failure,
            };
            let access = server.access();
            let elsewhere = || failure.error.redirect_node().and_then(|(address, _)| access.to(address));
            match (failure.error.code(), elsewhere()) {
                _ if !access.cluster => return Err(failure),
                (Some("MOVED"), Some(access)) => self.next = Server::of(&access),
                (Some("ASK"), Some(access)) => target = Some(Server::of(&access)),
                (Some("TRYAGAIN"), _) => {}
                (code, _) => {
                    if code == Some("CLUSTERDOWN") || is_over(&failure.error, true) {
                        self.turn();
                    }
                    return Err(failure);
                }
            }
            if start.elapsed() > access.timeout {
                return Err(failure);
            }
            tries += 1;
            if tries > 2 {
                sleep(PAUSE).await;
            }
        }
    }

    /// The node that was asked is of no use now. Others may know of one that has taken over.
    fn turn(&mut self) {
        let given = &self.settings.nodes;
        self.turn = (self.turn + 1) % (given.len() + 1);
        self.next = given.get(self.turn).map_or_else(|| Arc::clone(&self.last), Server::of);
    }
}
