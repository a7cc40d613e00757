//! All connections of one UDP port: packets find theirs by address and connection id.
//!
//! Invariants: a caller's address gets nothing but one bare answer for each of its SYNs until it has shown that it got
//! one; the unproven ones are few, and the oldest gives way; the memory of all receive windows is bounded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use super::connection::{Connection, Ending, Stalled, Status};
use super::packet::{Extension, Header, Kind, Packet};
use super::resets::Resets;
use super::seq::Seq;

/// Names a connection of a [`Socket`], never again used for another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionKey(u64);

/// What the owner is to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A call was answered.
    Connected(ConnectionKey),
    /// Somebody called, and is there.
    Accepted(ConnectionKey),
    /// It is worth trying to read or write.
    Ready(ConnectionKey),
}

/// Datagrams to send: all of `segment` bytes, only the last may be shorter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transmit {
    pub to: SocketAddr,
    pub segment: usize,
}

/// Callers that have not shown that they got our answer.
const BACKLOG: usize = 256;
/// Connections at one time.
const MOST_CONNECTIONS: usize = 2048;
/// The receive windows of all connections, in bytes, and the limits of one.
const WINDOWS: usize = 64 << 20;
const LEAST_WINDOW: usize = 128 * 1024;
const MOST_WINDOW: usize = 16 << 20;
/// Bare answers that wait to be sent.
const MOST_STRAYS: usize = 64;

#[derive(Debug)]
pub struct Socket {
    rng: StdRng,
    /// When our clock stood at `clock`.
    epoch: Instant,
    clock: u32,
    connections: BTreeMap<ConnectionKey, Entry>,
    routes: BTreeMap<(SocketAddr, u16), ConnectionKey>,
    next_key: u64,
    timers: BTreeSet<(Instant, ConnectionKey)>,
    /// Connections that may have something to send.
    senders: VecDeque<ConnectionKey>,
    unproven: VecDeque<ConnectionKey>,
    events: VecDeque<Event>,
    resets: Resets,
    /// Answers to packets of no connection.
    strays: VecDeque<(SocketAddr, Header)>,
    accepts: bool,
}

#[derive(Debug)]
struct Entry {
    connection: Connection,
    /// They called us, and the owner has been told.
    called: bool,
    told: bool,
    timer: Option<Instant>,
    is_sender: bool,
    /// The owner has let go of it.
    released: bool,
}

impl Socket {
    /// `accepts`: callers are answered.
    pub fn new(now: Instant, accepts: bool, mut rng: StdRng) -> Socket {
        let clock = rng.next_u32();
        Socket {
            rng,
            epoch: now,
            clock,
            connections: BTreeMap::new(),
            routes: BTreeMap::new(),
            next_key: 0,
            timers: BTreeSet::new(),
            senders: VecDeque::new(),
            unproven: VecDeque::new(),
            events: VecDeque::new(),
            resets: Resets::new(now),
            strays: VecDeque::new(),
            accepts,
        }
    }

    fn micros(&self, now: Instant) -> u32 {
        self.clock.wrapping_add(now.saturating_duration_since(self.epoch).as_micros() as u32)
    }

    /// Whether callers are answered from now on.
    pub fn set_accepts(&mut self, accepts: bool) {
        self.accepts = accepts;
    }

    pub fn len(&self) -> usize {
        self.connections.len()
    }

    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Calls `to`; [`Event::Connected`] or an ending follows. `None` if there are too many connections.
    pub fn connect(&mut self, now: Instant, to: SocketAddr) -> Option<ConnectionKey> {
        if self.connections.len() >= MOST_CONNECTIONS {
            return None;
        }
        let id = loop {
            let id: u16 = self.rng.random();
            if !self.routes.contains_key(&(to, id)) && !self.routes.contains_key(&(to, id.wrapping_add(1))) {
                break id;
            }
        };
        let first = Seq(self.rng.random());
        Some(self.insert(Connection::call(now, to, id, first), false))
    }

    fn insert(&mut self, connection: Connection, called: bool) -> ConnectionKey {
        let key = ConnectionKey(self.next_key);
        self.next_key += 1;
        self.routes.insert((connection.remote(), connection.recv_id()), key);
        self.connections
            .insert(key, Entry { connection, called, told: false, timer: None, is_sender: false, released: false });
        self.share_windows();
        self.settle(key);
        key
    }

    /// The limit of each window, so that all together stay within bounds.
    fn share_windows(&mut self) {
        let limit = self.window_limit();
        let was = WINDOWS / (self.connections.len().saturating_sub(1)).max(1);
        // Few connections have the greatest window anyway.
        if was.clamp(LEAST_WINDOW, MOST_WINDOW) == limit {
            if let Some(mut last) = self.connections.last_entry() {
                last.get_mut().connection.set_window_limit(limit);
            }
            return;
        }
        for entry in self.connections.values_mut() {
            entry.connection.set_window_limit(limit);
        }
    }

    fn window_limit(&self) -> usize {
        (WINDOWS / self.connections.len().max(1)).clamp(LEAST_WINDOW, MOST_WINDOW)
    }

    /// Takes in a datagram.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let Some(packet) = Packet::decode(datagram) else { return };
        let micros = self.micros(now);
        match self.route(from, &packet.header) {
            Some(key) => {
                if let Some(entry) = self.connections.get_mut(&key) {
                    entry.connection.on_packet(now, micros, &packet);
                }
                self.settle(key);
            }
            None => self.on_stray(now, from, &packet.header),
        }
    }

    fn route(&self, from: SocketAddr, header: &Header) -> Option<ConnectionKey> {
        let id = match header.kind {
            // It names the id that the caller will be answered with.
            Kind::Syn => header.id.wrapping_add(1),
            _ => header.id,
        };
        let found = self.routes.get(&(from, id)).copied();
        if header.kind != Kind::Reset {
            return found;
        }
        // Who does not know us returns the id that we sent.
        let is_send_id = |key: &ConnectionKey| self.connections[key].connection.send_id() == header.id;
        let neighbours = [header.id.wrapping_sub(1), header.id.wrapping_add(1)];
        found.or_else(|| neighbours.iter().find_map(|id| self.routes.get(&(from, *id)).copied().filter(is_send_id)))
    }

    fn on_stray(&mut self, now: Instant, from: SocketAddr, header: &Header) {
        match header.kind {
            Kind::Reset => {}
            Kind::Syn => self.on_call(now, from, header),
            Kind::Data | Kind::Fin | Kind::State => {
                if self.strays.len() < MOST_STRAYS && self.resets.admits(now) {
                    let seq = Seq(self.rng.random());
                    let (timestamp, delay) = (self.micros(now), self.micros(now).wrapping_sub(header.timestamp));
                    let answer =
                        Header { kind: Kind::Reset, timestamp, delay, window: 0, seq, ack: header.seq, ..*header };
                    self.strays.push_back((from, answer));
                }
            }
        }
    }

    fn on_call(&mut self, now: Instant, from: SocketAddr, header: &Header) {
        if !self.accepts || self.connections.len() >= MOST_CONNECTIONS {
            return;
        }
        while self.unproven.len() >= BACKLOG
            && let Some(oldest) = self.unproven.pop_front()
        {
            self.release(now, oldest);
        }
        let first = Seq(self.rng.random());
        let key = self.insert(Connection::answer(now, from, header.id, header.seq, first), true);
        self.unproven.push_back(key);
    }

    /// When to call [`Socket::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, key)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            if let Some(entry) = self.connections.get_mut(&key) {
                entry.timer = None;
                entry.connection.on_timeout(now);
            }
            self.settle(key);
        }
    }

    /// Puts the next batch of at most `segments` datagrams into `out`, which is emptied first.
    pub fn poll_transmit(&mut self, now: Instant, segments: usize, out: &mut Vec<u8>) -> Option<Transmit> {
        out.clear();
        if let Some((to, header)) = self.strays.pop_front() {
            header.encode(Extension::None, out);
            return Some(Transmit { to, segment: out.len() });
        }
        let micros = self.micros(now);
        while let Some(&key) = self.senders.front() {
            let Some(entry) = self.connections.get_mut(&key) else {
                self.senders.pop_front();
                continue;
            };
            let segment = entry.connection.poll_transmit(now, micros, segments, out);
            let to = entry.connection.remote();
            // Each connection sends one batch in turn.
            self.senders.rotate_left(1);
            if segment.is_none() {
                entry.is_sender = false;
                self.senders.pop_back();
                self.settle_quietly(key);
            }
            if let Some(segment) = segment {
                return Some(Transmit { to, segment });
            }
        }
        None
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Reads from a stream; 0 is its end.
    ///
    /// # Errors
    /// Why there is nothing to read.
    pub fn read(&mut self, key: ConnectionKey, slices: &mut [IoSliceMut<'_>]) -> Result<usize, Stalled> {
        let Some(entry) = self.connections.get_mut(&key) else { return Err(Stalled::Over(Ending::Closed)) };
        let read = entry.connection.read(slices);
        if entry.connection.owes_window() {
            self.settle(key);
        }
        read
    }

    /// Writes to a stream what there is room for.
    ///
    /// # Errors
    /// Why nothing was written.
    pub fn write(&mut self, key: ConnectionKey, slices: &[IoSlice<'_>]) -> Result<usize, Stalled> {
        let Some(entry) = self.connections.get_mut(&key) else { return Err(Stalled::Over(Ending::Closed)) };
        let written = entry.connection.write(slices);
        if written.is_ok() {
            self.settle(key);
        }
        written
    }

    pub fn is_readable(&self, key: ConnectionKey) -> bool {
        self.connections.get(&key).is_none_or(|entry| entry.connection.is_readable())
    }

    pub fn is_writable(&self, key: ConnectionKey) -> bool {
        self.connections.get(&key).is_none_or(|entry| entry.connection.is_writable())
    }

    /// Why a connection is over, if it is.
    pub fn ending(&self, key: ConnectionKey) -> Option<Ending> {
        self.connections.get(&key).map_or(Some(Ending::Closed), |entry| entry.connection.ending())
    }

    pub fn remote(&self, key: ConnectionKey) -> Option<SocketAddr> {
        self.connections.get(&key).map(|entry| entry.connection.remote())
    }

    pub fn status(&self, key: ConnectionKey) -> Option<Status> {
        self.connections.get(&key).map(|entry| entry.connection.status())
    }

    /// The owner lets go of a connection: what was written still goes out, then it ends.
    pub fn release(&mut self, now: Instant, key: ConnectionKey) {
        if let Some(entry) = self.connections.get_mut(&key) {
            entry.released = true;
            entry.connection.close(now);
            self.settle(key);
        }
    }

    /// True if there may be something for [`Socket::poll_transmit`].
    pub fn wants_transmit(&self) -> bool {
        !self.senders.is_empty() || !self.strays.is_empty()
    }

    /// Brings timers, events and the list of senders up to date after `key` was touched.
    fn settle(&mut self, key: ConnectionKey) {
        if let Some(entry) = self.connections.get_mut(&key)
            && !entry.is_sender
        {
            entry.is_sender = true;
            self.senders.push_back(key);
        }
        self.settle_quietly(key);
    }

    fn settle_quietly(&mut self, key: ConnectionKey) {
        let Some(entry) = self.connections.get_mut(&key) else { return };
        let timer = entry.connection.poll_timeout();
        if timer != entry.timer {
            if let Some(old) = entry.timer {
                self.timers.remove(&(old, key));
            }
            self.timers.extend(timer.map(|at| (at, key)));
            entry.timer = timer;
        }
        let news = entry.connection.take_news();
        // Nobody was told of a caller who never proved to be there.
        let never_told = entry.called && !entry.told && !news.open;
        if news.open {
            entry.told = true;
            self.unproven.retain(|other| *other != key);
            self.events.push_back(if entry.called { Event::Accepted(key) } else { Event::Connected(key) });
        } else if news.ready && !entry.released && !never_told {
            self.events.push_back(Event::Ready(key));
        }
        if entry.connection.ending().is_some() {
            self.routes.remove(&(entry.connection.remote(), entry.connection.recv_id()));
            if entry.released || never_told {
                self.forget(key);
            }
        }
    }

    fn forget(&mut self, key: ConnectionKey) {
        if let Some(entry) = self.connections.remove(&key)
            && let Some(at) = entry.timer
        {
            self.timers.remove(&(at, key));
        }
        self.unproven.retain(|other| *other != key);
        self.share_windows();
    }
}
