//! A tracker and a seeder of our own on loopback, on a thread that ends with the process.
#![allow(dead_code)] // each user needs only a part

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rtorrent_cli::base::metainfo::{self, Metainfo};
use rtorrent_cli::engine::{CheckMode, Engine, EngineSettings, Goal, Item, ItemHandle, ItemSource};

use super::make_torrent::Made;
use super::tracker_server::TrackerServer;

/// Where they are.
pub struct LocalSeeder {
    /// The .torrent with the tracker in it.
    pub torrent: Vec<u8>,
    /// A magnet link with the tracker in it.
    pub magnet: String,
    pub tracker: String,
    /// The seeder itself.
    pub peer: SocketAddr,
    item: ItemHandle,
}

impl LocalSeeder {
    /// Serves `made`, whose data lies in `dir`; comes back when the tracker knows the seeder.
    pub fn start(made: &Made, dir: &Path) -> LocalSeeder {
        LocalSeeder::start_at(Ipv4Addr::LOCALHOST.into(), made, dir)
    }

    /// The same on the loopback address of one family.
    pub fn start_at(ip: IpAddr, made: &Made, dir: &Path) -> LocalSeeder {
        let (bytes, hash, dir) = (made.bytes.clone(), made.info_hash, dir.to_owned());
        let (ready, when_ready) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let tracker = TrackerServer::start(ip).await.unwrap();
                let info = Metainfo::parse(&bytes).unwrap().info.clone();
                let url = tracker.http_url();
                let torrent = metainfo::wrap(&info.raw, &info.encode_layers(), &[vec![url.clone()]], &[]);
                let settings = EngineSettings { dht: false, pex: false, lsd: false, ..EngineSettings::default() };
                let mut engine = Engine::start(settings).await.unwrap();
                let source = ItemSource::Torrent(Arc::new(Metainfo::parse(&torrent).unwrap()));
                let goal = Goal::Seed { ratio: None, time: None, super_seed: false };
                let item = engine.add(Item { check: CheckMode::Full, ..Item::new(source, goal, dir) });
                let patience = Instant::now() + Duration::from_secs(300);
                while tracker.peers(hash).is_empty() {
                    assert!(Instant::now() < patience, "the seeder did not announce itself");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                let peer = SocketAddr::new(ip, engine.port());
                let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                let magnet = format!("magnet:?xt=urn:btih:{hex}&tr={url}");
                ready.send(LocalSeeder { torrent, magnet, tracker: url, peer, item }).unwrap();
                std::future::pending::<()>().await;
            });
        });
        when_ready.recv().expect("a seeder")
    }

    /// Bytes of payload that it has sent, as of a moment ago.
    pub fn uploaded(&self) -> u64 {
        self.item.progress().swarm.uploaded
    }
}
