//! One peer connection after its handshake, as a sans-I/O machine.
//!
//! Bytes, commands and the time go in; bytes to write, blocks to serve and events come out. The machine owns the leases
//! that the torrent granted to this peer and answers for each of their runs: it comes back exactly once, as
//! [`PeerEvent::Filled`] or [`PeerEvent::Returned`], before [`PeerEvent::Closed`].
//!
//! A driver calls it like this, after the handshakes were exchanged:
//!
//! ```text
//! loop {
//!     while let Some(event) = session.poll_event() { send it up; after Closed: drop everything and end }
//!     while nothing is being written, let Some(outgoing) = session.poll_write() { begin to write it }
//!     wait for the first of:
//!         readable               session.read_slices() → vectored read → session.on_read(now, n)
//!                                n = 0 or an error: session.close(now, CloseReason::Lost(..))
//!         written, wholly or in part   session.on_write_progress(now, n); after a block: session.on_block_sent(now, block)
//!         a command              session.on_command(now, command)
//!         session.poll_timeout() session.on_timeout(now)
//! }
//! ```
//!
//! A file a concern: `receive` finds the place of bytes, `leases` knows which blocks are out, `pipeline` how many may
//! be, `upload` what the peer asked for, `quota` what limits leave of both, `haves` who has what, `metadata` BEP 9,
//! `hashes` BEP 52, `exchange` words about other peers, `deadlines` what takes too long; `on_message` and `on_command`
//! route, `transmit` composes what is written.

mod allowed_fast;
mod config;
mod deadlines;
mod exchange;
mod hashes;
mod haves;
mod leases;
pub mod message;
mod metadata;
mod on_command;
mod on_message;
mod pipeline;
mod quota;
mod receive;
mod transmit;
mod upload;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Instant;

pub use config::{SessionConfig, TorrentFacts};
pub use message::{CloseReason, PeerCommand, PeerEvent, PeerLimits, Tally};
pub use quota::{Direction, Grant, QuotaWord};
pub use receive::ReadSlices;
pub use transmit::Outgoing;

use self::deadlines::Deadlines;
use self::exchange::Exchange;
use self::hashes::HashExchange;
use self::haves::Haves;
use self::leases::Leases;
use self::metadata::MetadataExchange;
use self::on_message::Strays;
use self::pipeline::Window;
use self::quota::Quotas;
use self::receive::Receive;
use self::transmit::Transmit;
use self::upload::UploadQueue;
use crate::base::layout::BLOCK_LEN;
use crate::proto::ext::ExtHandshake;

/// One connection to one peer of one torrent.
pub struct Session {
    config: SessionConfig,
    /// Both sides know the fast extension (BEP 6).
    fast: bool,
    /// Both sides know the extension protocol (BEP 10).
    extended: bool,
    torrent: Option<TorrentFacts>,
    /// The latest time that anybody told us.
    now: Instant,
    receive: Receive,
    transmit: Transmit,
    leases: Leases,
    window: Window,
    strays: Strays,
    uploads: UploadQueue,
    quotas: Quotas,
    haves: Haves,
    metadata: MetadataExchange,
    hashes: HashExchange,
    exchange: Exchange,
    deadlines: Deadlines,
    /// The peer's extension handshakes, merged.
    theirs: Option<ExtHandshake>,
    /// The peer chokes us.
    choked: bool,
    peer_interested: bool,
    /// Pieces that the peer lets us have although it chokes us.
    allowed: Vec<u32>,
    /// What [`PeerEvent::Hungry`] last said and has not been answered by a grant.
    hungry: Option<u32>,
    tally: Tally,
    events: VecDeque<PeerEvent>,
    closed: bool,
}

impl Session {
    /// A session whose handshakes have been exchanged at `now`. What it wants to say at first is ready to be written.
    pub fn new(config: SessionConfig, now: Instant) -> Session {
        let mut session = Session {
            fast: config.ours.fast() && config.theirs.fast(),
            extended: config.ours.extended() && config.theirs.extended(),
            torrent: config.torrent.clone(),
            now,
            receive: Receive::new(),
            transmit: Transmit::default(),
            leases: Leases::default(),
            window: Window::new(config.limits.first_window, config.limits.max_window),
            strays: Strays::default(),
            uploads: UploadQueue::new(config.limits.reqq),
            quotas: Quotas::default(),
            haves: Haves::default(),
            metadata: MetadataExchange::default(),
            hashes: HashExchange::default(),
            exchange: Exchange::default(),
            deadlines: Deadlines::new(now),
            theirs: None,
            choked: true,
            peer_interested: false,
            allowed: Vec::new(),
            hungry: None,
            tally: Tally::default(),
            events: VecDeque::new(),
            closed: false,
            config,
        };
        session.open();
        session
    }

    /// What happened since, in order. [`PeerEvent::Closed`] is the last.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    /// Ends the connection: leases come back, then [`PeerEvent::Closed`] with `reason`. Ending twice does nothing.
    pub fn close(&mut self, now: Instant, reason: CloseReason) {
        if self.closed {
            return;
        }
        self.now = self.now.max(now);
        self.return_where(|_| true);
        self.uploads.clear();
        self.hashes.clear();
        self.quotas.down.want(0);
        self.quotas.up.want(0);
        self.report_tally();
        self.transmit.clear();
        self.closed = true;
        self.events.push_back(PeerEvent::Closed(reason));
    }

    /// True once [`PeerEvent::Closed`] has been said or is about to be.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn violate(&mut self, what: &'static str) {
        self.close(self.now, CloseReason::Violation(what));
    }

    /// Says what happened. After the end only runs are still said, before [`PeerEvent::Closed`].
    fn emit(&mut self, event: PeerEvent) {
        if !self.closed {
            self.events.push_back(event);
        } else if let PeerEvent::Filled(_) | PeerEvent::Returned(_) = event {
            let closing = usize::from(matches!(self.events.back(), Some(PeerEvent::Closed(_))));
            self.events.insert(self.events.len() - closing, event);
        }
    }

    /// After anything that changes what is held or what may be asked for: says if leases run short.
    fn settle(&mut self) {
        let idle = self.choked && self.allowed.is_empty();
        if self.closed || self.torrent.is_none() || idle || self.deadlines.is_pausing() {
            return;
        }
        // A peer that answers nothing is asked for little, so that it can show that it does again.
        let window = if self.deadlines.is_snubbed() { u64::from(BLOCK_LEN) } else { self.reach() };
        let held = self.leases.in_flight_bytes() + self.leases.unasked_bytes();
        // Half a window ahead, so that the torrent has time to answer before the pipeline drains. A limit gives time enough.
        let ahead = if window < self.window.bytes() { 0 } else { window / 2 };
        let short = (window + ahead).saturating_sub(held);
        let asked_before = self.hungry.map_or(0, u64::from);
        if short >= window / 4 && short >= asked_before * 2 {
            let bytes = short.min(u32::MAX.into()) as u32;
            self.hungry = Some(bytes);
            self.emit(PeerEvent::Hungry { bytes, rate: self.pace() });
        }
    }
}
