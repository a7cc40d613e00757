//! A body that may be gzipped, unpacked up to a cap: a small bomb does not become a large one.

use std::io::Write;

use flate2::write::GzDecoder;

use super::http::HttpError;

/// Takes a body piece by piece.
pub struct Gunzip(Kind);

enum Kind {
    Unknown { cap: usize },
    Plain(Capped),
    Packed { decoder: Box<GzDecoder<Capped>>, taken: usize },
}

/// A body that refuses to grow beyond its cap.
struct Capped {
    body: Vec<u8>,
    cap: usize,
    full: bool,
}

impl Gunzip {
    /// `packed`: known to be; else the first bytes tell. `cap`: bytes, packed and unpacked.
    pub fn new(packed: bool, cap: usize) -> Self {
        Gunzip(if packed { Kind::packed(cap) } else { Kind::Unknown { cap } })
    }

    /// # Errors
    /// [`HttpError::TooLarge`], or [`HttpError::Damaged`] if it is no gzip after all.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), HttpError> {
        if chunk.is_empty() {
            return Ok(());
        }
        if let Kind::Unknown { cap } = self.0 {
            self.0 = if chunk[0] == 0x1F { Kind::packed(cap) } else { Kind::Plain(Capped::new(cap)) };
        }
        match &mut self.0 {
            Kind::Unknown { .. } => unreachable!("the first byte has told"),
            Kind::Plain(body) => body.write_all(chunk).map_err(|_| HttpError::TooLarge(body.cap)),
            Kind::Packed { decoder, taken } => {
                let cap = decoder.get_ref().cap;
                *taken += chunk.len();
                if *taken > cap {
                    return Err(HttpError::TooLarge(cap));
                }
                decoder.write_all(chunk).map_err(|error| decoder.get_ref().or_damaged(&error))
            }
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`Gunzip::push`]; what was packed and is cut short is damaged.
    pub fn finish(self) -> Result<Vec<u8>, HttpError> {
        match self.0 {
            Kind::Unknown { .. } => Ok(Vec::new()),
            Kind::Plain(body) => Ok(body.body),
            Kind::Packed { taken: 0, .. } => Ok(Vec::new()),
            Kind::Packed { mut decoder, .. } => {
                decoder.try_finish().map_err(|error| decoder.get_ref().or_damaged(&error))?;
                Ok(std::mem::take(&mut decoder.get_mut().body))
            }
        }
    }
}

impl Kind {
    fn packed(cap: usize) -> Self {
        Kind::Packed { decoder: Box::new(GzDecoder::new(Capped::new(cap))), taken: 0 }
    }
}

impl Capped {
    fn new(cap: usize) -> Self {
        Capped { body: Vec::new(), cap, full: false }
    }

    fn or_damaged(&self, error: &std::io::Error) -> HttpError {
        if self.full { HttpError::TooLarge(self.cap) } else { HttpError::Damaged(error.to_string()) }
    }
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > self.cap - self.body.len() {
            self.full = true;
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.body.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(packed: bool, cap: usize, body: &[u8], step: usize) -> Result<Vec<u8>, HttpError> {
        let mut gunzip = Gunzip::new(packed, cap);
        for chunk in body.chunks(step) {
            gunzip.push(chunk)?;
        }
        gunzip.finish()
    }

    #[test]
    fn packed_or_not_named_or_not_in_pieces_of_any_size() {
        let text = b"d8:intervali1800ee".repeat(50);
        for step in [1, 7, 10_000] {
            assert_eq!(unpack(true, 10_000, &gzip(&text), step), Ok(text.clone()));
            assert_eq!(unpack(false, 10_000, &gzip(&text), step), Ok(text.clone()));
            assert_eq!(unpack(false, 10_000, &text, step), Ok(text.clone()));
        }
        assert_eq!(unpack(false, 10, b"", 1), Ok(Vec::new()));
        assert_eq!(unpack(true, 10, b"", 1), Ok(Vec::new()));
    }

    #[test]
    fn a_bomb_stops_at_the_cap() {
        let bomb = gzip(&vec![0; 50_000_000]);
        assert!(bomb.len() < 60_000);
        assert_eq!(unpack(true, 100_000, &bomb, 4_096), Err(HttpError::TooLarge(100_000)));
        assert_eq!(unpack(false, 10, b"12345678901", 4), Err(HttpError::TooLarge(10)));
        assert_eq!(unpack(false, 11, b"12345678901", 4), Ok(b"12345678901".to_vec()));
    }

    #[test]
    fn what_is_cut_or_is_no_gzip_is_damaged() {
        let packed = gzip(b"d8:intervali1800ee");
        for len in 1..packed.len() {
            assert!(matches!(unpack(true, 1_000, &packed[..len], 5), Err(HttpError::Damaged(_))), "{len}");
        }
        assert!(matches!(unpack(true, 1_000, b"d8:intervali1800ee", 5), Err(HttpError::Damaged(_))));
    }
}
