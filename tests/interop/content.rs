//! What is transferred: files made from a fixed pattern, and their .torrent.

use std::fs;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

/// Files to be made, all under one top folder or one file alone.
pub struct Content {
    pub what: &'static str,
    name: &'static str,
    /// Path below the top folder and size; empty: a single file of `single` bytes.
    files: Vec<(String, usize)>,
    single: usize,
    piece_length: usize,
}

/// A .torrent on disk.
pub struct Torrent {
    pub file: PathBuf,
    /// What trackers and handshakes know it by: the v1 hash, of a v2 torrent the start of its hash.
    pub info_hash: [u8; 20],
    /// The v2 hash (BEP 52) in hex, if it has one.
    pub v2: Option<String>,
    pub tracker: String,
}

impl Torrent {
    /// The info hash in hex.
    pub fn hex(&self) -> String {
        self.info_hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn magnet(&self) -> String {
        self.magnet_of(&[format!("urn:btih:{}", self.hex())])
    }

    /// The same with these names of its hashes.
    pub fn magnet_of(&self, topics: &[String]) -> String {
        let topics: String = topics.iter().map(|topic| format!("xt={topic}&")).collect();
        let tracker = self.tracker.replace(':', "%3A").replace('/', "%2F");
        format!("magnet:?{topics}dn=content&tr={tracker}")
    }
}

impl Content {
    /// A tree with small, large, empty and unevenly long files, names that are not ASCII, 64 KiB pieces.
    pub fn tree() -> Content {
        let mut files = vec![
            ("a.bin".to_owned(), 3_000_001),
            ("empty".to_owned(), 0),
            ("sub/ünïcødé ☃.txt".to_owned(), 77),
            ("sub/deep/er/b.bin".to_owned(), 5_242_880),
            ("z".to_owned(), 1),
        ];
        files.extend((0..40).map(|n| (format!("many/{n:02}.dat"), 1_000 * n + 13)));
        Content { what: "a tree", name: "tree", files, single: 0, piece_length: 65_536 }
    }

    pub fn empty_file() -> Content {
        Content { what: "a file of 0 bytes", name: "empty.bin", files: Vec::new(), single: 0, piece_length: 16_384 }
    }

    pub fn one_byte() -> Content {
        Content { what: "a file of 1 byte", name: "one.bin", files: Vec::new(), single: 1, piece_length: 16_384 }
    }

    pub fn large_file() -> Content {
        let (single, piece_length) = (300_000_007, 1 << 20);
        Content { what: "a file of 300 MB", name: "large.bin", files: Vec::new(), single, piece_length }
    }

    pub fn thousands() -> Content {
        let files = (0..3_000).map(|n| (format!("{:02}/{n:04}", n % 50), 500 + n * 7 % 9_000)).collect();
        Content { what: "3,000 files", name: "thousands", files, single: 0, piece_length: 32_768 }
    }

    /// What is special to v2 torrents: nothing, a byte, a whole piece, a byte more, and a piece layer of two spans.
    pub fn aligned() -> Content {
        let files =
            [("empty", 0), ("one", 1), ("piece", 32_768), ("more", 32_769), ("sub/large", 17_000_003), ("z", 0)];
        let files = files.map(|(path, size)| (path.to_owned(), size)).into();
        Content { what: "files at pieces", name: "aligned", files, single: 0, piece_length: 32_768 }
    }

    pub fn bytes(&self) -> usize {
        self.single + self.files.iter().map(|(_, size)| size).sum::<usize>()
    }

    /// Makes the files below `folder` and the .torrent beside it.
    pub fn write(&self, folder: &Path, tracker: &str) -> Torrent {
        let all = self.write_files(folder);
        let pieces: Vec<u8> =
            all.chunks(self.piece_length).flat_map(|piece| <[u8; 20]>::from(Sha1::digest(piece))).collect();
        let info = self.info(&pieces);
        let info_hash = Sha1::digest(&info).into();
        let mut bytes = format!("d8:announce{}:{tracker}4:info", tracker.len()).into_bytes();
        bytes.extend_from_slice(&info);
        bytes.push(b'e');
        let file = folder.with_extension("torrent");
        fs::write(&file, bytes).expect("write the .torrent");
        Torrent { file, info_hash, v2: None, tracker: tracker.into() }
    }

    /// Makes the files, and gives their bytes in a row.
    pub fn write_files(&self, folder: &Path) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.bytes());
        for (path, size) in self.paths() {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("make folders");
            let bytes = pattern(all.len() as u64, size);
            fs::write(&path, &bytes).expect("write a file");
            all.extend_from_slice(&bytes);
        }
        all
    }

    fn info(&self, pieces: &[u8]) -> Vec<u8> {
        let mut info = b"d".to_vec();
        if self.files.is_empty() {
            info.extend(format!("6:lengthi{}e", self.single).bytes());
        } else {
            info.extend(b"5:filesl");
            for (path, size) in &self.files {
                let parts: String = path.split('/').map(|part| format!("{}:{part}", part.len())).collect();
                info.extend(format!("d6:lengthi{size}e4:pathl{parts}ee").bytes());
            }
            info.push(b'e');
        }
        let name = self.name;
        info.extend(format!("4:name{}:{name}12:piece lengthi{}e", name.len(), self.piece_length).bytes());
        info.extend(format!("6:pieces{}:", pieces.len()).bytes());
        info.extend_from_slice(pieces);
        info.push(b'e');
        info
    }

    fn paths(&self) -> Vec<(PathBuf, usize)> {
        if self.files.is_empty() {
            return vec![(self.name.into(), self.single)];
        }
        self.files.iter().map(|(path, size)| (Path::new(self.name).join(path), *size)).collect()
    }

    /// The same without its empty files.
    pub fn without_empty_files(mut self) -> Content {
        self.files.retain(|(_, size)| *size > 0);
        self
    }

    /// Turns every bit of the files below `folder`.
    pub fn spoil(&self, folder: &Path) {
        for (path, _) in self.paths() {
            let path = folder.join(path);
            let bytes: Vec<u8> = fs::read(&path).expect("a file").iter().map(|byte| !byte).collect();
            fs::write(&path, bytes).expect("write a file");
        }
    }

    /// The file or top folder in `folder`.
    pub fn top(&self, folder: &Path) -> PathBuf {
        folder.join(self.name)
    }

    /// Byte by byte, every file.
    ///
    /// # Errors
    /// The first file that differs.
    pub fn compare(&self, seeded: &Path, got: &Path) -> Result<(), String> {
        for (path, _) in self.paths() {
            let want = fs::read(seeded.join(&path)).map_err(|e| format!("{}: {e}", path.display()))?;
            let have = fs::read(got.join(&path)).map_err(|e| format!("{}: {e}", path.display()))?;
            if want != have {
                return Err(format!("{} differs ({} bytes of {})", path.display(), have.len(), want.len()));
            }
        }
        Ok(())
    }
}

/// Bytes that differ from place to place.
pub fn pattern(offset: u64, size: usize) -> Vec<u8> {
    let mut state = offset.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let words = size.div_ceil(8);
    let mut bytes: Vec<u8> = (0..words)
        .flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .collect();
    bytes.truncate(size);
    bytes
}
