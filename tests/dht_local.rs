//! The program and its DHT on loopback: over each family alone from magnet to files, and when a run answers others.

#[path = "common/dht_net.rs"]
mod dht_net;
#[path = "common/make_torrent.rs"]
mod make_torrent;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use dht_net::DhtNet;
use make_torrent::{Made, noise};
use rtorrent_cli::base::id::{InfoHashV1, InfoHashV2, PeerId, TorrentId};
use rtorrent_cli::base::metainfo::Metainfo;
use rtorrent_cli::engine::{CheckMode, Engine, EngineSettings, Goal, Item, ItemSource};
use rtorrent_cli::io::dht_task::{DhtConfig, DhtHandle};
use rtorrent_cli::io::resolve::Resolver;
use rtorrent_cli::proto::dht::krpc::{Body, Message};
use rtorrent_cli::proto::dht::lookup::Announce;
use rtorrent_cli::proto::wire::{Handshake, Reserved};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

/// Long enough for a busy machine; what is awaited comes in milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

fn made() -> Made {
    Made::folder("tree", &[("a.txt", noise(10, 1)), ("sub/b.bin", noise(300_000, 2))], 32_768, &[])
}

fn item(made: &Made, goal: Goal, dir: &Path) -> Item {
    let source = ItemSource::Torrent(Arc::new(Metainfo::parse(&made.bytes).unwrap()));
    Item { check: CheckMode::Full, ..Item::new(source, goal, dir.to_owned()) }
}

async fn engine(bootstrap: String) -> Engine {
    let settings = EngineSettings {
        dht_bootstrap: vec![bootstrap],
        dht_well_known: false,
        lsd: false,
        pex: false,
        ..EngineSettings::default()
    };
    Engine::start(settings).await.unwrap()
}

/// A seeder and a `get` that know each other from the DHT at `ip` alone.
async fn from_magnet_to_files_by_dht_alone(ip: IpAddr) {
    let (shared, fetched, made) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), made());
    made.place(shared.path());
    let net = DhtNet::start(ip, 8).await;
    let mut seeder = engine(net.bootstrap()).await;
    seeder.add(item(&made, Goal::Seed { ratio: None, time: None, super_seed: false }, shared.path()));
    let peers = net.wait_for_peers(TorrentId::from_v1(InfoHashV1(made.info_hash))).await;
    assert_eq!(peers, [SocketAddr::new(ip, seeder.port())]);
    let magnet = format!("magnet:?xt=urn:btih:{}", made.hash());
    let mut get = Command::new(env!("CARGO_BIN_EXE_rtorrent-cli"));
    get.args([
        "get",
        "--no-lsd",
        "--no-pex",
        "--state-dir",
        "none",
        "--dht-bootstrap",
        &net.bootstrap(),
        &magnet,
        "-d",
    ]);
    get.arg(fetched.path()).env_clear().env("RTORRENT_CLI_MAX_TIME", "300").stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || get.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in ["tree/a.txt", "tree/sub/b.bin"] {
        assert!(std::fs::read(fetched.path().join(name)).unwrap() == std::fs::read(shared.path().join(name)).unwrap());
    }
}

#[tokio::test]
async fn over_ipv4() {
    from_magnet_to_files_by_dht_alone(Ipv4Addr::LOCALHOST.into()).await;
}

#[tokio::test]
async fn over_ipv6() {
    if std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        eprintln!("NOT RUN: there is no ::1 on the loopback interface");
        return;
    }
    from_magnet_to_files_by_dht_alone(Ipv6Addr::LOCALHOST.into()).await;
}

/// A download keeps the DHT's table for the next run; what is passed on to standard output leaves nothing at all.
#[tokio::test]
async fn only_what_is_kept_leaves_a_table() {
    let (shared, here, made) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), made());
    made.place(shared.path());
    let net = DhtNet::start(Ipv4Addr::LOCALHOST.into(), 8).await;
    let mut seeder = engine(net.bootstrap()).await;
    seeder.add(item(&made, Goal::Seed { ratio: None, time: None, super_seed: false }, shared.path()));
    net.wait_for_peers(TorrentId::from_v1(InfoHashV1(made.info_hash))).await;
    let state = here.path().join("state");
    for (passed_on, to) in [(true, ["-o", "-"]), (false, ["-d", "out"])] {
        let mut get = Command::new(env!("CARGO_BIN_EXE_rtorrent-cli"));
        get.args(["get", "--no-lsd", "--no-pex", "--dht-bootstrap", &net.bootstrap(), "-s", "b.bin", "--state-dir"]);
        get.arg(&state).args(to).arg(format!("magnet:?xt=urn:btih:{}", made.hash()));
        get.env_clear().env("RTORRENT_CLI_MAX_TIME", "300").env("HOME", here.path()).current_dir(here.path());
        get.stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || get.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let left = std::fs::read_dir(here.path()).unwrap().count();
        assert_eq!((left == 0, state.join("dht.nodes").exists()), (passed_on, !passed_on), "{to:?}");
    }
}

/// The first thing that an engine with this goal asks a node; and whether it has been reached by then, and after a call.
async fn first_query(goal: Goal) -> (Message, bool, bool) {
    let (dir, made) = (tempfile::tempdir().unwrap(), made());
    made.place(dir.path());
    let node = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut engine = engine(node.local_addr().unwrap().to_string()).await;
    engine.add(item(&made, goal, dir.path()));
    let mut bytes = [0; 2048];
    let (len, _) = tokio::time::timeout(PATIENCE, node.recv_from(&mut bytes)).await.unwrap().unwrap();
    let before = engine.dht_status().unwrap().reachable;
    let mut caller = TcpStream::connect((Ipv4Addr::LOCALHOST, engine.port())).await.unwrap();
    let peer_id = PeerId(*b"-XX0001-abcdefghijkl");
    let hello = Handshake { reserved: Reserved::OURS, info_hash: InfoHashV1(made.info_hash), peer_id };
    caller.write_all(&hello.encode()).await.unwrap();
    let called = async {
        while !engine.dht_status().unwrap().reachable {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let after = tokio::time::timeout(PATIENCE, called).await.is_ok();
    (Message::decode(&bytes[..len]).unwrap(), before, after)
}

#[tokio::test]
async fn a_get_only_asks_until_somebody_has_called_it() {
    let (query, before, after) = first_query(Goal::Download { seed_ratio: None, seed_time: Some(PATIENCE) }).await;
    assert!(query.read_only && !before && after);
}

/// The first datagram that comes to `node`, and from which port.
async fn first_datagram(node: &UdpSocket) -> (Message, u16) {
    let mut bytes = [0; 2048];
    let (len, from) = tokio::time::timeout(PATIENCE, node.recv_from(&mut bytes)).await.unwrap().unwrap();
    (Message::decode(&bytes[..len]).unwrap(), from.port())
}

/// BEP 5, "Torrent File Extensions".
#[tokio::test]
async fn the_nodes_that_a_torrent_names_are_asked() {
    let (dir, made) = (tempfile::tempdir().unwrap(), made());
    let node = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut bytes = made.bytes.clone();
    bytes.truncate(bytes.len() - 1);
    bytes.extend(format!("5:nodesll9:127.0.0.1i{}eeee", node.local_addr().unwrap().port()).bytes());
    let source = ItemSource::Torrent(Arc::new(Metainfo::parse(&bytes).unwrap()));
    let goal = Goal::Download { seed_ratio: None, seed_time: None };
    let settings = EngineSettings { dht_well_known: false, lsd: false, pex: false, ..EngineSettings::default() };
    let mut engine = Engine::start(settings).await.unwrap();
    engine.add(Item::new(source, goal, dir.path().to_owned()));
    let (message, _) = first_datagram(&node).await;
    assert!(matches!(message.body, Body::Query(_)), "{message:?}");
}

/// BEP 5, "BitTorrent Protocol Extension": who has a DHT node says where, and is asked.
#[tokio::test]
async fn the_node_that_a_peer_names_by_port_is_asked_and_ours_is_named_to_it() {
    let (dir, made) = (tempfile::tempdir().unwrap(), made());
    made.place(dir.path());
    let node = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut engine = engine(silent.local_addr().unwrap().to_string()).await;
    engine.add(item(&made, Goal::Seed { ratio: None, time: None, super_seed: false }, dir.path()));
    first_datagram(&silent).await;
    let mut caller = TcpStream::connect((Ipv4Addr::LOCALHOST, engine.port())).await.unwrap();
    let peer_id = PeerId(*b"-XX0001-abcdefghijkl");
    let hello = Handshake { reserved: Reserved::OURS.with_dht(), info_hash: InfoHashV1(made.info_hash), peer_id };
    caller.write_all(&hello.encode()).await.unwrap();
    let [high, low] = node.local_addr().unwrap().port().to_be_bytes();
    caller.write_all(&[0, 0, 0, 3, 9, high, low]).await.unwrap();
    let (message, from) = first_datagram(&node).await;
    assert!(matches!(message.body, Body::Query(_)), "{message:?}");
    let (mut said, [high, low]) = (Vec::new(), from.to_be_bytes());
    let port = [0, 0, 0, 3, 9, high, low];
    let told = async {
        while !said.windows(port.len()).any(|bytes| bytes == port) {
            assert_ne!(caller.read_buf(&mut said).await.unwrap(), 0, "closed after {said:?}");
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("PORT with our own");
}

#[tokio::test]
async fn a_seed_answers_from_the_start() {
    let (query, ..) = first_query(Goal::Seed { ratio: None, time: None, super_seed: false }).await;
    assert!(!query.read_only);
}

/// `doctor` asks a local network of the DHT, once in words and once as JSON.
#[tokio::test]
async fn doctor_tells_how_many_nodes_answer_and_where_they_see_us() {
    let net = DhtNet::start(Ipv4Addr::LOCALHOST.into(), 8).await;
    let dir = tempfile::tempdir().unwrap();
    let run = async |more: &'static [&'static str], bootstrap: String| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rtorrent-cli"));
        command.args(["doctor", "--state-dir", "none", "--dht-bootstrap", &bootstrap, "-d"]).arg(dir.path()).args(more);
        command.env_clear().stdin(Stdio::null());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let told = run(&["--json"], net.bootstrap()).await;
    assert_eq!(told.status.code(), Some(0), "{}", String::from_utf8_lossy(&told.stdout));
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert!(told["ipv4"]["dht_nodes"].as_u64().unwrap() >= 4, "{told}");
    assert_eq!(told["ipv4"]["external"], "127.0.0.1", "{told}");
    assert_eq!(told["ipv4"]["calls"], "forwarded", "{told}");
    let text = run(&[], net.bootstrap()).await;
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("UDP works") && text.contains("the world sees 127.0.0.1"), "{text}");
    // Nobody there: told, and an exit code of its own.
    let silent = run(&[], "127.0.0.1:9".into()).await;
    assert_eq!(silent.status.code(), Some(6), "{}", String::from_utf8_lossy(&silent.stdout));
}

/// A hybrid is announced under both hashes, and found by who knows either.
#[tokio::test]
async fn a_hybrid_is_announced_and_found_under_both_hashes() {
    let ip: IpAddr = Ipv4Addr::LOCALHOST.into();
    let net = DhtNet::start(ip, 8).await;
    let (v1, v2) = (InfoHashV1([1; 20]), InfoHashV2([2; 32]));
    let hybrid = TorrentId::new(Some(v1), Some(v2)).unwrap();
    let config =
        DhtConfig { ips: vec![ip], well_known: false, bootstrap: vec![net.bootstrap()], ..DhtConfig::default() };
    let ours = DhtHandle::start(config, Resolver::new()).unwrap();
    let search = ours.lookup(hybrid, Some(Announce { port: 7000, seed: false }), false);
    let we = SocketAddr::new(ip, 7000);
    for id in [TorrentId::from_v1(v1), TorrentId::from_v2(v2), hybrid] {
        assert_eq!(net.wait_for_peers(id).await, [we], "{id}");
    }
    drop(search);
}
