//! What the files of a torrent are called on web servers: their names as the torrent has them, not as they are mended for
//! the disk.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::Info;
use super::file_tree::{single_file, walk};
use crate::base::bencode::{Dict, Limits, Value};

/// All but what RFC 3986 calls unreserved.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Info {
    /// For each file its path below the server's folder, the torrent's name included, percent-encoded (BEP 19,
    /// "Metadata Extension"). Empty for what has none (padding).
    pub fn url_paths(&self) -> Vec<String> {
        read(&self.raw).filter(|paths| paths.len() == self.files.len()).unwrap_or_else(|| {
            // Not read the way the file itself was: the mended names are the next best.
            let paths = self.files.iter().map(|file| file.path.components().map(|part| encode(part.as_bytes())));
            paths.map(|parts| parts.collect::<Vec<_>>().join("/")).collect()
        })
    }
}

fn read(raw: &[u8]) -> Option<Vec<String>> {
    let (value, _) = Value::parse(raw, Limits::TORRENT).ok()?;
    let info = value.as_dict()?;
    let files = info.get(b"files");
    if let (None, None, Some(tree)) = (files, info.get(b"length"), info.get(b"file tree")) {
        return read_tree(info, tree.as_dict()?);
    }
    let name = encode(info.get(b"name.utf-8").or(info.get(b"name"))?.as_bytes()?);
    let Some(files) = files else { return Some(vec![name]) };
    let path = |file: Value| -> Option<String> {
        let file = file.as_dict()?;
        let Some(path) = file.get(b"path.utf-8").or(file.get(b"path")) else { return Some(String::new()) };
        let parts: Option<Vec<String>> = path.as_list()?.iter().map(|part| part.as_bytes().map(encode)).collect();
        Some(format!("{name}/{}", parts?.join("/")))
    };
    files.as_list()?.iter().map(path).collect()
}

/// Of a v2 torrent (BEP 52), whose single file is called as its tree has it.
fn read_tree(info: Dict, tree: Dict) -> Option<Vec<String>> {
    if let Some((name, _)) = single_file(tree) {
        return Some(vec![encode(name)]);
    }
    let name = encode(info.get(b"name.utf-8").or(info.get(b"name"))?.as_bytes()?);
    let mut paths = Vec::new();
    walk(tree, &mut |path, _| {
        let parts: Vec<_> = path.iter().map(|part| encode(part)).collect();
        paths.push(format!("{name}/{}", parts.join("/")));
        Ok(())
    })
    .ok()?;
    Some(paths)
}

fn encode(part: &[u8]) -> String {
    // A component that would lead elsewhere leads nowhere.
    if part == b"." || part == b".." { "%2E".repeat(part.len()) } else { percent_encode(part, &ESCAPED).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_what_the_torrent_calls_them() {
        let paths = |info: &str| read(info.as_bytes()).unwrap();
        assert_eq!(paths("d6:lengthi1e4:name7:a b.bine"), ["a%20b.bin"]);
        let tree = "d5:filesld6:lengthi1e4:pathl3:sub4:x&y?eed6:lengthi1e4:pathl1:#ee\
                    d4:attr1:p6:lengthi1eed6:lengthi1e4:pathl2:..1:zeee4:name1:te";
        assert_eq!(paths(tree), ["t/sub/x%26y%3F", "t/%23", "", "t/%2E%2E/z"]);
        assert_eq!(
            paths("d5:filesld4:pathl3:bad3:bine10:path.utf-8l4:n\u{f6}beee4:name1:t10:name.utf-81:ue"),
            ["u/n%C3%B6b"]
        );
    }
}
