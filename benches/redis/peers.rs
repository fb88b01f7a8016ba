//! Who else shares limits through Redis, each with two limits of the same size. None decides over both at once.

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
    /// It decides in scripts alone, of which the server tells how long they took.
    pub(crate) scripted: bool,
}

/// Those that are built, and are installed.
pub(crate) fn all() -> Vec<Peer> {
    let mut peers = vec![Peer { name: "trypema", run: trypema::run, scripted: true }];
    #[cfg(limitador)]
    peers.push(Peer { name: "limitador", run: limitador::run, scripted: true });
    if original::python().is_some() {
        peers.push(Peer { name: original::NAME, run: original::run, scripted: false });
    }
    peers
}
