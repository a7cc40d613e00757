//! Being called: listeners on both address families, and the routing of incoming handshakes to their torrents.
//!
//! The listener task owns the table of torrents; engines register and unregister by message. A caller gets no byte
//! before its torrent has agreed to answer.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::dial::{Encryption, Greeted};
use super::mse;
use super::net_path::NetPath;
use super::stream::PeerStream;
use crate::base::blocklist::Blocklist;
use crate::base::compact::canonical;
use crate::base::id::{InfoHashV1, TorrentId};
use crate::proto::mse::Skeys;
use crate::proto::wire::{HANDSHAKE_LEN, Handshake};
use crate::swarm::action::Way;

/// How long a caller may take to say for which torrent it comes.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// Bytes that tell a plain handshake from an encrypted one; both are longer.
const RECOGNISED_BY: usize = 20;

/// Callers that may be shaking hands at one time; more are closed at once.
const MAX_GREETING: usize = 256;

/// Callers that the system may hold for us.
const BACKLOG: i32 = 1024;

/// What is announced where nobody can call: trackers refuse 0, and nothing listens there.
const UNREACHABLE: u16 = 1;

/// Bound listeners, not yet served.
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<TcpListener>,
    port: u16,
}

impl Listeners {
    /// Binds the families that `path` permits to one port out of `ports` (any free one for `None`), the first that is free.
    /// Behind a proxy nobody can call, and nothing is bound.
    ///
    /// # Errors
    /// The last refusal, if no port can be had on any family.
    pub fn bind(path: &NetPath, ports: Option<RangeInclusive<u16>>) -> io::Result<Listeners> {
        let ips = path.listen_ips();
        if ips.is_empty() {
            return Ok(Listeners { sockets: Vec::new(), port: UNREACHABLE });
        }
        let mut refusal = io::Error::from(io::ErrorKind::AddrInUse);
        for port in ports.unwrap_or(0..=0) {
            match bind_all(path, &ips, port) {
                Ok(listeners) => return Ok(listeners),
                Err(e) => refusal = e,
            }
        }
        Err(refusal)
    }

    /// The port that peers are to call.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The same port, deaf to TCP: callers come another way ([`Registry::arrivals`]).
    pub fn without_tcp(self) -> Listeners {
        Listeners { sockets: Vec::new(), port: self.port }
    }
}

/// Binds every one of `ips`, one a family, to the same port.
fn bind_all(path: &NetPath, ips: &[IpAddr], mut port: u16) -> io::Result<Listeners> {
    let (mut sockets, mut refusal) = (Vec::new(), None);
    for &ip in ips {
        match path.listen(SocketAddr::new(ip, port), BACKLOG) {
            Ok(socket) => {
                port = socket.local_addr()?.port();
                sockets.push(socket);
            }
            // A port that is taken on one family only is not free.
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => return Err(e),
            // A machine without one of the families listens on the other alone.
            Err(e) => refusal = Some(e),
        }
    }
    match refusal {
        Some(e) if sockets.is_empty() => Err(e),
        _ => Ok(Listeners { sockets, port }),
    }
}

/// A caller of whom nothing is known yet.
#[derive(Debug)]
pub struct Arrival {
    pub stream: PeerStream,
    pub addr: SocketAddr,
    /// It came over uTP.
    pub utp: bool,
}

/// Tells the listener task which torrents there are. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry {
    changes: mpsc::UnboundedSender<Change>,
    arrivals: mpsc::Sender<Arrival>,
    port: u16,
}

#[derive(Debug)]
enum Change {
    Register { id: TorrentId, callers: mpsc::Sender<Greeted> },
    Unregister { id: TorrentId },
}

impl Registry {
    /// Sends callers for `id` to `callers` from now on.
    pub fn register(&self, id: TorrentId, callers: mpsc::Sender<Greeted>) {
        // The task ends only with the runtime; then nobody calls any more.
        let _ = self.changes.send(Change::Register { id, callers });
    }

    pub fn unregister(&self, id: TorrentId) {
        let _ = self.changes.send(Change::Unregister { id });
    }

    /// Where callers go who came by another way than these listeners.
    pub fn arrivals(&self) -> mpsc::Sender<Arrival> {
        self.arrivals.clone()
    }

    /// The port that peers are to call.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Starts the listener task. It ends when the runtime does. Who stands in `blocklist` gets no byte.
pub fn serve(listeners: Listeners, encryption: Encryption, blocklist: Arc<Blocklist>) -> Registry {
    let (changes, inbox) = mpsc::unbounded_channel();
    let (arrivals, callers) = mpsc::channel(64);
    for socket in listeners.sockets {
        tokio::spawn(accept(socket, arrivals.clone(), blocklist.clone()));
    }
    tokio::spawn(run(inbox, callers, encryption));
    Registry { changes, arrivals, port: listeners.port }
}

async fn run(
    mut changes: mpsc::UnboundedReceiver<Change>,
    mut arrivals: mpsc::Receiver<Arrival>,
    encryption: Encryption,
) {
    let mut torrents: HashMap<InfoHashV1, mpsc::Sender<Greeted>> = HashMap::new();
    let skeys = watch::channel(Skeys::default()).0;
    let mut greeting = JoinSet::new();
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Some(Change::Register { id, callers }) => for hash in id.hashes() {
                    torrents.insert(hash, callers.clone());
                    skeys.send_modify(|skeys| skeys.insert(hash));
                },
                Some(Change::Unregister { id }) => for hash in id.hashes() {
                    torrents.remove(&hash);
                    skeys.send_modify(|skeys| skeys.remove(hash));
                },
                None => return,
            },
            Some(arrival) = arrivals.recv() => if greeting.len() < MAX_GREETING {
                greeting.spawn(timeout(HANDSHAKE_DEADLINE, greet(arrival, encryption, skeys.subscribe())));
            },
            Some(greeted) = greeting.join_next() => if let Ok(Ok(Ok(greeted))) = greeted
                && let Some(callers) = torrents.get(&greeted.handshake.info_hash)
            {
                // A torrent with a full inbox has callers enough.
                let _ = callers.try_send(greeted);
            },
        }
    }
}

async fn accept(listener: TcpListener, arrivals: mpsc::Sender<Arrival>, blocklist: Arc<Blocklist>) {
    loop {
        match listener.accept().await {
            Ok((_, addr)) if blocklist.blocks(addr.ip()) => {}
            Ok((socket, addr)) => {
                // A caller that is gone already is none.
                let Ok(stream) = PeerStream::tcp(socket) else { continue };
                if arrivals.send(Arrival { stream, addr, utp: false }).await.is_err() {
                    return;
                }
            }
            // Out of descriptors or a connection that died in the queue: neither is cured by trying at once.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Reads the caller's handshake, plain or encrypted. Ours goes out with the session's first bytes, once the torrent has
/// agreed.
async fn greet(arrival: Arrival, encryption: Encryption, skeys: watch::Receiver<Skeys>) -> io::Result<Greeted> {
    let Arrival { mut stream, addr, utp } = arrival;
    let mut bytes = vec![0; RECOGNISED_BY];
    stream.read_exact(&mut bytes).await?;
    let encrypted = !Handshake::may_begin(&bytes);
    if encrypted {
        refuse_if(encryption == Encryption::Off)?;
        let admitted = mse::receive(&mut stream, &bytes, encryption.methods(), &skeys).await?;
        stream = stream.maybe_encrypted(admitted.ciphers);
        bytes = admitted.first;
    } else {
        refuse_if(encryption == Encryption::Require)?;
    }
    // Its first payload may be less than a handshake, or go on behind it.
    let got = bytes.len().min(HANDSHAKE_LEN);
    let early = bytes.split_off(got);
    bytes.resize(HANDSHAKE_LEN, 0);
    stream.read_exact(&mut bytes[got..]).await?;
    let handshake =
        bytes[..].try_into().ok().and_then(|bytes| Handshake::decode(bytes).ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Greeted { stream, addr: canonical(addr), handshake, early, way: Way { utp, encrypted } })
}

/// The user wants no such callers.
fn refuse_if(refused: bool) -> io::Result<()> {
    if refused { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
}
