use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::base::limit::Limit;
use crate::base::run::{Run, RunBuffer, RunId};
use crate::io::limiter_task::{LimiterHandle, Limits};
use crate::io::resolve::Resolver;

/// Two files of 100,000 and 200,000 bytes in pieces of 64 KiB.
fn layout() -> Arc<Layout> {
    Arc::new(Layout::v1(65_536, [(100_000, false), (200_000, false)]))
}

fn byte(at: u64) -> u8 {
    (at * 31 + at / 253) as u8
}

/// What a server does with its nth request, of which it sees the head.
type Act = dyn Fn(usize, &str) -> Vec<u8> + Send + Sync;

/// A server of one connection after the other, and the heads of its requests. Answers keep the connection open.
async fn serve(act: Box<Act>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, heads) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let seen = heads.clone();
    tokio::spawn(async move {
        let act: Arc<Act> = act.into();
        while let Ok((mut stream, _)) = listener.accept().await {
            let (act, seen) = (act.clone(), seen.clone());
            tokio::spawn(async move {
                let mut head = Vec::new();
                while let Ok(byte) = stream.read_u8().await {
                    head.push(byte);
                    if head.ends_with(b"\r\n\r\n") {
                        let text = String::from_utf8(std::mem::take(&mut head)).unwrap();
                        let nth = seen.lock().unwrap().len();
                        let answer = act(nth, &text);
                        seen.lock().unwrap().push(text);
                        if stream.write_all(&answer).await.is_err() || breaks_off(&answer) {
                            return;
                        }
                    }
                }
            });
        }
    });
    (addr, heads)
}

/// True if the body is shorter than its head says: the server hangs up behind it.
fn breaks_off(answer: &[u8]) -> bool {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let text = String::from_utf8_lossy(&answer[..head]).into_owned();
    let length = text.split("Content-Length: ").nth(1).unwrap().lines().next().unwrap().parse::<usize>().unwrap();
    answer.len() - head < length
}

/// The bytes that the request's Range names, of the file at its path.
fn part(head: &str) -> Vec<u8> {
    let range =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let (from, to) = range.as_deref().and_then(|range| range.split_once('-')).expect("a range");
    let (from, to): (u64, u64) = (from.parse().unwrap(), to.parse().unwrap());
    let (offset, length) = if head.starts_with("GET /t/a") { (0, 100_000) } else { (100_000, 200_000) };
    let mut answer = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{to}/{length}\r\n\r\n",
        to + 1 - from
    )
    .into_bytes();
    answer.extend((from..=to).map(|at| byte(offset + at)));
    answer
}

fn status(line: &str, more: &str) -> Vec<u8> {
    format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n{more}\r\n").into_bytes()
}

/// The torrent's end of a web seed.
struct Torrent {
    commands: mpsc::Sender<PeerCommand>,
    reports: mpsc::Receiver<PeerReport>,
    filled: BTreeMap<u64, RunBuffer>,
    returned: Vec<u64>,
    others: Vec<PeerEvent>,
}

impl Torrent {
    fn start(seed: WebSeed, reach: Reach) -> Torrent {
        Torrent::throttled(seed, reach, None)
    }

    fn throttled(seed: WebSeed, reach: Reach, throttle: Option<Throttle>) -> Torrent {
        let (commands, inbox) = mpsc::channel(16);
        let (outbox, reports) = mpsc::channel(64);
        let task = WebSeedTask {
            peer: PeerKey(1),
            seed,
            reach,
            http: HttpClient::new("test/1", Resolver::new()),
            layout: layout(),
            paths: ["t/a".to_owned(), "t/b%20c".to_owned()].into(),
            single_file: false,
            info_hash: InfoHashV1([0xab; 20]),
            commands: inbox,
            reports: outbox,
            throttle,
        };
        tokio::spawn(task.run());
        Torrent { commands, reports, filled: BTreeMap::new(), returned: Vec::new(), others: Vec::new() }
    }

    /// Leases all pieces, run n for piece n.
    async fn lease(&self, pieces: std::ops::Range<u32>) {
        let run = |piece| Run { piece, first: 0, count: layout().blocks(piece) };
        let runs = pieces.map(|piece| RunBuffer::new(RunId(piece.into()), run(piece), &layout())).collect();
        self.commands.send(PeerCommand::Lease(runs)).await.unwrap();
    }

    /// Takes events until `enough`.
    async fn until(&mut self, enough: impl Fn(&Torrent) -> bool) {
        while !enough(self) {
            let report = self.reports.recv().await.expect("it is not over");
            for event in report.events {
                match event {
                    PeerEvent::Filled(buffer) => drop(self.filled.insert(buffer.id.0, buffer)),
                    PeerEvent::Returned(buffer) => self.returned.push(buffer.id.0),
                    other => self.others.push(other),
                }
            }
        }
    }

    fn check(&self) {
        for buffer in self.filled.values() {
            let offset = u64::from(buffer.run.piece) * 65_536;
            assert!(buffer.bytes.iter().zip(offset..).all(|(have, at)| *have == byte(at)), "{:?}", buffer.run);
        }
    }

    fn closed(&self) -> Option<&CloseReason> {
        self.others.iter().find_map(|event| if let PeerEvent::Closed(reason) = event { Some(reason) } else { None })
    }
}

#[tokio::test]
async fn pieces_come_over_one_connection_in_one_request_a_file() {
    let (addr, heads) = serve(Box::new(|_, head| part(head))).await;
    let mut torrent = Torrent::start(WebSeed::Files(format!("http://{addr}")), Reach::NotInward);
    torrent.until(|it| matches!(it.others[..], [PeerEvent::Hungry { bytes: 4_194_304, rate: 0 }])).await;
    torrent.lease(0..5).await;
    torrent.until(|it| it.filled.len() == 5).await;
    torrent.check();
    let heads = heads.lock().unwrap().clone();
    assert_eq!(heads.len(), 2, "{heads:?}");
    assert!(heads[0].starts_with("GET /t/a HTTP/1.1\r\n") && heads[0].contains("ange: bytes=0-99999\r\n"));
    assert!(heads[1].starts_with("GET /t/b%20c HTTP/1.1\r\n") && heads[1].contains("ange: bytes=0-199999\r\n"));
    assert!(heads[0].contains("test/1") && heads[0].contains("identity"));
}

/// Under a limit it asks for less at a time, and reads no faster than it may.
#[tokio::test]
async fn a_limit_holds_for_a_web_seed() {
    let (addr, heads) = serve(Box::new(|_, head| part(head))).await;
    let limits = Limits { down: Limit::bytes(200_000), up: Limit::Off };
    let limiter = LimiterHandle::start(limits);
    let url = WebSeed::Files(format!("http://{addr}"));
    let start = Instant::now();
    let mut torrent = Torrent::throttled(url, Reach::NotInward, Some(limiter.throttle(1, 1)));
    torrent.lease(0..5).await;
    torrent.until(|it| it.filled.len() == 5).await;
    torrent.check();
    // All but the first grant and the brim of the bucket has to be waited for.
    let waited = (300_000.0 - 16_384.0 - 25_000.0) / 200_000.0;
    assert!(start.elapsed().as_secs_f64() >= waited, "{:?}", start.elapsed());
    assert_eq!(heads.lock().unwrap().len(), 2);
    limiter.set(Limits { down: Limit::Paused, up: Limit::Off });
    torrent.commands.send(PeerCommand::Close).await.unwrap();
    torrent.until(|it| it.closed().is_some()).await;
}

/// A server that says no for a second, breaks off, redirects, and ends up serving: nothing is asked for twice.
#[tokio::test]
async fn trouble_passes_and_what_came_is_kept() {
    let (addr, heads) = serve(Box::new(|nth, head| match nth {
        0 => status("503 Service Unavailable", "Retry-After: 1\r\n"),
        1 => {
            let mut answer = part(head);
            answer.truncate(answer.len() - 50_000);
            answer
        }
        2 => status("302 Found", "Location: /t/a?elsewhere\r\n"),
        _ => part(head),
    }))
    .await;
    let mut torrent = Torrent::start(WebSeed::Files(format!("http://{addr}/")), Reach::NotInward);
    torrent.lease(0..1).await;
    torrent.until(|it| it.filled.len() == 1).await;
    torrent.check();
    assert!(torrent.returned.is_empty());
    let heads = heads.lock().unwrap().clone();
    let ranges: Vec<&str> =
        heads.iter().map(|head| head.split("ange: bytes=").nth(1).unwrap().lines().next().unwrap()).collect();
    assert_eq!(ranges, ["0-65535", "0-65535", "15536-65535", "15536-65535"]);
    assert!(heads[3].starts_with("GET /t/a?elsewhere "), "{}", heads[3]);
}

#[tokio::test]
async fn a_server_that_wants_a_long_rest_gives_back_what_it_holds() {
    let (addr, _) = serve(Box::new(|_, _| status("429 Too Many Requests", "Retry-After: 100\r\n"))).await;
    let mut torrent = Torrent::start(WebSeed::Files(format!("http://{addr}/")), Reach::NotInward);
    torrent.lease(0..2).await;
    torrent.until(|it| it.returned.len() == 2).await;
    assert!(matches!(torrent.others.last(), Some(PeerEvent::Choked)));
    // It obeys even while it rests.
    torrent.commands.send(PeerCommand::Close).await.unwrap();
    torrent.until(|it| it.closed().is_some()).await;
}

#[tokio::test]
async fn a_file_that_is_not_there_is_left_to_others() {
    let act = |_, head: &str| if head.starts_with("GET /t/a") { status("404 Not Found", "") } else { part(head) };
    let (addr, _) = serve(Box::new(act)).await;
    let mut torrent = Torrent::start(WebSeed::Files(format!("http://{addr}/")), Reach::NotInward);
    torrent.lease(0..5).await;
    torrent.until(|it| it.returned.len() == 5 && matches!(it.others.last(), Some(PeerEvent::Hungry { .. }))).await;
    let lacks: Vec<u32> = torrent
        .others
        .iter()
        .filter_map(|event| if let PeerEvent::DontHave(piece) = event { Some(*piece) } else { None })
        .collect();
    assert_eq!(lacks, [0, 1]);
    torrent.lease(2..5).await;
    torrent.until(|it| it.filled.len() == 3).await;
    torrent.check();
}

#[tokio::test]
async fn servers_that_are_of_no_use_are_told_apart() {
    let whole = |_: usize, _: &str| {
        let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n".to_vec();
        answer.resize(3_000_000, 0);
        answer
    };
    let other_part = |_: usize, _: &str| {
        b"HTTP/1.1 206 P\r\nContent-Range: bytes 7-8/100000\r\nContent-Length: 2\r\n\r\nab".to_vec()
    };
    let packed = |_: usize, _: &str| {
        b"HTTP/1.1 206 P\r\nContent-Encoding: gzip\r\nContent-Range: bytes 0-1/100000\r\nContent-Length: 2\r\n\r\nab"
            .to_vec()
    };
    let other_scheme = |_: usize, _: &str| status("301 Moved", "Location: ftp://elsewhere/\r\n");
    let cases: [(Box<Act>, &str); 3] =
        [(Box::new(other_part), "other parts"), (Box::new(packed), "packs"), (Box::new(other_scheme), "neither http")];
    for (act, reason) in cases {
        let (addr, _) = serve(act).await;
        let mut torrent = Torrent::start(WebSeed::Files(format!("http://{addr}/")), Reach::NotInward);
        torrent.lease(0..1).await;
        torrent.until(|it| it.closed().is_some()).await;
        assert!(
            matches!(torrent.closed(), Some(CloseReason::Lost(why)) if why.contains(reason)),
            "{:?}",
            torrent.closed()
        );
        assert_eq!(torrent.returned, [0]);
    }
    // The beginning of a whole file will do.
    let (addr, _) = serve(Box::new(whole)).await;
    let mut torrent = Torrent::start(WebSeed::Files(format!("http://{addr}/")), Reach::NotInward);
    torrent.lease(0..1).await;
    torrent.until(|it| it.filled.len() == 1).await;
}

#[tokio::test]
async fn what_a_torrent_names_may_not_lie_on_the_local_network() {
    let (addr, heads) = serve(Box::new(|_, head| part(head))).await;
    let mut torrent = Torrent::start(WebSeed::Files(format!("http://{addr}/")), Reach::Internet);
    torrent.lease(0..1).await;
    torrent.until(|it| it.closed().is_some()).await;
    assert!(matches!(torrent.closed(), Some(CloseReason::Lost(why)) if why.contains("local network")));
    assert!(heads.lock().unwrap().is_empty());
    let mut torrent = Torrent::start(WebSeed::Files(format!("http://{addr}/")), Reach::Anywhere);
    torrent.lease(0..1).await;
    torrent.until(|it| it.filled.len() == 1).await;
}

#[tokio::test]
async fn a_script_is_asked_for_pieces() {
    let (addr, heads) = serve(Box::new(|nth, _| match nth {
        0 => b"HTTP/1.1 503 Busy\r\nContent-Length: 1\r\n\r\n1".to_vec(),
        _ => {
            let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n".to_vec();
            answer.extend((65_536..131_072).map(byte));
            answer
        }
    }))
    .await;
    let mut torrent = Torrent::start(WebSeed::Pieces(format!("http://{addr}/seed.php?k=v")), Reach::NotInward);
    torrent.lease(1..2).await;
    torrent.until(|it| it.filled.len() == 1).await;
    torrent.check();
    let head = heads.lock().unwrap()[1].clone();
    assert!(head.contains("/seed.php?k=v&info_hash=%AB%AB") && head.contains("&piece=1&ranges=0-65535 "), "{head}");
}

#[test]
fn servers_say_in_two_ways_when_to_come_again() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 60);
    assert_eq!(wish("120", now), Some(Duration::from_secs(120)));
    assert_eq!(wish("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(60)));
    assert_eq!(wish("Thu, 01 Jan 1970 00:00:00 GMT", now), Some(Duration::ZERO));
    assert_eq!(date("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
    for wrong in ["soon", "", "Sun, 06 Now 1994 08:49:37 GMT", "Sun, 0 Nov 1994 08:49:37 GMT"] {
        assert_eq!(wish(wrong, now), None, "{wrong}");
    }
}

#[test]
fn names_hold_no_keys() {
    assert_eq!(WebSeed::Files("https://me:secret@host.example:81/x?key=1".into()).name(), "host.example:81");
}
