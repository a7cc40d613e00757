//! What a session is made with.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::message::PeerLimits;
use crate::base::have_log::HaveLog;
use crate::base::id::InfoHashV1;
use crate::base::layout::Layout;
use crate::proto::wire::Reserved;

/// The torrent, once its metadata is known.
#[derive(Clone, Debug)]
pub struct TorrentFacts {
    pub layout: Arc<Layout>,
    pub log: Arc<HaveLog>,
    /// The info dictionary as it was hashed, for BEP 9.
    pub info: Arc<[u8]>,
}

/// Everything that one session needs to know from the start.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The hash that the handshakes carried.
    pub info_hash: InfoHashV1,
    /// That is the v2 one: the messages of BEP 52 may be sent.
    pub v2: bool,
    /// What we said in our handshake.
    pub ours: Reserved,
    /// What the peer said in its handshake.
    pub theirs: Reserved,
    /// The other end of the connection.
    pub addr: SocketAddr,
    /// The peer called us.
    pub incoming: bool,
    pub limits: PeerLimits,
    /// `None`: the metadata is yet to come, by [`super::PeerCommand::Layout`].
    pub torrent: Option<TorrentFacts>,
    /// Our TCP listen port, said to whom we call.
    pub listen_port: Option<u16>,
    /// UDP port of our DHT node, said to peers that have one too (BEP 5).
    pub dht_port: Option<u16>,
    /// Our address of the family that this connection does not use, where the world sees one.
    pub other_ip: Option<IpAddr>,
    /// Take part in peer exchange and holepunching (not for private torrents, BEP 27).
    pub pex: bool,
    /// Own up only to pieces that the torrent offers to this peer (BEP 16).
    pub super_seed: bool,
    /// We will not download any more (BEP 21).
    pub upload_only: bool,
    /// How many pieces a beginner may have although we choke it (BEP 6); 0 offers none.
    pub allowed_fast: u32,
    /// Client name and version, for BEP 10.
    pub client: Arc<str>,
}
