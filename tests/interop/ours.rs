//! The program under test, as a person would start it.

use std::path::Path;
use std::process::Command;

use crate::PATIENCE;
use crate::content::Torrent;
use crate::process::Running;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_rtorrent-cli"))
}

/// Downloads `source` into `folder/ours` and waits for the end.
///
/// # Errors
/// What it said, if it did not exit with 0.
pub fn get(folder: &Path, source: &str, more: &[&str]) -> Result<(), String> {
    get_trusting(folder, source, more, None)
}

/// The same, with the authorities of this file instead of the system's.
///
/// # Errors
/// What it said, if it did not exit with 0.
pub fn get_trusting(folder: &Path, source: &str, more: &[&str], authorities: Option<&Path>) -> Result<(), String> {
    let mut command = program();
    command.envs(authorities.map(|file| ("SSL_CERT_FILE", file)));
    command.arg("get").arg(source).arg("-d").arg(folder.join("ours"));
    command.arg("--state-dir").arg(folder.join("state")).args(["--no-dht", "--no-lsd"]).args(more);
    let mut running = Running::start(folder, "ours", &mut command)?;
    let status = running.wait(PATIENCE)?;
    if status.success() { Ok(()) } else { Err(running.with_log(&format!("get ended with {status}"))) }
}

/// Downloads `source` into `folder/ours`, or finds it there, and serves it until dropped.
///
/// # Errors
/// If it can't be started.
pub fn get_and_stay(folder: &Path, source: &str) -> Result<Running, String> {
    let mut command = program();
    command.arg("get").arg(source).arg("-d").arg(folder.join("ours")).args([
        "--seed-time",
        "60m",
        "--transport",
        "tcp",
    ]);
    command.arg("--state-dir").arg(folder.join("state")).args(["--no-dht", "--no-lsd"]);
    Running::start(folder, "ours", &mut command)
}

/// Makes `folder/made.torrent` of what stands at `path`, and gives its info hash.
///
/// # Errors
/// What it said, if it did not exit with 0.
pub fn create(folder: &Path, path: &Path, tracker: &str, more: &[&str]) -> Result<Torrent, String> {
    let file = folder.join("made.torrent");
    let mut command = program();
    command.args(["create", "--json"]).arg(path).arg("-o").arg(&file).args(["-t", tracker]).args(more);
    let output = command.output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout);
    let last: serde_json::Value = serde_json::from_str(said.lines().last().unwrap_or_default())
        .map_err(|e| format!("create: {e}: {said}{}", String::from_utf8_lossy(&output.stderr)))?;
    let hex = last["info_hash_v1"].as_str().ok_or_else(|| format!("create: {said}"))?;
    let mut info_hash = [0; 20];
    for (byte, pair) in info_hash.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(&String::from_utf8_lossy(pair), 16).map_err(|e| e.to_string())?;
    }
    Ok(Torrent { file, info_hash, v2: None, tracker: tracker.into() })
}

/// Writes the .torrent of a link to `file`.
///
/// # Errors
/// What it said, if it did not exit with 0.
pub fn save(folder: &Path, source: &str, file: &Path) -> Result<(), String> {
    let mut command = program();
    command.arg("info").arg(source).arg("--save").arg(file).args(["--no-dht", "--no-lsd"]);
    let mut running = Running::start(folder, "info", &mut command)?;
    let status = running.wait(PATIENCE)?;
    if status.success() { Ok(()) } else { Err(running.with_log(&format!("info ended with {status}"))) }
}

/// Serves `folder/seed` until dropped.
///
/// # Errors
/// If it can't be started.
pub fn seed(folder: &Path, torrent: &Torrent, more: &[&str]) -> Result<Running, String> {
    let mut command = program();
    command.arg("seed").arg(&torrent.file).arg(folder.join("seed"));
    command.arg("--state-dir").arg(folder.join("state-seed")).args(["--no-dht", "--no-lsd"]).args(more);
    Running::start(folder, "ours", &mut command)
}
