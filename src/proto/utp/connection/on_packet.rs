//! A packet has come.

use std::time::{Duration, Instant};

use super::{Connection, Ending, LEAST_UNSENT, State};
use crate::proto::utp::inbound::{Arrival, Inbound};
use crate::proto::utp::packet::{HEADER_LEN, Header, Kind, Packet};
use crate::proto::utp::seq::Seq;

/// A lone packet's acknowledgement may wait so long for company.
const DELAYED_ACK: Duration = Duration::from_millis(25);
/// So many packets are acknowledged at once.
const ACK_EVERY: u32 = 2;
/// How far behind numbers of packets that were overtaken may be.
const PAST: u16 = 16 * 1024;
/// A RST answers one of our last packets.
const RESET_PAST: u16 = 1024;

impl Connection {
    /// Takes in a packet that was addressed to this connection; `micros` is our clock.
    pub fn on_packet(&mut self, now: Instant, micros: u32, packet: &Packet<'_>) {
        let header = &packet.header;
        match header.kind {
            Kind::Reset => return self.on_reset(header),
            Kind::Syn => return self.on_syn(header),
            Kind::Data | Kind::Fin | Kind::State => {}
        }
        match self.state {
            State::Over(_) => return,
            State::Calling if header.kind != Kind::State || header.ack != self.syn => return,
            State::Calling => self.on_answer(now, header.seq),
            State::Called if header.ack != self.flight.next_seq().minus(1) => return,
            State::Called | State::Open => {}
        }
        if !self.is_plausible(header.seq) || !self.on_ack(now, micros, packet) {
            return;
        }
        if self.state == State::Called {
            self.open(now);
        }
        self.timers.heard();
        match header.kind {
            Kind::Data => self.on_data(now, header.seq, packet.payload),
            Kind::Fin => self.on_fin(header.seq),
            _ => {}
        }
        self.finish_if_done();
    }

    /// The number lies near those that are expected.
    fn is_plausible(&self, seq: Seq) -> bool {
        let next = self.inbound.ack().plus(1);
        seq.since(next) < PAST || next.since(seq) < PAST
    }

    /// Our SYN was answered. The answer names the number of the first packet that will come.
    fn on_answer(&mut self, now: Instant, first: Seq) {
        self.inbound = Inbound::new(now, first);
        if self.timers.called_once() {
            self.rtt.on_sample(now, now.saturating_duration_since(self.timers.last_sent));
        }
        self.open(now);
    }

    fn open(&mut self, now: Instant) {
        self.state = State::Open;
        self.timers.start_open(now);
        self.news.open = true;
        self.news.ready = true;
    }

    /// A SYN again: our answer was lost.
    fn on_syn(&mut self, header: &Header) {
        if header.seq == self.syn && matches!(self.state, State::Called) {
            self.ack.now = true;
        }
    }

    /// Believed only if it names a packet that we have sent lately: the number is what a forger has to guess.
    fn on_reset(&mut self, header: &Header) {
        let plausible = match self.state {
            State::Calling => header.ack == self.syn,
            State::Called | State::Open => self.flight.next_seq().since(header.ack) <= RESET_PAST,
            State::Over(_) => false,
        };
        if plausible {
            self.end(Ending::Reset);
        }
    }

    /// False if the packet acknowledges what was never sent.
    fn on_ack(&mut self, now: Instant, micros: u32, packet: &Packet<'_>) -> bool {
        let header = &packet.header;
        let least = self.rtt.least();
        let Some(acked) = self.flight.on_ack(now, header.ack, packet.sack, least) else { return false };
        self.measure_delay(now, micros, header);
        self.peer_window = header.window.into();
        if let Some(rtt) = acked.rtt {
            self.rtt.on_sample(now, rtt);
        }
        if acked.longest > 0 {
            let before = self.mtu.size();
            self.mtu.on_acknowledged(acked.longest);
            if self.mtu.size() != before {
                self.packet_changed();
            }
        }
        if acked.packets > 0 {
            self.congestion.on_delivered(&acked.delivery, self.queueing(acked.rtt));
        }
        if self.flight.has_holes() {
            self.find_lost(now);
        }
        if let Some(front) = acked.front {
            self.outbound.acknowledge(front);
        }
        if acked.packets > 0 {
            self.on_progress(now);
        }
        if self.write_blocked && self.write_room() >= LEAST_UNSENT / 2 {
            self.write_blocked = false;
            self.news.ready = true;
        }
        true
    }

    fn measure_delay(&mut self, now: Instant, micros: u32, header: &Header) {
        self.reply = micros.wrapping_sub(header.timestamp);
        if let Some(fell) = self.their_delay.add(now, self.reply) {
            self.our_delay.shift(fell);
        }
        if header.delay != 0 {
            self.our_delay.add(now, header.delay);
        }
    }

    /// How long our packets wait in queues: never longer than the round trip just measured.
    fn queueing(&self, rtt: Option<Duration>) -> Option<Duration> {
        let queueing = self.our_delay.queueing()?;
        Some(rtt.map_or(queueing, |rtt| queueing.min(rtt)))
    }

    pub(super) fn find_lost(&mut self, now: Instant) {
        let least = self.rtt.least();
        let lost = self.flight.find_lost(now, least);
        if let Some(size) = lost.probe {
            self.mtu.on_probe_lost(size.into());
        }
        if lost.bytes > 0 {
            let (next, queueing) = (self.flight.next_order(), self.queueing(None));
            self.congestion.on_lost(lost.bytes, lost.order, next, queueing, least);
        }
    }

    pub(super) fn packet_changed(&mut self) {
        self.congestion.set_packet(self.mtu.size() - HEADER_LEN);
    }

    fn on_data(&mut self, now: Instant, seq: Seq, payload: &[u8]) {
        let had_holes = self.inbound.has_holes();
        let arrival = self.inbound.on_data(now, seq, payload);
        match arrival {
            Arrival::InOrder => {
                self.news.ready = true;
                self.ack.pending += 1;
                if had_holes || self.ack.pending >= ACK_EVERY {
                    self.ack.now = true;
                } else {
                    self.ack.at = Some(now + DELAYED_ACK);
                }
            }
            Arrival::Ahead | Arrival::Useless => self.ack.now = true,
            Arrival::Implausible => {}
        }
        if self.inbound.has_ended() {
            self.ack.now = true;
        }
    }

    fn on_fin(&mut self, seq: Seq) {
        if self.inbound.on_fin(seq) != Arrival::Implausible {
            self.ack.now = true;
            self.news.ready |= self.inbound.has_ended();
        }
    }

    /// Both sides have said all and know it.
    fn finish_if_done(&mut self) {
        let said_all = self.closing && self.fin_sent && self.flight.is_empty();
        if said_all && self.inbound.has_ended() && !self.ack.now {
            self.end(Ending::Closed);
        }
    }

    /// The same, after the last acknowledgement has gone out.
    pub(super) fn finish_after_sending(&mut self, now: Instant) {
        if self.closing && self.fin_sent && self.flight.is_empty() {
            if self.inbound.has_ended() {
                self.end(Ending::Closed);
            } else {
                self.timers.fin_arrived(now);
            }
        }
    }
}
