//! Our announces and scrapes against opentracker, over HTTP and UDP.

#[path = "common/free_port.rs"]
mod free_port;
#[path = "common/open_tracker.rs"]
mod open_tracker;

use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rtorrent_cli::base::id::{InfoHashV1, PeerId, TorrentId};
use rtorrent_cli::io::announce::Announcer;
use rtorrent_cli::io::http::HttpClient;
use rtorrent_cli::io::resolve::Resolver;
use rtorrent_cli::io::scrape::scrape;
use rtorrent_cli::io::tracker_task::{self, TrackerHandle, TrackerNews, TrackerSetup};
use rtorrent_cli::io::udp_tracker::UdpTrackers;
use rtorrent_cli::proto::tracker::{Scrape, Totals};
use tokio::sync::{mpsc, watch};

const HASH: [u8; 20] = *b"\x00\xFF&=%? torrent hash+";
const PATIENCE: Duration = Duration::from_secs(30);

/// A running opentracker that serves [`HASH`] on this port.
struct OpenTracker {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for OpenTracker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl OpenTracker {
    /// `None` if there is no such program.
    async fn start() -> Option<OpenTracker> {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        let hash: String = HASH.iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(&list, format!("{hash}\n")).unwrap();
        let port = free_port::free_port();
        let child = open_tracker::command(port, &list).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let mut tracker = OpenTracker { child, port, _folder: folder };
        let end = Instant::now() + PATIENCE;
        while let Err(reason) = open_tracker::serves(port, &HASH) {
            assert_eq!(tracker.child.try_wait().unwrap(), None, "opentracker runs");
            assert!(Instant::now() < end, "{reason}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Some(tracker)
    }

    fn urls(&self) -> [String; 2] {
        ["http", "udp"].map(|scheme| format!("{scheme}://127.0.0.1:{}/announce", self.port))
    }
}

fn announcer() -> Announcer {
    let http = HttpClient::new("rtorrent-cli/test", Resolver::new());
    Announcer::new(http, UdpTrackers::spawn(StdRng::seed_from_u64(3), rtorrent_cli::io::net_path::NetPath::open()))
}

struct Client {
    handle: TrackerHandle,
    news: mpsc::UnboundedReceiver<TrackerNews>,
    totals: watch::Sender<Totals>,
}

fn client(url: &str, port: u16, left: u64) -> Client {
    let (totals, told) = watch::channel(Totals { left: Some(left), ..Totals::default() });
    let (sender, news) = mpsc::unbounded_channel();
    let setup = TrackerSetup {
        id: TorrentId::from_v1(InfoHashV1(HASH)),
        peer_id: PeerId::ours(&mut StdRng::seed_from_u64(port.into())),
        key: port.into(),
        port,
        tiers: vec![vec![url.into()]],
        private: false,
        totals: told,
        rng: StdRng::seed_from_u64(1),
    };
    Client { handle: tracker_task::spawn(setup, announcer(), sender), news, totals }
}

/// Waits until the tracker has answered, whether or not it knew peers.
async fn answered(client: &Client) {
    let mut status = client.handle.status();
    let answer = status.wait_for(|status| status.counts() == (1, 1) || status.errors().next().is_some());
    let status = tokio::time::timeout(PATIENCE, answer).await.expect("an answer in time").unwrap();
    assert_eq!(status.errors().collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test]
async fn opentracker_takes_our_announces_and_scrapes() {
    let Some(tracker) = OpenTracker::start().await else {
        // Straight to the terminal: what is printed in the usual way is not seen when a test passes.
        let what =
            "NOT RUN: opentracker_takes_our_announces_and_scrapes needs opentracker (apt-get install opentracker)";
        std::io::Write::write_all(&mut std::io::stderr(), format!("{what}\n").as_bytes()).unwrap();
        return;
    };
    for (nth, url) in tracker.urls().iter().enumerate() {
        let port = 7000 + 10 * nth as u16;
        let seeder = client(url, port, 0);
        answered(&seeder).await;
        let mut leecher = client(url, port + 1, 1000);
        let news = tokio::time::timeout(PATIENCE, leecher.news.recv()).await.expect("peers in time");
        let seeder_addr: SocketAddr = ([127, 0, 0, 1], port).into();
        assert!(matches!(&news, Some(TrackerNews::Peers(peers)) if peers.contains(&seeder_addr)), "{url}: {news:?}");

        let counts =
            scrape(&announcer(), std::slice::from_ref(url), TorrentId::from_v1(InfoHashV1(HASH)), PATIENCE).await;
        assert_eq!(counts[0].outcome, Ok(Scrape { seeders: 1, leechers: 1, completed: Some(nth as u32) }), "{url}");

        leecher.totals.send_replace(Totals { left: Some(0), ..Totals::default() });
        leecher.handle.completed();
        leecher.handle.stop(PATIENCE).await;
        seeder.handle.stop(PATIENCE).await;
        let counts =
            scrape(&announcer(), std::slice::from_ref(url), TorrentId::from_v1(InfoHashV1(HASH)), PATIENCE).await;
        let left = counts[0].outcome.as_ref().unwrap();
        let all = (left.seeders, left.leechers, left.completed);
        assert_eq!(all, (0, 0, Some(nth as u32 + 1)), "{url}: the completed download and then the farewells are heard");
    }
}
