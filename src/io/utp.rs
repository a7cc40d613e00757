//! uTP connections as streams: the machine that all of a port share, and what a peer task holds of one connection.
//!
//! The machine stands behind a lock that is held for copies in memory and never across a system call. The port's task
//! ([`super::udp_task`]) moves datagrams; readers and writers move bytes, and wake it when there is something to send.

use std::collections::HashMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, mpsc};

use super::listen::Arrival;
use super::stream::PeerStream;
use crate::base::compact::canonical;
use crate::proto::utp::connection::Status;
use crate::proto::utp::socket::Transmit;
use crate::proto::utp::{ConnectionKey, Ending, Event, Socket, Stalled};

/// The machine of one port, and who waits for what.
#[derive(Debug)]
pub(super) struct Endpoint {
    state: Mutex<State>,
    /// There may be something to send, or another time to wake up at.
    kick: Notify,
}

#[derive(Debug)]
struct State {
    socket: Socket,
    /// Told when it is worth trying again.
    waiters: HashMap<ConnectionKey, Arc<Notify>>,
    /// Where callers go, with a way back to the endpoint; nobody is let in before it is set.
    arrivals: Option<(mpsc::Sender<Arrival>, UtpHandle)>,
}

impl Endpoint {
    pub fn new(now: Instant) -> Endpoint {
        let socket = Socket::new(now, false, rand::make_rng());
        Endpoint { state: Mutex::new(State { socket, waiters: HashMap::new(), arrivals: None }), kick: Notify::new() }
    }

    /// A panic elsewhere leaves the machine as usable as it was.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn kicked(&self) {
        self.kick.notified().await;
    }

    pub fn handle<'a>(&self, now: Instant, datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>) {
        let mut datagrams = datagrams.peekable();
        if datagrams.peek().is_none() {
            return;
        }
        let mut state = self.lock();
        datagrams.for_each(|(from, datagram)| state.socket.handle_datagram(now, from, datagram));
        state.hand_out_events();
    }

    pub fn handle_timeout(&self, now: Instant) {
        let mut state = self.lock();
        state.socket.handle_timeout(now);
        state.hand_out_events();
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lock().socket.poll_timeout()
    }

    pub fn poll_transmit(&self, now: Instant, segments: usize, out: &mut Vec<u8>) -> Option<Transmit> {
        let mut state = self.lock();
        let transmit = state.socket.poll_transmit(now, segments, out);
        state.hand_out_events();
        transmit
    }
}

impl State {
    fn hand_out_events(&mut self) {
        while let Some(event) = self.socket.poll_event() {
            match event {
                Event::Connected(key) | Event::Ready(key) => {
                    if let Some(waiter) = self.waiters.get(&key) {
                        waiter.notify_one();
                    }
                }
                Event::Accepted(key) => self.let_in(key),
            }
        }
    }

    fn let_in(&mut self, key: ConnectionKey) {
        let Some(addr) = self.socket.remote(key) else { return };
        let room = self.arrivals.as_ref().and_then(|(arrivals, handle)| Some((arrivals.try_reserve().ok()?, handle)));
        match room {
            Some((place, handle)) => {
                let waiter = Arc::new(Notify::new());
                self.waiters.insert(key, waiter.clone());
                let stream = PeerStream::Utp(UtpStream { handle: handle.clone(), key, addr, waiter });
                place.send(Arrival { stream, addr, utp: true });
            }
            None => self.socket.release(Instant::now(), key),
        }
    }
}

/// The way to the uTP connections of a port; cloned freely.
#[derive(Clone, Debug)]
pub struct UtpHandle {
    endpoint: Arc<Endpoint>,
    /// Whether there are sockets for IPv4 and IPv6.
    families: (bool, bool),
    /// The port lives as long as somebody holds one of these.
    _alive: mpsc::Sender<()>,
}

impl UtpHandle {
    pub(super) fn new(endpoint: Arc<Endpoint>, families: (bool, bool), alive: mpsc::Sender<()>) -> UtpHandle {
        UtpHandle { endpoint, families, _alive: alive }
    }

    /// Answers callers from now on, and hands those who prove to be there to `arrivals`. The port lives on with the
    /// process then.
    pub fn accept(&self, arrivals: mpsc::Sender<Arrival>) {
        let mut state = self.endpoint.lock();
        state.arrivals = Some((arrivals, self.clone()));
        state.socket.set_accepts(true);
    }

    /// Calls `addr`. A call that is dropped is forgotten.
    ///
    /// # Errors
    /// `Unsupported` if there is no socket for its family, `TimedOut` if nobody answers three SYNs within seven seconds,
    /// `ConnectionRefused` if nothing there wants to be called.
    pub async fn connect(&self, addr: SocketAddr) -> io::Result<UtpStream> {
        let addr = canonical(addr);
        let served = if addr.is_ipv4() { self.families.0 } else { self.families.1 };
        if !served {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let waiter = Arc::new(Notify::new());
        let key = {
            let mut state = self.endpoint.lock();
            let key = state.socket.connect(Instant::now(), addr).ok_or(io::ErrorKind::QuotaExceeded)?;
            state.waiters.insert(key, waiter.clone());
            key
        };
        self.endpoint.kick.notify_one();
        let stream = UtpStream { handle: self.clone(), key, addr, waiter };
        loop {
            match self.endpoint.lock().socket.ending(key) {
                Some(Ending::Reset) => return Err(io::ErrorKind::ConnectionRefused.into()),
                Some(ending) => return Err(lost(ending)),
                None => {}
            }
            if self.endpoint.lock().socket.is_writable(key) {
                return Ok(stream);
            }
            stream.waiter.notified().await;
        }
    }
}

/// One connection. Dropping it sends what was written, then the end.
#[derive(Debug)]
pub struct UtpStream {
    handle: UtpHandle,
    key: ConnectionKey,
    addr: SocketAddr,
    waiter: Arc<Notify>,
}

impl UtpStream {
    pub fn peer_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until there is something to read, or room to write if `writing`; which of the two.
    pub async fn ready(&self, writing: bool) -> (bool, bool) {
        loop {
            {
                let state = self.handle.endpoint.lock();
                let (readable, writable) = (state.socket.is_readable(self.key), state.socket.is_writable(self.key));
                if readable || (writing && writable) {
                    return (readable, writable);
                }
            }
            self.waiter.notified().await;
        }
    }

    /// Reads what is there into `slices`; 0 means the other side closed.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there, else why the connection is over.
    pub fn try_read_vectored(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let (read, kick) = {
            let mut state = self.handle.endpoint.lock();
            let read = state.socket.read(self.key, slices);
            (read, state.socket.wants_transmit())
        };
        if kick {
            self.handle.endpoint.kick.notify_one();
        }
        read.map_err(error)
    }

    /// Writes as much of `slices` as there is room for.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room, else why the connection is over.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = self.handle.endpoint.lock().socket.write(self.key, slices);
        if written.is_ok() {
            self.handle.endpoint.kick.notify_one();
        }
        written.map_err(error)
    }

    /// A moment of the connection; `None` once it is forgotten.
    pub fn status(&self) -> Option<Status> {
        self.handle.endpoint.lock().socket.status(self.key)
    }
}

impl Drop for UtpStream {
    fn drop(&mut self) {
        let mut state = self.handle.endpoint.lock();
        state.waiters.remove(&self.key);
        state.socket.release(Instant::now(), self.key);
        drop(state);
        self.handle.endpoint.kick.notify_one();
    }
}

fn error(stalled: Stalled) -> io::Error {
    match stalled {
        Stalled::WouldBlock => io::ErrorKind::WouldBlock.into(),
        Stalled::Over(ending) => lost(ending),
    }
}

fn lost(ending: Ending) -> io::Error {
    let kind = match ending {
        Ending::Closed => io::ErrorKind::NotConnected,
        Ending::Reset => io::ErrorKind::ConnectionReset,
        Ending::TimedOut => io::ErrorKind::TimedOut,
    };
    io::Error::new(kind, ending)
}
