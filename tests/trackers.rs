//! Trackers over real sockets on loopback: good ones, and servers that do all the wrong things.

#[path = "common/tracker_server.rs"]
mod tracker_server;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rtorrent_cli::base::id::{InfoHashV1, PeerId};
use rtorrent_cli::io::announce::Announcer;
use rtorrent_cli::io::http::HttpClient;
use rtorrent_cli::io::resolve::Resolver;
use rtorrent_cli::io::tracker_task::{self, TrackerHandle, TrackerNews, TrackerSetup};
use rtorrent_cli::io::udp_tracker::UdpTrackers;
use rtorrent_cli::proto::tracker::Totals;
use tokio::sync::{mpsc, watch};
use tracker_server::TrackerServer;

const HASH: [u8; 20] = *b"\x00\xFF&=%? torrent hash+";
const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Far more than anything here takes: only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

fn announcer() -> Announcer {
    let http = HttpClient::new("rtorrent-cli/test", Resolver::new());
    Announcer::new(http, UdpTrackers::spawn(StdRng::seed_from_u64(2)))
}

/// A torrent's trackers at work.
struct Scene {
    handle: TrackerHandle,
    news: mpsc::UnboundedReceiver<TrackerNews>,
    totals: watch::Sender<Totals>,
}

impl Scene {
    fn start(tiers: &[&[&str]], private: bool) -> Scene {
        let (totals, told) = watch::channel(Totals::default());
        let (sender, news) = mpsc::unbounded_channel();
        let setup = TrackerSetup {
            info_hash: InfoHashV1(HASH),
            peer_id: PeerId(*b"-RC0100-abcdefghijkl"),
            key: 0xFEED_BEEF,
            port: 7000,
            tiers: tiers.iter().map(|tier| tier.iter().map(|url| url.to_string()).collect()).collect(),
            private,
            totals: told,
            rng: StdRng::seed_from_u64(1),
        };
        Scene { handle: tracker_task::spawn(setup, announcer(), sender), news, totals }
    }

    async fn next(&mut self) -> TrackerNews {
        tokio::time::timeout(PATIENCE, self.news.recv()).await.expect("news in time").expect("the task lives")
    }

    async fn peers(&mut self) -> Vec<SocketAddr> {
        match self.next().await {
            TrackerNews::Peers(peers) => peers,
            other => panic!("{other:?}"),
        }
    }
}

fn events(tracker: &TrackerServer) -> Vec<String> {
    tracker.seen().into_iter().map(|seen| seen.event).collect()
}

#[tokio::test]
async fn started_completed_and_stopped_over_http() {
    let tracker = TrackerServer::start(V4).await.unwrap();
    a_whole_life(&tracker, &tracker.http_url()).await;
}

#[tokio::test]
async fn started_completed_and_stopped_over_udp() {
    let tracker = TrackerServer::start(V4).await.unwrap();
    a_whole_life(&tracker, &tracker.udp_url()).await;
    assert_eq!(tracker.seen()[0].url_data, "/announce");
}

async fn a_whole_life(tracker: &TrackerServer, url: &str) {
    let peer: SocketAddr = "10.1.2.3:4567".parse().unwrap();
    tracker.insert(HASH, peer, 0);
    let mut scene = Scene::start(&[&[url]], false);
    assert_eq!(scene.peers().await, [peer]);
    assert_eq!(scene.handle.status().borrow().counts(), (1, 1));
    let seen = &tracker.seen()[0];
    assert_eq!((seen.info_hash, seen.key, seen.left, seen.numwant), (HASH, 0xFEED_BEEF, 16_384, 200));
    assert_eq!((seen.event.as_str(), seen.peer), ("started", SocketAddr::new(V4, 7000)));

    scene.totals.send_replace(Totals { uploaded: 1, downloaded: 2, left: Some(0) });
    scene.handle.completed();
    scene.handle.stop(Duration::from_secs(20)).await;
    let mut last = events(tracker).split_off(1);
    last.sort();
    assert_eq!(last, ["completed", "stopped"]);
    let seen = tracker.seen().pop().unwrap();
    assert_eq!((seen.uploaded, seen.downloaded, seen.left), (1, 2, 0));
}
