//! `Client`: has the server decide the batches of one limiter.

use std::sync::Arc;

use ::redis::{Cmd, cmd};

use super::failure::Failure;
use super::identity::Identity;
use super::problem::{other_limits, problem};
use super::route::Route;
use super::script::Script;
use super::settings::{KEPT, Settings};
use super::wire::BatchReply;
use crate::error::{StoreError, StoreProblem};

/// A batch to have decided, and the limits that it was made for.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) identity: Arc<Identity>,
}

/// A client of the server that holds a limiter's buckets.
pub(super) struct Client {
    settings: Arc<Settings>,
    script: Arc<Script>,
    /// The key of the last reply to this client.
    key: String,
    route: Route,
    /// True if the server certainly did not decide the last batch.
    is_undecided: bool,
    /// The limits of the state, if the last batch was refused because they are others.
    other_limits: Option<String>,
}

impl Client {
    /// Creates a client, which the server has never seen. Does not connect yet.
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            script: Script::of(&settings.reset, settings.shares),
            key: settings.keys.client(),
            route: Route::new(Arc::clone(&settings)),
            is_undecided: false,
            other_limits: None,
            settings,
        }
    }

    /// Has the server decide a batch, and returns its reply.
    ///
    /// # Errors
    /// Returns an error if there was no reply, or one that the script cannot have written. The
    /// server may have decided the batch all the same. If the same bytes are sent again, it does
    /// not decide them twice, and repeats the reply.
    pub(super) async fn decide(&mut self, batch: &Batch) -> Result<BatchReply, StoreError> {
        let reply = self.try_decide(batch).await;
        self.is_undecided = reply.as_ref().is_err_and(Failure::is_undecided);
        self.other_limits = reply.as_ref().err().and_then(other_limits);
        let reply = reply.map_err(|failure| {
            self.settings.error(problem(&self.settings, &self.key, &batch.identity, &failure))
        })?;
        let reply = BatchReply::read(&reply, &self.settings.reset).ok_or_else(|| {
            let found = "data that this version of openlimit cannot read".to_owned();
            self.settings.error(StoreProblem::OtherLayout { key: self.settings.keys.state.clone(), found })
        })?;
        let checked = batch.identity.bounds.check(&reply);
        checked.map_err(|problem| self.settings.error(StoreProblem::Unsuited(problem)))?;
        Ok(reply)
    }

    /// Returns true if the server certainly did not decide the last batch.
    pub(super) fn is_undecided(&self) -> bool {
        self.is_undecided
    }

    /// Returns the limits of the state, if the last batch was refused because they are others.
    pub(super) fn other_limits(&mut self) -> Option<String> {
        self.other_limits.take()
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
