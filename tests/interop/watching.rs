//! Data that is read while it comes from another client: by a pipe, by a reader that goes away, by curl with ranges.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::content::{Content, Torrent};
use crate::peers::Peer;
use crate::process::Running;
use crate::tracker::{OpenTracker, Place};
use crate::{PATIENCE, Scene};

/// What is watched: the largest file of the tree, which begins and ends within pieces.
const FILE: &str = "tree/sub/deep/er/b.bin";

/// What reads.
#[derive(Clone, Copy)]
pub enum Reader {
    /// It takes everything.
    Whole,
    /// `head -c`, which goes away.
    Head,
    /// curl, from the end, from the middle, and everything.
    Curl,
}

impl Reader {
    pub const ALL: [Reader; 3] = [Reader::Whole, Reader::Head, Reader::Curl];

    pub fn name(self) -> &'static str {
        match self {
            Reader::Whole => "pass on from libtorrent to a file (-o -)",
            Reader::Head => "pass on from libtorrent to head (-o -)",
            Reader::Curl => "stream from libtorrent to curl",
        }
    }

    pub fn programs(self) -> Vec<&'static str> {
        let mut programs = Peer::Libtorrent.programs();
        programs.extend(match self {
            Reader::Whole => None,
            Reader::Head => Some("head"),
            Reader::Curl => Some("curl"),
        });
        programs
    }
}

/// libtorrent seeds, ours passes on, `reader` reads.
pub fn read(scene: &Scene, reader: Reader) -> Result<(), String> {
    let folder = scene.folder.path();
    let content = Content::tree();
    let place = Place::free();
    let torrent = content.write(&folder.join("seed"), &place.http_url());
    let tracker = OpenTracker::start(folder, place, &torrent)?;
    let _seeder = Peer::Libtorrent.seed(folder, &torrent)?;
    tracker.wait_for_seed(PATIENCE)?;
    let truth = std::fs::read(folder.join("seed").join(FILE)).map_err(|e| e.to_string())?;
    match reader {
        Reader::Whole => pass_on(folder, &torrent, &truth),
        Reader::Head => pass_on_to_head(folder, &torrent, &truth),
        Reader::Curl => stream(folder, &torrent, &truth),
    }
}

fn ours(folder: &Path, command: &str, source: &str) -> Command {
    let mut ours = Command::new(env!("CARGO_BIN_EXE_rtorrent-cli"));
    ours.args([command, source, "-s", "b.bin", "--no-dht", "--no-lsd"]).env("HOME", folder);
    ours.arg("--state-dir").arg(folder.join("state")).stdin(Stdio::null());
    ours
}

fn pass_on(folder: &Path, torrent: &Torrent, truth: &[u8]) -> Result<(), String> {
    let out = File::create(folder.join("out")).map_err(|e| e.to_string())?;
    let ended = ours(folder, "get", &torrent.magnet()).args(["-o", "-"]).stdout(out).output();
    let ended = ended.map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    if !ended.status.success() {
        return Err(format!("{}: {said}", ended.status));
    }
    match std::fs::read(folder.join("out")) {
        Ok(bytes) if bytes == truth => Ok(()),
        Ok(bytes) => Err(format!("{} bytes, {} expected, or others", bytes.len(), truth.len())),
        Err(error) => Err(error.to_string()),
    }
}

fn pass_on_to_head(folder: &Path, torrent: &Torrent, truth: &[u8]) -> Result<(), String> {
    let text = |e: std::io::Error| e.to_string();
    let mut ours = ours(folder, "get", &torrent.file.display().to_string())
        .args(["-q", "-o", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(text)?;
    let pipe = ours.stdout.take().expect("piped");
    let head = Command::new("head").args(["-c", "100000"]).stdin(pipe).output().map_err(text)?;
    let ended = ours.wait_with_output().map_err(text)?;
    match (head.stdout == truth[..100_000], ended.status.code(), ended.stderr.is_empty()) {
        (true, Some(141), true) => Ok(()),
        (same, code, _) => {
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            Err(format!("right bytes: {same}, ended with {code:?}: {said}"))
        }
    }
}

fn stream(folder: &Path, torrent: &Torrent, truth: &[u8]) -> Result<(), String> {
    let mut command = ours(folder, "stream", &torrent.file.display().to_string());
    let mut server = Running::start(folder, "ours", command.arg("-d").arg(folder.join("ours")))?;
    let mut url = String::new();
    server.until(PATIENCE, || {
        let said = std::fs::read_to_string(folder.join("ours.log")).unwrap_or_default();
        let line = said.lines().find(|line| line.starts_with("http://") && said.contains(&format!("{line}\n")));
        line.map(|line| url = line.to_owned()).ok_or_else(|| "no URL yet".into())
    })?;
    let (last, all) = (truth.len() - 1, truth.len());
    for (range, bytes) in [
        (Some("-1000".to_owned()), all - 1_000..all),
        (Some("2000000-2999999".to_owned()), 2_000_000..3_000_000),
        (Some(format!("0-{last}")), 0..all),
        (None, 0..all),
    ] {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--fail", "--max-time", "300", &url]);
        if let Some(range) = &range {
            curl.args(["-r", range]);
        }
        let got = curl.output().map_err(|e| e.to_string())?;
        if got.stdout != truth[bytes] {
            let complaint = String::from_utf8_lossy(&got.stderr).into_owned();
            return Err(server.with_log(&format!("range {range:?}: {} bytes came: {complaint}", got.stdout.len())));
        }
    }
    Ok(())
}
