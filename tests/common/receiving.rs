//! A session in the steady state of a fast download, without a network: what it asks for is answered at once.
#![allow(dead_code)] // each user needs only a part

use std::collections::VecDeque;
use std::io::IoSliceMut;
use std::sync::Arc;
use std::time::Instant;

use rtorrent_cli::base::bitfield::Bitfield;
use rtorrent_cli::base::have_log::HaveLog;
use rtorrent_cli::base::id::InfoHashV1;
use rtorrent_cli::base::layout::Layout;
use rtorrent_cli::base::run::{Run, RunBuffer, RunId};
use rtorrent_cli::proto::session::{
    Outgoing, PeerCommand, PeerEvent, PeerLimits, Session, SessionConfig, TorrentFacts,
};
use rtorrent_cli::proto::wire::{BlockRequest, Message, PIECE_HEADER_LEN, Reserved, piece_header};

/// Bytes of a piece, and of a run.
pub const PIECE: u32 = 1 << 20;
const PIECES: u32 = 1 << 14;

/// The session, the peer that answers, and what was counted.
pub struct Receiving {
    session: Session,
    now: Instant,
    /// What was asked for, in order.
    asked: VecDeque<BlockRequest>,
    /// Bytes of the first answer that have been sent.
    sent: usize,
    next_piece: u32,
    /// Payload bytes that came, reads, writes, and events of the session.
    pub bytes: u64,
    pub reads: u64,
    pub writes: u64,
    pub events: u64,
}

impl Receiving {
    /// Unchoked, with `runs` runs of 1 MiB at work.
    pub fn start(runs: u32) -> Receiving {
        let layout = Arc::new(Layout::v1(PIECE, [(u64::from(PIECES) * u64::from(PIECE), false)]));
        let log = HaveLog::new(PIECES);
        let config = SessionConfig {
            info_hash: InfoHashV1([7; 20]),
            v2: false,
            ours: Reserved::OURS,
            theirs: Reserved::OURS,
            addr: "10.1.2.3:6881".parse().unwrap(),
            incoming: false,
            limits: PeerLimits::default(),
            torrent: Some(TorrentFacts { layout: layout.clone(), log, info: Arc::new([]) }),
            listen_port: None,
            other_ip: None,
            dht_port: None,
            pex: false,
            super_seed: false,
            upload_only: false,
            allowed_fast: 0,
            client: "test".into(),
        };
        let now = Instant::now();
        let mut session = Session::new(config, now);
        while session.poll_write().is_some() {}
        let mut opening = Vec::new();
        Message::Bitfield(&Bitfield::full(PIECES).to_wire()).encode(&mut opening);
        Message::Unchoke.encode(&mut opening);
        session.on_bytes(now, &opening);
        while session.poll_event().is_some() {}
        let run = |piece: u32| RunBuffer::new(RunId(piece.into()), Run { piece, first: 0, count: 64 }, &layout);
        session.on_command(now, PeerCommand::Lease((0..runs).map(run).collect()));
        Receiving {
            session,
            now,
            asked: VecDeque::new(),
            sent: 0,
            next_piece: runs,
            bytes: 0,
            reads: 0,
            writes: 0,
            events: 0,
        }
    }

    /// One wake-up: requests go out, up to `most` bytes of answers come in, and full runs are leased again as others.
    pub fn wake(&mut self, most: usize) {
        self.now += std::time::Duration::from_millis(1);
        while let Some(Outgoing::Bytes(bytes)) = self.session.poll_write() {
            self.writes += 1;
            self.session.on_write_progress(self.now, bytes.len());
            let mut rest = &bytes[..];
            while let Some((message, len)) = Message::take(rest).unwrap() {
                if let Message::Request(request) = message {
                    self.asked.push_back(request);
                }
                rest = &rest[len..];
            }
        }
        let mut slices = self.session.read_slices();
        let n = answer(&mut self.asked, &mut self.sent, &mut slices, most);
        if n == 0 {
            return;
        }
        self.reads += 1;
        self.bytes += n as u64;
        self.session.on_read(self.now, n);
        while let Some(event) = self.session.poll_event() {
            self.events += 1;
            if let PeerEvent::Filled(mut run) = event {
                run.run.piece = self.next_piece % PIECES;
                self.next_piece += 1;
                (run.have, run.want) = (0, run.run.full_mask());
                self.session.on_command(self.now, PeerCommand::Lease(vec![run]));
            }
        }
    }
}

/// Writes headers to their place; the payload is left as it is, so that only the session's own work is measured.
fn answer(asked: &mut VecDeque<BlockRequest>, sent: &mut usize, slices: &mut [IoSliceMut<'_>], most: usize) -> usize {
    let mut total = 0;
    for slice in slices {
        let mut room = &mut slice[..];
        while !room.is_empty() && total < most {
            let Some(&BlockRequest { piece, begin, len }) = asked.front() else { return total };
            let header = piece_header(piece, begin, len);
            let whole = PIECE_HEADER_LEN + len as usize;
            let n = if *sent < PIECE_HEADER_LEN {
                let n = room.len().min(PIECE_HEADER_LEN - *sent);
                room[..n].copy_from_slice(&header[*sent..][..n]);
                n
            } else {
                room.len().min(whole - *sent)
            };
            *sent += n;
            total += n;
            room = &mut room[n..];
            if *sent == whole {
                *sent = 0;
                asked.pop_front();
            }
        }
    }
    total
}
