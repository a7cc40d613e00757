//! From arguments to what the engine is started with.

use std::path::PathBuf;

use super::args::{Check, EncryptionChoice, NetworkArgs, StateArgs};
use super::display::Display;
use crate::engine::{CheckMode, Encryption, EngineSettings};

/// The engine's settings for these flags.
pub fn engine(network: &NetworkArgs, state: &StateArgs) -> EngineSettings {
    EngineSettings {
        port: network.port.clone(),
        max_peers: network.max_peers,
        memory: network.memory,
        state_dir: state_dir(state.state_dir.as_deref()),
        dht: !network.no_dht,
        dht_bootstrap: network.dht_bootstrap.clone(),
        pex: !network.no_pex,
        lsd: !network.no_lsd,
        web_seeds: !network.no_web_seeds,
        encryption: match network.encryption {
            EncryptionChoice::Auto => Encryption::Auto,
            EncryptionChoice::Require => Encryption::Require,
            EncryptionChoice::Off => Encryption::Off,
        },
        ..EngineSettings::default()
    }
}

/// The folder named, none for `none`, else the platform's.
pub fn state_dir(named: Option<&std::path::Path>) -> Option<PathBuf> {
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

/// Lets the engine speak on standard error: with one `-v` what is worth knowing, with more every step.
pub fn start_logging(verbose: u8, display: &Display) {
    let level = match verbose {
        0 => return,
        1 => "rtorrent_cli=info",
        2 => "rtorrent_cli=debug",
        _ => "rtorrent_cli=trace",
    };
    let writer = display.log_writer();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(level))
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // A second one in a process changes nothing.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
