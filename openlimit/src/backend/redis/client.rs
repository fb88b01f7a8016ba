//! `Client`: one limiter's, of the server that holds its buckets: how a batch gets there and is decided.

use std::sync::Arc;

use ::redis::{Cmd, cmd};

use super::pool::Failure;
use super::problem::problem;
use super::route::Route;
use super::script::Script;
use super::settings::Settings;
use super::wire::BatchReply;
use crate::error::{StoreError, StoreProblem};

pub(super) struct Client {
    settings: Arc<Settings>,
    script: Arc<Script>,
    key: String,
    route: Route,
}

impl Client {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            script: Script::of(settings.count),
            key: settings.keys.client(),
            route: Route::new(Arc::clone(&settings)),
            settings,
        }
    }

    /// Has a batch decided. Where it fails and may be tried again, the server may have decided it all the same: then the same bytes
    /// have the same answer.
    pub(super) async fn decide(&mut self, batch: &[u8]) -> Result<BatchReply, StoreError> {
        let said = self.try_decide(batch).await;
        let said = said.map_err(|failure| self.settings.error(problem(&self.settings, &failure)))?;
        BatchReply::read(&said, self.settings.count).ok_or_else(|| {
            let found = "an answer that is none of this version's".to_owned();
            self.settings.error(StoreProblem::OtherLayout { key: self.settings.keys.state.clone(), found })
        })
    }

    async fn try_decide(&mut self, batch: &[u8]) -> Result<Vec<u8>, Failure> {
        let command = self.command("EVALSHA", &self.script.sha, batch);
        match self.route.run(&command).await {
            // The script is new to the server, or was forgotten.
            Err(Failure { error, .. }) if error.code() == Some("NOSCRIPT") => {
                let command = self.command("EVAL", &self.script.text, batch);
                self.route.run(&command).await
            }
            said => said,
        }
    }

    fn command(&self, name: &str, script: &str, batch: &[u8]) -> Cmd {
        let mut command = cmd(name);
        command.arg(script).arg(2).arg(&self.settings.keys.state).arg(&self.key);
        command.arg(&self.settings.identity).arg(batch).arg(self.settings.lifetime);
        command
    }
}
