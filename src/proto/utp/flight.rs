//! The packets under way: what is acknowledged, what is lost, how fast the path delivers.
//!
//! A packet is lost when three later ones have arrived, or when one that was sent later has arrived and a quarter of a
//! round trip has passed since it was due (RFC 8985): so a packet that is lost again when sent again is noticed too.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::congestion::Delivery;
use super::seq::Seq;

/// Later packets that arrived before one counts as lost (BEP 29, "packet loss").
const OVERTAKEN_BY: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    UnderWay,
    Arrived,
    Lost,
}

/// A numbered packet: a part of the stream, or its end.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Where its payload begins in the stream.
    pub start: u64,
    pub len: u16,
    pub fin: bool,
    /// The datagram was made so long to try the path; 0 if it was not.
    pub probe: u16,
    state: State,
    times: u8,
    order: u64,
    at: Instant,
    first_at: Instant,
    delivered: u64,
    delivered_at: Instant,
    app_limited: bool,
}

/// What an acknowledgement brought.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acked {
    /// Packets that were news, and whether any was at the front.
    pub packets: u32,
    pub advanced: bool,
    pub delivery: Delivery,
    pub rtt: Option<Duration>,
    /// The longest datagram that is now known to have arrived.
    pub longest: usize,
    /// Where the stream is acknowledged up to.
    pub front: Option<u64>,
}

/// What was found to be lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lost {
    /// Trials of the path aside.
    pub bytes: u64,
    /// The order of the last one sent.
    pub order: u64,
    /// The size of a trial that was lost.
    pub probe: Option<u16>,
}

#[derive(Debug)]
pub struct Flight {
    packets: VecDeque<Sent>,
    /// The number of the front.
    first: Seq,
    under_way: u64,
    under_way_packets: usize,
    lost_packets: usize,
    arrived_packets: usize,
    next_order: u64,
    delivered: u64,
    delivered_at: Instant,
    first_at: Instant,
    app_limited_until: u64,
    /// The packet sent last of all that have arrived: its order and round trip.
    newest: Option<(u64, Duration)>,
    /// When a packet that was overtaken will count as lost.
    overdue_at: Option<Instant>,
}

/// What a datagram takes besides the payload.
const HEADER: usize = super::packet::HEADER_LEN;

impl Flight {
    /// Nothing under way; the next packet is `first`.
    pub fn new(now: Instant, first: Seq) -> Flight {
        Flight {
            packets: VecDeque::new(),
            first,
            under_way: 0,
            under_way_packets: 0,
            lost_packets: 0,
            arrived_packets: 0,
            next_order: 0,
            delivered: 0,
            delivered_at: now,
            first_at: now,
            app_limited_until: 0,
            newest: None,
            overdue_at: None,
        }
    }

    /// The number of the next new packet.
    pub fn next_seq(&self) -> Seq {
        self.first.plus(self.packets.len() as u16)
    }

    /// Numbered packets that are not known to have arrived, or are waiting behind such.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Bytes of payload under way.
    pub fn bytes(&self) -> u64 {
        self.under_way
    }

    pub fn packets_under_way(&self) -> usize {
        self.under_way_packets
    }

    pub fn next_order(&self) -> u64 {
        self.next_order
    }

    pub fn overdue_at(&self) -> Option<Instant> {
        self.overdue_at
    }

    /// There is nothing more to send: rates measured now say nothing about the path.
    pub fn set_app_limited(&mut self) {
        self.app_limited_until = (self.delivered + self.under_way).max(1);
    }

    /// A new packet goes out.
    pub fn push(&mut self, now: Instant, start: u64, len: usize, fin: bool, probe: usize) {
        if self.under_way_packets == 0 {
            (self.first_at, self.delivered_at) = (now, now);
        }
        let mut packet = Sent {
            start,
            len: len as u16,
            fin,
            probe: probe as u16,
            state: State::Lost,
            times: 0,
            order: 0,
            at: now,
            first_at: now,
            delivered: 0,
            delivered_at: now,
            app_limited: false,
        };
        self.stamp(now, &mut packet);
        self.packets.push_back(packet);
    }

    /// The first lost packet, with its number: to be sent again.
    pub fn next_lost(&self) -> Option<(Seq, Sent)> {
        if self.lost_packets == 0 {
            return None;
        }
        let at = self.packets.iter().position(|packet| packet.state == State::Lost)?;
        Some((self.first.plus(at as u16), self.packets[at]))
    }

    /// The last packet that is under way: sent again, it brings word of all before it (RFC 8985, "tail loss probe").
    pub fn last_under_way(&self) -> Option<(Seq, Sent)> {
        let at = self.packets.iter().rposition(|packet| packet.state == State::UnderWay)?;
        Some((self.first.plus(at as u16), self.packets[at]))
    }

    /// Packet `seq` goes out again, without padding.
    pub fn resend(&mut self, now: Instant, seq: Seq) {
        let at = usize::from(seq.since(self.first));
        let Some(mut packet) = self.packets.get(at).copied() else { return };
        match packet.state {
            State::Lost => self.lost_packets -= 1,
            State::UnderWay => self.take_off(&packet),
            State::Arrived => return,
        }
        packet.probe = 0;
        self.stamp(now, &mut packet);
        self.packets[at] = packet;
    }

    fn stamp(&mut self, now: Instant, packet: &mut Sent) {
        packet.state = State::UnderWay;
        packet.times = packet.times.saturating_add(1);
        packet.order = self.next_order;
        packet.at = now;
        packet.first_at = self.first_at;
        packet.delivered = self.delivered;
        packet.delivered_at = self.delivered_at;
        packet.app_limited = self.app_limited_until > self.delivered;
        self.next_order += 1;
        self.under_way += u64::from(packet.len);
        self.under_way_packets += 1;
    }

    fn take_off(&mut self, packet: &Sent) {
        self.under_way -= u64::from(packet.len);
        self.under_way_packets -= 1;
    }

    /// Takes in an acknowledgement of everything up to `ack` and of what the bitmask says beyond.
    ///
    /// `None` if it names packets that were never sent.
    pub fn on_ack(&mut self, now: Instant, ack: Seq, sack: &[u8], least: Option<Duration>) -> Option<Acked> {
        let advance = ack.since(self.first).wrapping_add(1);
        if advance >= 0x8000 {
            return Some(Acked::default()); // an old one that was overtaken
        }
        if usize::from(advance) > self.packets.len() {
            return None;
        }
        let mut acked = Acked { advanced: advance > 0, ..Acked::default() };
        let mut newest: Option<Sent> = None;
        for _ in 0..advance {
            let packet = self.packets.pop_front().expect("as many as counted");
            acked.front = Some(packet.start + u64::from(packet.len));
            self.arrive(packet, &mut acked, &mut newest);
        }
        self.first = self.first.plus(advance);
        for (byte, bits) in sack.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            for bit in (0..8).filter(|bit| bits & (1 << bit) != 0) {
                let at = 1 + byte * 8 + bit; // the first bit is the second packet that is not acknowledged
                let Some(packet) = self.packets.get(at).copied() else { break };
                if packet.state != State::Arrived {
                    self.arrive(packet, &mut acked, &mut newest);
                    self.packets[at].state = State::Arrived;
                    self.arrived_packets += 1;
                }
            }
        }
        if let Some(newest) = newest {
            self.measure(now, &newest, least, &mut acked);
        }
        acked.delivery.delivered = self.delivered;
        Some(acked)
    }

    fn arrive(&mut self, packet: Sent, acked: &mut Acked, newest: &mut Option<Sent>) {
        match packet.state {
            State::UnderWay => self.take_off(&packet),
            State::Lost => self.lost_packets -= 1,
            State::Arrived => {
                self.arrived_packets -= 1;
                return;
            }
        }
        acked.packets += 1;
        acked.delivery.bytes += u64::from(packet.len);
        if packet.times == 1 {
            acked.longest = acked.longest.max(HEADER + usize::from(packet.len)).max(packet.probe.into());
        }
        if newest.is_none_or(|newest| newest.order < packet.order) {
            *newest = Some(packet);
        }
    }

    fn measure(&mut self, now: Instant, newest: &Sent, least: Option<Duration>, acked: &mut Acked) {
        self.delivered += acked.delivery.bytes;
        self.delivered_at = now;
        self.first_at = newest.at;
        let rtt = now.saturating_duration_since(newest.at);
        if newest.times == 1 {
            acked.rtt = Some(rtt);
        } else if least.is_some_and(|least| rtt < least) {
            // It was the first copy that arrived, whatever else is said about it.
            acked.delivery.delivered_before = newest.delivered;
            return;
        }
        if self.newest.is_none_or(|(order, _)| order < newest.order) {
            self.newest = Some((newest.order, rtt));
        }
        let elapsed = now
            .saturating_duration_since(newest.delivered_at)
            .max(newest.at.saturating_duration_since(newest.first_at));
        // Shorter than any round trip: acknowledgements that came in a heap.
        if !elapsed.is_zero() && least.is_none_or(|least| elapsed >= least) {
            let bytes = self.delivered - newest.delivered;
            acked.delivery.rate = Some((bytes as f64 / elapsed.as_secs_f64()) as u64);
        }
        acked.delivery.delivered_before = newest.delivered;
        acked.delivery.app_limited = newest.app_limited;
    }

    /// Finds what must be lost by now, given what has arrived. Call it after [`Flight::on_ack`] and at
    /// [`Flight::overdue_at`].
    pub fn find_lost(&mut self, now: Instant, least: Option<Duration>) -> Lost {
        let mut found = Lost::default();
        self.overdue_at = None;
        let Some((newest, rtt)) = self.newest else { return found };
        let patience = rtt + least.unwrap_or(rtt) / 4;
        let mut later = 0;
        let mut remaining = self.under_way_packets;
        for at in (0..self.packets.len()).rev() {
            let packet = self.packets[at];
            if packet.state == State::Arrived {
                later += 1;
            }
            if packet.state != State::UnderWay {
                continue;
            }
            remaining -= 1;
            if packet.order < newest {
                let overtaken = packet.times == 1 && later >= OVERTAKEN_BY;
                let due = packet.at + patience;
                if overtaken || now >= due {
                    self.packets[at].state = State::Lost;
                    self.take_off(&packet);
                    self.lost_packets += 1;
                    if packet.probe > 0 {
                        found.probe = Some(packet.probe);
                    } else {
                        found.bytes += u64::from(packet.len);
                        found.order = found.order.max(packet.order);
                    }
                } else {
                    self.overdue_at = Some(self.overdue_at.map_or(due, |at| at.min(due)));
                }
            }
            if remaining == 0 {
                break;
            }
        }
        found
    }

    /// True if packets may be overtaken: no need to look for losses otherwise.
    pub fn has_holes(&self) -> bool {
        self.arrived_packets > 0 || self.newest.is_some_and(|(newest, _)| self.oldest_order() < newest)
    }

    fn oldest_order(&self) -> u64 {
        self.packets.front().map_or(u64::MAX, |packet| packet.order)
    }

    /// Nothing was heard for too long: everything that is under way counts as lost. The size of a trial among it.
    pub fn lose_all(&mut self) -> Option<u16> {
        let mut probe = None;
        for packet in self.packets.iter_mut().filter(|packet| packet.state == State::UnderWay) {
            packet.state = State::Lost;
            self.lost_packets += 1;
            probe = probe.or((packet.probe > 0).then_some(packet.probe));
        }
        (self.under_way, self.under_way_packets, self.overdue_at) = (0, 0, None);
        probe
    }

    /// Takes everything back as if it had never been sent, to be cut anew; where the stream goes on then. `None` if
    /// some of it has arrived.
    pub fn take_back(&mut self) -> Option<u64> {
        if self.arrived_packets > 0 {
            return None;
        }
        let start = self.packets.front()?.start;
        self.packets.clear();
        (self.under_way, self.under_way_packets, self.lost_packets, self.overdue_at) = (0, 0, 0, None);
        Some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// `count` packets of 100 bytes, one a millisecond, from number 65533 on.
    fn flight(start: Instant, count: u32) -> Flight {
        let mut flight = Flight::new(start, Seq(65_533));
        for n in 0..count {
            flight.push(start + MS * n, u64::from(n) * 100, 100, false, 0);
        }
        flight
    }

    #[test]
    fn acknowledgements_wrap_and_old_or_foreign_ones_do_nothing() {
        let start = Instant::now();
        let mut flight = flight(start, 8);
        assert_eq!(flight.next_seq(), Seq(5));
        let now = start + MS * 50;
        let acked = flight.on_ack(now, Seq(0), &[], None).unwrap(); // 65533, 65534, 65535, 0
        assert_eq!((acked.packets, acked.front, acked.rtt), (4, Some(400), Some(MS * 47)));
        assert_eq!((flight.len(), flight.bytes()), (4, 400));
        assert_eq!(flight.on_ack(now, Seq(65_534), &[], None).unwrap().packets, 0);
        assert!(flight.on_ack(now, Seq(5), &[], None).is_none(), "never sent");
        assert!(flight.on_ack(now, Seq(20_000), &[], None).is_none());
        assert_eq!(flight.len(), 4);
    }

    #[test]
    fn three_later_ones_make_a_packet_lost() {
        let start = Instant::now();
        let mut flight = flight(start, 6);
        let now = start + MS * 50;
        // 65533 is there, 65534 is not, 65535 and 0 are.
        flight.on_ack(now, Seq(65_533), &[0b011, 0, 0, 0], Some(MS * 40)).unwrap();
        assert_eq!(flight.find_lost(now, Some(MS * 40)), Lost::default());
        assert!(flight.overdue_at().is_some());
        flight.on_ack(now, Seq(65_533), &[0b111, 0, 0, 0], Some(MS * 40)).unwrap();
        assert_eq!(flight.find_lost(now, Some(MS * 40)), Lost { bytes: 100, order: 1, probe: None });
        assert_eq!(flight.next_lost().unwrap().0, Seq(65_534));
        flight.resend(now, Seq(65_534));
        assert!(flight.next_lost().is_none());
        assert_eq!(flight.bytes(), 200);
        let acked = flight.on_ack(now + MS * 50, Seq(1), &[], Some(MS * 40)).unwrap();
        assert_eq!((acked.packets, acked.front), (1, Some(500)));
        assert_eq!(flight.len(), 1);
    }

    #[test]
    fn a_packet_that_is_lost_twice_is_noticed_by_the_time() {
        let start = Instant::now();
        let mut flight = flight(start, 5);
        let now = start + MS * 50;
        flight.on_ack(now, Seq(65_532), &[0b111, 0, 0, 0], Some(MS * 40)).unwrap();
        flight.find_lost(now, Some(MS * 40));
        flight.resend(now, Seq(65_533));
        flight.push(now + MS, 500, 100, false, 0);
        // The packet that was sent after it is there, it is not.
        let later = now + MS * 51;
        flight.on_ack(later, Seq(65_532), &[0b1_1111, 0, 0, 0], Some(MS * 40)).unwrap();
        let lost = flight.find_lost(later + MS * 40, Some(MS * 40));
        assert_eq!(lost.bytes, 100);
        assert_eq!(flight.next_lost().unwrap().0, Seq(65_533));
    }

    #[test]
    fn a_lost_trial_is_no_congestion() {
        let start = Instant::now();
        let mut flight = Flight::new(start, Seq(0));
        flight.push(start, 0, 100, false, 1472);
        (1..5).for_each(|n| flight.push(start, n * 100, 100, false, 0));
        flight.on_ack(start + MS, Seq(65_535), &[0b1111, 0, 0, 0], None).unwrap();
        assert_eq!(flight.find_lost(start + MS, None), Lost { bytes: 0, order: 0, probe: Some(1472) });
    }

    #[test]
    fn the_rate_is_what_arrived_in_a_round_trip() {
        let start = Instant::now();
        let mut flight = Flight::new(start, Seq(65_533));
        let mut rates = Vec::new();
        for n in 0..200u32 {
            let now = start + MS * n;
            if let Some(arrived) = n.checked_sub(50) {
                let ack = Seq(65_533).plus(arrived as u16);
                rates.extend(flight.on_ack(now, ack, &[], Some(MS * 50)).unwrap().delivery.rate);
            }
            flight.push(now, u64::from(n) * 100, 100, false, 0);
        }
        // 100 bytes a millisecond.
        let last = *rates.last().unwrap();
        assert!((95_000..105_000).contains(&last), "{last}");
    }
}
