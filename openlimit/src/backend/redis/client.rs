//! `Client`: has the server decide the batches of one limiter.

use std::sync::{Arc, Weak};

use ::redis::{Cmd, cmd};

use super::announced::Listener;
use super::failure::{Failure, Fate};
use super::identity::Identity;
use super::problem::{other_limits, problem};
use super::route::Route;
use super::script::Script;
use super::settings::{KEPT, Settings};
use super::wire::BatchReply;
use crate::backend::Served;
use crate::error::{StoreError, StoreProblem};

/// A batch to have decided, and the limits that it was made for.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) identity: Arc<Identity>,
}

/// Why there is no usable reply to a batch.
pub(super) struct NoReply {
    pub(super) error: StoreError,
    /// Whether the server has decided the batch, as far as is known.
    pub(super) fate: Fate,
    /// The limits of the state, if it was refused because they are others.
    pub(super) other_limits: Option<String>,
}

/// A client of the server that holds a limiter's buckets.
pub(super) struct Client {
    settings: Arc<Settings>,
    script: Arc<Script>,
    /// The key of the last reply to this client.
    key: String,
    route: Route,
}

impl Client {
    /// Creates a client of a limiter, which the server has never seen. Does not connect yet.
    pub(super) fn new(settings: Arc<Settings>, limiter: Weak<dyn Served>) -> Self {
        let listener = Listener::new(settings.keys.state.clone(), limiter);
        Self {
            script: Script::of(&settings.reset, settings.shares),
            key: settings.keys.client(),
            route: Route::new(Arc::clone(&settings), listener),
            settings,
        }
    }

    /// Opens the connection that the next batch is sent on, unless it is open.
    pub(super) async fn connect(&mut self) {
        self.route.connect().await;
    }

    /// Has the server decide a batch, and returns its reply. `fate` is what is known of the batch
    /// before.
    ///
    /// # Errors
    /// Returns an error if there was no reply, or one that the script cannot have written. The
    /// server may have decided the batch all the same. If the same bytes are sent again, it does
    /// not decide them twice, and repeats the reply.
    pub(super) async fn decide(&mut self, batch: &Batch, fate: Fate) -> Result<BatchReply, NoReply> {
        let reply = self.try_decide(batch).await.map_err(|failure| NoReply {
            error: self.settings.error(problem(&self.settings, &self.key, &batch.identity, &failure)),
            fate: failure.fate(fate),
            other_limits: other_limits(&failure),
        })?;
        self.read(&reply, &batch.identity).map_err(|problem| NoReply {
            error: self.settings.error(problem),
            fate: Fate::Decided,
            other_limits: None,
        })
    }

    /// Reads a reply.
    fn read(&self, reply: &[u8], identity: &Identity) -> Result<BatchReply, StoreProblem> {
        let reply = BatchReply::read(reply, &self.settings.reset).ok_or_else(|| {
            let found = "data that this version of openlimit cannot read".to_owned();
            StoreProblem::OtherLayout { key: self.settings.keys.state.clone(), found }
        })?;
        identity.bounds.check(&reply).map_err(StoreProblem::Unsuited)?;
        Ok(reply)
    }

    async fn try_decide(&mut self, batch: &Batch) -> Result<Vec<u8>, Failure> {
        let command = self.command("EVALSHA", &self.script.sha, batch);
        match self.route.run(&command).await {
            // The server has not seen the script, or forgot it. `EVAL` also stores it there.
            Err(Failure { error, .. }) if error.code() == Some("NOSCRIPT") => {
                let command = self.command("EVAL", &self.script.text, batch);
                self.route.run(&command).await
            }
            reply => reply,
        }
    }

    fn command(&self, name: &str, script: &str, Batch { bytes, identity }: &Batch) -> Cmd {
        let mut command = cmd(name);
        command.arg(script).arg(2).arg(&self.settings.keys.state).arg(&self.key);
        command.arg(identity.text()).arg(bytes).arg(identity.lifetime).arg(KEPT);
        command
    }
}
