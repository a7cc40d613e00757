//! A swarm in which 60 % of the peers are behind NAT: how many of the others each peer ends up connected to, with and
//! without PEX, uTP and holepunching. `cargo test --test nat -- --nocapture` prints the table.
//!
//! The torrents are the program's own; what lies between them is a model. A dial gets through to a peer that is not
//! behind NAT; to one that is, only over uTP and only if it has sent to the caller itself shortly before. A fifth of the
//! NATs choose another port for every destination, so that nobody can be met behind them. Each peer hears of ten others
//! from the tracker; whom else it knows is its own doing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use rtorrent_cli::base::id::{InfoHashV1, PeerId, TorrentId};
use rtorrent_cli::proto::ext::ExtHandshake;
use rtorrent_cli::proto::session::{CloseReason, PeerCommand, PeerEvent};
use rtorrent_cli::swarm::action::{Connected, DialFailure, Way};
use rtorrent_cli::swarm::{Action, PeerKey, Source, Torrent, TorrentConfig};

const PEERS: usize = 60;
const BEHIND_NAT: usize = 36;
const STRICT_NAT: usize = 7;
const TOLD_BY_TRACKER: usize = 10;
const DELAY: Duration = Duration::from_millis(50);
/// How long what a peer sends keeps the way back open, and how long a dial takes to fail.
const HOLE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(6);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Ways {
    pex: bool,
    utp: bool,
    holepunch: bool,
}

struct Node {
    torrent: Torrent,
    addr: SocketAddr,
    nat: bool,
    strict: bool,
    /// When it last sent to that address over uTP.
    sent: HashMap<SocketAddr, Instant>,
    /// Its connections: the other end of each.
    links: BTreeMap<PeerKey, (usize, PeerKey)>,
    dials: BTreeMap<PeerKey, SocketAddr>,
}

#[derive(Clone, Debug)]
enum Event {
    /// A try of a dial; the last one fails it.
    Try {
        from: usize,
        key: PeerKey,
        last: bool,
    },
    Word {
        to: usize,
        key: PeerKey,
        word: Word,
    },
}

#[derive(Clone, Debug)]
enum Word {
    Hello,
    Pex(rtorrent_cli::proto::ext::PexMessage),
    Holepunch(rtorrent_cli::proto::ext::HolepunchMessage),
    Gone,
}

struct Swarm {
    ways: Ways,
    now: Instant,
    nodes: Vec<Node>,
    at: HashMap<SocketAddr, usize>,
    queue: BinaryHeap<Reverse<(Instant, u64)>>,
    events: HashMap<u64, Event>,
    serial: u64,
    /// When each torrent wants to be woken.
    due: Vec<Option<Instant>>,
}

impl Swarm {
    fn new(seed: u64, ways: Ways) -> Swarm {
        let (mut rng, now) = (StdRng::seed_from_u64(seed), Instant::now());
        let id = TorrentId::from_v1(InfoHashV1([7; 20]));
        let nodes: Vec<Node> = (0..PEERS)
            .map(|n| {
                let mut config = TorrentConfig::new(id, PeerId([n as u8 + 1; 20]));
                (config.max_peers, config.pex, config.listen_port) = (200, ways.pex, Some(6881));
                Node {
                    torrent: Torrent::new(config, now, StdRng::seed_from_u64(rng.random())),
                    addr: SocketAddr::from(([60, n as u8, 1, 1], 6881)),
                    nat: n < BEHIND_NAT,
                    strict: n < STRICT_NAT,
                    sent: HashMap::new(),
                    links: BTreeMap::new(),
                    dials: BTreeMap::new(),
                }
            })
            .collect();
        let at = nodes.iter().enumerate().map(|(n, node)| (node.addr, n)).collect();
        let mut swarm = Swarm {
            ways,
            now,
            nodes,
            at,
            queue: BinaryHeap::new(),
            events: HashMap::new(),
            serial: 0,
            due: vec![None; PEERS],
        };
        for n in 0..PEERS {
            let mut others: Vec<SocketAddr> = swarm.nodes.iter().map(|node| node.addr).collect();
            others.remove(n);
            others.shuffle(&mut rng);
            others.truncate(TOLD_BY_TRACKER);
            swarm.nodes[n].torrent.on_addresses(now, Source::Tracker, &others);
            swarm.carry_out(n);
        }
        swarm
    }

    fn plan(&mut self, after: Duration, event: Event) {
        self.serial += 1;
        self.events.insert(self.serial, event);
        self.queue.push(Reverse((self.now + after, self.serial)));
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let event = self.queue.peek().map(|Reverse((at, _))| *at);
            let timer = self.due.iter().enumerate().filter_map(|(n, due)| Some(((*due)?, n))).min();
            match (event, timer) {
                (Some(at), timer) if at <= end && timer.is_none_or(|(due, _)| at <= due) => {
                    let Reverse((at, serial)) = self.queue.pop().expect("it was peeked at");
                    self.now = self.now.max(at);
                    let event = self.events.remove(&serial).expect("each is planned once");
                    self.happen(event);
                }
                (_, Some((due, n))) if due <= end => {
                    self.now = self.now.max(due);
                    let now = self.now;
                    self.nodes[n].torrent.on_timeout(now);
                    self.carry_out(n);
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Try { from, key, last } => self.try_dial(from, key, last),
            Event::Word { to, key, word } => {
                let (now, ways) = (self.now, self.ways);
                let event = match word {
                    Word::Hello => PeerEvent::Extended(Box::new(ExtHandshake {
                        port: Some(6881),
                        ut_pex: ways.pex.then_some(1),
                        ut_holepunch: ways.holepunch.then_some(4),
                        ..ExtHandshake::default()
                    })),
                    Word::Pex(message) => PeerEvent::Pex(message),
                    Word::Holepunch(message) => PeerEvent::Holepunch(message),
                    Word::Gone => PeerEvent::Closed(CloseReason::Ours),
                };
                self.nodes[to].torrent.on_peer(now, key, event);
                self.carry_out(to);
            }
        }
    }

    fn dial(&mut self, from: usize, key: PeerKey, to: SocketAddr) {
        self.nodes[from].dials.insert(key, to);
        // A SYN, and again after 1 and 3 s.
        for (after, last) in [(0, false), (1000, false), (3000, false), (PATIENCE.as_millis() as u64, true)] {
            self.plan(DELAY + Duration::from_millis(after), Event::Try { from, key, last });
        }
    }

    fn try_dial(&mut self, from: usize, key: PeerKey, last: bool) {
        let Some(&addr) = self.nodes[from].dials.get(&key) else { return };
        let (now, ours) = (self.now, self.nodes[from].addr);
        let to = self.at[&addr];
        if self.ways.utp {
            self.nodes[from].sent.insert(addr, now);
        }
        let open = self.nodes[to].sent.get(&ours).is_some_and(|sent| now < *sent + HOLE);
        let strict = self.nodes[from].strict || self.nodes[to].strict;
        let through = !self.nodes[to].nat || (self.ways.utp && open && !strict);
        if through && let Some(theirs) = self.nodes[to].torrent.accept(now, ours) {
            self.nodes[from].dials.remove(&key);
            let way = Way { utp: self.nodes[to].nat, encrypted: false };
            self.nodes[from].links.insert(key, (to, theirs));
            self.nodes[to].links.insert(theirs, (from, key));
            for (node, key, other, incoming) in [(from, key, to, false), (to, theirs, from, true)] {
                let mut at = self.nodes[other].addr;
                if incoming && !way.utp {
                    at.set_port(50_000);
                }
                let peer_id = PeerId([other as u8 + 1; 20]);
                let connected = Connected { addr: at, peer_id, incoming, fast: true, extended: true, way };
                self.nodes[node].torrent.on_connected(now, key, connected);
                self.carry_out(node);
                self.plan(DELAY, Event::Word { to: node, key, word: Word::Hello });
            }
        } else if last {
            self.nodes[from].dials.remove(&key);
            self.nodes[from].torrent.on_dial_failed(now, key, DialFailure::TimedOut);
            self.carry_out(from);
        }
    }

    fn carry_out(&mut self, n: usize) {
        while let Some(action) = self.nodes[n].torrent.poll_action() {
            match action {
                Action::Dial { peer, addr, .. } | Action::Punch { peer, addr } => self.dial(n, peer, addr),
                Action::AbortDial { peer } => drop(self.nodes[n].dials.remove(&peer)),
                Action::Peer { peer, command } => {
                    let Some(&(other, key)) = self.nodes[n].links.get(&peer) else { continue };
                    let word = match command {
                        PeerCommand::Pex(message) => Word::Pex(message),
                        PeerCommand::Holepunch(message) => Word::Holepunch(message),
                        PeerCommand::Close => {
                            self.nodes[n].links.remove(&peer);
                            self.nodes[other].links.remove(&key);
                            self.plan(Duration::ZERO, Event::Word { to: n, key: peer, word: Word::Gone });
                            Word::Gone
                        }
                        _ => continue,
                    };
                    self.plan(DELAY, Event::Word { to: other, key, word });
                }
                _ => {}
            }
        }
        self.due[n] = self.nodes[n].torrent.poll_timeout();
    }

    /// The share of the others that a peer is connected to, in percent, over the peers that `which`.
    fn share(&self, which: impl Fn(&Node) -> bool) -> u32 {
        let chosen: Vec<&Node> = self.nodes.iter().filter(|node| which(node)).collect();
        let links: usize = chosen.iter().map(|node| node.torrent.connections().count()).sum();
        (links * 100 / (chosen.len() * (PEERS - 1))) as u32
    }
}

/// What all peers and those behind NAT reach after each of [`MINUTES`], in percent, over three seeds.
fn reached(ways: Ways) -> [(u32, u32); MINUTES.len()] {
    let mut sums = [(0, 0); MINUTES.len()];
    for seed in 1..=3 {
        let mut swarm = Swarm::new(seed, ways);
        let mut before = 0;
        for (sum, minutes) in sums.iter_mut().zip(MINUTES) {
            swarm.run(Duration::from_secs(60 * (minutes - before)));
            before = minutes;
            sum.0 += swarm.share(|_| true);
            sum.1 += swarm.share(|node| node.nat);
        }
    }
    sums.map(|(all, natted)| (all / 3, natted / 3))
}

/// When it is counted.
const MINUTES: [u64; 3] = [1, 3, 10];

#[test]
fn every_way_in_reaches_more_of_a_swarm_behind_nat() {
    let ways = |pex, utp, holepunch| Ways { pex, utp, holepunch };
    let rows = [
        ("TCP", ways(false, false, false)),
        ("TCP, uTP", ways(false, true, false)),
        ("TCP, PEX", ways(true, false, false)),
        ("TCP, uTP, PEX", ways(true, true, false)),
        ("TCP, uTP, PEX, holepunch", ways(true, true, true)),
    ];
    println!("{:<26} {MINUTES:?} minutes: all peers, those behind NAT", "60 % behind NAT");
    let reached = rows.map(|(name, ways)| {
        let reached = reached(ways);
        println!("{name:<26} {}", reached.map(|(all, natted)| format!("{all:>4} % {natted:>4} %")).join("   "));
        reached
    });
    let [tcp, utp, pex, utp_pex, holepunch] = reached;
    let last = MINUTES.len() - 1;
    assert!(pex[last].0 > tcp[last].0 + 10, "PEX finds those that the tracker did not name: {tcp:?} {pex:?}");
    assert!(utp_pex[last].1 > pex[last].1 + 10, "two that call each other over uTP meet: {utp:?} {pex:?} {utp_pex:?}");
    assert!(
        (0..=last).all(|n| holepunch[n].1 >= utp_pex[n].1),
        "holepunching is in nobody's way: {utp_pex:?} {holepunch:?}"
    );
    assert!(holepunch[last].0 >= 80, "{holepunch:?}");
}
