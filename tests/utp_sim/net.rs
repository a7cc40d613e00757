//! Two hosts and the links between them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rtorrent_cli::proto::utp::{ConnectionKey, Event, Socket, Stalled};

/// One direction of a path.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub delay: Duration,
    /// Bytes a second; 0 for no limit.
    pub rate: u64,
    /// How long a packet may wait before it is dropped.
    pub queue: Duration,
    /// Shares of packets that are lost, doubled, and held back by up to `late`.
    pub loss: f64,
    pub twice: f64,
    pub reorder: f64,
    pub late: Duration,
    /// Longer datagrams vanish.
    pub mtu: usize,
    pub free_at: Option<Instant>,
}

impl Link {
    pub fn new(delay_ms: u64) -> Link {
        Link {
            delay: Duration::from_millis(delay_ms),
            rate: 0,
            queue: Duration::from_millis(200),
            loss: 0.0,
            twice: 0.0,
            reorder: 0.0,
            late: Duration::ZERO,
            mtu: 9000,
            free_at: None,
        }
    }

    /// `mbit` a second, with a queue of `queue_ms`.
    pub fn rate(self, mbit: u64, queue_ms: u64) -> Link {
        Link { rate: mbit * 125_000, queue: Duration::from_millis(queue_ms), ..self }
    }

    /// When a packet of `len` bytes arrives; `None` if the queue is full.
    pub fn pass(&mut self, now: Instant, len: usize) -> Option<Instant> {
        let mut at = now;
        if self.rate > 0 {
            let start = self.free_at.unwrap_or(now).max(now);
            if start - now > self.queue {
                return None;
            }
            at = start + Duration::from_secs_f64((len + 28) as f64 / self.rate as f64);
            self.free_at = Some(at);
        }
        Some(at + self.delay)
    }
}

/// When, in what order among equals, at which host, and what.
type Arrival = (Instant, u64, usize, Vec<u8>);

pub struct Net {
    pub now: Instant,
    pub rng: StdRng,
    pub hosts: [Socket; 2],
    /// From host 0 to host 1, and back.
    pub links: [Link; 2],
    on_way: BinaryHeap<Reverse<Arrival>>,
    sent: u64,
    pub events: [Vec<Event>; 2],
    /// Every datagram: sender and bytes.
    pub seen: Vec<(usize, Vec<u8>)>,
    pub watch: bool,
    /// Bytes that an endless stream has written and read.
    pub progress: (u64, u64),
}

pub fn addr(host: usize) -> SocketAddr {
    SocketAddr::new([192, 0, 2, host as u8 + 1].into(), 6881)
}

impl Net {
    pub fn new(seed: u64, there: Link, back: Link) -> Net {
        let now = Instant::now();
        let host = |n: u64| Socket::new(now, true, StdRng::seed_from_u64(seed * 2 + n));
        Net {
            now,
            rng: StdRng::seed_from_u64(seed),
            hosts: [host(0), host(1)],
            links: [there, back],
            on_way: BinaryHeap::new(),
            sent: 0,
            events: [Vec::new(), Vec::new()],
            seen: Vec::new(),
            watch: false,
            progress: (0, 0),
        }
    }

    /// Puts a datagram on the way from `host`.
    pub fn send(&mut self, host: usize, bytes: &[u8]) {
        if self.watch {
            self.seen.push((host, bytes.to_vec()));
        }
        let link = &mut self.links[host];
        if bytes.len() > link.mtu || self.rng.random_bool(link.loss) {
            return;
        }
        let copies = 1 + usize::from(self.rng.random_bool(link.twice));
        for _ in 0..copies {
            let Some(mut at) = link.pass(self.now, bytes.len()) else { continue };
            if self.rng.random_bool(link.reorder) {
                at += link.late.mul_f64(self.rng.random());
            }
            self.sent += 1;
            self.on_way.push(Reverse((at, self.sent, 1 - host, bytes.to_vec())));
        }
    }

    fn flush(&mut self) {
        let mut batch = Vec::new();
        for host in 0..2 {
            while let Some(transmit) = self.hosts[host].poll_transmit(self.now, 8, &mut batch) {
                for datagram in batch.chunks(transmit.segment) {
                    self.send(host, datagram);
                }
            }
            while let Some(event) = self.hosts[host].poll_event() {
                self.events[host].push(event);
            }
        }
    }

    /// When something happens next.
    fn next(&self) -> Option<Instant> {
        let arrival = self.on_way.peek().map(|Reverse((at, ..))| *at);
        self.hosts.iter().map(Socket::poll_timeout).chain([arrival]).flatten().min()
    }

    /// Lets time go on to the next thing that happens, `until` at most; false at `until`.
    pub fn step(&mut self, until: Instant) -> bool {
        self.flush();
        let Some(next) = self.next().filter(|next| *next <= until) else {
            self.now = until;
            return false;
        };
        self.now = self.now.max(next);
        while let Some(Reverse((at, ..))) = self.on_way.peek()
            && *at <= self.now
        {
            let Some(Reverse((_, _, host, bytes))) = self.on_way.pop() else { break };
            self.hosts[host].handle_datagram(self.now, addr(1 - host), &bytes);
        }
        self.hosts.iter_mut().for_each(|host| host.handle_timeout(self.now));
        self.flush();
        true
    }

    /// Runs for `time`.
    pub fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
    }

    /// Host 0 calls host 1 and says one byte, so that host 1 knows that it is there.
    pub fn connect(&mut self) -> (ConnectionKey, ConnectionKey) {
        let caller = self.hosts[0].connect(self.now, addr(1)).expect("room for one");
        let until = self.now + Duration::from_secs(60);
        let accepted = |event: &Event| if let Event::Accepted(key) = event { Some(*key) } else { None };
        let mut said = false;
        loop {
            if !said {
                said = self.hosts[0].write(caller, &[IoSlice::new(b"!")]).is_ok();
            }
            if let Some(callee) = self.events[1].iter().find_map(accepted) {
                self.events = [Vec::new(), Vec::new()];
                return (caller, callee);
            }
            assert!(self.step(until), "nobody answered");
        }
    }
}

/// The byte at `at` of every stream.
pub fn byte(at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// A stream of so many bytes from one host to the other, checked as it comes.
pub struct Stream {
    pub from: (usize, ConnectionKey),
    pub to: (usize, ConnectionKey),
    pub len: u64,
    pub written: u64,
    pub read: u64,
    /// Bytes that the reader leaves alone after so many.
    pub read_until: u64,
}

impl Stream {
    pub fn new(from: (usize, ConnectionKey), to: (usize, ConnectionKey), len: u64) -> Stream {
        Stream { from, to, len, written: 0, read: 0, read_until: u64::MAX }
    }

    /// Writes and reads what goes at once.
    pub fn pump(&mut self, net: &mut Net) {
        let mut buffer = vec![0; 64 * 1024];
        while self.written < self.len && net.hosts[self.from.0].is_writable(self.from.1) {
            let n = (self.len - self.written).min(64 * 1024) as usize;
            (0..n).for_each(|i| buffer[i] = byte(self.written + i as u64));
            match net.hosts[self.from.0].write(self.from.1, &[IoSlice::new(&buffer[..n])]) {
                Ok(taken) => self.written += taken as u64,
                Err(Stalled::WouldBlock) => break,
                Err(Stalled::Over(ending)) => panic!("writing: {ending}"),
            }
        }
        while self.read < self.read_until && net.hosts[self.to.0].is_readable(self.to.1) {
            match net.hosts[self.to.0].read(self.to.1, &mut [IoSliceMut::new(&mut buffer)]) {
                Ok(0) | Err(Stalled::WouldBlock) => break,
                Ok(n) => {
                    for (i, got) in buffer[..n].iter().enumerate() {
                        assert_eq!(*got, byte(self.read + i as u64), "at {}", self.read + i as u64);
                    }
                    self.read += n as u64;
                }
                Err(Stalled::Over(ending)) => panic!("reading: {ending}"),
            }
        }
    }

    pub fn is_done(&self) -> bool {
        self.read == self.len
    }

    /// Runs until all has been read; how long that took.
    pub fn finish(&mut self, net: &mut Net, within: Duration) -> Duration {
        let (start, until) = (net.now, net.now + within);
        loop {
            self.pump(net);
            if self.is_done() {
                return net.now - start;
            }
            assert!(net.step(until), "{} of {} bytes after {within:?}", self.read, self.len);
        }
    }
}

/// A connected pair over these links, which lose nothing until then; the greeting byte has been read.
pub fn pair(seed: u64, there: Link, back: Link) -> (Net, ConnectionKey, ConnectionKey) {
    let calm = |link| Link { loss: 0.0, ..link };
    let mut net = Net::new(seed, calm(there), calm(back));
    let (caller, callee) = net.connect();
    net.links = [there, back];
    let n = net.hosts[1].read(callee, &mut [IoSliceMut::new(&mut [0; 8])]);
    assert_eq!(n, Ok(1));
    (net, caller, callee)
}
