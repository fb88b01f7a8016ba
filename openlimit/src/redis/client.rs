//! `Client`: one limiter's, of the server that holds its buckets: how a batch gets there and is decided.

use std::sync::Arc;

use ::redis::{Cmd, RedisResult, cmd};

use super::connection::Connection;
use super::pool::Server;
use super::problem::{is_over, problem};
use super::script::Script;
use super::settings::Settings;
use super::wire::Reply;
use super::{StoreError, StoreProblem};

pub(super) struct Client {
    settings: Arc<Settings>,
    script: Arc<Script>,
    key: String,
    server: Arc<Server>,
    /// The last connection that was no good. Only a later one will do.
    failed: u64,
}

impl Client {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            script: Script::of(settings.count),
            key: settings.keys.client(),
            server: Server::of(&settings.access),
            failed: 0,
            settings,
        }
    }

    /// Has a batch decided. Where it fails and may be tried again, the server may have decided it all the same: then the same bytes
    /// have the same answer.
    pub(super) async fn decide(&mut self, batch: &[u8]) -> Result<Reply, StoreError> {
        let said = self.try_decide(batch).await.map_err(|problem| self.settings.error(problem))?;
        Reply::read(&said, self.settings.count).ok_or_else(|| {
            let found = "an answer that is none of this version's".to_owned();
            self.settings.error(StoreProblem::OtherLayout { key: self.settings.keys.state.clone(), found })
        })
    }

    async fn try_decide(&mut self, batch: &[u8]) -> Result<Vec<u8>, StoreProblem> {
        let opened = self.server.connection(self.failed).await;
        let (number, connection) = opened.map_err(|error| problem(&self.settings, &error, false))?;
        self.run(connection, batch).await.map_err(|error| {
            if is_over(&error) {
                self.failed = number;
            }
            problem(&self.settings, &error, true)
        })
    }

    async fn run(&self, mut connection: Connection, batch: &[u8]) -> RedisResult<Vec<u8>> {
        match connection.run(&self.command("EVALSHA", &self.script.sha, batch)).await {
            // The script is new to the server, or was forgotten.
            Err(error) if error.code() == Some("NOSCRIPT") => {
                connection.run(&self.command("EVAL", &self.script.text, batch)).await
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
