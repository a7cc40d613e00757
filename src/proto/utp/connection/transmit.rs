//! What goes out: lost packets first, then new ones as the windows allow, then a bare acknowledgement if one is due.
//!
//! A batch is packets of one length, only the last may be shorter: the kernel cuts it up (UDP_SEGMENT).

use std::time::Instant;

use super::{Connection, State};
use crate::proto::utp::flight::Sent;
use crate::proto::utp::packet::{Extension, HEADER_LEN, Header, Kind};
use crate::proto::utp::seq::Seq;

/// What one datagram, and so one batch, may hold.
const MOST_BATCH: usize = 65_000;
/// Numbered packets that may be out; the other side keeps no more.
const MOST_PACKETS: usize = 16 * 1024 - 1;
/// With so many packets waiting behind it, a lost trial of the path holds nothing up for long.
const BEHIND_PROBE: usize = 4;

impl Connection {
    /// Puts a batch of at most `segments` datagrams into `out`, which is empty; the length of each but the last. Call it
    /// until it returns `None`.
    pub fn poll_transmit(&mut self, now: Instant, micros: u32, segments: usize, out: &mut Vec<u8>) -> Option<usize> {
        let sent = match self.state {
            State::Calling => self.send_syn(micros, out),
            State::Called => self.send_ack(micros, out),
            State::Open => self
                .send_lost(now, micros, segments, out)
                .or_else(|| self.send_tail(now, micros, out))
                .or_else(|| self.send_new(now, micros, segments, out))
                .or_else(|| self.send_fin(now, micros, out))
                .or_else(|| self.send_ack(micros, out)),
            State::Over(_) => None,
        };
        match sent {
            Some(_) => self.timers.sent(now),
            None => self.finish_after_sending(now),
        }
        sent
    }

    fn send_syn(&mut self, micros: u32, out: &mut Vec<u8>) -> Option<usize> {
        if !std::mem::take(&mut self.timers.syn_due) {
            return None;
        }
        let header = Header {
            kind: Kind::Syn,
            id: self.recv_id,
            timestamp: micros,
            delay: 0,
            window: self.inbound.room() as u32,
            seq: self.syn,
            ack: Seq(0),
        };
        header.encode(Extension::None, out);
        Some(HEADER_LEN)
    }

    fn send_ack(&mut self, micros: u32, out: &mut Vec<u8>) -> Option<usize> {
        if !self.ack.now {
            return None;
        }
        let sack = self.inbound.sack();
        let extension = if sack.is_empty() { Extension::None } else { Extension::Sack(&sack) };
        let before = out.len();
        self.header(Kind::State, micros, self.flight.next_seq()).encode(extension, out);
        self.acknowledged();
        self.ack.now = false;
        Some(out.len() - before)
    }

    fn header(&self, kind: Kind, micros: u32, seq: Seq) -> Header {
        Header {
            kind,
            id: self.send_id,
            timestamp: micros,
            delay: self.reply,
            window: self.inbound.room() as u32,
            seq,
            ack: self.inbound.ack(),
        }
    }

    /// A packet has gone out that says how far we are.
    fn acknowledged(&mut self) {
        (self.ack.pending, self.ack.at) = (0, None);
        self.ack.told = self.inbound.room();
        // Only a bare acknowledgement has room for what lies beyond a hole.
        self.ack.now &= self.inbound.has_holes();
    }

    fn send_lost(&mut self, now: Instant, micros: u32, segments: usize, out: &mut Vec<u8>) -> Option<usize> {
        let mut segment = None;
        for _ in 0..segments {
            let Some((seq, sent)) = self.flight.next_lost() else { break };
            let len = HEADER_LEN + usize::from(sent.len);
            let window = self.congestion.window();
            if self.flight.bytes() > 0 && self.flight.bytes() + u64::from(sent.len) > window {
                self.congestion.limited = true;
                break;
            }
            let first = *segment.get_or_insert(len);
            if len > first || out.len() + len > MOST_BATCH {
                break;
            }
            self.send_again(now, micros, seq, &sent, out);
            if len < first {
                break;
            }
        }
        if segment.is_some() {
            self.arm_retry(now);
        }
        segment
    }

    fn send_tail(&mut self, now: Instant, micros: u32, out: &mut Vec<u8>) -> Option<usize> {
        if !std::mem::take(&mut self.timers.tail_due) {
            return None;
        }
        let (seq, sent) = self.flight.last_under_way()?;
        if sent.probe > 0 {
            self.mtu.on_probe_lost(sent.probe.into());
        }
        self.send_again(now, micros, seq, &sent, out);
        Some(HEADER_LEN + usize::from(sent.len))
    }

    fn send_again(&mut self, now: Instant, micros: u32, seq: Seq, sent: &Sent, out: &mut Vec<u8>) {
        let kind = if sent.fin { Kind::Fin } else { Kind::Data };
        self.header(kind, micros, seq).encode(Extension::None, out);
        self.outbound.copy(sent.start, sent.len.into(), out);
        self.flight.resend(now, seq);
        self.acknowledged();
    }

    fn send_new(&mut self, now: Instant, micros: u32, segments: usize, out: &mut Vec<u8>) -> Option<usize> {
        if self.outbound.unsent() == 0 {
            self.congestion.limited = false;
            self.flight.set_app_limited();
            return None;
        }
        if self.flight.is_empty() && self.has_been_idle(now) {
            self.congestion.on_idle();
        }
        if let Some(len) = self.send_probe(now, micros, out) {
            return Some(len);
        }
        let mut segment = None;
        for _ in 0..segments {
            let len = self.next_len();
            let first = *segment.get_or_insert(HEADER_LEN + len);
            if len == 0 || out.len() + HEADER_LEN + len > MOST_BATCH {
                break;
            }
            self.send_data(now, micros, len, 0, out);
            if HEADER_LEN + len < first {
                break;
            }
        }
        if out.is_empty() {
            if self.flight.is_empty() {
                self.arm_window_probe(now);
            }
            return None;
        }
        self.arm_retry(now);
        segment
    }

    /// The payload of the next new packet, 0 if it has to wait.
    fn next_len(&mut self) -> usize {
        let whole = self.outbound.unsent().min(self.mtu.size() - HEADER_LEN);
        if whole == 0 || self.flight.len() >= MOST_PACKETS {
            return 0;
        }
        let under_way = self.flight.bytes();
        if under_way + whole as u64 > self.congestion.window() {
            self.congestion.limited = true;
            return 0;
        }
        let room = self.peer_window.saturating_sub(under_way);
        if whole as u64 <= room {
            return whole;
        }
        // The other side's window: wait for room for a whole packet, unless nothing is under way that could bring it.
        self.congestion.limited = false;
        match self.flight.is_empty() {
            true if room > 0 => room as usize,
            true if std::mem::take(&mut self.timers.window_probe_due) => whole,
            _ => 0,
        }
    }

    /// A new packet that is padded to a length that the path may not carry.
    fn send_probe(&mut self, now: Instant, micros: u32, out: &mut Vec<u8>) -> Option<usize> {
        let size = self.mtu.wanted(now)?;
        let whole = self.mtu.size() - HEADER_LEN;
        if self.outbound.unsent() < BEHIND_PROBE * whole || self.next_len() != whole {
            return None;
        }
        self.send_data(now, micros, whole, size, out);
        self.mtu.on_probe_sent(now);
        Some(size)
    }

    fn send_data(&mut self, now: Instant, micros: u32, len: usize, probe: usize, out: &mut Vec<u8>) {
        let (seq, start) = (self.flight.next_seq(), self.outbound.cut_at());
        let padding = probe.saturating_sub(HEADER_LEN + len);
        self.header(Kind::Data, micros, seq).encode(Extension::Padding(padding), out);
        self.outbound.copy(start, len, out);
        self.outbound.advance(len);
        self.flight.push(now, start, len, false, probe);
        self.acknowledged();
    }

    fn send_fin(&mut self, now: Instant, micros: u32, out: &mut Vec<u8>) -> Option<usize> {
        if !self.closing || self.fin_sent || self.outbound.unsent() > 0 {
            return None;
        }
        self.fin_sent = true;
        let seq = self.flight.next_seq();
        self.header(Kind::Fin, micros, seq).encode(Extension::None, out);
        self.flight.push(now, self.outbound.cut_at(), 0, true, 0);
        self.acknowledged();
        self.arm_retry(now);
        Some(HEADER_LEN)
    }
}
