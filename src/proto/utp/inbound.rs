//! What has arrived: the stream up to the first hole, packets beyond it, and how much more there is room for.
//!
//! The window that the other side is told is the room for bytes that wait to be read; it grows while the reader keeps up
//! with what comes, up to the limit that the socket sets.

use std::collections::{BTreeMap, VecDeque};
use std::io::{IoSliceMut, Read};
use std::time::{Duration, Instant};

use super::packet::MAX_SACK_LEN;
use super::seq::Seq;

/// The first window.
const FIRST_WINDOW: usize = 1024 * 1024;
/// Half a window that came within this time wants a larger one.
const BUSY: Duration = Duration::from_secs(1);
/// Packets beyond a hole that are kept.
const MOST_AHEAD: u16 = 16 * 1024;
/// An emptied buffer that is larger is given back.
const KEPT: usize = 256 * 1024;

#[derive(Debug)]
pub struct Inbound {
    /// The next number that is missing.
    next: Seq,
    ready: VecDeque<u8>,
    /// Packets beyond the hole, by their distance from `base`.
    ahead: BTreeMap<u64, Box<[u8]>>,
    ahead_bytes: usize,
    /// `next` as a number that does not wrap.
    base: u64,
    /// The number of the FIN.
    end: Option<Seq>,
    ended: bool,
    /// Nobody reads any more: what comes is acknowledged and dropped.
    discard: bool,
    window: usize,
    limit: usize,
    /// Since when, and how much has come since.
    busy: (Instant, usize),
}

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// The stream went on, perhaps by what had waited too.
    InOrder,
    /// Kept, beyond a hole.
    Ahead,
    /// Known already, or no room: of no use but to be acknowledged.
    Useless,
    /// Not of this stream: further away than anything that may come.
    Implausible,
}

impl Inbound {
    pub fn new(now: Instant, next: Seq) -> Inbound {
        Inbound {
            next,
            ready: VecDeque::new(),
            ahead: BTreeMap::new(),
            ahead_bytes: 0,
            base: 0,
            end: None,
            ended: false,
            discard: false,
            window: FIRST_WINDOW,
            limit: FIRST_WINDOW,
            busy: (now, 0),
        }
    }

    /// The last number that came with all before it.
    pub fn ack(&self) -> Seq {
        self.next.minus(1)
    }

    pub fn has_holes(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// There is something to read, if only the end.
    pub fn is_readable(&self) -> bool {
        !self.ready.is_empty() || self.ended
    }

    /// The other side has said all, and all of it has come.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Bytes that there is room for.
    pub fn room(&self) -> usize {
        self.window.min(self.limit).saturating_sub(self.ready.len() + self.ahead_bytes)
    }

    /// The most that the window may become.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub fn window(&self) -> usize {
        self.window.min(self.limit)
    }

    pub fn discard(&mut self) {
        self.discard = true;
        self.ready = VecDeque::new();
    }

    /// A FIN of number `seq`.
    pub fn on_fin(&mut self, seq: Seq) -> Arrival {
        let distance = seq.since(self.next);
        if self.end.is_some_and(|end| end != seq) || (MOST_AHEAD..0x8000).contains(&distance) {
            return Arrival::Implausible;
        }
        if distance >= 0x8000 {
            return Arrival::Useless;
        }
        // Nothing may have come from beyond the end.
        if self.ahead.last_key_value().is_some_and(|(last, _)| *last > self.base + u64::from(distance)) {
            return Arrival::Implausible;
        }
        self.end = Some(seq);
        if self.reach_end() { Arrival::InOrder } else { Arrival::Ahead }
    }

    fn reach_end(&mut self) -> bool {
        if !self.ended && self.end == Some(self.next) {
            self.ended = true;
            self.next = self.next.plus(1);
        }
        self.ended
    }

    /// A data packet of number `seq`.
    pub fn on_data(&mut self, now: Instant, seq: Seq, payload: &[u8]) -> Arrival {
        let distance = seq.since(self.next);
        if distance >= 0x8000 {
            return Arrival::Useless;
        }
        if distance >= MOST_AHEAD {
            return Arrival::Implausible;
        }
        if self.end.is_some_and(|end| !seq.is_before(end)) {
            return Arrival::Implausible;
        }
        if distance > 0 {
            let at = self.base + u64::from(distance);
            // A packet that fills the hole always has room; what comes beyond must leave some.
            if payload.len() > self.room() || self.ahead.contains_key(&at) {
                return Arrival::Useless;
            }
            self.ahead_bytes += payload.len();
            self.ahead.insert(at, payload.into());
            self.widen_for_hole();
            return Arrival::Ahead;
        }
        if self.ready.len() >= 2 * self.limit {
            return Arrival::Useless; // a sender that heeds no window
        }
        self.take(payload);
        let mut came = payload.len();
        while let Some(entry) = self.ahead.first_entry()
            && *entry.key() == self.base
        {
            let payload = entry.remove();
            self.ahead_bytes -= payload.len();
            came += payload.len();
            self.take(&payload);
        }
        self.reach_end();
        self.widen(now, came);
        Arrival::InOrder
    }

    fn take(&mut self, payload: &[u8]) {
        if !self.discard {
            self.ready.extend(payload);
        }
        self.next = self.next.plus(1);
        self.base += 1;
    }

    fn widen(&mut self, now: Instant, came: usize) {
        self.busy.1 += came;
        if self.busy.1 < self.window / 2 {
            return;
        }
        if now.saturating_duration_since(self.busy.0) < BUSY && self.ready.len() < self.window / 2 {
            self.window = (self.window * 2).min(self.limit.max(FIRST_WINDOW));
        }
        self.busy = (now, 0);
    }

    /// What lies beyond a hole takes half the window, and not because of the reader: without more room the sender would
    /// wait for the hole to be filled.
    fn widen_for_hole(&mut self) {
        if self.ahead_bytes > self.window / 2 && self.ready.len() < self.window / 4 {
            self.window = (self.window * 2).min(self.limit.max(FIRST_WINDOW));
        }
    }

    /// Moves what is there into `slices`; how much that was. 0 says nothing about the end.
    pub fn read(&mut self, slices: &mut [IoSliceMut<'_>]) -> usize {
        let mut taken = 0;
        for slice in slices {
            let mut filled = 0;
            // The ring gives what lies in one piece.
            while let Ok(n @ 1..) = self.ready.read(&mut slice[filled..]) {
                filled += n;
            }
            taken += filled;
        }
        if self.ready.is_empty() && self.ready.capacity() > KEPT {
            self.ready = VecDeque::new();
        }
        taken
    }

    /// The bitmask of what lies beyond the hole, empty if there is none (BEP 29, "Selective ACK").
    pub fn sack(&self) -> Vec<u8> {
        let mut mask = Vec::new();
        for at in self.ahead.keys() {
            let bit = (at - self.base - 1) as usize; // `base` itself is missing
            if bit >= MAX_SACK_LEN * 8 {
                break;
            }
            if bit / 8 >= mask.len() {
                mask.resize((bit / 32 + 1) * 4, 0);
            }
            mask[bit / 8] |= 1 << (bit % 8);
        }
        mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbound() -> Inbound {
        Inbound::new(Instant::now(), Seq(65_534))
    }

    fn read(inbound: &mut Inbound, sizes: &[usize]) -> Vec<u8> {
        let mut buffers: Vec<Vec<u8>> = sizes.iter().map(|len| vec![0; *len]).collect();
        let mut slices: Vec<IoSliceMut<'_>> = buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        let n = inbound.read(&mut slices);
        let mut all = buffers.concat();
        all.truncate(n);
        all
    }

    #[test]
    fn packets_in_any_order_over_the_wrap_make_one_stream() {
        let now = Instant::now();
        let mut inbound = inbound();
        assert_eq!(inbound.on_data(now, Seq(0), b"ef"), Arrival::Ahead);
        assert_eq!(inbound.on_data(now, Seq(2), b"ij"), Arrival::Ahead);
        // 65534 is missing, 65535 too; 0 and 2 are there: bits 1 and 3.
        assert_eq!(inbound.sack(), [0b0000_1010, 0, 0, 0]);
        assert_eq!(inbound.on_data(now, Seq(0), b"ef"), Arrival::Useless);
        assert_eq!(inbound.on_data(now, Seq(65_534), b"ab"), Arrival::InOrder);
        assert_eq!(inbound.ack(), Seq(65_534));
        assert_eq!(inbound.on_data(now, Seq(65_535), b"cd"), Arrival::InOrder);
        assert_eq!((inbound.ack(), inbound.sack()), (Seq(0), vec![0b1, 0, 0, 0]));
        assert_eq!(read(&mut inbound, &[1, 0, 3, 9]), b"abcdef");
        assert_eq!(inbound.on_data(now, Seq(1), b"gh"), Arrival::InOrder);
        assert_eq!(inbound.on_data(now, Seq(65_534), b"ab"), Arrival::Useless);
        assert_eq!(read(&mut inbound, &[2]), b"gh");
        assert_eq!(read(&mut inbound, &[20]), b"ij");
        assert!(!inbound.is_readable() && inbound.sack().is_empty());
    }

    #[test]
    fn a_read_goes_over_the_seam_of_the_ring() {
        let now = Instant::now();
        let mut inbound = inbound();
        let mut expected: Vec<u8> = Vec::new();
        let mut got: Vec<u8> = Vec::new();
        for n in 0..2000u16 {
            let payload: Vec<u8> = (0..700u16).map(|i| (n.wrapping_mul(7) ^ i) as u8).collect();
            expected.extend(&payload);
            assert_eq!(inbound.on_data(now, Seq(65_534).plus(n), &payload), Arrival::InOrder);
            got.extend(read(&mut inbound, &[100, 300, 1, 290]));
        }
        while inbound.is_readable() {
            got.extend(read(&mut inbound, &[999]));
        }
        assert!(expected == got);
    }

    #[test]
    fn the_end_comes_after_what_is_missing_before_it() {
        let now = Instant::now();
        let mut inbound = inbound();
        assert_eq!(inbound.on_fin(Seq(0)), Arrival::Ahead);
        assert_eq!(inbound.on_fin(Seq(1)), Arrival::Implausible, "there is one end");
        assert_eq!(inbound.on_data(now, Seq(0), b"x"), Arrival::Implausible, "nothing comes after it");
        inbound.on_data(now, Seq(65_535), b"b");
        assert!(!inbound.is_readable());
        inbound.on_data(now, Seq(65_534), b"a");
        assert!(inbound.has_ended());
        assert_eq!(inbound.ack(), Seq(0));
        assert_eq!(inbound.on_fin(Seq(0)), Arrival::Useless);
        assert_eq!(read(&mut inbound, &[9]), b"ab");
        assert!(inbound.is_readable(), "the end is left to be read");
    }

    #[test]
    fn numbers_from_far_away_are_refused() {
        let mut inbound = inbound();
        let now = Instant::now();
        assert_eq!(inbound.on_data(now, Seq(65_534).plus(MOST_AHEAD), b"x"), Arrival::Implausible);
        assert_eq!(inbound.on_fin(Seq(65_534).plus(MOST_AHEAD)), Arrival::Implausible);
    }

    #[test]
    fn the_window_is_the_room_left_and_widens_for_a_reader_that_keeps_up() {
        let now = Instant::now();
        let mut inbound = inbound();
        inbound.set_limit(4 << 20);
        let payload = vec![7; 1024];
        let mut seq = Seq(65_534);
        let mut feed = |inbound: &mut Inbound, packets: usize| {
            for _ in 0..packets {
                inbound.on_data(now, seq, &payload);
                seq = seq.plus(1);
            }
        };
        feed(&mut inbound, 100);
        assert_eq!(inbound.room(), FIRST_WINDOW - 100 * 1024);
        feed(&mut inbound, 2000);
        assert_eq!((inbound.room(), inbound.window()), (0, FIRST_WINDOW), "nobody reads");
        while inbound.read(&mut [IoSliceMut::new(&mut vec![0; 65_536])]) > 0 {}
        for _ in 0..10 {
            feed(&mut inbound, 1000);
            while inbound.read(&mut [IoSliceMut::new(&mut vec![0; 65_536])]) > 0 {}
        }
        assert_eq!(inbound.window(), 4 << 20);
    }

    #[test]
    fn the_bitmask_is_no_longer_than_its_field() {
        let now = Instant::now();
        let mut inbound = inbound();
        inbound.set_limit(1 << 20);
        for n in 1..5000u16 {
            inbound.on_data(now, Seq(65_534).plus(n), b"x");
        }
        assert_eq!(inbound.sack().len(), MAX_SACK_LEN);
    }
}
