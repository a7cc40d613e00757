//! Small torrents with data, made in memory: for tests, and for `examples/local_swarm.rs`.
#![allow(dead_code)] // each user needs only a part

use std::path::Path;

use rtorrent_cli::base::hash::{sha1, sha1_batch};

/// A torrent and its data.
pub struct Made {
    /// The .torrent.
    pub bytes: Vec<u8>,
    pub info_hash: [u8; 20],
    name: String,
    single: bool,
    files: Vec<(String, Vec<u8>)>,
}

impl Made {
    /// One file.
    pub fn file(name: &str, contents: Vec<u8>, piece_length: usize, trackers: &[&str]) -> Made {
        Made::new(name, true, vec![(String::new(), contents)], piece_length, trackers)
    }

    /// A folder of files; paths with `/`.
    pub fn folder(name: &str, files: &[(&str, Vec<u8>)], piece_length: usize, trackers: &[&str]) -> Made {
        let files = files.iter().map(|(path, contents)| ((*path).to_owned(), contents.clone())).collect();
        Made::new(name, false, files, piece_length, trackers)
    }

    /// A torrent that was made elsewhere, and whose data lies where it should.
    pub fn of(bytes: Vec<u8>, info_hash: [u8; 20]) -> Made {
        Made { bytes, info_hash, name: String::new(), single: true, files: Vec::new() }
    }

    fn new(name: &str, single: bool, files: Vec<(String, Vec<u8>)>, piece_length: usize, trackers: &[&str]) -> Made {
        let all = files.iter().flat_map(|(_, contents)| contents.iter().copied()).collect::<Vec<u8>>();
        let mut info = b"d".to_vec();
        if single {
            info.extend(format!("6:lengthi{}e", all.len()).bytes());
        } else {
            info.extend(b"5:filesl");
            for (path, contents) in &files {
                info.extend(format!("d6:lengthi{}e4:pathl", contents.len()).bytes());
                path.split('/').for_each(|part| info.extend(string(part.as_bytes())));
                info.extend(b"ee");
            }
            info.push(b'e');
        }
        info.extend(b"4:name");
        info.extend(string(name.as_bytes()));
        info.extend(format!("12:piece lengthi{piece_length}e6:pieces").bytes());
        let pieces: Vec<&[u8]> = all.chunks(piece_length).collect();
        let messages: Vec<&[&[u8]]> = pieces.iter().map(std::slice::from_ref).collect();
        info.extend(string(&sha1_batch(&messages).concat()));
        info.push(b'e');
        let mut bytes = b"d".to_vec();
        if let Some(first) = trackers.first() {
            bytes.extend(b"8:announce");
            bytes.extend(string(first.as_bytes()));
            bytes.extend(b"13:announce-listl");
            for tracker in trackers {
                bytes.push(b'l');
                bytes.extend(string(tracker.as_bytes()));
                bytes.push(b'e');
            }
            bytes.push(b'e');
        }
        bytes.extend(b"4:info");
        bytes.extend(&info);
        bytes.push(b'e');
        Made { bytes, info_hash: sha1(&info), name: name.to_owned(), single, files }
    }

    /// The info hash in hexadecimal.
    pub fn hash(&self) -> String {
        self.info_hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Puts the data into `dir` as a finished download would.
    pub fn place(&self, dir: &Path) {
        for (path, contents) in &self.files {
            let path = if self.single { dir.join(&self.name) } else { dir.join(&self.name).join(path) };
            std::fs::create_dir_all(path.parent().expect("below dir")).expect("a folder");
            std::fs::write(path, contents).expect("a file");
        }
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [format!("{}:", bytes.len()).as_bytes(), bytes].concat()
}

/// Bytes that look random and are the same for the same seed.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend(state.to_le_bytes());
    }
    out.truncate(len);
    out
}
