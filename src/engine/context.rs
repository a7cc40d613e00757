//! What all items of a run share: settings, identity, listener, disk threads, HTTP client.

use std::sync::Arc;

use tokio::sync::watch;

use super::settings::EngineSettings;
use crate::base::id::PeerId;
use crate::io::announce::Announcer;
use crate::io::disk::DiskPool;
use crate::io::http::HttpClient;
use crate::io::listen::Registry;

/// Shared by the engine and its torrent tasks; immutable.
pub(super) struct Context {
    pub settings: EngineSettings,
    pub peer_id: PeerId,
    /// The `key` of tracker announces: the same on both address families (BEP 7).
    pub key: u32,
    pub registry: Registry,
    pub disk: DiskPool,
    pub http: HttpClient,
    pub announcer: Announcer,
    /// How many items are running: each gets its share of the memory.
    pub running: watch::Sender<u32>,
    /// Client name and version, as peers are told.
    pub client: Arc<str>,
}

pub(super) type SharedContext = Arc<Context>;

impl Context {
    /// Bytes of buffers for each of `running` items.
    pub fn memory_share(&self, running: u32) -> u64 {
        self.settings.memory / u64::from(running.max(1))
    }
}
