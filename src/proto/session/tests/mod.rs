//! Behaviours of the session, one theme a file.

mod deadlines;
mod hashes;
mod haves;
mod leasing;
mod metadata;
mod quota;
mod slicing;
mod transfer;
mod uploads;
mod violations;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::base::have_log::HaveLog;
use crate::base::id::InfoHashV1;
use crate::base::layout::{BLOCK_LEN, Layout};
use crate::base::run::{Run, RunBuffer, RunId};
use crate::proto::wire::{BlockRequest, Message, Reserved};

pub const PIECE: u32 = 4 * BLOCK_LEN;

/// A session with a script on the other end of its wire.
pub struct Scripted {
    pub session: Session,
    pub now: Instant,
    pub layout: Arc<Layout>,
    pub log: Arc<HaveLog>,
}

pub fn config() -> SessionConfig {
    SessionConfig {
        info_hash: InfoHashV1([7; 20]),
        v2: false,
        ours: Reserved::OURS,
        theirs: Reserved::OURS,
        addr: "10.1.2.3:6881".parse().unwrap(),
        incoming: false,
        limits: PeerLimits { first_window: 16 * BLOCK_LEN, ..PeerLimits::default() },
        torrent: None,
        listen_port: Some(6881),
        other_ip: None,
        dht_port: None,
        pex: true,
        super_seed: false,
        upload_only: false,
        allowed_fast: 0,
        client: "test".into(),
    }
}

/// A torrent of ten pieces of four blocks, the last of one short block.
pub fn layout() -> Arc<Layout> {
    Arc::new(Layout::v1(PIECE, [(u64::from(PIECE) * 9 + 1_000, false)]))
}

impl Scripted {
    /// With metadata; `fast` and `extended` as agreed on. The opening has been written and thrown away.
    pub fn new(fast: bool) -> Scripted {
        Scripted::with(fast, |_| {})
    }

    pub fn with(fast: bool, change: impl FnOnce(&mut SessionConfig)) -> Scripted {
        let (layout, now) = (layout(), Instant::now());
        let log = HaveLog::new(layout.pieces());
        let facts = TorrentFacts { layout: layout.clone(), log: log.clone(), info: vec![9; 40_000].into() };
        let mut config = SessionConfig { torrent: Some(facts), ..config() };
        if !fast {
            config.theirs.0[7] = 0;
        }
        change(&mut config);
        let mut scripted = Scripted { session: Session::new(config, now), now, layout, log };
        scripted.written();
        scripted
    }

    /// With metadata, the peer has everything and does not choke us.
    pub fn downloading(fast: bool) -> Scripted {
        let mut peer = Scripted::new(fast);
        peer.says(Message::Bitfield(&[0xff, 0xc0]));
        peer.says(Message::Unchoke);
        peer.events();
        peer
    }

    pub fn says(&mut self, message: Message<'_>) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.session.on_bytes(self.now, &bytes);
    }

    pub fn command(&mut self, command: PeerCommand) {
        self.session.on_command(self.now, command);
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        self.session.on_timeout(self.now);
    }

    /// The next thing to write, reported as written at once.
    pub fn write(&mut self) -> Option<Outgoing> {
        let outgoing = self.session.poll_write()?;
        match &outgoing {
            Outgoing::Bytes(bytes) => self.session.on_write_progress(self.now, bytes.len()),
            Outgoing::Block(block) => {
                self.session.on_write_progress(self.now, 13 + block.len as usize);
                self.session.on_block_sent(self.now, *block);
            }
        }
        Some(outgoing)
    }

    /// Everything that it writes now, blocks as `PIECE piece+begin`.
    pub fn written(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        while let Some(outgoing) = self.write() {
            match outgoing {
                Outgoing::Bytes(bytes) => {
                    let mut rest = &bytes[..];
                    while let Some((message, len)) = Message::take(rest).unwrap() {
                        out.push(shown(message));
                        rest = &rest[len..];
                    }
                    assert!(rest.is_empty(), "half a frame");
                }
                Outgoing::Block(block) => out.push(format!("PIECE {}+{}", block.piece, block.begin / BLOCK_LEN)),
            }
        }
        out
    }

    pub fn events(&mut self) -> Vec<PeerEvent> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// The events without those that only time and memory bring.
    pub fn news(&mut self) -> Vec<PeerEvent> {
        let noise = |event: &PeerEvent| matches!(event, PeerEvent::Hungry { .. } | PeerEvent::Tally(_));
        self.events().into_iter().filter(|event| !noise(event)).collect()
    }

    pub fn run(&self, id: u64, piece: u32) -> RunBuffer {
        let run = Run { piece, first: 0, count: self.layout.blocks(piece) };
        RunBuffer::new(RunId(id), run, &self.layout)
    }

    pub fn lease(&mut self, runs: &[(u64, u32)]) {
        let runs = runs.iter().map(|&(id, piece)| self.run(id, piece)).collect();
        self.command(PeerCommand::Lease(runs));
    }

    pub fn block(&mut self, piece: u32, block: u32) {
        let len = self.layout.block_len(piece, block) as usize;
        self.says(Message::Piece { piece, begin: block * BLOCK_LEN, block: &vec![(piece * 16 + block) as u8; len] });
    }
}

pub fn request(piece: u32, block: u32) -> BlockRequest {
    BlockRequest { piece, begin: block * BLOCK_LEN, len: BLOCK_LEN }
}

fn shown(message: Message<'_>) -> String {
    let at = |r: BlockRequest| format!("{}+{}", r.piece, r.begin / BLOCK_LEN);
    match message {
        Message::Request(r) => format!("REQUEST {}", at(r)),
        Message::Cancel(r) => format!("CANCEL {}", at(r)),
        Message::Reject(r) => format!("REJECT {}", at(r)),
        Message::Extended { id, .. } => format!("EXTENDED {id}"),
        other => format!("{other:?}").to_uppercase(),
    }
}

/// An event in few words.
pub fn word(event: &PeerEvent) -> String {
    match event {
        PeerEvent::Filled(run) => format!("filled {}", run.id.0),
        PeerEvent::Returned(run) => format!("returned {} have {:b}", run.id.0, run.have),
        PeerEvent::Has(bits) => format!("has {}", bits.count()),
        PeerEvent::Extended(_) => "extended".into(),
        PeerEvent::Closed(reason) => format!("closed {reason:?}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

pub fn words(events: &[PeerEvent]) -> Vec<String> {
    events.iter().map(word).collect()
}
