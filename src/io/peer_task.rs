//! One peer connection: moves bytes between its socket, its session and its torrent, and decides nothing.
//!
//! The task owns stream, session and outbox. It sleeps until the socket is ready, the torrent says something, a block
//! comes from the disk or the session's next deadline is due; events go to the torrent in one batch a wake-up.

use std::io;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

use super::disk::TorrentDisk;
use super::limiter_task::{Throttle, Word, next_word};
use super::outbox::{Arrival, Outbox};
use super::parcel::{ServeEnd, Served};
use super::stream::PeerStream;
use crate::proto::session::{CloseReason, Outgoing, PeerCommand, PeerEvent, Session};
use crate::swarm::PeerKey;

/// What a session said during one wake-up.
#[derive(Debug)]
pub struct PeerReport {
    pub peer: PeerKey,
    pub events: Vec<PeerEvent>,
}

/// Bytes to read from one peer before the others get their turn.
const READ_TURN: usize = 4 << 20;

/// A connection after its handshake.
pub struct PeerTask {
    pub peer: PeerKey,
    pub stream: PeerStream,
    pub session: Session,
    pub commands: mpsc::Receiver<PeerCommand>,
    pub reports: mpsc::Sender<PeerReport>,
    /// `None` until the files are open: nothing is served before.
    pub blocks: tokio::sync::watch::Receiver<Option<TorrentDisk>>,
    /// `None` if the run has no limits.
    pub throttle: Option<Throttle>,
    /// Bytes that go out before everything else: our handshake, where the peer called us.
    pub greeting: Vec<u8>,
    /// What the peer has said already behind its handshake.
    pub early: Vec<u8>,
}

impl PeerTask {
    /// Runs the connection to its end; the last event is [`PeerEvent::Closed`].
    pub async fn run(mut self) {
        let mut outbox = Outbox::default();
        self.note_limits();
        let called_them = self.greeting.is_empty();
        if !called_them {
            let mut greeting = std::mem::take(&mut self.greeting);
            // One segment: handshake, extension handshake, bitfield.
            while let Some(Outgoing::Bytes(bytes)) = self.session.poll_write() {
                greeting.extend_from_slice(&bytes);
            }
            outbox.push_bytes(greeting);
        }
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            self.session.on_bytes(Instant::now(), &early);
        }
        let reason = match self.exchange(&mut outbox, called_them).await {
            Ok(reason) => reason,
            Err(e) => CloseReason::Lost(e.to_string()),
        };
        self.session.close(Instant::now(), reason);
        self.pass_quota();
        self.report().await;
    }

    async fn exchange(&mut self, outbox: &mut Outbox, mut opening: bool) -> io::Result<CloseReason> {
        // A disk thread found the socket full.
        let mut full = false;
        if opening && !self.receive()? {
            return Ok(CloseReason::Lost("closed by the peer".into()));
        }
        loop {
            if self.report().await {
                return Ok(CloseReason::Ours);
            }
            if std::mem::take(&mut opening) {
                let said = said_at_once(&mut self.commands).await;
                said.into_iter().for_each(|command| self.session.on_command(Instant::now(), command));
            }
            self.fill(outbox);
            let blocked = full || self.flush(outbox)?;
            self.pass_quota();
            if self.session.is_closed() && outbox.is_empty() {
                return Ok(CloseReason::Ours);
            }
            let due = self.session.poll_timeout();
            tokio::select! {
                ready = self.stream.ready(blocked) => {
                    let (readable, writable) = ready?;
                    full &= !writable;
                    if readable && !self.receive()? {
                        return Ok(CloseReason::Lost("closed by the peer".into()));
                    }
                }
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    // The torrent is gone.
                    None => return Ok(CloseReason::Ours),
                },
                word = next_word(&mut self.throttle) => match word {
                    Word::Grant(grant) => self.session.on_grant(Instant::now(), grant),
                    Word::Changed => self.note_limits(),
                },
                arrival = outbox.arrives() => match arrival? {
                    Arrival::Kept => outbox.gather(),
                    Arrival::Broken(request) => self.session.on_block_failed(Instant::now(), request),
                    Arrival::Served(served) => full = self.on_served(served)?,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {
                    self.session.on_timeout(Instant::now());
                }
            }
        }
    }

    /// Sends the session's events up; true if the connection is over.
    async fn report(&mut self) -> bool {
        let mut events = Vec::new();
        while let Some(event) = self.session.poll_event() {
            events.push(event);
        }
        let over = matches!(events.last(), Some(PeerEvent::Closed(_)));
        if !events.is_empty() {
            // The torrent never waits for us, so waiting for it is back-pressure and no deadlock.
            let _ = self.reports.send(PeerReport { peer: self.peer, events }).await;
        }
        over
    }

    fn obey(&mut self, command: PeerCommand) {
        let now = Instant::now();
        self.session.on_command(now, command);
        while let Ok(command) = self.commands.try_recv() {
            self.session.on_command(now, command);
        }
    }

    /// Tells the session which directions are under a limit.
    fn note_limits(&mut self) {
        if let Some(throttle) = &self.throttle {
            let (down, up) = throttle.limited();
            self.session.set_limited(Instant::now(), down, up);
        }
    }

    /// Tells the limiter what the session could use.
    fn pass_quota(&mut self) {
        if let Some(throttle) = &self.throttle {
            while let Some(word) = self.session.poll_quota() {
                throttle.say(word);
            }
        }
    }

    /// Moves what the session wants to say into the outbox, as far as it may run ahead.
    fn fill(&mut self, outbox: &mut Outbox) {
        while outbox.wants_more() {
            match self.session.poll_write() {
                None => return,
                Some(Outgoing::Bytes(bytes)) => outbox.push_bytes(bytes),
                Some(Outgoing::Block(request)) => match &*self.blocks.borrow() {
                    Some(_) if self.stream.plain_tcp().is_some() => outbox.push_asked(request),
                    Some(blocks) => {
                        outbox.push_promise(request, blocks.read(request.piece, request.begin, request.len));
                    }
                    None => self.session.on_block_failed(Instant::now(), request),
                },
            }
        }
    }

    /// Writes until the socket or the outbox has had enough; true if the socket is what we wait for.
    fn flush(&mut self, outbox: &mut Outbox) -> io::Result<bool> {
        loop {
            if !outbox.is_writable() {
                self.fill(outbox);
                if !outbox.is_writable() {
                    self.send_away(outbox);
                    return Ok(false);
                }
            }
            match self.stream.try_write_vectored(&outbox.slices()) {
                Ok(n) => {
                    let now = Instant::now();
                    self.session.on_write_progress(now, n);
                    outbox.on_written(n, |block| self.session.on_block_sent(now, block));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(e) => return Err(e),
            }
        }
    }

    /// Gives the blocks at the front of the outbox to a disk thread, if there are any and none are with one.
    fn send_away(&self, outbox: &mut Outbox) {
        if let (Some(socket), Some(blocks)) = (self.stream.plain_tcp(), &*self.blocks.borrow())
            && let Some(parcel) = outbox.take_parcel()
        {
            outbox.sent_away(parcel.weight(), blocks.serve(socket.clone(), parcel, self.stream.is_near()));
        }
    }

    /// A disk thread has had its turn; true if the socket is full.
    fn on_served(&mut self, served: Served) -> io::Result<bool> {
        let now = Instant::now();
        self.session.on_write_progress(now, served.bytes);
        served.sent.into_iter().for_each(|block| self.session.on_block_sent(now, block));
        match served.end {
            ServeEnd::Done => Ok(false),
            ServeEnd::Full => Ok(true),
            ServeEnd::Unreadable(request) => {
                self.session.on_block_failed(now, request);
                Ok(false)
            }
            ServeEnd::Broken(error) => Err(error),
        }
    }

    /// Reads what the socket has into the leased buffers; false if the other side closed.
    fn receive(&mut self) -> io::Result<bool> {
        let mut taken = 0;
        while taken < READ_TURN {
            let mut slices = self.session.read_slices();
            let room: usize = slices.iter().map(|slice| slice.len()).sum();
            match self.stream.try_read_vectored(&mut slices) {
                Ok(0) => return Ok(false),
                Ok(n) => {
                    self.session.on_read(Instant::now(), n);
                    taken += n;
                    if n < room {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }
}

/// What the torrent says to the first report of a peer that we called, which tells all that came with its handshake. It goes
/// out in one segment with our extension handshake: a peer that reads it all at once answers all at once. Otherwise it may
/// answer the first part, and keep back the metadata until that small segment has been acknowledged: a round trip and a
/// delayed acknowledgement.
async fn said_at_once(commands: &mut mpsc::Receiver<PeerCommand>) -> Vec<PeerCommand> {
    const QUIET: Duration = Duration::from_millis(2);
    const MOST: usize = 8;
    let mut said = Vec::new();
    while said.len() < MOST
        && let Ok(Some(command)) = timeout(QUIET, commands.recv()).await
    {
        said.push(command);
    }
    said
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::watch;

    use super::*;
    use crate::base::id::InfoHashV1;
    use crate::proto::session::{PeerLimits, SessionConfig};
    use crate::proto::wire::{HANDSHAKE_LEN, Reserved};

    /// As of a magnet link without its metadata yet.
    fn session(stream: &PeerStream) -> Session {
        let config = SessionConfig {
            info_hash: InfoHashV1([7; 20]),
            v2: false,
            ours: Reserved::OURS,
            theirs: Reserved::OURS,
            addr: stream.peer_addr().unwrap(),
            incoming: false,
            limits: PeerLimits::default(),
            torrent: None,
            listen_port: None,
            dht_port: None,
            other_ip: None,
            pex: true,
            super_seed: false,
            upload_only: false,
            allowed_fast: 0,
            client: "test".into(),
        };
        Session::new(config, Instant::now())
    }

    #[tokio::test]
    async fn what_came_with_the_handshake_is_answered_in_the_first_segment() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        let said = [
            &[0; HANDSHAKE_LEN][..],                          // read by the dial, which looks at it
            b"\x00\x00\x00\x01\x0e",                          // HAVE ALL
            b"\x00\x00\x00\x2f\x14\x00",                      // extended, 45 bytes of handshake
            b"d1:md11:ut_metadatai2ee13:metadata_sizei100ee", // ut_metadata is 2 with it, and it has 100 bytes
        ];
        peer.write_all(&said.concat()).await.unwrap();
        let mut stream = PeerStream::tcp(caller).unwrap();
        stream.read_exact(&mut [0; HANDSHAKE_LEN]).await.unwrap();

        let (commands, inbox) = mpsc::channel(8);
        let (reports, mut reported) = mpsc::channel(8);
        // What the torrent will say; the second can be obeyed only by who has heard the peer's extension handshake.
        commands.send(PeerCommand::Interest(true)).await.unwrap();
        commands.send(PeerCommand::RequestMetadata(vec![0])).await.unwrap();
        let task = PeerTask {
            peer: PeerKey(1),
            session: session(&stream),
            stream,
            commands: inbox,
            reports,
            blocks: watch::channel(None).1,
            throttle: None,
            greeting: Vec::new(),
            early: Vec::new(),
        };
        let task = tokio::spawn(task.run());
        let first = reported.recv().await.unwrap();
        assert!(matches!(first.events[..], [PeerEvent::Extended(_)]), "{first:?}");

        let mut segment = vec![0; 4096];
        let n = peer.read(&mut segment).await.unwrap();
        segment.truncate(n);
        assert_eq!(&segment[..5], b"\x00\x00\x00\x01\x0f"); // HAVE NONE
        assert_eq!(&segment[9..11], b"\x14\x00"); // our extension handshake
        let rest = [
            &b"\x00\x00\x00\x1b\x14\x02d8:msg_typei0e5:piecei0ee"[..], // metadata request, by their number
            b"\x00\x00\x00\x01\x02",                                   // INTERESTED
        ]
        .concat();
        assert_eq!(segment[n - rest.len()..], rest, "{}", segment.escape_ascii());
        drop(commands);
        task.await.unwrap();
    }

    #[tokio::test]
    async fn what_the_torrent_says_right_after_the_first_report_is_taken_together() {
        let (sender, mut commands) = mpsc::channel(16);
        let torrent = tokio::spawn(async move {
            sender.send(PeerCommand::Interest(true)).await.unwrap();
            sender.send(PeerCommand::RequestMetadata(vec![0])).await.unwrap();
            sender
        });
        let sender = torrent.await.unwrap();
        let said = said_at_once(&mut commands).await;
        assert!(matches!(said[..], [PeerCommand::Interest(true), PeerCommand::RequestMetadata(_)]), "{said:?}");
        assert!(said_at_once(&mut commands).await.is_empty(), "a torrent that says nothing holds nothing up");
        drop(sender);
        assert!(said_at_once(&mut commands).await.is_empty(), "nor does one that is gone");
    }
}
