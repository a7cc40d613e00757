//! A peer session under a peer that says anything, and a torrent that leases and recalls.
//!
//! Must hold: every leased run comes back exactly once; hashes are asked for only where v2 is spoken, and what comes up of
//! them was asked for; and where the peer sent only blocks that it was asked for, a run
//! holds in each block marked present the very bytes that were sent, however the reads were cut.
#![no_main]

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use rtorrent_cli::base::have_log::HaveLog;
use rtorrent_cli::base::id::InfoHashV1;
use rtorrent_cli::base::layout::{BLOCK_LEN, Layout};
use rtorrent_cli::base::run::{Run, RunBuffer, RunId};
use rtorrent_cli::proto::ext::PexMessage;
use rtorrent_cli::proto::session::{
    CloseReason, Outgoing, PeerCommand, PeerEvent, PeerLimits, Session, SessionConfig, TorrentFacts,
};
use rtorrent_cli::proto::wire::{BlockRequest, HashRange, Message, Reserved};

const PIECE_LENGTH: u32 = 4 * BLOCK_LEN;
/// Three pieces, the last one short and its last block odd.
const TOTAL: u64 = 2 * PIECE_LENGTH as u64 + BLOCK_LEN as u64 + 1_000;

fuzz_target!(|script: &[u8]| {
    let mut play = Play::new(script.first().copied().unwrap_or(0));
    let mut script = script.iter().copied().skip(1);
    while let Some(step) = script.next() {
        let argument = script.next().unwrap_or(0);
        match step % 12 {
            0 => {
                let raw: Vec<u8> = script.by_ref().take(argument.into()).collect();
                play.honest = false;
                play.wire.extend(raw);
            }
            1 => play.deliver(usize::from(argument) + 1, true),
            2 => play.deliver(usize::from(argument) * 257 + 1, true),
            3 => play.deliver(usize::from(argument) * 257 + 1, false),
            4 => play.lease(argument),
            5 => play.command(PeerCommand::Recall(vec![RunId(u64::from(argument) % play.next_run.max(1))])),
            6 => play.answer(argument),
            7 => play.say(argument),
            8 => play.pass(Duration::from_millis(u64::from(argument) * 100)),
            9 => play.learn(),
            10 => play.order(argument),
            _ => play.drain(),
        }
    }
    play.end();
});

struct Play {
    session: Session,
    now: Instant,
    layout: Arc<Layout>,
    /// Bytes on their way to the session.
    wire: VecDeque<u8>,
    asked: Vec<BlockRequest>,
    to_serve: Vec<BlockRequest>,
    /// Hashes that the session was told to ask for, and requests of the peer that it has passed on.
    hashes_asked: Vec<HashRange>,
    hashes_due: Vec<HashRange>,
    v2: bool,
    leased: HashMap<RunId, Run>,
    next_run: u64,
    honest: bool,
    knows_layout: bool,
    over: bool,
}

impl Play {
    fn new(flags: u8) -> Play {
        let now = Instant::now();
        let layout = Arc::new(Layout::v1(PIECE_LENGTH, [(TOTAL, false)]));
        let theirs = match flags & 3 {
            0 => Reserved::default(),
            1 => Reserved([0, 0, 0, 0, 0, 0, 0, 4]),
            2 => Reserved([0, 0, 0, 0, 0, 0x10, 0, 0]),
            _ => Reserved::OURS.with_dht(),
        };
        let knows_layout = flags & 4 != 0;
        let config = SessionConfig {
            info_hash: InfoHashV1([1; 20]),
            v2: flags & 32 != 0,
            ours: Reserved::OURS,
            theirs,
            addr: "10.0.0.1:6881".parse().expect("an address"),
            incoming: flags & 8 != 0,
            limits: PeerLimits::default(),
            torrent: knows_layout.then(|| facts(&layout)),
            listen_port: Some(6881),
            other_ip: None,
            dht_port: Some(6881),
            pex: true,
            super_seed: false,
            upload_only: flags & 16 != 0,
            allowed_fast: 2,
            client: "fuzz".into(),
        };
        Play {
            session: Session::new(config, now),
            now,
            layout,
            wire: VecDeque::new(),
            asked: Vec::new(),
            to_serve: Vec::new(),
            hashes_asked: Vec::new(),
            hashes_due: Vec::new(),
            v2: flags & 32 != 0,
            leased: HashMap::new(),
            next_run: 0,
            honest: true,
            knows_layout,
            over: false,
        }
    }

    fn deliver(&mut self, most: usize, into_slices: bool) {
        if self.over || self.wire.is_empty() {
            return;
        }
        let n = most.min(self.wire.len());
        if into_slices {
            let mut slices = self.session.read_slices();
            let mut read = 0;
            'slices: for slice in slices.iter_mut() {
                for byte in slice.iter_mut() {
                    if read == n {
                        break 'slices;
                    }
                    *byte = self.wire.pop_front().expect("counted");
                    read += 1;
                }
            }
            assert!(read > 0, "a read always has room");
            self.session.on_read(self.now, read);
        } else {
            let bytes: Vec<u8> = self.wire.drain(..n).collect();
            self.session.on_bytes(self.now, &bytes);
        }
        self.drain();
    }

    fn lease(&mut self, argument: u8) {
        if !self.knows_layout || self.over {
            return;
        }
        let piece = u32::from(argument) % self.layout.pieces();
        let first = u32::from(argument >> 2) % self.layout.blocks(piece);
        let count = (u32::from(argument >> 4) % 4 + 1).min(self.layout.blocks(piece) - first);
        let run = Run { piece, first, count };
        let id = RunId(self.next_run);
        self.next_run += 1;
        self.leased.insert(id, run);
        self.command(PeerCommand::Lease(vec![RunBuffer::new(id, run, &self.layout)]));
    }

    /// The peer sends a block that it was asked for, not necessarily the first.
    fn answer(&mut self, argument: u8) {
        if self.asked.is_empty() {
            return;
        }
        let nth = if argument < 200 { 0 } else { usize::from(argument) % self.asked.len() };
        let BlockRequest { piece, begin, len } = self.asked.remove(nth);
        let block: Vec<u8> = (0..len).map(|at| content(piece, begin + at)).collect();
        self.hear(Message::Piece { piece, begin, block: &block });
    }

    /// A well-formed message.
    fn say(&mut self, argument: u8) {
        let piece = u32::from(argument >> 4) % 4;
        let request = BlockRequest { piece, begin: 0, len: BLOCK_LEN };
        match argument % 15 {
            0 => self.hear(Message::Choke),
            1 => self.hear(Message::Unchoke),
            2 => self.hear(Message::Interested),
            3 => self.hear(Message::NotInterested),
            4 => self.hear(Message::Have(piece)),
            5 => self.hear(Message::Bitfield(&[0b1110_0000])),
            6 => self.hear(Message::Request(request)),
            7 => self.hear(Message::Cancel(request)),
            8 => self.hear(Message::HaveAll),
            9 => self.hear(Message::AllowedFast(piece)),
            10 => match self.asked.first().copied() {
                Some(request) => {
                    self.asked.remove(0);
                    self.hear(Message::Reject(request));
                }
                None => self.hear(Message::KeepAlive),
            },
            11 => self.hear(Message::HashRequest(range(argument))),
            12 => match self.hashes_asked.first().copied() {
                Some(range) if piece == 0 => self.hear(Message::HashReject(range)),
                Some(range) => {
                    let hashes = vec![[argument; 32]; range.answer_len() - usize::from(piece == 3)];
                    self.hear(Message::Hashes { range, hashes: &hashes });
                }
                None => self.hear(Message::Hashes { range: range(argument), hashes: &[[1; 32]] }),
            },
            _ => self.hear(Message::Suggest(piece)),
        }
    }

    fn hear(&mut self, message: Message) {
        let mut frame = Vec::new();
        message.encode(&mut frame);
        self.wire.extend(frame);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        if self.session.poll_timeout().is_some_and(|due| due <= self.now) {
            self.session.on_timeout(self.now);
        }
        self.drain();
    }

    fn learn(&mut self) {
        if !self.knows_layout {
            self.knows_layout = true;
            let TorrentFacts { layout, log, info } = facts(&self.layout);
            self.command(PeerCommand::Layout { layout, log, info });
        }
    }

    fn order(&mut self, argument: u8) {
        let on = argument & 8 != 0;
        match argument % 10 {
            0 => self.command(PeerCommand::Choke(on)),
            1 => self.command(PeerCommand::Interest(on)),
            2 if !self.knows_layout => self.command(PeerCommand::RequestMetadata(vec![0, u32::from(argument)])),
            3 => self.command(PeerCommand::UploadOnly(on)),
            4 => self.command(PeerCommand::HavesGrew),
            5 => self.command(PeerCommand::Pex(PexMessage::default())),
            6 => match self.to_serve.pop() {
                Some(block) if on => self.session.on_block_sent(self.now, block),
                Some(block) => self.session.on_block_failed(self.now, block),
                None => {}
            },
            7 => match self.hashes_due.pop() {
                Some(range) if on => self.command(PeerCommand::SendHashes(range, vec![[0; 32]; range.answer_len()])),
                Some(range) => self.command(PeerCommand::RejectHashes(range)),
                None => {}
            },
            8 if !self.over => {
                let range = range(argument & 0xfe);
                self.hashes_asked.push(range);
                self.command(PeerCommand::RequestHashes(vec![range]));
            }
            _ if argument == 255 => self.command(PeerCommand::Close),
            _ => {}
        }
        self.drain();
    }

    fn command(&mut self, command: PeerCommand) {
        self.session.on_command(self.now, command);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(event) = self.session.poll_event() {
            assert!(!self.over, "nothing comes after the end");
            match event {
                PeerEvent::Filled(run) => {
                    assert_eq!(run.want & !run.have, 0);
                    self.came_back(run);
                }
                PeerEvent::Returned(run) => self.came_back(run),
                PeerEvent::HashRequest(range) => {
                    assert!(range.is_sound() && self.v2 && self.knows_layout);
                    self.hashes_due.push(range);
                }
                PeerEvent::Hashes(range, hashes) => {
                    assert_eq!(hashes.len(), range.answer_len());
                    self.hashes_came_back(range);
                }
                PeerEvent::HashReject(range) => self.hashes_came_back(range),
                PeerEvent::Closed(_) => self.over = true,
                _ => {}
            }
        }
        while let Some(outgoing) = self.session.poll_write() {
            match outgoing {
                Outgoing::Bytes(bytes) => self.read_ours(&bytes),
                Outgoing::Block(block) => {
                    assert!(self.layout.contains(block.piece, block.begin, block.len));
                    self.to_serve.push(block);
                }
            }
        }
    }

    fn read_ours(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (message, len) = Message::take(bytes).expect("our own frames").expect("whole frames");
            match message {
                Message::Request(request) => {
                    assert!(self.layout.contains(request.piece, request.begin, request.len));
                    self.asked.push(request);
                }
                Message::HashRequest(range) => assert!(self.v2 && self.hashes_asked.contains(&range)),
                Message::Cancel(request) => self.asked.retain(|asked| *asked != request),
                _ => {}
            }
            bytes = &bytes[len..];
        }
    }

    fn came_back(&mut self, run: RunBuffer) {
        assert_eq!(self.leased.remove(&run.id), Some(run.run), "a run comes back once");
        assert_eq!(run.bytes.len(), run.run.byte_len(&self.layout) as usize);
        for block in (0..run.run.count).filter(|block| self.honest && run.have >> block & 1 == 1) {
            let begin = (run.run.first + block) * BLOCK_LEN;
            let sent = |at: usize| content(run.run.piece, begin + at as u32);
            assert!(
                run.block(block).iter().enumerate().all(|(at, byte)| *byte == sent(at)),
                "block {block} of {:?}",
                run.run
            );
        }
    }

    fn hashes_came_back(&mut self, range: HashRange) {
        let at = self.hashes_asked.iter().position(|asked| *asked == range).expect("a range comes back once");
        self.hashes_asked.remove(at);
    }

    fn end(mut self) {
        self.drain();
        self.session.close(self.now, CloseReason::Ours);
        self.drain();
        assert!(self.over && self.leased.is_empty(), "leases are left: {:?}", self.leased);
    }
}

fn facts(layout: &Arc<Layout>) -> TorrentFacts {
    let log = HaveLog::new(layout.pieces());
    log.push(0);
    TorrentFacts { layout: layout.clone(), log, info: vec![b'i'; 20_000].into() }
}

/// Sound if `argument` is even.
fn range(argument: u8) -> HashRange {
    let (index, proof) = (u32::from(argument >> 1), u32::from(argument >> 4));
    HashRange { root: [2; 32], base: 1, index: index * 2 + u32::from(argument & 1), length: 2, proof }
}

fn content(piece: u32, at: u32) -> u8 {
    (piece * 7 + at / BLOCK_LEN * 31 + at % 251) as u8
}
