//! From arguments to what the engine is started with.

use std::path::PathBuf;

use super::args::{Check, NetworkArgs};
use crate::engine::{CheckMode, EngineSettings};

/// The engine's settings for these flags.
pub fn engine(network: &NetworkArgs) -> EngineSettings {
    EngineSettings {
        port: network.port.clone(),
        max_peers: network.max_peers,
        memory: network.memory,
        state_dir: state_dir(network.state_dir.as_deref()),
        dht: !network.no_dht,
        dht_bootstrap: network.dht_bootstrap.clone(),
        pex: !network.no_pex,
        lsd: !network.no_lsd,
        web_seeds: !network.no_web_seeds,
        ..EngineSettings::default()
    }
}

/// The folder named, none for `none`, else the platform's.
fn state_dir(named: Option<&std::path::Path>) -> Option<PathBuf> {
    match named {
        Some(path) if path == "none" => None,
        Some(path) => Some(path.to_owned()),
        None => {
            let folders = directories::ProjectDirs::from("", "", "rtorrent-cli")?;
            Some(folders.state_dir().unwrap_or_else(|| folders.data_local_dir()).to_owned())
        }
    }
}

impl From<Check> for CheckMode {
    fn from(check: Check) -> CheckMode {
        match check {
            Check::Quick => CheckMode::Quick,
            Check::Full => CheckMode::Full,
            Check::None => CheckMode::None,
        }
    }
}
