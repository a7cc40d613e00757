//! opentracker on loopback, over HTTP and UDP on one port.
//!
//! Debian's serves only what stands in a list, and a thread of its own reads that list: for a moment it already answers,
//! and refuses everything. A client that is refused then asks again only minutes later, so nobody may be let in before.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What starts it on `port`, for the info hashes in the file `list`, one a line in hex.
pub fn command(port: u16, list: &Path) -> Command {
    let port = port.to_string();
    let mut command = Command::new("opentracker");
    command.args(["-i", "127.0.0.1", "-p", &port, "-P", &port, "-d", "/", "-w"]).arg(list);
    command
}

/// Whether the one on `port` serves `info_hash` by now.
///
/// # Errors
/// The reason, if it does not.
pub fn serves(port: u16, info_hash: &[u8; 20]) -> Result<(), String> {
    // Whoever is asking leaves again: nobody is known to it afterwards. A farewell alone would not be looked up in the list.
    for event in ["started", "stopped"] {
        let peer = "peer_id=-XX0000-000000000000&port=1&uploaded=0&downloaded=0&left=1";
        let announce = format!("/announce?info_hash={}&{peer}&event={event}", escaped(info_hash));
        let reply = ask(port, &announce).map_err(|e| format!("opentracker: {e}"))?;
        let reply = String::from_utf8_lossy(&reply);
        if !reply.contains("8:intervali") {
            return Err(format!("opentracker: {}", reply.lines().last().unwrap_or("no answer")));
        }
    }
    Ok(())
}

/// What it answers to a GET of `path`, headers and all.
///
/// # Errors
/// Of the connection.
pub fn ask(port: u16, path: &str) -> std::io::Result<Vec<u8>> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(socket, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut reply = Vec::new();
    socket.read_to_end(&mut reply)?;
    Ok(reply)
}

/// `info_hash` as it stands in a query.
pub fn escaped(info_hash: &[u8; 20]) -> String {
    info_hash.iter().map(|byte| format!("%{byte:02x}")).collect()
}
