//! One connection (BEP 29): packets and time in, packets and a byte stream out.
//!
//! Invariants: nothing but a bare acknowledgement goes to an address that has not shown that it got our packets (a
//! caller proves it by acknowledging our random first number); a packet whose numbers can't be of this connection changes
//! nothing; everything that waits has a bound.

mod on_packet;
mod timers;
mod transmit;

use std::io::{IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::time::Instant;

use super::congestion::Congestion;
use super::delay::OneWayDelay;
use super::flight::Flight;
use super::inbound::Inbound;
use super::mtu::PathMtu;
use super::outbound::Outbound;
use super::packet::HEADER_LEN;
use super::rtt::Rtt;
use super::seq::Seq;

/// Bytes that may wait to be sent at first, and at most; in between as many as are under way.
const LEAST_UNSENT: usize = 128 * 1024;
const MOST_UNSENT: usize = 1024 * 1024;

/// How a connection came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Ending {
    #[error("closed")]
    Closed,
    #[error("connection reset by the peer")]
    Reset,
    #[error("no answer from the peer")]
    TimedOut,
}

/// Why nothing was read or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stalled {
    WouldBlock,
    Over(Ending),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// We sent a SYN.
    Calling,
    /// A SYN was answered; whether the answer arrived is not known.
    Called,
    Open,
    Over(Ending),
}

/// When to acknowledge.
#[derive(Debug, Default)]
struct AckState {
    /// Packets that came since the last acknowledgement.
    pending: u32,
    now: bool,
    at: Option<Instant>,
    /// The window that the other side was told last.
    told: usize,
}

#[derive(Debug)]
pub struct Connection {
    remote: SocketAddr,
    recv_id: u16,
    send_id: u16,
    state: State,
    /// The number of our SYN, or of theirs.
    syn: Seq,
    outbound: Outbound,
    flight: Flight,
    inbound: Inbound,
    rtt: Rtt,
    congestion: Congestion,
    mtu: PathMtu,
    /// Of our packets on their way, as they tell; and of theirs.
    our_delay: OneWayDelay,
    their_delay: OneWayDelay,
    /// The last sample of theirs, to be told.
    reply: u32,
    peer_window: u64,
    ack: AckState,
    timers: timers::Timers,
    /// The stream ends here, once everything has been sent.
    closing: bool,
    fin_sent: bool,
    /// A writer found no room.
    write_blocked: bool,
    news: News,
}

/// What has happened since it was last asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct News {
    /// The other side has shown that it is there.
    pub open: bool,
    /// It is worth trying to read or to write.
    pub ready: bool,
}

impl Connection {
    /// Calls `remote`; `recv_id` is what it is to answer to, `first` the number of the SYN.
    pub fn call(now: Instant, remote: SocketAddr, recv_id: u16, first: Seq) -> Connection {
        let mut connection = Connection::new(now, remote, recv_id, State::Calling, first, first.plus(1));
        connection.send_id = recv_id.wrapping_add(1);
        connection.timers.start_calling(now);
        connection
    }

    /// Answers a SYN of number `theirs` that named the id `id`; `first` is the number of our first packet.
    pub fn answer(now: Instant, remote: SocketAddr, id: u16, theirs: Seq, first: Seq) -> Connection {
        let mut connection = Connection::new(now, remote, id.wrapping_add(1), State::Called, theirs, first);
        connection.send_id = id;
        connection.inbound = Inbound::new(now, theirs.plus(1));
        connection.ack.now = true;
        connection.timers.start_called(now);
        connection
    }

    fn new(now: Instant, remote: SocketAddr, recv_id: u16, state: State, syn: Seq, first: Seq) -> Connection {
        let mtu = PathMtu::new(remote);
        Connection {
            remote,
            recv_id,
            send_id: recv_id,
            state,
            syn,
            outbound: Outbound::default(),
            flight: Flight::new(now, first),
            inbound: Inbound::new(now, Seq(0)),
            rtt: Rtt::default(),
            congestion: Congestion::new(mtu.size() - HEADER_LEN),
            mtu,
            our_delay: OneWayDelay::default(),
            their_delay: OneWayDelay::default(),
            reply: 0,
            peer_window: 0,
            ack: AckState::default(),
            timers: timers::Timers::new(now),
            closing: false,
            fin_sent: false,
            write_blocked: false,
            news: News::default(),
        }
    }

    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// The id that packets to us carry.
    pub fn recv_id(&self) -> u16 {
        self.recv_id
    }

    /// The id that packets from us carry, and a RST of somebody who does not know us.
    pub fn send_id(&self) -> u16 {
        self.send_id
    }

    pub fn ending(&self) -> Option<Ending> {
        match self.state {
            State::Over(ending) => Some(ending),
            _ => None,
        }
    }

    /// What has happened since the last call.
    pub fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// Reads what is there; 0 means that the other side has said all.
    ///
    /// # Errors
    /// Why there is nothing.
    pub fn read(&mut self, slices: &mut [IoSliceMut<'_>]) -> Result<usize, Stalled> {
        match self.inbound.read(slices) {
            0 if self.inbound.has_ended() => Ok(0),
            0 => Err(self.ending().map_or(Stalled::WouldBlock, Stalled::Over)),
            n => {
                self.tell_window();
                Ok(n)
            }
        }
    }

    /// There is room again where there was little: the other side may be waiting to hear of it.
    fn tell_window(&mut self) {
        let (room, window) = (self.inbound.room(), self.inbound.window());
        if self.state == State::Open && self.ack.told < window / 4 && room >= window / 2 {
            self.ack.now = true;
        }
    }

    /// A reader made room that the other side is to hear of.
    pub fn owes_window(&self) -> bool {
        self.ack.now
    }

    /// Takes what there is room for.
    ///
    /// # Errors
    /// Why nothing was taken.
    pub fn write(&mut self, slices: &[IoSlice<'_>]) -> Result<usize, Stalled> {
        match self.state {
            State::Over(ending) => return Err(Stalled::Over(ending)),
            State::Open if !self.closing => {}
            _ => return Err(Stalled::WouldBlock),
        }
        let taken = self.outbound.write(slices, self.write_room());
        let wanted: usize = slices.iter().map(|slice| slice.len()).sum();
        self.write_blocked |= taken < wanted;
        if taken == 0 && wanted > 0 { Err(Stalled::WouldBlock) } else { Ok(taken) }
    }

    fn write_room(&self) -> usize {
        let most = (self.congestion.window() as usize).clamp(LEAST_UNSENT, MOST_UNSENT);
        most.saturating_sub(self.outbound.unsent())
    }

    pub fn is_readable(&self) -> bool {
        self.inbound.is_readable() || self.ending().is_some()
    }

    /// There is room worth writing into.
    pub fn is_writable(&self) -> bool {
        self.ending().is_some() || (self.state == State::Open && self.write_room() >= LEAST_UNSENT / 4)
    }

    /// Nobody will read or write any more: says what is left to say, then ends the stream.
    pub fn close(&mut self, now: Instant) {
        match self.state {
            State::Calling | State::Called => self.end(Ending::Closed),
            State::Open => {
                self.closing = true;
                self.inbound.discard();
                self.timers.start_lingering(now);
            }
            State::Over(_) => {}
        }
    }

    /// The most that the receive window may become, in bytes.
    pub fn set_window_limit(&mut self, limit: usize) {
        self.inbound.set_limit(limit);
    }

    fn end(&mut self, ending: Ending) {
        if self.ending().is_none() {
            self.state = State::Over(ending);
            self.timers.stop();
            self.outbound = Outbound::default();
            self.news.ready = true;
        }
    }

    /// A moment of the connection, for displays and measurements.
    pub fn status(&self) -> Status {
        Status {
            window: self.congestion.window(),
            under_way: self.flight.bytes(),
            peer_window: self.peer_window,
            rate: self.congestion.rate(),
            rtt: self.rtt.smoothed(),
            queueing: self.our_delay.queueing(),
            datagram: self.mtu.size(),
        }
    }
}

/// How a connection does: bytes, bytes a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    pub window: u64,
    pub under_way: u64,
    pub peer_window: u64,
    pub rate: u64,
    pub rtt: Option<std::time::Duration>,
    pub queueing: Option<std::time::Duration>,
    pub datagram: usize,
}
