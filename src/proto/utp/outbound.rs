//! The stream that is to be sent, from the first byte that is not acknowledged on.

use std::collections::VecDeque;
use std::io::{IoSlice, Write};

/// An emptied buffer that is larger is given back.
const KEPT: usize = 256 * 1024;

#[derive(Debug, Default)]
pub struct Outbound {
    bytes: VecDeque<u8>,
    /// Where `bytes` begins in the stream.
    start: u64,
    /// What lies before was put into packets.
    cut: u64,
}

impl Outbound {
    /// Bytes that no packet has carried yet.
    pub fn unsent(&self) -> usize {
        (self.start + self.bytes.len() as u64 - self.cut) as usize
    }

    /// Where the next packet begins in the stream.
    pub fn cut_at(&self) -> u64 {
        self.cut
    }

    /// Takes as much of `slices` as fits into `room`; how much that was.
    pub fn write(&mut self, slices: &[IoSlice<'_>], room: usize) -> usize {
        let mut taken = 0;
        for slice in slices {
            let part = &slice[..slice.len().min(room - taken)];
            self.bytes.extend(part);
            taken += part.len();
        }
        taken
    }

    /// The next `len` bytes went into a packet.
    pub fn advance(&mut self, len: usize) {
        self.cut += len as u64;
    }

    /// Packets are cut anew from `at` on.
    pub fn rewind(&mut self, at: u64) {
        self.cut = at;
    }

    /// Appends `len` bytes of the stream from `at` on to `out`.
    pub fn copy(&self, at: u64, len: usize, out: &mut Vec<u8>) {
        let from = (at - self.start) as usize;
        let (front, back) = self.bytes.as_slices();
        let in_front = front.get(from..(from + len).min(front.len())).unwrap_or_default();
        out.extend_from_slice(in_front);
        if in_front.len() < len {
            let from = from + in_front.len() - front.len();
            let _ = out.write_all(&back[from..from + len - in_front.len()]);
        }
    }

    /// Everything before `at` has arrived.
    pub fn acknowledge(&mut self, at: u64) {
        self.bytes.drain(..(at - self.start) as usize);
        self.start = at;
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT {
            self.bytes = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_part_can_be_copied_until_it_is_acknowledged() {
        let mut outbound = Outbound::default();
        let mut written: Vec<u8> = Vec::new();
        let mut acknowledged = 0;
        for n in 0..500u32 {
            let bytes: Vec<u8> = (0..97).map(|i| (n * 31 + i) as u8).collect();
            assert_eq!(outbound.write(&[IoSlice::new(&bytes[..50]), IoSlice::new(&bytes[50..])], 90), 90);
            written.extend(&bytes[..90]);
            outbound.advance(80);
            for at in [acknowledged, (acknowledged + outbound.cut_at()) / 2] {
                let len = (outbound.cut_at() - at) as usize;
                let mut copy = Vec::new();
                outbound.copy(at, len, &mut copy);
                assert_eq!(copy, written[at as usize..at as usize + len]);
            }
            if n % 7 == 0 {
                acknowledged = outbound.cut_at() - 30;
                outbound.acknowledge(acknowledged);
            }
        }
        assert_eq!(outbound.unsent(), 500 * 10);
    }
}
