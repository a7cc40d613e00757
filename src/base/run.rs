//! Runs: the unit in which blocks are leased to peers and buffered.
//!
//! A run is up to 64 consecutive blocks of one piece with one buffer exactly as long as those blocks and one `u64` of
//! progress. A run's buffer has one owner at any time: the torrent's staging, one peer session, or the disk.

use super::layout::{BLOCK_LEN, Layout};

/// A range of blocks: `first .. first + count` of `piece`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Run {
    pub piece: u32,
    /// Index of the first block within the piece.
    pub first: u32,
    /// 1 to [`Run::MAX_BLOCKS`].
    pub count: u32,
}

impl Run {
    /// As many blocks as one `u64` of progress covers.
    pub const MAX_BLOCKS: u32 = 64;

    /// A progress word with every block of the run present.
    pub fn full_mask(&self) -> u64 {
        u64::MAX >> (64 - self.count)
    }

    /// True if both hold some block.
    pub fn overlaps(&self, other: Run) -> bool {
        self.piece == other.piece && self.first < other.first + other.count && other.first < self.first + self.count
    }

    /// Where the run starts in its piece, in bytes.
    pub fn begin(&self) -> u32 {
        self.first * BLOCK_LEN
    }

    /// How many bytes it covers.
    pub fn byte_len(&self, layout: &Layout) -> u32 {
        (self.begin() + self.count * BLOCK_LEN).min(layout.piece_len(self.piece)) - self.begin()
    }
}

/// Names one grant of one run to one peer: a second grant of the same blocks (endgame) has another id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RunId(pub u64);

/// A run with its memory.
#[derive(Debug)]
pub struct RunBuffer {
    pub id: RunId,
    pub run: Run,
    /// Bit `i`: block `run.first + i` is wholly in `bytes`.
    pub have: u64,
    /// Bit `i`: block `run.first + i` is still to be fetched by the holder. Disjoint from `have`; a block in neither
    /// is somebody else's.
    pub want: u64,
    /// Exactly as long as the run.
    pub bytes: Box<[u8]>,
}

impl RunBuffer {
    /// A zeroed buffer of which every block is wanted.
    pub fn new(id: RunId, run: Run, layout: &Layout) -> Self {
        let bytes = vec![0; run.byte_len(layout) as usize].into();
        RunBuffer { id, run, have: 0, want: run.full_mask(), bytes }
    }

    pub fn is_complete(&self) -> bool {
        self.have == self.run.full_mask()
    }

    /// The bytes of block `index` of the run (not of the piece).
    pub fn block(&self, index: u32) -> &[u8] {
        let start = (index * BLOCK_LEN) as usize;
        &self.bytes[start..self.bytes.len().min(start + BLOCK_LEN as usize)]
    }

    /// The bytes of block `index` of the run (not of the piece), to be received into.
    pub fn block_mut(&mut self, index: u32) -> &mut [u8] {
        let start = (index * BLOCK_LEN) as usize;
        let end = self.bytes.len().min(start + BLOCK_LEN as usize);
        &mut self.bytes[start..end]
    }
}
