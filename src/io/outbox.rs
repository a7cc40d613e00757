//! What waits to be written to one peer: small frames and blocks, in order.
//!
//! There are two ways for a block. To a plain TCP socket it is sent by a disk thread: the front of the queue goes there
//! as a [`Parcel`], and until that comes back nothing else is written. For other streams blocks are read ahead of time
//! and stand in the queue as promises until their bytes come. Nothing overtakes a block in either way. The session is asked for more only while less than [`Outbox::AHEAD`] bytes wait, so
//! that a choke or a cancel still finds most of the queue in the session's hands.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::file_set::FileError;
use super::parcel::{Parcel, Part, Served};
use crate::proto::wire::{BlockRequest, PIECE_HEADER_LEN, piece_header};

/// A block on its way from the disk.
pub type BlockPromise = oneshot::Receiver<Result<Vec<u8>, FileError>>;

/// The queue of one connection.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: VecDeque<Entry>,
    /// Bytes of the front entry that have been written.
    written: usize,
    /// Bytes in the queue and in the parcel that is away, promised ones included.
    waiting: usize,
    away: Option<Away>,
}

/// A parcel that a disk thread has.
#[derive(Debug)]
struct Away {
    answer: oneshot::Receiver<Served>,
    weight: usize,
}

/// Something came from the disk threads.
#[derive(Debug)]
pub enum Arrival {
    /// The bytes of a promise.
    Kept,
    /// This block can't be read; it has left the queue.
    Broken(BlockRequest),
    /// A parcel is back, and what was left of it is in the queue again; [`Served::rest`] is empty.
    Served(Served),
}

#[derive(Debug)]
enum Entry {
    Bytes(Vec<u8>),
    /// To be sent by a disk thread.
    Asked(BlockRequest),
    Promise(BlockRequest, BlockPromise),
    /// A promise that was broken: the block can't be read.
    Broken(BlockRequest),
    Block(BlockRequest, [u8; PIECE_HEADER_LEN], Vec<u8>),
}

impl Outbox {
    /// Bytes to hold at most ahead of the socket.
    pub const AHEAD: usize = 1024 * 1024;

    /// A disk thread sends so many bytes, and then the other peers get their turn.
    const TURN: usize = 512 * 1024;

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

    /// A block that a disk thread is to send.
    pub fn push_asked(&mut self, request: BlockRequest) {
        self.waiting += request.len as usize;
        self.queue.push_back(Entry::Asked(request));
    }

    /// True if the front can be written now.
    pub fn is_writable(&self) -> bool {
        self.away.is_none() && matches!(self.queue.front(), Some(Entry::Bytes(_) | Entry::Block(..)))
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.away.is_none()
    }

    /// What a disk thread is to send next, if a block for it is at the front and nothing is with one yet; then
    /// [`Outbox::sent_away`].
    pub fn take_parcel(&mut self) -> Option<Parcel> {
        if self.away.is_some() || !matches!(self.queue.front(), Some(Entry::Asked(_))) {
            return None;
        }
        let mut parcel = Parcel { parts: VecDeque::new(), written: std::mem::take(&mut self.written) };
        let mut weight = 0;
        while weight < Self::TURN {
            let part = match self.queue.pop_front() {
                Some(Entry::Asked(request)) => Part::Block(request),
                Some(Entry::Bytes(bytes)) => Part::Bytes(bytes),
                Some(other) => {
                    self.queue.push_front(other);
                    break;
                }
                None => break,
            };
            weight += part.weight();
            parcel.parts.push_back(part);
        }
        Some(parcel)
    }

    /// The parcel just taken, of so much weight, is with a disk thread.
    pub fn sent_away(&mut self, weight: usize, answer: oneshot::Receiver<Served>) {
        self.away = Some(Away { answer, weight });
    }

    /// Waits for the parcel that is away, or for the promise at the front; for ever if there is neither. Cancel-safe.
    ///
    /// # Errors
    /// If the disk threads are gone and a parcel with them.
    pub async fn arrives(&mut self) -> io::Result<Arrival> {
        if let Some(away) = &mut self.away {
            let answer = (&mut away.answer).await;
            let weight = away.weight;
            self.away = None;
            let mut served = answer.map_err(|_| io::Error::other("the disk threads are gone"))?;
            self.take_back(weight, std::mem::take(&mut served.rest));
            return Ok(Arrival::Served(served));
        }
        let (request, answer) = match self.queue.front_mut() {
            Some(Entry::Promise(request, promise)) => (*request, promise.await.ok()),
            Some(Entry::Broken(request)) => (*request, None),
            _ => return std::future::pending().await,
        };
        self.queue[0] = kept(request, answer);
        if let Entry::Broken(_) = self.queue[0] {
            self.waiting -= request.len as usize;
            self.queue.pop_front();
            return Ok(Arrival::Broken(request));
        }
        Ok(Arrival::Kept)
    }

    fn take_back(&mut self, weight: usize, rest: Parcel) {
        self.waiting -= weight - rest.weight();
        self.written = rest.written;
        for part in rest.parts.into_iter().rev() {
            self.queue.push_front(match part {
                Part::Bytes(bytes) => Entry::Bytes(bytes),
                Part::Block(request) => Entry::Asked(request),
            });
        }
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
                Entry::Promise(..) | Entry::Broken(_) | Entry::Asked(_) => break,
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
                Entry::Promise(..) | Entry::Broken(_) | Entry::Asked(_) => return,
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
        assert!(matches!(outbox.arrives().await, Ok(Arrival::Kept)));
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
        assert!(matches!(outbox.arrives().await, Ok(Arrival::Broken(broken)) if broken == request));
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
        assert!(matches!(outbox.arrives().await, Ok(Arrival::Broken(broken)) if broken == request(1)));
        assert!(outbox.is_empty() && outbox.waiting == 0);
    }
    #[tokio::test]
    async fn a_parcel_takes_one_turn_and_what_is_left_of_it_stands_at_the_front_again() {
        let mut outbox = Outbox::default();
        let request = |nth: u32| BlockRequest { piece: nth, begin: 0, len: 200_000 };
        outbox.push_bytes(vec![1]);
        (0..3).for_each(|nth| outbox.push_asked(request(nth)));
        outbox.push_bytes(vec![2, 3]);
        outbox.push_asked(request(3));
        assert!(outbox.take_parcel().is_none() && outbox.is_writable(), "the bytes go first");
        outbox.on_written(1, |_| {});

        let mut parcel = outbox.take_parcel().unwrap();
        assert_eq!(parcel.parts, [0, 1, 2].map(|nth| Part::Block(request(nth))));
        let (reply, answer) = oneshot::channel();
        outbox.sent_away(parcel.weight(), answer);
        assert!(outbox.take_parcel().is_none() && !outbox.is_writable() && !outbox.is_empty());
        assert_eq!(outbox.waiting, 800_002);

        // One block and a half are out.
        parcel.parts.pop_front();
        parcel.written = 50_000;
        let end = crate::io::parcel::ServeEnd::Full;
        reply.send(Served { rest: parcel, bytes: 250_013, sent: vec![request(0)], end }).unwrap();
        let Ok(Arrival::Served(served)) = outbox.arrives().await else { panic!("not served") };
        assert_eq!((served.bytes, outbox.waiting), (250_013, 600_002));
        let parcel = outbox.take_parcel().unwrap();
        assert_eq!(parcel.written, 50_000);
        let expected =
            [Part::Block(request(1)), Part::Block(request(2)), Part::Bytes(vec![2, 3]), Part::Block(request(3))];
        assert_eq!(parcel.parts, expected);
    }

    #[tokio::test]
    async fn a_parcel_that_is_lost_with_its_thread_is_an_error() {
        let mut outbox = Outbox::default();
        outbox.push_asked(BlockRequest { piece: 0, begin: 0, len: 1 });
        let weight = outbox.take_parcel().unwrap().weight();
        let (reply, answer) = oneshot::channel();
        outbox.sent_away(weight, answer);
        drop(reply);
        assert!(outbox.arrives().await.is_err());
    }
}
