//! A real tracker: opentracker.

use std::path::Path;
use std::time::Duration;

use crate::content::Torrent;
use crate::free_port::free_port;
use crate::open_tracker;
use crate::process::{Running, wait};

/// Where a tracker will listen.
#[derive(Clone, Copy)]
pub struct Place {
    port: u16,
}

impl Place {
    pub fn free() -> Place {
        Place { port: free_port() }
    }

    pub fn http_url(self) -> String {
        format!("http://127.0.0.1:{}/announce", self.port)
    }

    pub fn udp_url(self) -> String {
        format!("udp://127.0.0.1:{}/announce", self.port)
    }
}

/// A running tracker for one torrent.
pub struct OpenTracker {
    _running: Running,
    port: u16,
    info_hash: [u8; 20],
}

impl OpenTracker {
    /// Starts it and waits until it serves the torrent.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(folder: &Path, place: Place, torrent: &Torrent) -> Result<OpenTracker, String> {
        let list = folder.join("served");
        // A hybrid (BEP 52) is known under the start of its v2 hash too.
        let v2 = torrent.v2.as_ref().map_or("", |v2| &v2[..40]);
        std::fs::write(&list, format!("{}\n{v2}\n", torrent.hex())).map_err(|e| e.to_string())?;
        let Place { port } = place;
        let mut running = Running::start(folder, "opentracker", &mut open_tracker::command(port, &list))?;
        running.until(Duration::from_secs(60), || open_tracker::serves(port, &torrent.info_hash))?;
        Ok(OpenTracker { _running: running, port, info_hash: torrent.info_hash })
    }

    /// Waits until it knows a seed.
    ///
    /// # Errors
    /// If none announces itself in time.
    pub fn wait_for_seed(&self, patience: Duration) -> Result<(), String> {
        self.wait_for("8:completei", patience)
    }

    /// Waits until it knows a leecher.
    ///
    /// # Errors
    /// If none announces itself in time.
    pub fn wait_for_leecher(&self, patience: Duration) -> Result<(), String> {
        self.wait_for("10:incompletei", patience)
    }

    /// Waits until the number behind `count` is not 0.
    fn wait_for(&self, count: &str, patience: Duration) -> Result<(), String> {
        wait(patience, &mut || {
            let scrape = format!("/scrape?info_hash={}", open_tracker::escaped(&self.info_hash));
            let reply = open_tracker::ask(self.port, &scrape).map_err(|e| format!("scrape: {e}"))?;
            let reply = String::from_utf8_lossy(&reply);
            match reply.split_once(count) {
                Some((_, number)) if !number.starts_with('0') => Ok(()),
                _ => Err("the tracker knows no such peer".into()),
            }
        })
    }
}
