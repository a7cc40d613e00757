//! Flags of every command that talks to the network.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use super::path::PathArgs;
use crate::cli::values::{parse_host_port, parse_memory, parse_ports, parse_tracker, parse_user_agent, parse_web_seed};
use crate::io::http::Header;

/// Peers, trackers, sockets and memory.
#[derive(Args, Debug)]
#[command(next_help_heading = "Network")]
pub struct NetworkArgs {
    /// Listen here [default: any free port]
    #[arg(short, long, value_name = "PORT[-PORT]", value_parser = parse_ports)]
    #[arg(env = "RTORRENT_CLI_PORT", hide_env = true)]
    pub port: Option<RangeInclusive<u16>>,
    /// Call this peer too
    #[arg(long = "peer", value_name = "HOST:PORT", value_parser = parse_host_port)]
    #[arg(env = "RTORRENT_CLI_PEER", hide_env = true)]
    pub peers: Vec<String>,
    /// Announce to this tracker too
    #[arg(long = "tracker", value_name = "URL", value_parser = parse_tracker)]
    #[arg(env = "RTORRENT_CLI_TRACKER", hide_env = true)]
    pub trackers: Vec<String>,
    /// Ignore the source's own trackers
    #[arg(long, env = "RTORRENT_CLI_NO_TRACKERS", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_trackers: bool,
    /// Send this header when fetching a .torrent
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    #[arg(env = "RTORRENT_CLI_HEADER", hide_env = true)]
    pub headers: Vec<Header>,
    /// What servers and peers are told to be the client
    #[arg(long, value_name = "NAME", value_parser = parse_user_agent)]
    #[arg(env = "RTORRENT_CLI_USER_AGENT", hide_env = true)]
    pub user_agent: Option<String>,
    #[command(flatten)]
    pub path: PathArgs,
    /// Connections an item, at most
    #[arg(long, value_name = "N", default_value = "80", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    #[arg(env = "RTORRENT_CLI_MAX_PEERS", hide_env = true)]
    pub max_peers: u32,
    /// Buffers of the whole run, at most
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = parse_memory)]
    #[arg(env = "RTORRENT_CLI_MEMORY", hide_env = true)]
    pub memory: u64,
    /// Do not use the DHT
    #[arg(long, env = "RTORRENT_CLI_NO_DHT", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_dht: bool,
    /// Enter the DHT here, at HOST:PORT
    #[arg(long, value_name = "NODE", value_parser = parse_host_port)]
    #[arg(env = "RTORRENT_CLI_DHT_BOOTSTRAP", hide_env = true)]
    pub dht_bootstrap: Vec<String>,
    /// Do not exchange peers with peers
    #[arg(long, env = "RTORRENT_CLI_NO_PEX", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_pex: bool,
    /// Have the router forward our port, as seed does
    ///
    /// yes or no; seed does, others do not. By PCP, NAT-PMP or UPnP, whichever it speaks; it is taken back at the end.
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "yes")]
    #[arg(env = "RTORRENT_CLI_PORT_MAP", hide_env = true, hide_possible_values = true)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub port_map: Option<bool>,
    /// Do not look for peers on the local network
    #[arg(long, env = "RTORRENT_CLI_NO_LSD", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_lsd: bool,
    /// Fetch from this web server too (BEP 19)
    #[arg(long = "web-seed", value_name = "URL", value_parser = parse_web_seed)]
    #[arg(env = "RTORRENT_CLI_WEB_SEED", hide_env = true)]
    pub web_seeds: Vec<String>,
    /// Let torrents name servers on the local network
    ///
    /// Web seeds and trackers there are refused otherwise, since anybody can write a torrent.
    #[arg(long, env = "RTORRENT_CLI_ALLOW_PRIVATE", hide_env = true, value_parser = BoolishValueParser::new())]
    pub allow_private: bool,
    /// Shun the peers in this list (CIDR, P2P, eMule)
    ///
    /// Plain or gzip. They are neither called nor answered, whoever names them. Again for more lists.
    #[arg(long = "blocklist", value_name = "FILE", env = "RTORRENT_CLI_BLOCKLIST", hide_env = true)]
    pub blocklists: Vec<PathBuf>,
    /// Do not fetch from the torrent's web seeds
    #[arg(long, env = "RTORRENT_CLI_NO_WEB_SEEDS", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_web_seeds: bool,
    /// Call peers over auto, tcp, utp
    ///
    /// auto calls over TCP and uTP; whichever connects first is used.
    #[arg(long, value_name = "HOW", value_enum, default_value = "auto", hide_possible_values = true)]
    #[arg(env = "RTORRENT_CLI_TRANSPORT", hide_env = true)]
    pub transport: TransportChoice,
    /// Encrypt: auto, require, off
    ///
    /// MSE, "protocol encryption". auto is plain, and encrypted with peers that want it; require speaks to no peer in
    /// the clear.
    #[arg(long, value_name = "HOW", value_enum, default_value = "auto", hide_possible_values = true)]
    #[arg(env = "RTORRENT_CLI_ENCRYPTION", hide_env = true)]
    pub encryption: EncryptionChoice,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum TransportChoice {
    Auto,
    Tcp,
    Utp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum EncryptionChoice {
    Auto,
    Require,
    Off,
}
