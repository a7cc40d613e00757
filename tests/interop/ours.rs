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
