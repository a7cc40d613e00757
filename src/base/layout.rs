//! Where every byte of a torrent lies: byte ↔ piece ↔ block ↔ file.
//!
//! All lengths of pieces and blocks come from here, piece by piece; nobody else multiplies by the piece length.

/// The length of a block, the unit of requests (BEP 3): 16 KiB.
pub const BLOCK_LEN: u32 = 16 * 1024;

/// One file of the torrent as a stretch of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileSpan {
    /// First byte, counted from the start of the torrent.
    pub offset: u64,
    pub length: u64,
    /// BEP 47 padding: zeros that are never stored.
    pub pad: bool,
}

/// A stretch of one piece that lies in one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// Index into the layout's files.
    pub file: usize,
    /// Where it starts in the file.
    pub file_offset: u64,
    /// Where it starts, relative to the start of the range that was asked for.
    pub at: u32,
    pub len: u32,
}

/// The geometry of a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    files: Box<[FileSpan]>,
    piece_length: u32,
    total: u64,
}

impl Layout {
    /// A v1 layout: `files` (length, is padding) one after another, cut every `piece_length` bytes.
    ///
    /// # Panics
    /// If `piece_length` is 0 or the sizes overflow or make more than `u32::MAX` pieces: the metainfo reader has
    /// refused such a torrent before.
    pub fn v1(piece_length: u32, files: impl IntoIterator<Item = (u64, bool)>) -> Self {
        assert!(piece_length > 0, "a piece has bytes");
        let mut total = 0u64;
        let files = files
            .into_iter()
            .map(|(length, pad)| {
                let span = FileSpan { offset: total, length, pad };
                total = total.checked_add(length).expect("sizes that fit 64 bits");
                span
            })
            .collect();
        assert!(total.div_ceil(piece_length.into()) <= u32::MAX.into(), "more pieces than 32 bits count");
        Layout { files, piece_length, total }
    }

    pub fn files(&self) -> &[FileSpan] {
        &self.files
    }

    /// All bytes, padding included.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The nominal piece length; pieces may be shorter.
    pub fn piece_length(&self) -> u32 {
        self.piece_length
    }

    /// How many pieces there are.
    pub fn pieces(&self) -> u32 {
        self.total.div_ceil(self.piece_length.into()) as u32
    }

    /// Where piece `piece` starts in the torrent.
    pub fn piece_offset(&self, piece: u32) -> u64 {
        u64::from(piece) * u64::from(self.piece_length)
    }

    /// How many bytes piece `piece` has.
    ///
    /// # Panics
    /// If there is no such piece.
    pub fn piece_len(&self, piece: u32) -> u32 {
        let start = self.piece_offset(piece);
        assert!(start < self.total, "piece {piece} of {}", self.pieces());
        (self.total - start).min(self.piece_length.into()) as u32
    }

    /// How many blocks piece `piece` has.
    pub fn blocks(&self, piece: u32) -> u32 {
        self.piece_len(piece).div_ceil(BLOCK_LEN)
    }

    /// How many bytes block `block` of piece `piece` has.
    pub fn block_len(&self, piece: u32, block: u32) -> u32 {
        (self.piece_len(piece) - block * BLOCK_LEN).min(BLOCK_LEN)
    }

    /// True if `begin .. begin + len` lies in piece `piece` and is not empty.
    pub fn contains(&self, piece: u32, begin: u32, len: u32) -> bool {
        piece < self.pieces() && len > 0 && begin.checked_add(len).is_some_and(|end| end <= self.piece_len(piece))
    }

    /// The files under `begin .. begin + len` of piece `piece`, in order, empty files left out, padding included.
    pub fn stretches(&self, piece: u32, begin: u32, len: u32) -> impl Iterator<Item = Stretch> + '_ {
        let start = self.piece_offset(piece) + u64::from(begin);
        let end = start + u64::from(len);
        debug_assert!(end <= self.total);
        let first = self.files.partition_point(|file| file.offset + file.length <= start);
        self.files[first..].iter().enumerate().take_while(move |(_, file)| file.offset < end).filter_map(
            move |(nth, file)| {
                let from = start.max(file.offset);
                let to = end.min(file.offset + file.length);
                (from < to).then(|| Stretch {
                    file: first + nth,
                    file_offset: from - file.offset,
                    at: (from - start) as u32,
                    len: (to - from) as u32,
                })
            },
        )
    }

    /// The pieces that hold bytes of file `file`; empty for an empty file.
    pub fn pieces_of(&self, file: usize) -> std::ops::Range<u32> {
        let FileSpan { offset, length, .. } = self.files[file];
        let piece = u64::from(self.piece_length);
        if length == 0 { 0..0 } else { (offset / piece) as u32..(offset + length).div_ceil(piece) as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_files() -> Layout {
        Layout::v1(32_768, [(40_000, false), (0, false), (10, false), (20_000, true)])
    }

    #[test]
    fn the_last_piece_and_the_last_block_are_short() {
        let layout = three_files();
        assert_eq!((layout.total(), layout.pieces()), (60_010, 2));
        assert_eq!((layout.piece_len(0), layout.piece_len(1)), (32_768, 27_242));
        assert_eq!((layout.blocks(1), layout.block_len(1, 0), layout.block_len(1, 1)), (2, 16_384, 10_858));
    }

    #[test]
    fn stretches_cover_a_range_file_by_file_without_gaps() {
        let layout = three_files();
        let stretches: Vec<_> = layout.stretches(1, 0, 27_242).collect();
        assert_eq!(
            stretches,
            [
                Stretch { file: 0, file_offset: 32_768, at: 0, len: 7_232 },
                Stretch { file: 2, file_offset: 0, at: 7_232, len: 10 },
                Stretch { file: 3, file_offset: 0, at: 7_242, len: 20_000 },
            ]
        );
        assert_eq!(layout.stretches(0, 16_384, 100).count(), 1);
    }

    #[test]
    fn pieces_of_a_file_include_the_shared_one() {
        let layout = three_files();
        assert_eq!(layout.pieces_of(0), 0..2);
        assert_eq!(layout.pieces_of(1), 0..0);
        assert_eq!(layout.pieces_of(2), 1..2);
    }

    #[test]
    fn a_range_outside_a_piece_is_not_contained() {
        let layout = three_files();
        assert!(layout.contains(1, 27_241, 1));
        assert!(!layout.contains(1, 27_241, 2) && !layout.contains(2, 0, 1) && !layout.contains(0, u32::MAX, 2));
        assert!(!layout.contains(0, 0, 0));
    }
}
