//! The commands beside `get`.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::get::{ChoiceArgs, SeedGoalArgs};
use super::network::NetworkArgs;
use super::output::{OutputArgs, StateArgs};
use super::path::PathArgs;
use super::rates::RateArgs;
use crate::cli::size_time::{TimeLimit, parse_time_limit};
use crate::cli::values::{parse_host_port, parse_ports};

#[derive(Args, Debug)]
pub struct InfoArgs {
    /// Magnet link, .torrent file or its URL, info hash, - (standard input)
    #[arg(value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub source: OsString,
    /// Show what a magnet link says itself, ask nobody
    #[arg(long, conflicts_with_all = ["scrape", "save"])]
    pub offline: bool,
    /// Write the .torrent to a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub save: Option<PathBuf>,
    /// Print the magnet link alone
    #[arg(long, conflicts_with = "json")]
    pub magnet: bool,
    /// Ask the trackers how many seeders and leechers there are
    #[arg(long, conflicts_with = "magnet")]
    pub scrape: bool,
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Wait so long for metadata
    #[arg(long, value_name = "T", default_value = "5m", value_parser = parse_time_limit, help_heading = "Limits")]
    #[arg(env = "RTORRENT_CLI_METADATA_TIMEOUT", hide_env = true)]
    pub metadata_timeout: TimeLimit,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub state: StateArgs,
}

#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The .torrent: a file, its URL, or - (standard input)
    #[arg(value_name = "TORRENT", value_hint = ValueHint::FilePath)]
    pub source: OsString,
    /// The folder of `get -d`, or the file or folder itself
    #[arg(value_name = "PATH", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    #[command(flatten)]
    pub choice: ChoiceArgs,
    #[command(flatten)]
    pub network: PathArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub state: StateArgs,
}

#[derive(Args, Debug)]
pub struct SeedArgs {
    /// The .torrent: a file, its URL, or - (standard input)
    #[arg(value_name = "TORRENT", value_hint = ValueHint::FilePath)]
    pub source: OsString,
    /// The folder of `get -d`, or the file or folder itself
    #[arg(value_name = "PATH", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    #[command(flatten)]
    pub goals: SeedGoalArgs,
    /// Show each peer few pieces (BEP 16)
    ///
    /// So that the first copy costs the least upload; for whoever is the only one that has the data.
    #[arg(long = "super", env = "RTORRENT_CLI_SUPER", hide_env = true, value_parser = BoolishValueParser::new())]
    #[arg(help_heading = "Seeding")]
    pub super_seed: bool,
    /// Check what is there: quick, full
    ///
    /// quick believes intact resume data where sizes and times of files match, and hashes every other file.
    #[arg(long, value_name = "HOW", default_value = "quick", value_parser = ["quick", "full"])]
    #[arg(hide_possible_values = true)]
    #[arg(env = "RTORRENT_CLI_CHECK", hide_env = true)]
    pub check: String,
    #[command(flatten)]
    pub rates: RateArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub state: StateArgs,
}

#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// The folder whose disk is tried
    #[arg(short, long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    #[arg(env = "RTORRENT_CLI_DIR", hide_env = true, help_heading = "Target")]
    pub dir: PathBuf,
    /// Listen here [default: any free port]
    #[arg(short, long, value_name = "PORT[-PORT]", value_parser = parse_ports, help_heading = "Network")]
    #[arg(env = "RTORRENT_CLI_PORT", hide_env = true)]
    pub port: Option<RangeInclusive<u16>>,
    /// Enter the DHT here
    ///
    /// Instead of at the well-known nodes.
    #[arg(long, value_name = "NODE", value_parser = parse_host_port, help_heading = "Network")]
    #[arg(env = "RTORRENT_CLI_DHT_BOOTSTRAP", hide_env = true)]
    pub dht_bootstrap: Vec<String>,
    #[command(flatten)]
    pub path: PathArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub state: StateArgs,
}

#[derive(Args, Debug)]
pub struct LsArgs {
    /// Only those that are not complete
    #[arg(short, long)]
    pub unfinished: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub state: StateArgs,
}

#[derive(Args, Debug)]
pub struct RmArgs {
    /// Info hash, its beginning, or name, as `ls` shows them
    #[arg(value_name = "WHICH", required_unless_present_any = ["complete", "gone"])]
    pub which: Vec<String>,
    /// All that are complete
    #[arg(long)]
    pub complete: bool,
    /// All of which nothing is on disk any more
    #[arg(long)]
    pub gone: bool,
    #[command(flatten)]
    pub state: StateArgs,
}

#[derive(Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub action: ConfigAction,
}

#[derive(Subcommand, Debug)]
pub enum ConfigAction {
    /// Where the configuration file is, or would be
    Path(ConfigWhereArgs),
    /// Every flag that can be configured, its value, and where that comes from
    Show(ConfigShowArgs),
}

#[derive(Args, Debug)]
pub struct ConfigWhereArgs {
    /// This file instead of the platform's
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct ConfigShowArgs {
    /// One JSON object a flag
    #[arg(long)]
    pub json: bool,
    /// This file instead of the platform's
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// With this profile
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

#[derive(Args, Debug)]
pub struct CompletionsArgs {
    pub shell: Shell,
}

#[derive(Args, Debug)]
pub struct ManArgs {
    /// The page of this command, or a folder to write all pages to
    #[arg(value_name = "COMMAND|DIR", value_hint = ValueHint::DirPath)]
    pub what: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
    Nushell,
}
