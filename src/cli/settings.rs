//! From arguments to what the engine is started with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{Allocation, Check, EncryptionChoice, NetworkArgs, OutputArgs, PathArgs, StateArgs, TransportChoice};
use super::display::{Display, TOLD};
use super::error::{Problem, file_problem};
use super::exit::Exit;
use super::text::without_numbers;
use crate::base::blocklist::{Blocklist, Reader};
use crate::engine::{Allocate, CheckMode, Encryption, EngineSettings, Transport};
use crate::io::blocklist_file::read_list;
use crate::io::net_path::{NetPath, PathRules};
use crate::proto::tracker::udp::Family;

/// The engine's settings for these flags, but for limits.
///
/// # Errors
/// If there is no way that packets may leave, or a blocklist is none.
pub fn engine(network: &NetworkArgs, state: &StateArgs, display: &Display) -> Result<EngineSettings, Problem> {
    Ok(EngineSettings {
        path: path(&network.path)?,
        blocklist: blocklist(&network.blocklists, display)?,
        port: network.port.clone(),
        max_peers: network.max_peers,
        memory: network.memory,
        state_dir: usable_state_dir(state.state_dir.as_deref(), display),
        dht: !network.no_dht,
        port_map: network.port_map,
        dht_bootstrap: network.dht_bootstrap.clone(),
        pex: !network.no_pex,
        lsd: !network.no_lsd,
        web_seeds: !network.no_web_seeds,
        allow_private: network.allow_private,
        transport: match network.transport {
            TransportChoice::Auto => Transport::Auto,
            TransportChoice::Tcp => Transport::Tcp,
            TransportChoice::Utp => Transport::Utp,
        },
        encryption: match network.encryption {
            EncryptionChoice::Auto => Encryption::Auto,
            EncryptionChoice::Require => Encryption::Require,
            EncryptionChoice::Off => Encryption::Off,
        },
        user_agent: network.user_agent.clone().unwrap_or_else(|| EngineSettings::default().user_agent),
        ..EngineSettings::default()
    })
}

/// The way that packets may leave.
///
/// # Errors
/// If there is none: no such interface, or names can't be looked up by it.
pub fn path(args: &PathArgs) -> Result<NetPath, Problem> {
    let rules = PathRules {
        only: if args.ipv4 { Some(Family::V4) } else { args.ipv6.then_some(Family::V6) },
        interface: args.interface.clone(),
        proxy: args.proxy.clone(),
        dns: args.dns,
    };
    NetPath::new(&rules).map_err(|error| {
        let problem = Problem::new(Exit::Network, error.to_string());
        error.hint().into_iter().fold(problem, Problem::hint)
    })
}

/// The lists of those whom the user forbids, as one. Lines without sense are told of and passed over.
///
/// # Errors
/// If a list can't be read, or no line of it is one of a blocklist.
fn blocklist(paths: &[PathBuf], display: &Display) -> Result<Arc<Blocklist>, Problem> {
    let mut reader = Reader::default();
    for path in paths {
        let doing = "read the blocklist";
        let lines = read_list(path, &mut reader).map_err(|error| file_problem(doing, path, error))?;
        let Some(first) = lines.first_bad else { continue };
        let (name, good, bad) = (path.display(), lines.good, lines.bad);
        if good == 0 {
            let message = format!("{name} is no blocklist: none of its lines names addresses");
            return Err(Problem::new(Exit::Usage, message)
                .hint("wanted are lines like 10.0.0.0/8, name:1.2.3.0-1.2.3.255 or 1.2.3.0 - 1.2.3.255 , 0 , name"));
        }
        let name_none = if bad == 1 { "names no" } else { "name no" };
        let all = good + bad;
        display.warning(&format!(
            "{name}: {bad} of {all} lines {name_none} addresses (the first is line {first}); passed over"
        ));
    }
    Ok(Arc::new(reader.finish()))
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

/// [`state_dir`], or none, with a word to the user, where it is the platform's and can't be written: a service may have no
/// home, and wants its file all the same. What was named is taken at its word.
fn usable_state_dir(named: Option<&Path>, display: &Display) -> Option<PathBuf> {
    let folder = state_dir(named)?;
    match if named.is_some() { Ok(()) } else { writable(&folder) } {
        Ok(()) => Some(folder),
        Err(error) => {
            let why = without_numbers(&error.to_string()).into_owned();
            display.warning(&format!(
                "{}: {why}: nothing is kept for a later run; --state-dir names another folder",
                folder.display()
            ));
            None
        }
    }
}

/// Whether files can be made in `folder`, or in the nearest one above it that there is.
fn writable(folder: &Path) -> std::io::Result<()> {
    let Some(there) = folder.ancestors().find(|above| above.exists()) else { return Ok(()) };
    if !there.is_dir() {
        return Err(std::io::ErrorKind::NotADirectory.into());
    }
    #[cfg(unix)]
    {
        use rustix::fs::Access;
        Ok(rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK)?)
    }
    #[cfg(not(unix))]
    {
        std::fs::metadata(there).map(drop)
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

impl From<Allocation> for Allocate {
    fn from(allocation: Allocation) -> Allocate {
        match allocation {
            Allocation::None => Allocate::None,
            Allocation::Sparse => Allocate::Sparse,
            Allocation::Full => Allocate::Full,
        }
    }
}

/// Lets the engine speak on standard error, with one `-v` what is worth knowing, with more every step; and in the log
/// file, where there is one, with what people are told.
///
/// # Errors
/// If the log file can't be written.
pub fn start_logging(output: &OutputArgs, display: &Display) -> Result<(), Problem> {
    use tracing_subscriber::filter::LevelFilter;
    use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
    let level = |verbose: u8| match verbose {
        0 | 1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let ours = |target: &str| target.starts_with("rtorrent_cli");
    let writer = display.log_writer();
    let screen = (output.verbose > 0).then(|| {
        let level = level(output.verbose);
        let filter = tracing_subscriber::filter::filter_fn(move |meta| {
            *meta.level() <= level && ours(meta.target()) && meta.target() != TOLD
        });
        tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone()).with_filter(filter)
    });
    let file = match &output.log {
        None => None,
        Some(path) => {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
            let file = file.map_err(|error| file_problem("write the log", path, error))?;
            let level = level(output.verbose);
            let filter =
                tracing_subscriber::filter::filter_fn(move |meta| *meta.level() <= level && ours(meta.target()));
            let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::sync::Arc::new(file));
            Some(layer.with_filter(filter))
        }
    };
    if screen.is_some() || file.is_some() {
        // A second one in a process changes nothing.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(screen).with(file));
    }
    Ok(())
}
