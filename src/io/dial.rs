//! Calling a peer: connect, then shake hands, one straight sequence with one deadline for each step.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::stream::PeerStream;
use crate::base::id::{PeerId, TorrentId};
use crate::proto::wire::{HANDSHAKE_LEN, Handshake};
use crate::swarm::action::{DialFailure, Way};

/// How long a SYN may go unanswered. Dials race, so that a dead address costs nobody but itself; three SYNs (at 0, 1
/// and 3 s) have left by then.
const CONNECT_DEADLINE: Duration = Duration::from_secs(7);

/// How long a connected peer may take to say its handshake.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// What carries connections to peers (`--transport`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Transport {
    /// Whichever connects first.
    #[default]
    Auto,
    Tcp,
    Utp,
}

/// Whether connections are encrypted (`--encryption`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encryption {
    /// Plain, and encrypted with peers that want it.
    #[default]
    Auto,
    /// Encrypted, or not at all.
    Require,
    /// Never encrypted.
    Off,
}

/// How this run calls peers. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Dialler {
    pub transport: Transport,
    pub encryption: Encryption,
}

/// A peer that has shaken hands.
#[derive(Debug)]
pub struct Greeted {
    pub stream: PeerStream,
    pub addr: SocketAddr,
    pub handshake: Handshake,
    /// How the connection was made.
    pub way: Way,
}

/// Connects to `addr` and exchanges handshakes; `ours` names the torrent, `way` is what worked with this address
/// before.
///
/// # Errors
/// Why the peer is none, as far as it matters for calling it again.
pub async fn dial(
    addr: SocketAddr,
    id: TorrentId,
    ours: Handshake,
    _dialler: &Dialler,
    _way: Option<Way>,
) -> Result<Greeted, DialFailure> {
    let socket = timeout(CONNECT_DEADLINE, TcpStream::connect(addr))
        .await
        .map_err(|_| DialFailure::TimedOut)?
        .map_err(|e| failure(&e))?;
    let stream = PeerStream::tcp(socket).map_err(|e| failure(&e))?;
    let exchange = async {
        stream.write_all(&ours.encode()).await?;
        let mut bytes = [0; HANDSHAKE_LEN];
        stream.read_exact(&mut bytes).await?;
        io::Result::Ok(bytes)
    };
    let bytes =
        timeout(HANDSHAKE_DEADLINE, exchange).await.map_err(|_| DialFailure::TimedOut)?.map_err(|e| failure(&e))?;
    let handshake = Handshake::decode(&bytes).map_err(|_| DialFailure::WrongHandshake)?;
    accept_answer(id, ours.peer_id, &handshake)?;
    Ok(Greeted { stream, addr, handshake, way: Way::default() })
}

/// Is the answer for this torrent, and not from ourselves?
fn accept_answer(id: TorrentId, our_peer_id: PeerId, theirs: &Handshake) -> Result<(), DialFailure> {
    if theirs.peer_id == our_peer_id {
        return Err(DialFailure::Ourselves);
    }
    if !id.answers_to(theirs.info_hash) {
        return Err(DialFailure::WrongHandshake);
    }
    Ok(())
}

fn failure(error: &io::Error) -> DialFailure {
    match error.kind() {
        io::ErrorKind::TimedOut => DialFailure::TimedOut,
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::Unsupported => DialFailure::Unreachable,
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => DialFailure::WrongHandshake,
        _ => DialFailure::Refused,
    }
}
