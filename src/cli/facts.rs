//! What is known of a torrent or a magnet link, for a person and as JSON.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::json;
use super::scrape;
use super::size_time::{date, size};
use super::text::{count, escape};
use crate::base::id::TorrentId;
use crate::base::magnet::Magnet;
use crate::base::metainfo::{Info, Metainfo};
use crate::io::scrape::Scraped;

/// All that is known of a torrent, from whichever source.
#[derive(Debug)]
pub struct Facts {
    pub id: TorrentId,
    pub name: Option<String>,
    /// Unknown of a magnet link that nobody was asked about.
    pub info: Option<Arc<Info>>,
    pub trackers: Vec<Vec<String>>,
    pub web_seeds: Vec<String>,
    pub peers: Vec<String>,
    /// `so`: file indices from 0, inclusive.
    pub select: Vec<(u32, u32)>,
    /// `xl`, where there is no metadata.
    pub length: Option<u64>,
    pub comment: Option<String>,
    pub created_by: Option<String>,
    pub creation_date: Option<i64>,
}

impl Facts {
    pub fn of_torrent(metainfo: &Metainfo) -> Facts {
        Facts {
            id: metainfo.info.id,
            name: Some(metainfo.info.name.clone()),
            info: Some(metainfo.info.clone()),
            trackers: metainfo.trackers.clone(),
            web_seeds: metainfo.web_seeds.clone(),
            peers: Vec::new(),
            select: Vec::new(),
            length: None,
            comment: metainfo.comment.clone(),
            created_by: metainfo.created_by.clone(),
            creation_date: metainfo.creation_date,
        }
    }

    /// What a magnet link says, and the metadata if it has been fetched.
    pub fn of_magnet(magnet: &Magnet, info: Option<Arc<Info>>) -> Facts {
        Facts {
            id: info.as_ref().map_or(magnet.id, |info| info.id),
            name: info.as_ref().map(|info| info.name.clone()).or_else(|| magnet.name.clone()),
            info,
            trackers: magnet.trackers.iter().map(|tracker| vec![tracker.clone()]).collect(),
            web_seeds: magnet.web_seeds.clone(),
            peers: magnet.peers.clone(),
            select: magnet.select.clone(),
            length: magnet.length,
            comment: None,
            created_by: None,
            creation_date: None,
        }
    }

    pub fn magnet(&self) -> Magnet {
        Magnet {
            id: self.id,
            name: self.name.clone(),
            trackers: self.trackers.concat(),
            web_seeds: self.web_seeds.clone(),
            peers: self.peers.clone(),
            select: self.select.clone(),
            length: self.total(),
        }
    }

    fn total(&self) -> Option<u64> {
        self.info.as_ref().map(|info| info.stored_size()).or(self.length)
    }

    /// The object of `info --json`; `swarm` only where it was asked for.
    pub fn to_json(&self, swarm: Option<&[Scraped]>) -> Value {
        let (v1, v2) = json::hashes(&self.id);
        let info = self.info.as_deref();
        let mut object = json!({
            "name": self.name,
            "info_hash_v1": v1,
            "info_hash_v2": v2,
            "piece_length": info.map(|info| info.layout.piece_length()),
            "pieces": info.map(|info| info.layout.pieces()),
            "total_size": self.total(),
            "private": info.map(|info| info.private),
            "files": info.map(json::files).unwrap_or_default(),
            "trackers": self.trackers,
            "web_seeds": self.web_seeds,
            "peers": self.peers,
            "select": (!self.select.is_empty()).then(|| ranges(&self.select)),
            "comment": self.comment,
            "created_by": self.created_by,
            "creation_date": self.creation_date,
            "magnet": self.magnet().to_string(),
        });
        if let Some(swarm) = swarm {
            object["swarm"] = swarm.iter().map(scrape::to_json).collect();
        }
        object
    }

    /// The lines for a person.
    pub fn to_lines(&self, swarm: Option<&[Scraped]>) -> Vec<String> {
        let mut lines = Vec::new();
        let mut row = |label: &str, text: &str| lines.push(format!("{label:<12}{}", escape(text)));
        row("name", self.name.as_deref().unwrap_or("(not known before the metadata)"));
        for (label, hash) in [
            ("info hash", self.id.v1().map(|hash| hash.to_string())),
            ("info hash 2", self.id.v2().map(|hash| hash.to_string())),
        ] {
            hash.into_iter().for_each(|hash| row(label, &hash));
        }
        let files = self.info.as_ref().map(|info| count(info.stored_files().count() as u64, "file"));
        if let Some(total) = self.total() {
            let bytes = if total < 1000 { String::new() } else { format!(" ({total} bytes)") };
            let files = files.map(|files| format!(" in {files}")).unwrap_or_default();
            row("size", &format!("{}{bytes}{files}", size(total)));
        }
        if let Some(info) = &self.info {
            let layout = &info.layout;
            let each = size(layout.piece_length().into()).replace(".0 ", " ");
            row("pieces", &format!("{} of {each}", layout.pieces()));
            row("private", if info.private { "yes" } else { "no" });
        }
        if !self.select.is_empty() {
            row("selects", &format!("the files {} (counted from 0)", ranges(&self.select)));
        }
        if let Some(text) = &self.comment {
            row("comment", text);
        }
        let made = (self.creation_date.map(date), self.created_by.as_deref());
        match made {
            (Some(at), Some(by)) => row("created", &format!("{at} by {by}")),
            (Some(at), None) => row("created", &at),
            (None, Some(by)) => row("created", &format!("by {by}")),
            (None, None) => {}
        }
        for (tier, trackers) in self.trackers.iter().enumerate() {
            let label = if tier == 0 { "trackers" } else { "" };
            row(label, &trackers.join("  "));
        }
        for (label, list) in [("web seeds", &self.web_seeds), ("peers", &self.peers)] {
            list.iter().enumerate().for_each(|(n, text)| row(if n == 0 { label } else { "" }, text));
        }
        for (n, scraped) in swarm.unwrap_or_default().iter().enumerate() {
            row(if n == 0 { "swarm" } else { "" }, &scrape::to_line(scraped));
        }
        row("magnet", &self.magnet().to_string());
        if let Some(info) = &self.info {
            lines.push(String::new());
            lines.extend(tree(info, None));
        }
        lines
    }
}

/// `0,2,4-6`, as in a link's `so`.
fn ranges(select: &[(u32, u32)]) -> String {
    let range = |&(first, last): &(u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    select.iter().map(range).collect::<Vec<_>>().join(",")
}

/// The files with index and size, folders as they come; one line each. With `selected`, one answer for each of
/// `Info::files`, those that are selected have a mark.
pub fn tree(info: &Info, selected: Option<&[bool]>) -> Vec<String> {
    let mark = |at: Option<usize>| match selected {
        None => "",
        Some(selected) if at.is_some_and(|at| selected.get(at) == Some(&true)) => "* ",
        Some(_) => "  ",
    };
    let digits = info.stored_files().count().to_string().len();
    let mut lines = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for (n, (at, file)) in info.stored_files().enumerate() {
        let parts: Vec<String> = parts(file.path.as_path());
        let (name, folders) = parts.split_last().expect("a path has a name");
        let shared = open.iter().zip(folders).take_while(|(a, b)| a == b).count();
        for (depth, folder) in folders.iter().enumerate().skip(shared) {
            lines.push(format!("{}{:digits$}  {:>9}  {}{folder}/", mark(None), "", "", "  ".repeat(depth)));
        }
        open = folders.to_vec();
        let (mark, size) = (mark(Some(at)), size(file.length));
        lines.push(format!("{mark}{:digits$}  {size:>9}  {}{name}", n + 1, "  ".repeat(folders.len())));
    }
    lines
}

fn parts(path: &Path) -> Vec<String> {
    path.iter().map(|part| shown_name(&part.to_string_lossy())).collect()
}

fn shown_name(name: &str) -> String {
    escape(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metainfo() -> Metainfo {
        let mut bytes = b"d8:announce14:http://t/a?k=17:comment4:a\nbc4:infod5:filesl".to_vec();
        for (length, path) in [(5, "l4:docs5:a.txte"), (40_000, "l4:docs4:deep1:be"), (0, "l5:c.txte")] {
            bytes.extend(format!("d6:lengthi{length}e4:path{path}e").bytes());
        }
        bytes.extend(b"e4:name3:top12:piece lengthi32768e6:pieces40:");
        bytes.extend([7; 40]);
        bytes.extend(b"ee");
        Metainfo::parse(&bytes).unwrap()
    }

    #[test]
    fn a_tree_names_each_folder_once_and_counts_from_one() {
        let lines = tree(&metainfo().info, None);
        assert_eq!(
            lines,
            [
                "              top/",
                "                docs/",
                "1        5 B      a.txt",
                "                  deep/",
                "2   39.1 KiB        b",
                "3        0 B    c.txt",
            ]
        );
    }

    #[test]
    fn the_object_has_every_field_whatever_the_source() {
        let of_torrent = Facts::of_torrent(&metainfo()).to_json(None);
        assert_eq!(of_torrent["total_size"], 40_005);
        assert_eq!(of_torrent["files"][1], json!({ "index": 2, "path": "top/docs/deep/b", "size": 40_000 }));
        assert_eq!(of_torrent["trackers"], json!([["http://t/a?k=1"]]));
        assert_eq!(of_torrent["info_hash_v2"], Value::Null);
        let link = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=x&so=0,2-3&x.pe=a:1";
        let of_magnet = Facts::of_magnet(&Magnet::parse(link).unwrap(), None).to_json(None);
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&of_torrent), keys(&of_magnet));
        assert_eq!(of_magnet["files"], json!([]));
        assert_eq!((&of_magnet["pieces"], &of_magnet["private"]), (&Value::Null, &Value::Null));
        assert_eq!((&of_magnet["select"], &of_magnet["peers"]), (&json!("0,2-3"), &json!(["a:1"])));
    }

    #[test]
    fn names_and_comments_cannot_write_to_the_terminal() {
        let lines = Facts::of_torrent(&metainfo()).to_lines(None);
        assert!(lines.iter().any(|line| line == "comment     a\\nbc"), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains(['\n', '\x1b'])));
    }
}
