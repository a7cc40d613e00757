//! Settings of a whole run, shared by all its items.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use super::limits::LimitSettings;
use crate::base::blocklist::Blocklist;
use crate::io::dial::{Encryption, Transport};
use crate::io::net_path::NetPath;

/// What one engine is started with.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Listen port or ports to try; `None`: any free one.
    pub port: Option<RangeInclusive<u16>>,
    /// Connections an item, at most.
    pub max_peers: u32,
    /// Bytes of piece buffers of the whole run, at most.
    pub memory: u64,
    /// Resume data, kept metadata and locks; `None` keeps nothing.
    pub state_dir: Option<PathBuf>,
    /// Whether anything is written there that no item keeps: the DHT's tables.
    pub keeps_state: bool,
    pub dht: bool,
    /// HOST:PORT beside the well-known routers; an empty list means those alone.
    pub dht_bootstrap: Vec<String>,
    /// Whether the well-known routers are asked.
    pub dht_well_known: bool,
    /// Whether routers are asked to forward our port; `None`: for seeding alone.
    pub port_map: Option<bool>,
    pub pex: bool,
    pub lsd: bool,
    /// Fetch from the web seeds that the torrent names.
    pub web_seeds: bool,
    /// What a torrent names may lie on the local network, too.
    pub allow_private: bool,
    /// What carries connections to peers.
    pub transport: Transport,
    /// Whether connections to peers are encrypted.
    pub encryption: Encryption,
    /// How much payload may flow.
    pub limits: LimitSettings,
    /// Whom the user forbids: no packet goes to them as peers, and none of theirs is heeded.
    pub blocklist: Arc<Blocklist>,
    /// The way that packets may leave.
    pub path: NetPath,
    /// What HTTP requests call us.
    pub user_agent: String,
}

impl Default for EngineSettings {
    fn default() -> Self {
        EngineSettings {
            port: None,
            max_peers: 80,
            memory: 64 << 20,
            state_dir: None,
            keeps_state: true,
            dht: true,
            dht_bootstrap: Vec::new(),
            dht_well_known: true,
            port_map: None,
            pex: true,
            lsd: true,
            web_seeds: true,
            allow_private: false,
            transport: Transport::Auto,
            encryption: Encryption::Auto,
            limits: LimitSettings::default(),
            blocklist: Arc::default(),
            path: NetPath::open(),
            user_agent: concat!("rtorrent-cli/", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}
