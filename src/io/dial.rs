//! Calling a peer: connect, then shake hands, one straight sequence with one deadline for each step.
//!
//! Plain first, since that takes a round trip and much work less; a peer that does not answer it is called again with an
//! encrypted handshake. What worked comes first the next time.
//!
//! Behind our handshake nothing is said before the peer's has come: aria2 hangs up on a call whose first read brings more.
//!
//! A hybrid torrent (BEP 52) is called for by its v1 hash, which all but a few of its peers know and which those who know the
//! v2 one too answer with that. Who has only the v2 hash (of a magnet link, without the metadata yet) hangs up, and is called
//! once more by it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use super::connect::connect;
use super::mse;
use super::net_path::NetPath;
use super::stream::PeerStream;
use super::utp::UtpHandle;
use crate::base::id::{PeerId, TorrentId};
use crate::proto::mse::{Ciphers, Methods};
use crate::proto::wire::{HANDSHAKE_LEN, Handshake};
use crate::swarm::action::{DialFailure, Way};

/// How long a connected peer may be silent after a plain handshake before it is tried with an encrypted one.
const PLAIN_PATIENCE: Duration = Duration::from_secs(3);

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

impl Encryption {
    /// What to try in turn: true stands for an encrypted handshake.
    fn attempts(self, way: Option<Way>) -> &'static [bool] {
        match self {
            Encryption::Auto if way.is_some_and(|way| way.encrypted) => &[true, false],
            Encryption::Auto => &[false, true],
            Encryption::Require => &[true],
            Encryption::Off => &[false],
        }
    }

    /// What may carry the payload after an encrypted handshake.
    pub(super) fn methods(self) -> Methods {
        if self == Encryption::Require { Methods::RC4 } else { Methods::ANY }
    }
}

/// How this run calls peers. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Dialler {
    pub transport: Transport,
    pub encryption: Encryption,
    /// `None`: there is no UDP port, and no uTP.
    pub utp: Option<UtpHandle>,
    /// The way that connections may take.
    pub path: NetPath,
}

impl Dialler {
    /// What to try in turn, as [`Encryption::attempts`]; twice at least where there are two transports.
    fn attempts(&self, way: Option<Way>) -> Vec<bool> {
        let mut attempts = self.encryption.attempts(way).to_vec();
        if let [only] = attempts[..]
            && self.utp.is_some()
            && self.transport == Transport::Auto
        {
            attempts.push(only);
        }
        attempts
    }
}

/// A peer that has shaken hands.
#[derive(Debug)]
pub struct Greeted {
    pub stream: PeerStream,
    pub addr: SocketAddr,
    pub handshake: Handshake,
    /// What the peer said behind it and that was read with it.
    pub early: Vec<u8>,
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
    dialler: &Dialler,
    way: Option<Way>,
) -> Result<Greeted, DialFailure> {
    let mut failure = DialFailure::WrongHandshake;
    let mut attempts: Vec<(bool, Handshake)> =
        dialler.attempts(way).into_iter().map(|encrypted| (encrypted, ours)).collect();
    let last = attempts.len() - 1;
    if let Some(v2) = id.upgraded() {
        attempts.push((attempts[0].0, Handshake::ours(id, v2, ours.reserved, ours.peer_id)));
    }
    let mut way = way;
    for (n, (encrypted, ours)) in attempts.into_iter().enumerate() {
        if n > last && failure != DialFailure::Refused {
            break;
        }
        let (mut stream, utp) = connect(addr, dialler, way).await.map_err(|e| self::failure(&e))?;
        let patience = if encrypted || n >= last { HANDSHAKE_DEADLINE } else { PLAIN_PATIENCE };
        let exchange = async {
            let methods = dialler.encryption.methods();
            if encrypted { greet_encrypted(&mut stream, ours, methods).await } else { greet(&mut stream, ours).await }
        };
        match timeout(patience, exchange).await {
            Ok(Ok((bytes, ciphers))) => {
                let handshake = Handshake::decode(&bytes).map_err(|_| DialFailure::WrongHandshake)?;
                accept_answer(id, ours.peer_id, &handshake)?;
                let way = Way { utp, encrypted };
                return Ok(Greeted {
                    stream: stream.maybe_encrypted(ciphers),
                    addr,
                    handshake,
                    early: Vec::new(),
                    way,
                });
            }
            // It may want what comes next in the list.
            Ok(Err(e)) => failure = self::failure(&e),
            Err(_) => failure = DialFailure::TimedOut,
        }
        // Who wants no TCP may take the call and hang up: the other transport comes first now.
        way = Some(Way { utp: !utp, encrypted });
    }
    Err(failure)
}

/// What the peer answers to our handshake, and the ciphers of what follows.
type Answer = ([u8; HANDSHAKE_LEN], Option<Ciphers>);

async fn greet(stream: &mut PeerStream, ours: Handshake) -> io::Result<Answer> {
    stream.write_all(&ours.encode()).await?;
    let mut bytes = [0; HANDSHAKE_LEN];
    stream.read_exact(&mut bytes).await?;
    Ok((bytes, None))
}

async fn greet_encrypted(stream: &mut PeerStream, ours: Handshake, offer: Methods) -> io::Result<Answer> {
    let mut ciphers = mse::initiate(stream, ours.info_hash, offer, ours.encode().to_vec()).await?;
    let mut bytes = [0; HANDSHAKE_LEN];
    stream.read_exact(&mut bytes).await?;
    if let Some(ciphers) = &mut ciphers {
        ciphers.theirs.apply(&mut bytes);
    }
    Ok((bytes, ciphers))
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
        io::ErrorKind::InvalidData => DialFailure::WrongHandshake,
        // One that hangs up before a word of its own may be full, or still checking its files: soon it may not be.
        _ => DialFailure::Refused,
    }
}

#[cfg(test)]
mod tests;
