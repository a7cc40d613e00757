//! Where every byte of a torrent lies: byte ↔ piece ↔ block ↔ file.
//!
//! All lengths of pieces and blocks come from here, piece by piece; nobody else multiplies by the piece length.
//!
//! Bytes are counted by their *position*. In a v1 torrent the files lie one after another and every position has a byte.
//! In a v2 torrent (BEP 52) each file begins at a piece, so that positions between the end of a file and the next piece
//! have none, no piece holds bytes of two files, and the last piece of every file may be short.

/// The length of a block, the unit of requests (BEP 3): 16 KiB.
pub const BLOCK_LEN: u32 = 16 * 1024;

/// One file of the torrent as a stretch of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileSpan {
    /// The position of its first byte.
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

impl FileSpan {
    /// The position behind its last byte.
    fn end(&self) -> u64 {
        self.offset + self.length
    }
}

/// The geometry of a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    files: Box<[FileSpan]>,
    piece_length: u32,
    /// Bytes of all files.
    total: u64,
    /// The position behind the last byte.
    end: u64,
    /// Every file begins at a piece.
    aligned: bool,
}

impl Layout {
    /// A v1 layout: `files` (length, is padding) one after another, cut every `piece_length` bytes.
    ///
    /// # Panics
    /// If `piece_length` is 0 or the sizes overflow or make more than `u32::MAX` pieces: the metainfo reader has
    /// refused such a torrent before.
    pub fn v1(piece_length: u32, files: impl IntoIterator<Item = (u64, bool)>) -> Self {
        Layout::new(piece_length, false, files)
    }

    /// A v2 layout (BEP 52, "piece length"): each of `files` (length, is padding) from a piece of its own on, in order.
    ///
    /// # Panics
    /// As [`Layout::v1`].
    pub fn v2(piece_length: u32, files: impl IntoIterator<Item = (u64, bool)>) -> Self {
        Layout::new(piece_length, true, files)
    }

    fn new(piece_length: u32, aligned: bool, files: impl IntoIterator<Item = (u64, bool)>) -> Self {
        assert!(piece_length > 0, "a piece has bytes");
        let (mut total, mut end) = (0u64, 0u64);
        let files = files
            .into_iter()
            .map(|(length, pad)| {
                let offset = if aligned {
                    end.checked_next_multiple_of(piece_length.into()).expect("sizes that fit 64 bits")
                } else {
                    end
                };
                if length > 0 {
                    end = offset.checked_add(length).expect("sizes that fit 64 bits");
                }
                total += length;
                FileSpan { offset, length, pad }
            })
            .collect();
        assert!(end.div_ceil(piece_length.into()) <= u32::MAX.into(), "more pieces than 32 bits count");
        Layout { files, piece_length, total, end, aligned }
    }

    pub fn files(&self) -> &[FileSpan] {
        &self.files
    }

    /// All bytes, padding included: the sum of the lengths of the pieces.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The position behind the last byte; beyond [`Layout::total`] where there are positions without bytes.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The nominal piece length; pieces may be shorter.
    pub fn piece_length(&self) -> u32 {
        self.piece_length
    }

    /// How many pieces there are.
    pub fn pieces(&self) -> u32 {
        self.end.div_ceil(self.piece_length.into()) as u32
    }

    /// The position of the first byte of piece `piece`.
    pub fn piece_offset(&self, piece: u32) -> u64 {
        u64::from(piece) * u64::from(self.piece_length)
    }

    /// The piece that holds the byte at `position`.
    pub fn piece_at(&self, position: u64) -> u32 {
        (position / u64::from(self.piece_length)) as u32
    }

    /// How many bytes piece `piece` has.
    ///
    /// # Panics
    /// If there is no such piece.
    pub fn piece_len(&self, piece: u32) -> u32 {
        let start = self.piece_offset(piece);
        assert!(start < self.end, "piece {piece} of {}", self.pieces());
        let end = if self.aligned { self.files[self.file_at(start)].end() } else { self.end };
        (end - start).min(self.piece_length.into()) as u32
    }

    /// The file that holds the byte at `position`; of positions without a byte the next file, if there is one.
    pub fn file_at(&self, position: u64) -> usize {
        self.files.partition_point(|file| file.end() <= position)
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

    /// True if a peer may ask for `begin .. begin + len` of piece `piece`: what lies in it, and in a v2 torrent a block that
    /// begins in it and ends in the positions without bytes behind a file. libtorrent 2.0 and 2.1 take those for padding,
    /// ask for the last block of a file whole, and drop who does not serve it; they want zeros behind the file's bytes.
    pub fn may_be_asked(&self, piece: u32, begin: u32, len: u32) -> bool {
        let nominal = || begin.checked_add(len).is_some_and(|end| end <= self.piece_length);
        self.contains(piece, begin, len)
            || (self.aligned && piece < self.pieces() && len > 0 && begin < self.piece_len(piece) && nominal())
    }

    /// The files under `begin .. begin + len` of piece `piece`, in order, empty files left out, padding included. Positions
    /// without bytes are under none.
    pub fn stretches(&self, piece: u32, begin: u32, len: u32) -> impl Iterator<Item = Stretch> + '_ {
        let start = self.piece_offset(piece) + u64::from(begin);
        let end = start + u64::from(len);
        debug_assert!(end <= self.end || (self.aligned && begin + len <= self.piece_length));
        let first = self.file_at(start);
        self.files[first..].iter().enumerate().take_while(move |(_, file)| file.offset < end).filter_map(
            move |(nth, file)| {
                let from = start.max(file.offset);
                let to = end.min(file.end());
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
        let span = self.files[file];
        let end = || span.end().div_ceil(self.piece_length.into()) as u32;
        if span.length == 0 { 0..0 } else { self.piece_at(span.offset)..end() }
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

    /// Pieces of 32 KiB: 0 and 1 of the first file, 2 of the third, 3 of the last.
    fn three_aligned_files() -> Layout {
        Layout::v2(32_768, [(40_000, false), (0, false), (10, false), (20_000, false), (0, false)])
    }

    #[test]
    fn every_v2_file_begins_at_a_piece_and_its_last_piece_is_short() {
        let layout = three_aligned_files();
        let offsets: Vec<u64> = layout.files().iter().map(|file| file.offset).collect();
        assert_eq!(offsets, [0, 65_536, 65_536, 98_304, 131_072]);
        assert_eq!((layout.total(), layout.end(), layout.pieces()), (60_010, 118_304, 4));
        assert_eq!((0..4).map(|piece| layout.piece_len(piece)).collect::<Vec<_>>(), [32_768, 7_232, 10, 20_000]);
        assert_eq!((layout.blocks(1), layout.blocks(2), layout.blocks(3), layout.block_len(3, 1)), (1, 1, 2, 3_616));
        assert_eq!([0, 1, 2, 3, 4].map(|file| layout.pieces_of(file)), [0..2, 0..0, 2..3, 3..4, 0..0]);
        assert!(layout.contains(1, 0, 7_232) && !layout.contains(1, 0, 7_233) && !layout.contains(4, 0, 1));
        assert_eq!((layout.piece_at(65_535), layout.piece_at(65_536)), (1, 2));
    }

    #[test]
    fn the_last_block_of_a_v2_file_may_be_asked_for_whole_and_no_other_padding() {
        let layout = three_aligned_files();
        assert!(layout.may_be_asked(1, 0, 16_384) && layout.may_be_asked(2, 0, 16_384));
        assert!(layout.may_be_asked(3, 16_384, 16_384) && layout.may_be_asked(1, 0, 7_232));
        assert!(!layout.may_be_asked(1, 7_232, 1) && !layout.may_be_asked(4, 0, 1) && !layout.may_be_asked(1, 0, 0));
        assert!(!layout.may_be_asked(1, 0, 32_769) && !layout.may_be_asked(0, u32::MAX, 2));
        for (piece, begin, bytes) in [(1, 0, 7_232), (2, 0, 10), (3, 16_384, 3_616)] {
            let under: Vec<u32> = layout.stretches(piece, begin, 16_384).map(|stretch| stretch.len).collect();
            assert_eq!(under, [bytes], "what lies behind the file is under no file");
        }
        let v1 = three_files();
        assert!(!v1.may_be_asked(v1.pieces() - 1, 0, v1.piece_len(v1.pieces() - 1) + 1));
    }

    #[test]
    fn a_v2_piece_is_one_stretch_of_one_file() {
        let layout = three_aligned_files();
        let of = |piece| layout.stretches(piece, 0, layout.piece_len(piece)).collect::<Vec<_>>();
        assert_eq!(of(1), [Stretch { file: 0, file_offset: 32_768, at: 0, len: 7_232 }]);
        assert_eq!(of(2), [Stretch { file: 2, file_offset: 0, at: 0, len: 10 }]);
        let part: Vec<_> = layout.stretches(3, 16_384, 100).collect();
        assert_eq!(part, [Stretch { file: 3, file_offset: 16_384, at: 0, len: 100 }]);
    }

    #[test]
    fn the_lengths_of_the_pieces_are_all_bytes_in_both_layouts() {
        let files = [(0, false), (1, false), (16_384, false), (0, false), (70_000, false), (5, false), (0, false)];
        for layout in [Layout::v1(16_384, files), Layout::v2(16_384, files), Layout::v2(16_384, []), Layout::v1(1, [])]
        {
            let pieces: u64 = (0..layout.pieces()).map(|piece| u64::from(layout.piece_len(piece))).sum();
            assert_eq!(pieces, layout.total());
            let stretches = (0..layout.pieces()).flat_map(|p| layout.stretches(p, 0, layout.piece_len(p)));
            assert_eq!(stretches.map(|stretch| u64::from(stretch.len)).sum::<u64>(), layout.total());
        }
    }

    #[test]
    fn a_range_outside_a_piece_is_not_contained() {
        let layout = three_files();
        assert!(layout.contains(1, 27_241, 1));
        assert!(!layout.contains(1, 27_241, 2) && !layout.contains(2, 0, 1) && !layout.contains(0, u32::MAX, 2));
        assert!(!layout.contains(0, 0, 0));
    }
}
