//! Other limiters that share limits through Redis, each with two limits of the same size. None of
//! them decides about both at once.

#[cfg(limitador)]
mod limitador;
mod original;
mod trypema;

use crate::callers::Run;

/// Another limiter.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) run: Run,
    /// True if it decides in scripts only. The server reports their time.
    pub(crate) scripted: bool,
}

/// Returns the ones that are compiled in and installed.
pub(crate) fn all() -> Vec<Peer> {
    let mut peers = vec![Peer { name: "trypema", run: trypema::run, scripted: true }];
    #[cfg(limitador)]
    peers.push(Peer { name: "limitador", run: limitador::run, scripted: true });
    if original::python().is_some() {
        peers.push(Peer { name: original::NAME, run: original::run, scripted: false });
    }
    peers
}
