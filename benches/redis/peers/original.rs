//! The Python library of the same name, run by the interpreter in `OPENLIMIT_PYTHON`.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::callers::{COST, REQUESTS, TOKENS};
use crate::load::Load;
use crate::server::Server;

pub(super) const NAME: &str = "Python's openlimit";

/// Returns the interpreter in which the library is installed.
pub(super) fn python() -> Option<OsString> {
    std::env::var_os("OPENLIMIT_PYTHON")
}

pub(super) fn run(server: &Server, callers: usize) -> Load {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("redis/peers/original.py");
    let numbers = [callers as u64, REQUESTS.into(), TOKENS.into(), COST];
    let output = Command::new(python().unwrap())
        .args([script.into(), OsString::from(server.url())])
        .args(numbers.map(|number| number.to_string()))
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", output.status);
    let times = String::from_utf8(output.stdout).unwrap();
    Load::of(times.lines().map(|time| Duration::from_secs_f64(time.parse().unwrap())).collect())
}
