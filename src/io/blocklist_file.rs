//! Blocklists from files: plain or gzip, read line by line, so that the text is never held as a whole.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::base::blocklist::{Lines, Reader};

/// No line that makes sense is longer; of a longer one the beginning is read.
const LONGEST_LINE: u64 = 4096;
const BUFFER: usize = 64 * 1024;
/// Unpacked, a list may be so long: the largest ones have some 50 MiB.
const MOST_BYTES: u64 = 1 << 30;

/// Reads the list in the file at `path` into `reader`.
///
/// # Errors
/// Where the file can't be read, is cut short or is packed in another way.
pub fn read_list(path: &Path, reader: &mut Reader) -> io::Result<Lines> {
    read_from(BufReader::with_capacity(BUFFER, File::open(path)?), reader)
}

/// Reads the list that `file` holds into `reader`.
///
/// # Errors
/// As [`read_list`].
pub fn read_from(mut file: impl BufRead, reader: &mut Reader) -> io::Result<Lines> {
    match file.fill_buf()? {
        [0x1f, 0x8b, ..] => {
            read_lines(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file)), reader, MOST_BYTES)?
        }
        [b'P', b'K', 3, 4, ..] => {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is a zip archive; unpack it first"));
        }
        _ => read_lines(file, reader, MOST_BYTES)?,
    }
    Ok(reader.end_list())
}

/// Of what is longer than `most` bytes the beginning is read.
fn read_lines(file: impl BufRead, reader: &mut Reader, most: u64) -> io::Result<()> {
    let mut file = file.take(most);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut file).take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == LONGEST_LINE {
            file.skip_until(b'\n')?;
        }
        reader.line(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(bytes: &[u8]) -> (io::Result<Lines>, usize) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut reader = Reader::default();
        let lines = read_list(file.path(), &mut reader);
        (lines, reader.finish().len())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn plain_and_packed_lists_are_read_alike() {
        let list = b"# a list\n10.0.0.0/8\nsense\nname:1.2.3.0-1.2.3.9";
        let expected = Lines { good: 2, bad: 1, first_bad: Some(3) };
        let (lines, ranges) = read(list);
        assert_eq!((lines.unwrap(), ranges), (expected, 2));
        let (lines, ranges) = read(&gzip(list));
        assert_eq!((lines.unwrap(), ranges), (expected, 2));
        // Files that were packed one after the other and joined are one list.
        let joined = [gzip(b"10.0.0.0/8\n"), gzip(b"11.0.0.0/8\n")].concat();
        let (lines, ranges) = read(&joined);
        assert_eq!((lines.unwrap().good, ranges), (2, 1));
        assert_eq!(read(b"").1, 0);
    }

    #[test]
    fn a_cut_or_otherwise_packed_list_is_an_error() {
        let packed = gzip(&b"10.0.0.0/8\n".repeat(500));
        assert_eq!(read(&packed[..packed.len() - 9]).0.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(read(b"PK\x03\x04rest").0.unwrap_err().to_string().contains("zip"));
    }

    #[test]
    fn a_list_without_end_is_read_to_a_bound() {
        let endless = BufReader::new(io::repeat(b'\n'));
        let mut reader = Reader::default();
        read_lines(endless, &mut reader, 100_000).unwrap();
        assert_eq!(reader.end_list(), Lines::default());
        let mut reader = Reader::default();
        read_lines(&b"1.1.1.1\n2.2.2.2\n3.3.3.3\n"[..], &mut reader, 16).unwrap();
        assert_eq!(reader.end_list().good, 2);
    }

    #[test]
    fn an_endless_line_is_one_bad_line() {
        let list = [&vec![b'x'; 3 * LONGEST_LINE as usize][..], b"\n1.2.3.4\n"].concat();
        let (lines, ranges) = read(&list);
        assert_eq!((lines.unwrap(), ranges), (Lines { good: 1, bad: 1, first_bad: Some(1) }, 1));
    }
}
