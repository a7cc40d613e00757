//! What waits to be written to one peer: small frames and blocks, in order.
//!
//! Blocks are asked of the disk ahead of time and stand in the queue as promises until their bytes come; nothing
//! behind a promise overtakes it. The session is asked for more only while less than [`Outbox::AHEAD`] bytes wait, so
//! that a choke or a cancel still finds most of the queue in the session's hands.

use std::collections::VecDeque;
use std::io::IoSlice;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::file_set::FileError;
use crate::proto::wire::{BlockRequest, PIECE_HEADER_LEN, piece_header};

/// A block on its way from the disk.
pub type BlockPromise = oneshot::Receiver<Result<Vec<u8>, FileError>>;

/// The queue of one connection.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: VecDeque<Entry>,
    /// Bytes of the front entry that have been written.
    written: usize,
    /// Bytes in the queue, promised ones included.
    waiting: usize,
}

#[derive(Debug)]
enum Entry {
    Bytes(Vec<u8>),
    Promise(BlockRequest, BlockPromise),
    /// A promise that was broken: the block can't be read.
    Broken(BlockRequest),
    Block(BlockRequest, [u8; PIECE_HEADER_LEN], Vec<u8>),
}

impl Outbox {
    /// Bytes to hold at most ahead of the socket.
    pub const AHEAD: usize = 512 * 1024;

    /// Slices of one system call.
    const MAX_SLICES: usize = 64;

    pub fn wants_more(&self) -> bool {
        self.waiting < Self::AHEAD
    }

    pub fn push_bytes(&mut self, bytes: Vec<u8>) {
        self.waiting += bytes.len();
        self.queue.push_back(Entry::Bytes(bytes));
    }

    pub fn push_promise(&mut self, request: BlockRequest, promise: BlockPromise) {
        self.waiting += request.len as usize;
        self.queue.push_back(Entry::Promise(request, promise));
    }

    /// True if the front can be written now.
    pub fn is_writable(&self) -> bool {
        matches!(self.queue.front(), Some(Entry::Bytes(_) | Entry::Block(..)))
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Waits for the promise at the front; for ever if there is none. Cancel-safe. A block that can't be read comes
    /// back as an error and leaves the queue.
    pub async fn front_arrives(&mut self) -> Result<(), BlockRequest> {
        let (request, answer) = match self.queue.front_mut() {
            Some(Entry::Promise(request, promise)) => (*request, promise.await.ok()),
            Some(Entry::Broken(request)) => (*request, None),
            _ => return std::future::pending().await,
        };
        self.queue[0] = kept(request, answer);
        if let Entry::Broken(_) = self.queue[0] {
            self.waiting -= request.len as usize;
            self.queue.pop_front();
            return Err(request);
        }
        Ok(())
    }

    /// Turns the promises behind the front that have been kept into blocks, so that one write takes many.
    pub fn gather(&mut self) {
        for entry in &mut self.queue {
            if let Entry::Promise(request, promise) = entry {
                match promise.try_recv() {
                    Err(TryRecvError::Empty) => return,
                    answer => *entry = kept(*request, answer.ok()),
                }
            }
        }
    }

    /// The bytes from the front on, up to the first promise.
    pub fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::with_capacity(Self::MAX_SLICES.min(2 * self.queue.len()));
        let mut skip = self.written;
        for entry in &self.queue {
            let parts: [&[u8]; 2] = match entry {
                Entry::Bytes(bytes) => [bytes, &[]],
                Entry::Block(_, header, bytes) => [header, bytes],
                Entry::Promise(..) | Entry::Broken(_) => break,
            };
            for part in parts {
                let rest = &part[skip.min(part.len())..];
                skip -= part.len() - rest.len();
                if !rest.is_empty() {
                    slices.push(IoSlice::new(rest));
                }
            }
            if slices.len() >= Self::MAX_SLICES - 1 {
                break;
            }
        }
        slices
    }

    /// `n` bytes from the front are gone; `sent` is told of each block that is now out whole.
    pub fn on_written(&mut self, n: usize, mut sent: impl FnMut(BlockRequest)) {
        self.written += n;
        while let Some(front) = self.queue.front() {
            let (len, block) = match front {
                Entry::Bytes(bytes) => (bytes.len(), None),
                Entry::Block(request, header, bytes) => (header.len() + bytes.len(), Some(*request)),
                Entry::Promise(..) | Entry::Broken(_) => return,
            };
            if self.written < len {
                return;
            }
            self.written -= len;
            self.waiting -= block.map_or(len, |block| block.len as usize);
            self.queue.pop_front();
            block.into_iter().for_each(&mut sent);
        }
    }
}

/// What a promise has become.
fn kept(request: BlockRequest, answer: Option<Result<Vec<u8>, FileError>>) -> Entry {
    match answer {
        Some(Ok(bytes)) if bytes.len() == request.len as usize => {
            Entry::Block(request, piece_header(request.piece, request.begin, request.len), bytes)
        }
        _ => Entry::Broken(request),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(outbox: &Outbox) -> Vec<u8> {
        outbox.slices().iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[tokio::test]
    async fn nothing_overtakes_a_promised_block() {
        let mut outbox = Outbox::default();
        let (keep, promise) = oneshot::channel();
        outbox.push_bytes(vec![1, 2, 3]);
        outbox.push_promise(BlockRequest { piece: 0, begin: 0, len: 2 }, promise);
        outbox.push_bytes(vec![9]);
        assert_eq!(flat(&outbox), [1, 2, 3]);
        outbox.on_written(3, |_| panic!("no block yet"));
        assert!(!outbox.is_writable());
        keep.send(Ok(vec![7, 8])).unwrap();
        outbox.front_arrives().await.unwrap();
        let header = piece_header(0, 0, 2);
        assert_eq!(flat(&outbox), [&header[..], &[7, 8, 9]].concat());
        // The header alone, and a byte of the block: not sent yet.
        outbox.on_written(14, |_| panic!("half a block"));
        assert_eq!(flat(&outbox), [8, 9]);
        let mut sent = Vec::new();
        outbox.on_written(2, |block| sent.push(block.len));
        assert_eq!(sent, [2]);
        assert!(outbox.is_empty() && outbox.waiting == 0);
    }

    #[tokio::test]
    async fn a_block_that_cannot_be_read_leaves_the_queue() {
        let mut outbox = Outbox::default();
        let (keep, promise) = oneshot::channel();
        let request = BlockRequest { piece: 1, begin: 16_384, len: 16_384 };
        outbox.push_promise(request, promise);
        drop(keep);
        assert_eq!(outbox.front_arrives().await, Err(request));
        assert!(outbox.is_empty() && outbox.waiting == 0);
    }

    #[tokio::test]
    async fn a_broken_promise_behind_the_front_is_told_when_its_turn_comes() {
        let mut outbox = Outbox::default();
        let (first, second) = (oneshot::channel(), oneshot::channel());
        let request = |begin| BlockRequest { piece: 0, begin, len: 1 };
        outbox.push_promise(request(0), first.1);
        outbox.push_promise(request(1), second.1);
        first.0.send(Ok(vec![5])).unwrap();
        drop(second.0);
        outbox.gather();
        assert_eq!(outbox.slices().len(), 2); // header and byte of the first alone
        outbox.on_written(14, |_| {});
        assert_eq!(outbox.front_arrives().await, Err(request(1)));
        assert!(outbox.is_empty() && outbox.waiting == 0);
    }
}
