//! Our node among foreign ones: the `mainline` crate's test network on loopback.

#![allow(deprecated, reason = "mainline's blocking calls are deprecated, its async ones need a stream crate")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use mainline::{Dht, Id, Testnet};
use rtorrent_cli::base::id::{InfoHashV1, TorrentId};
use rtorrent_cli::io::dht_task::{DhtConfig, DhtHandle, DhtSearch};
use rtorrent_cli::io::resolve::Resolver;
use rtorrent_cli::proto::dht::lookup::Announce;

/// Long enough for a busy machine; what is awaited comes in milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

fn config(bootstrap: &[String]) -> DhtConfig {
    DhtConfig {
        ips: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        well_known: false,
        bootstrap: bootstrap.to_vec(),
        ..DhtConfig::default()
    }
}

fn start(config: DhtConfig) -> DhtHandle {
    DhtHandle::start(config, Resolver::new()).expect("loopback has UDP")
}

async fn finds(search: &mut DhtSearch, peer: SocketAddr) {
    let wait = async {
        while let Some(peers) = search.next().await {
            if peers.contains(&peer) {
                return;
            }
        }
        panic!("the search ended without {peer}");
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{peer} was not found"));
}

fn torrent(n: u8) -> TorrentId {
    TorrentId::from_v1(InfoHashV1([n; 20]))
}

fn foreign(testnet: &Testnet) -> Dht {
    Dht::builder().bootstrap(&testnet.bootstrap).build().expect("a foreign node")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_find_what_mainline_nodes_announced() {
    let testnet = Testnet::builder(10).build().expect("a test network");
    let announcer = foreign(&testnet);
    // A foreign node waits two seconds for an answer: on a busy machine it may have to ask again.
    let announce = move || {
        let until = std::time::Instant::now() + PATIENCE;
        while let Err(error) = announcer.announce_peer(Id::from([1; 20]), Some(4711)) {
            assert!(std::time::Instant::now() < until, "never announced: {error}");
        }
    };
    tokio::task::spawn_blocking(announce).await.unwrap();
    let handle = start(config(&testnet.bootstrap));
    let mut search = handle.lookup(torrent(1), None, false);
    finds(&mut search, "127.0.0.1:4711".parse().unwrap()).await;
    // Peers are handed on as they come; the status follows a moment later.
    let mut watch = handle.watch();
    tokio::time::timeout(PATIENCE, watch.wait_for(|status| status.answers() > 0)).await.expect("an answer").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mainline_nodes_find_what_we_announced() {
    let testnet = Testnet::builder(10).build().expect("a test network");
    let handle = start(config(&testnet.bootstrap));
    let announce = Announce { port: 4712, seed: true };
    let _search = handle.lookup(torrent(2), Some(announce), false);
    let asker = foreign(&testnet);
    let look = move || {
        let until = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < until {
            if asker.get_peers(Id::from([2; 20])).flatten().any(|peer| peer.port() == 4712) {
                return true;
            }
        }
        false
    };
    assert!(tokio::task::spawn_blocking(look).await.unwrap(), "nobody knew us");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_needs_no_bootstrap() {
    let testnet = Testnet::builder(10).build().expect("a test network");
    let folder = tempfile::tempdir().unwrap();
    let table_file: PathBuf = folder.path().join("cache").join("dht");
    let with_file = |bootstrap: &[String]| DhtConfig { table_file: Some(table_file.clone()), ..config(bootstrap) };
    let first = start(with_file(&testnet.bootstrap));
    let announce = Announce { port: 4713, seed: false };
    let mut search = first.lookup(torrent(3), Some(announce), false);
    let mut watch = first.watch();
    tokio::time::timeout(PATIENCE, watch.wait_for(|status| status.nodes() >= 5)).await.unwrap().unwrap();
    // The second lookup of the same run finds the announce of the first.
    let mut again = first.lookup(torrent(3), None, false);
    let found = tokio::time::timeout(Duration::from_secs(5), again.next()).await;
    drop(again);
    if found.is_err() {
        finds(&mut search, "127.0.0.1:4713".parse().unwrap()).await; // it came with the repeat
    }
    first.shutdown(PATIENCE).await;

    let second = start(with_file(&[]));
    let mut search = second.lookup(torrent(3), None, false);
    finds(&mut search, "127.0.0.1:4713".parse().unwrap()).await;
}

#[tokio::test]
async fn private_torrents_never_touch_the_dht() {
    let testnet = Testnet::builder(3).build().expect("a test network");
    let handle = start(config(&testnet.bootstrap));
    let mut search = handle.lookup(torrent(4), Some(Announce { port: 1, seed: false }), true);
    assert_eq!(search.next().await, None);
}

#[tokio::test]
async fn without_any_node_a_search_is_quiet_and_the_exit_is_prompt() {
    let nowhere = ["no-such-host.invalid:6881".to_string(), "127.0.0.1:9".to_string()];
    let handle = start(config(&nowhere));
    let mut search = handle.lookup(torrent(5), None, false);
    assert!(tokio::time::timeout(Duration::from_millis(300), search.next()).await.is_err(), "nothing, and no end");
    let far_longer = Duration::from_secs(3_600);
    tokio::time::timeout(PATIENCE, handle.shutdown(far_longer)).await.expect("nothing is waited for");
    assert_eq!(search.next().await, None);
}
