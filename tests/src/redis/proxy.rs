//! A TCP proxy with the faults of a network: it delays, cuts, freezes and refuses.
//!
//! It uses two plain threads for each connection, so it works whatever a test's runtime does.
//! Delayed bytes stay in order and do not slow each other down: each piece arrives one delay after
//! it was sent.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::port;

/// The interval at which the threads check whether the proxy was dropped.
const TICK: Duration = Duration::from_millis(5);

/// A proxy in front of one address. Dropping it closes all connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Notified at every change of the state.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    target: SocketAddr,
    /// The delays to the server and to the clients.
    delay: [Duration; 2],
    /// Set if the way to the server, or to the clients, is frozen.
    frozen: [bool; 2],
    /// Connections up to this number are frozen.
    stranded: u64,
    refusing: bool,
    closed: bool,
    /// The open connections, both ends of each.
    open: Vec<(u64, [TcpStream; 2])>,
    accepted: u64,
    bytes: [u64; 2],
}

/// The direction of a byte, and the index into the pairs of the state.
#[derive(Clone, Copy, Debug)]
enum Way {
    There = 0,
    Back = 1,
}

impl Proxy {
    /// Listens on a free port, and forwards everything to `target`, which may start later.
    ///
    /// # Panics
    /// If no port is free.
    #[must_use]
    pub fn to(target: SocketAddr) -> Self {
        let listener = std::iter::repeat_with(|| TcpListener::bind((Ipv4Addr::LOCALHOST, port::free())))
            .take(20)
            .find_map(Result::ok)
            .expect("a free port on the loopback interface");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared { state: Mutex::new(State::to(target)), changed: Condvar::new() });
        let proxy = Self { address, shared };
        proxy.listen(listener);
        proxy
    }

    /// Returns the address at which it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards new connections to this address. Open connections stay.
    pub fn redirect(&self, target: SocketAddr) {
        self.change(|state| state.target = target);
    }

    /// Delays every piece by this time in each direction. A round trip takes twice as long.
    pub fn delay(&self, each_way: Duration) {
        self.change(|state| state.delay = [each_way; 2]);
    }

    /// Closes all open connections. New ones are accepted.
    pub fn cut(&self) {
        self.change(State::cut);
    }

    /// Freezes both directions. Connections stay open, and new ones are accepted.
    pub fn freeze(&self) {
        self.change(|state| state.frozen = [true; 2]);
    }

    /// Freezes the requests. What the server sends still reaches the clients.
    pub fn freeze_requests(&self) {
        self.change(|state| state.frozen = [true, false]);
    }

    /// Freezes the replies. Requests still reach the server.
    pub fn freeze_replies(&self) {
        self.change(|state| state.frozen = [false, true]);
    }

    /// Freezes the connections that are open now, like a router that forgot them. New ones work.
    pub fn strand(&self) {
        self.change(|state| state.stranded = state.accepted);
    }

    /// Refuses new connections: nothing listens. Open connections stay; [`cut`](Self::cut) closes
    /// them.
    pub fn refuse(&self) {
        self.change(|state| state.refusing = true);
        // The listener checks at every tick. Return only when it is gone.
        while TcpStream::connect(self.address).is_ok() {
            thread::sleep(TICK);
        }
    }

    /// Forwards everything again, including frozen bytes and new connections. The delay stays.
    ///
    /// # Panics
    /// If another process has taken its port.
    pub fn resume(&self) {
        let was_refusing = {
            let mut state = self.shared.state();
            (state.frozen, state.stranded) = ([false; 2], 0);
            std::mem::take(&mut state.refusing)
        };
        self.shared.changed.notify_all();
        if was_refusing {
            self.listen(TcpListener::bind(self.address).expect("the port is still free"));
        }
    }

    /// Returns the number of connections that were accepted since the start.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.state().accepted
    }

    /// Returns the number of open connections.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.state().open.len()
    }

    /// Returns the number of bytes that reached the server, and the clients.
    #[must_use]
    pub fn bytes(&self) -> [u64; 2] {
        self.shared.state().bytes
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.shared.state());
        self.shared.changed.notify_all();
    }

    fn listen(&self, listener: TcpListener) {
        listener.set_nonblocking(true).expect("a listener that does not block");
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            while !shared.state().is_deaf() {
                match listener.accept() {
                    Ok((client, _)) => shared.open(client),
                    Err(_) => thread::sleep(TICK),
                }
            }
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.change(|state| {
            state.closed = true;
            state.cut();
        });
    }
}

impl State {
    fn to(target: SocketAddr) -> Self {
        Self {
            target,
            delay: [Duration::ZERO; 2],
            frozen: [false; 2],
            stranded: 0,
            refusing: false,
            closed: false,
            open: Vec::new(),
            accepted: 0,
            bytes: [0; 2],
        }
    }

    fn is_deaf(&self) -> bool {
        self.refusing || self.closed
    }

    fn cut(&mut self) {
        for (_, ends) in self.open.drain(..) {
            for end in ends {
                let _ = end.shutdown(Shutdown::Both);
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts a client and connects it to the server. If the server cannot be reached, the client
    /// is disconnected.
    fn open(self: &Arc<Self>, client: TcpStream) {
        let target = self.state().target;
        let Ok(server) = TcpStream::connect_timeout(&target, Duration::from_secs(1)) else { return };
        let ready = client.set_nonblocking(false).and_then(|()| client.set_nodelay(true));
        if ready.and_then(|()| server.set_nodelay(true)).is_err() {
            return;
        }
        let clones = || Ok::<_, std::io::Error>([client.try_clone()?, server.try_clone()?]);
        let (Ok(kept), Ok([from_client, to_server])) = (clones(), clones()) else { return };
        let id = {
            let mut state = self.state();
            if state.is_deaf() {
                return;
            }
            state.accepted += 1;
            let id = state.accepted;
            state.open.push((id, kept));
            id
        };
        self.pump(id, Way::There, from_client, to_server);
        self.pump(id, Way::Back, server, client);
    }

    /// Forwards one direction: one thread reads, and another one delivers after the delay.
    fn pump(self: &Arc<Self>, id: u64, way: Way, mut from: TcpStream, mut to: TcpStream) {
        let (pieces, due) = mpsc::channel::<(Instant, Vec<u8>)>();
        let shared = Arc::clone(self);
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                match from.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(length) => {
                        let due = Instant::now() + shared.state().delay[way as usize];
                        if pieces.send((due, buffer[..length].to_vec())).is_err() {
                            break;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
        });
        let shared = Arc::clone(self);
        thread::spawn(move || {
            while let Ok((due, piece)) = due.recv() {
                if !shared.wait(id, way, due) || to.write_all(&piece).is_err() {
                    break;
                }
                shared.state().bytes[way as usize] += piece.len() as u64;
            }
            shared.close(id);
        });
    }

    /// Waits until `due`, and then until this direction is not frozen. Returns whether the
    /// connection is still open.
    fn wait(&self, id: u64, way: Way, due: Instant) -> bool {
        let mut state = self.state();
        while state.open.iter().any(|(open, _)| *open == id) {
            let left = due.saturating_duration_since(Instant::now());
            if state.frozen[way as usize] || id <= state.stranded {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else if left > Duration::ZERO {
                (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            } else {
                return true;
            }
        }
        false
    }

    fn close(&self, id: u64) {
        let mut state = self.state();
        if let Some(position) = state.open.iter().position(|(open, _)| *open == id) {
            let (_, ends) = state.open.swap_remove(position);
            for end in ends {
                let _ = end.shutdown(Shutdown::Both);
            }
        }
        drop(state);
        self.changed.notify_all();
    }
}
