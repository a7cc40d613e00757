//! The other programs: how each is told to seed and to download one torrent on loopback with nothing but the tracker
//! to find peers by.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::content::{Content, Torrent};
use crate::free_port::free_port;
use crate::process::{Running, python};

/// A program from Debian.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    Aria2,
    Libtorrent,
    QBittorrent,
    RTorrent,
    Transmission,
    /// Takes encrypted connections alone, and goes on plain after the handshake.
    LibtorrentObfuscated,
    /// Takes connections alone that are encrypted to the last byte; so do the others.
    LibtorrentRc4,
    QBittorrentEncrypted,
    TransmissionEncrypted,
    /// Speak uTP and no TCP.
    LibtorrentUtp,
    QBittorrentUtp,
    TransmissionUtp,
}

impl Peer {
    pub const ALL: [Peer; 5] = [Peer::Aria2, Peer::Libtorrent, Peer::QBittorrent, Peer::RTorrent, Peer::Transmission];

    /// Those that refuse a plain handshake.
    pub const ENCRYPTED: [Peer; 4] =
        [Peer::LibtorrentObfuscated, Peer::LibtorrentRc4, Peer::QBittorrentEncrypted, Peer::TransmissionEncrypted];

    /// Those that TCP does not reach.
    pub const UTP: [Peer; 3] = [Peer::LibtorrentUtp, Peer::QBittorrentUtp, Peer::TransmissionUtp];

    pub fn name(self) -> &'static str {
        match self {
            Peer::Aria2 => "aria2",
            Peer::Libtorrent => "libtorrent",
            Peer::QBittorrent => "qBittorrent",
            Peer::RTorrent => "rtorrent",
            Peer::Transmission => "transmission",
            Peer::LibtorrentObfuscated => "libtorrent with encrypted handshakes",
            Peer::LibtorrentRc4 => "libtorrent with encryption",
            Peer::QBittorrentEncrypted => "qBittorrent with encryption",
            Peer::TransmissionEncrypted => "transmission with encryption",
            Peer::LibtorrentUtp => "libtorrent over uTP",
            Peer::QBittorrentUtp => "qBittorrent over uTP",
            Peer::TransmissionUtp => "transmission over uTP",
        }
    }

    pub fn programs(self) -> Vec<&'static str> {
        match self {
            Peer::Aria2 => vec!["aria2c"],
            Peer::Libtorrent | Peer::LibtorrentObfuscated | Peer::LibtorrentRc4 | Peer::LibtorrentUtp => {
                vec!["python3-libtorrent"]
            }
            Peer::QBittorrent | Peer::QBittorrentEncrypted | Peer::QBittorrentUtp => vec!["qbittorrent-nox"],
            Peer::RTorrent => vec!["rtorrent"],
            Peer::Transmission | Peer::TransmissionEncrypted | Peer::TransmissionUtp => vec!["transmission-cli"],
        }
    }

    /// Serves `folder/seed`.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn seed(self, folder: &Path, torrent: &Torrent) -> Result<Running, String> {
        self.seed_on(folder, torrent, free_port())
    }

    /// Serves `folder/seed`, listening on `port`.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn seed_on(self, folder: &Path, torrent: &Torrent, port: u16) -> Result<Running, String> {
        self.start(folder, &torrent.file.display().to_string(), &folder.join("seed"), port)
    }

    /// True if it has to be called: transmission never calls addresses in 127.0.0.0/8.
    pub fn waits_for_calls(self) -> bool {
        matches!(self, Peer::Transmission | Peer::TransmissionEncrypted | Peer::TransmissionUtp)
    }

    /// What it is given to download: transmission makes no empty files.
    pub fn content(self) -> Content {
        if self.waits_for_calls() { Content::tree().without_empty_files() } else { Content::tree() }
    }

    /// Downloads `source` into `folder/theirs`, listening on `port`.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn leech(self, folder: &Path, source: &str, port: u16) -> Result<Running, String> {
        let into = folder.join("theirs");
        fs::create_dir_all(&into).map_err(|e| e.to_string())?;
        self.start(folder, source, &into, port)
    }

    /// All of these check what is in `data` first, and seed what is complete.
    fn start(self, folder: &Path, source: &str, data: &Path, port: u16) -> Result<Running, String> {
        let mut command = match self {
            Peer::Aria2 => aria2(source, data, port),
            Peer::Libtorrent => libtorrent(source, data, port, "any"),
            Peer::LibtorrentObfuscated => libtorrent(source, data, port, "plaintext"),
            Peer::LibtorrentRc4 => libtorrent(source, data, port, "rc4"),
            Peer::QBittorrent => qbittorrent(folder, source, data, port, 0, "Both"),
            Peer::QBittorrentEncrypted => qbittorrent(folder, source, data, port, 1, "Both"),
            Peer::QBittorrentUtp => qbittorrent(folder, source, data, port, 0, "UTP"),
            Peer::LibtorrentUtp => libtorrent(source, data, port, "utp"),
            Peer::TransmissionUtp => transmission(folder, source, data, port, "-et", true),
            Peer::RTorrent => rtorrent(folder, source, data, port),
            Peer::Transmission => transmission(folder, source, data, port, "-et", false),
            Peer::TransmissionEncrypted => transmission(folder, source, data, port, "-er", false),
        };
        Running::start(folder, self.name(), &mut command)
    }
}

fn aria2(source: &str, data: &Path, port: u16) -> Command {
    let mut command = Command::new("aria2c");
    command.args([
        "--no-conf",
        "--check-integrity=true",
        "--seed-ratio=0.0",
        "--enable-dht=false",
        "--enable-dht6=false",
    ]);
    command.args([
        "--bt-enable-lpd=false",
        "--enable-peer-exchange=false",
        "--summary-interval=0",
        "--file-allocation=none",
    ]);
    command.arg(format!("--listen-port={port}")).arg("-d").arg(data).arg(source);
    command
}

/// `speaks`: any, or what alone may follow an encrypted handshake, or utp.
fn libtorrent(source: &str, data: &Path, port: u16, speaks: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/libtorrent_peer.py");
    let mut command = Command::new(python());
    command.arg(script).arg(source).arg(data).arg(port.to_string()).arg(speaks);
    command
}

/// `encryption`: 0 allows it, 1 requires it. `protocol`: Both, TCP or UTP.
fn qbittorrent(folder: &Path, source: &str, data: &Path, port: u16, encryption: u8, protocol: &str) -> Command {
    let profile = folder.join("qbittorrent");
    let config = profile.join("qBittorrent/config");
    fs::create_dir_all(&config).expect("make the profile");
    let settings = format!(
        "[LegalNotice]\nAccepted=true\n\n[BitTorrent]\nSession\\Port={port}\nSession\\DHTEnabled=false\n\
         Session\\LSDEnabled=false\nSession\\PeXEnabled=false\nSession\\DefaultSavePath={}\n\
         Session\\MultiConnectionsPerIp=true\nSession\\Encryption={encryption}\n\
         Session\\BTProtocol={protocol}\n\n[Preferences]\nWebUI\\LocalHostAuth=false\n",
        data.display()
    );
    fs::write(config.join("qBittorrent.conf"), settings).expect("write the profile");
    let mut command = Command::new("qbittorrent-nox");
    command.arg(format!("--profile={}", profile.display())).arg(format!("--webui-port={}", free_port()));
    command.arg(format!("--save-path={}", data.display())).arg(source);
    command
}

/// It calls one peer an address, and may call itself: its own address is another than ours.
fn rtorrent(folder: &Path, source: &str, data: &Path, port: u16) -> Command {
    let session = folder.join("rtorrent");
    fs::create_dir_all(&session).expect("make the session folder");
    let settings = format!(
        "system.daemon.set = true\nnetwork.port_range.set = {port}-{port}\nnetwork.bind_address.set = 127.0.0.2\n\
         directory.default.set = {}\nsession.path.set = {}\ndht.mode.set = disable\nprotocol.pex.set = no\n\
         trackers.use_udp.set = no\nload.start = \"{source}\"\n",
        data.display(),
        session.display()
    );
    let file = folder.join("rtorrent.rc");
    fs::write(&file, settings).expect("write the settings");
    let mut command = Command::new("rtorrent");
    command.arg("-n").arg("-o").arg(format!("import={}", file.display()));
    command
}

/// `encryption`: -et tolerates it, -er requires it. `utp`: that alone, or TCP alone.
fn transmission(folder: &Path, source: &str, data: &Path, port: u16, encryption: &str, utp: bool) -> Command {
    let config = folder.join("transmission");
    fs::create_dir_all(&config).expect("make the configuration");
    let tcp = !utp;
    let settings = format!(
        "{{\"dht-enabled\": false, \"lpd-enabled\": false, \"pex-enabled\": false, \"utp-enabled\": {utp}, \
         \"tcp-enabled\": {tcp}}}"
    );
    fs::write(config.join("settings.json"), settings).expect("write the settings");
    let mut command = Command::new("transmission-cli");
    command.arg("-g").arg(config).arg("-w").arg(data).args(["-p", &port.to_string(), "-M", "-v", encryption, source]);
    command
}
