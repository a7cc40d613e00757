//! What all items of a run share: settings, identity, listener, disk threads, HTTP client, DHT.

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use super::limits::RunLimits;
use super::settings::EngineSettings;
use crate::base::id::PeerId;
use crate::io::announce::Announcer;
use crate::io::dht_task::{DhtConfig, DhtHandle, TABLE_FILE};
use crate::io::dial::Dialler;
use crate::io::disk::DiskPool;
use crate::io::http::HttpClient;
use crate::io::listen::Registry;
use crate::io::lsd_task::LsdHandle;
use crate::io::port_map::{MapStatus, PortMap};
use crate::io::udp_task::UdpPort;
use crate::proto::tracker::udp::Family;

/// Shared by the engine and its torrent tasks; immutable.
pub(super) struct Context {
    pub settings: EngineSettings,
    pub peer_id: PeerId,
    /// The `key` of tracker announces: the same on both address families (BEP 7).
    pub key: u32,
    pub registry: Registry,
    pub dialler: Dialler,
    pub disk: DiskPool,
    pub http: HttpClient,
    /// `None` if nothing is ever limited.
    pub limits: Option<RunLimits>,
    pub announcer: Announcer,
    /// DHT and uTP share it; `None` if neither is wanted, or no UDP socket is to be had.
    pub udp: Option<UdpPort>,
    /// Started by the first item that may use it; `None` if no UDP socket is to be had.
    pub dht: OnceLock<Option<DhtHandle>>,
    /// Started by the first item that may use it.
    pub lsd: OnceLock<LsdHandle>,
    /// Started by the first item that wants to be called.
    pub port_map: OnceLock<PortMap>,
    /// How many items are running: each gets its share of the memory.
    pub running: watch::Sender<u32>,
    /// Client name and version, as peers are told.
    pub client: Arc<str>,
}

/// See [`Context::memory_share`].
const USEFUL_MEMORY: u64 = 32 << 20;

pub(super) type SharedContext = Arc<Context>;

impl Context {
    /// The DHT node of the process, unless it is turned off. The first to ask starts it: `read_only` says that we are
    /// here for a short while (BEP 43).
    pub fn dht(&self, read_only: bool) -> Option<&DhtHandle> {
        if !self.settings.dht {
            return None;
        }
        let start = || {
            let config = DhtConfig {
                port: self.registry.port(),
                well_known: self.settings.dht_well_known,
                bootstrap: self.settings.dht_bootstrap.clone(),
                // Nobody can call us behind a proxy.
                read_only: read_only || self.settings.path.is_proxied(),
                table_file: self.settings.state_dir.as_ref().map(|dir| dir.join(TABLE_FILE)),
                keeps_table: self.settings.keeps_state,
                ..DhtConfig::default()
            };
            let udp = self.udp.clone()?;
            Some(DhtHandle::start_on(udp, config, self.http.resolver().clone()))
        };
        self.dht.get_or_init(start).as_ref()
    }

    /// The neighbours on the local network, unless they are not to be asked or are past the fence.
    pub fn lsd(&self) -> Option<&LsdHandle> {
        let path = &self.settings.path;
        let wanted = self.settings.lsd && !path.is_fenced();
        wanted.then(|| self.lsd.get_or_init(|| LsdHandle::start(self.registry.port(), path.only())))
    }

    /// Has the router forward our ports, if the user or an item that is here for long (`seed`) wants it. It forwards
    /// IPv4, and is past every fence.
    pub fn map_ports(&self, seed: bool) {
        let path = &self.settings.path;
        let at_all = !path.is_fenced() && path.only() != Some(Family::V6);
        if !at_all || !self.settings.port_map.unwrap_or(seed) {
            return;
        }
        self.port_map.get_or_init(|| {
            let dht = self.dht.get().and_then(Option::as_ref).cloned();
            let tcp = self.registry.port();
            let map = PortMap::start(tcp, self.udp.as_ref().map_or(tcp, UdpPort::port));
            let mut status = map.watch();
            tokio::spawn(async move {
                let mapped = status.wait_for(|status| matches!(status, MapStatus::Mapped(_))).await.is_ok();
                if let Some(dht) = dht.filter(|_| mapped) {
                    dht.mapped();
                }
            });
            map
        });
    }

    /// Bytes of buffers for each of `running` items whose pieces have `piece_length` bytes: its share of what there is,
    /// as far as buffers can be of use. The widest window and two batches of pieces for the disk threads fit into
    /// [`USEFUL_MEMORY`]; only large pieces need more.
    pub fn memory_share(&self, running: u32, piece_length: u32) -> u64 {
        let useful = USEFUL_MEMORY.max(8 * u64::from(piece_length));
        (self.settings.memory / u64::from(running.max(1))).min(useful)
    }
}
