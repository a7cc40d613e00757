//! The command line as clap sees it: commands, flags and their typed values.
//!
//! Only what works is a flag here; anything else is a usage error. Every flag of a run also has an environment variable
//! `RTORRENT_CLI_FLAG`.

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use super::size_time::{TimeLimit, parse_ratio, parse_seed_time, parse_time_limit};
use super::values::{parse_host_port, parse_memory, parse_ports, parse_tracker};

/// A BitTorrent downloader: magnet links and torrents to verified files
#[derive(Parser, Debug)]
#[command(name = "rtorrent-cli", version, max_term_width = 100, after_help = ROOT_EXAMPLES)]
#[command(disable_help_subcommand = true, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const ROOT_EXAMPLES: &str = "\
`rtorrent-cli SRC...` alone means `get`. SRC is a magnet link (in quotes), a .torrent file,
an http(s) URL of one, `-` for one on standard input, or a bare info hash.

Examples:
  rtorrent-cli 'magnet:?xt=urn:btih:...'
  rtorrent-cli get -d ~/Downloads --select '*.iso' debian.torrent
  rtorrent-cli info debian.torrent

`rtorrent-cli COMMAND --help` says more.";

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Download, verify, exit (the default command)
    #[command(after_help = GET_EXAMPLES)]
    Get(Box<GetArgs>),
    /// Show what a torrent or magnet link holds
    #[command(after_help = INFO_EXAMPLES)]
    Info(Box<InfoArgs>),
    /// Check data on disk against a torrent
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(Box<VerifyArgs>),
    /// Upload data that is on disk
    #[command(after_help = SEED_EXAMPLES)]
    Seed(Box<SeedArgs>),
    /// Print a shell's completion script
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Print the manual page, or write all pages to a folder
    #[command(after_help = MAN_EXAMPLES)]
    Man(ManArgs),
}

pub const GET_EXAMPLES: &str = "\
Examples:
  rtorrent-cli get 'magnet:?xt=urn:btih:...&tr=...'      quotes keep the shell away from the &
  rtorrent-cli get -d ~/Downloads a.torrent b.torrent    two at once
  rtorrent-cli get -s 1-3,7 -x '*.txt' a.torrent         some files of it
  rtorrent-cli get --seed-ratio 1 a.torrent              give back what was taken

Interrupted? The same command line goes on where it stopped.";

pub const INFO_EXAMPLES: &str = "\
Examples:
  rtorrent-cli info a.torrent
  rtorrent-cli info --offline 'magnet:?xt=urn:btih:...'
  rtorrent-cli info --save a.torrent 'magnet:?xt=urn:btih:...'
  rtorrent-cli info --json a.torrent | jq '.files[].path'";

pub const VERIFY_EXAMPLES: &str = "\
Examples:
  rtorrent-cli verify a.torrent ~/Downloads
  rtorrent-cli verify -s '*.iso' a.torrent ~/Downloads && echo good";

pub const SEED_EXAMPLES: &str = "\
Examples:
  rtorrent-cli seed a.torrent ~/Downloads
  rtorrent-cli seed --seed-ratio 2 --seed-time 120 a.torrent ~/Downloads";

pub const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  rtorrent-cli completions bash > ~/.local/share/bash-completion/completions/rtorrent-cli
  rtorrent-cli completions fish > ~/.config/fish/completions/rtorrent-cli.fish";

pub const MAN_EXAMPLES: &str = "\
Examples:
  rtorrent-cli man | man -l -
  rtorrent-cli man ~/.local/share/man/man1";

#[derive(Args, Debug)]
pub struct GetArgs {
    /// Magnet link, .torrent file, its URL, `-` for standard input, or info hash
    #[arg(value_name = "SRC", required = true, value_hint = ValueHint::FilePath)]
    pub sources: Vec<OsString>,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// Downloads at once
    #[arg(short, long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(env = "RTORRENT_CLI_JOBS", hide_env = true, help_heading = "Limits")]
    pub jobs: u32,
    #[command(flatten)]
    pub goals: SeedGoalArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub state: StateArgs,
}

#[derive(Args, Debug)]
pub struct InfoArgs {
    /// Magnet link, .torrent file, its URL, `-` for standard input, or info hash
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
    /// Give up if a magnet's metadata is not here in time
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
    /// The .torrent: a file, its URL, or `-` for standard input
    #[arg(value_name = "TORRENT", value_hint = ValueHint::FilePath)]
    pub source: OsString,
    /// The folder that `get -d` would have had, or the file or top folder itself
    #[arg(value_name = "PATH", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    #[command(flatten)]
    pub choice: ChoiceArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub state: StateArgs,
}

#[derive(Args, Debug)]
pub struct SeedArgs {
    /// The .torrent: a file, its URL, or `-` for standard input
    #[arg(value_name = "TORRENT", value_hint = ValueHint::FilePath)]
    pub source: OsString,
    /// The folder that `get -d` would have had, or the file or top folder itself
    #[arg(value_name = "PATH", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    #[command(flatten)]
    pub goals: SeedGoalArgs,
    /// What is believed without hashing: quick (intact resume data), full (nothing)
    #[arg(long, value_name = "HOW", default_value = "quick", value_parser = ["quick", "full"])]
    #[arg(env = "RTORRENT_CLI_CHECK", hide_env = true)]
    pub check: String,
    #[command(flatten)]
    pub network: NetworkArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub state: StateArgs,
}

#[derive(Args, Debug)]
pub struct CompletionsArgs {
    pub shell: Shell,
}

#[derive(Args, Debug)]
pub struct ManArgs {
    /// Write a page for each command to this folder
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
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

/// Where files go and what is believed of those that are there.
#[derive(Args, Debug)]
#[command(next_help_heading = "Target")]
pub struct TargetArgs {
    /// Where downloads go; made if missing
    #[arg(short, long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    #[arg(env = "RTORRENT_CLI_DIR", hide_env = true)]
    pub dir: PathBuf,
    /// Another name for the single file or the top folder
    #[arg(short = 'o', long = "output", value_name = "NAME")]
    pub name: Option<String>,
    /// What of the files on disk is believed: quick (intact resume data, else hashes), full (hashes alone), none
    #[arg(long, value_name = "HOW", value_enum, default_value = "quick", hide_possible_values = true)]
    #[arg(env = "RTORRENT_CLI_CHECK", hide_env = true)]
    pub check: Check,
    /// Replace a file of something else that is in the way
    #[arg(long, env = "RTORRENT_CLI_OVERWRITE", hide_env = true, value_parser = BoolishValueParser::new())]
    pub overwrite: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Check {
    Quick,
    Full,
    None,
}

/// Which files of a torrent.
#[derive(Args, Debug)]
#[command(next_help_heading = "Target")]
pub struct ChoiceArgs {
    /// Only these: indices (1-5,8), globs ('**/*.mkv'), ext:mkv,srt, size>100M, re:..., folder/
    #[arg(short, long, value_name = "PAT")]
    #[arg(env = "RTORRENT_CLI_SELECT", hide_env = true)]
    pub select: Vec<String>,
    /// All but these
    #[arg(short = 'x', long, value_name = "PAT")]
    #[arg(env = "RTORRENT_CLI_EXCLUDE", hide_env = true)]
    pub exclude: Vec<String>,
}

/// When seeding ends.
#[derive(Args, Debug)]
#[command(next_help_heading = "Seeding")]
pub struct SeedGoalArgs {
    /// Seed until R times the size is uploaded
    #[arg(long, value_name = "R", value_parser = parse_ratio)]
    #[arg(env = "RTORRENT_CLI_SEED_RATIO", hide_env = true)]
    pub seed_ratio: Option<f64>,
    /// Seed for so long; a bare number is minutes, inf for ever
    #[arg(long, value_name = "T", value_parser = parse_seed_time)]
    #[arg(env = "RTORRENT_CLI_SEED_TIME", hide_env = true)]
    pub seed_time: Option<Duration>,
}

/// When an item or the run is given up.
#[derive(Args, Debug)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Give up if a magnet's metadata is not here in time
    #[arg(long, value_name = "T", default_value = "5m", value_parser = parse_time_limit)]
    #[arg(env = "RTORRENT_CLI_METADATA_TIMEOUT", hide_env = true)]
    pub metadata_timeout: TimeLimit,
    /// Give up if nothing comes for so long
    #[arg(long, value_name = "T", default_value = "off", value_parser = parse_time_limit)]
    #[arg(env = "RTORRENT_CLI_STALL_TIMEOUT", hide_env = true)]
    pub stall_timeout: TimeLimit,
    /// Stop the run after so long, state saved
    #[arg(short, long, value_name = "T", default_value = "off", value_parser = parse_time_limit)]
    #[arg(env = "RTORRENT_CLI_MAX_TIME", hide_env = true)]
    pub max_time: TimeLimit,
}

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
    /// Enter the DHT here
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_host_port)]
    #[arg(env = "RTORRENT_CLI_DHT_BOOTSTRAP", hide_env = true)]
    pub dht_bootstrap: Vec<String>,
    /// Do not exchange peers with peers
    #[arg(long, env = "RTORRENT_CLI_NO_PEX", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_pex: bool,
    /// Do not look for peers on the local network
    #[arg(long, env = "RTORRENT_CLI_NO_LSD", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_lsd: bool,
    /// Do not fetch from web seeds
    #[arg(long, env = "RTORRENT_CLI_NO_WEB_SEEDS", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_web_seeds: bool,
}

/// What is kept between runs.
#[derive(Args, Debug)]
#[command(next_help_heading = "Target")]
pub struct StateArgs {
    /// Where resume data is kept, or none [default: the platform's state folder]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    #[arg(env = "RTORRENT_CLI_STATE_DIR", hide_env = true)]
    pub state_dir: Option<PathBuf>,
}

/// What is shown, and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// One JSON object a line on standard output
    #[arg(long, env = "RTORRENT_CLI_JSON", hide_env = true, value_parser = BoolishValueParser::new())]
    pub json: bool,
    /// Progress on standard error: auto, bar, plain, none
    #[arg(long, value_name = "HOW", value_enum, default_value = "auto", hide_possible_values = true)]
    #[arg(env = "RTORRENT_CLI_PROGRESS", hide_env = true)]
    pub progress: ProgressStyle,
    /// Show errors alone
    #[arg(short, long, env = "RTORRENT_CLI_QUIET", hide_env = true, value_parser = BoolishValueParser::new())]
    pub quiet: bool,
    /// Say more: causes of errors, then what the engine does (-vv, -vvv)
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Colours: auto, always, never
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto", hide_possible_values = true)]
    #[arg(env = "RTORRENT_CLI_COLOR", hide_env = true)]
    pub color: ColorWhen,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ProgressStyle {
    Auto,
    Bar,
    Plain,
    None,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ColorWhen {
    Auto,
    Always,
    Never,
}

/// Names that a first argument may have without being a source.
const COMMANDS: [&str; 6] = ["get", "info", "verify", "seed", "completions", "man"];

/// The arguments with `get` put in where no command stands first.
pub fn with_default_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let stands_alone = |first: &OsStr| ["-h", "--help", "-V", "--version"].iter().any(|flag| first == *flag);
    match arguments.get(1) {
        None => {}
        Some(first) if stands_alone(first) || COMMANDS.iter().any(|command| first == *command) => {}
        Some(_) => arguments.insert(1, "get".into()),
    }
    arguments
}

/// An argument in which aria2's habit of gluing connection counts to `-s` and `-x` shows.
pub fn glued_like_aria2(arguments: &[OsString]) -> Option<&str> {
    let options = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    options.filter_map(|argument| argument.to_str()).find(|argument| {
        let number = argument.strip_prefix("-s").or_else(|| argument.strip_prefix("-x"));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &[&str]) -> Result<Command, String> {
        let arguments = std::iter::once("rtorrent-cli").chain(line.iter().copied()).map(OsString::from).collect();
        Cli::try_parse_from(with_default_command(arguments)).map(|cli| cli.command).map_err(|e| e.to_string())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
        let names: Vec<_> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        assert_eq!(names, COMMANDS);
    }

    #[test]
    fn a_source_or_a_flag_alone_means_get() {
        assert!(matches!(parse(&["a.torrent"]), Ok(Command::Get(args)) if args.sources == ["a.torrent"]));
        assert!(matches!(parse(&["-d", "x", "a"]), Ok(Command::Get(args)) if args.target.dir.as_os_str() == "x"));
        assert!(matches!(parse(&["-"]), Ok(Command::Get(_))));
        assert!(matches!(parse(&["info", "get"]), Ok(Command::Info(args)) if args.source == "get"));
    }

    #[test]
    fn what_is_not_built_is_refused() {
        for flag in ["--interface", "--proxy", "--limit-down", "--sequential", "--input-file", "-i", "-4"] {
            assert!(parse(&["get", flag, "1", "a.torrent"]).is_err(), "{flag}");
        }
    }

    #[test]
    fn connection_counts_in_the_habit_of_aria2_are_seen() {
        let line = |args: &[&str]| args.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(glued_like_aria2(&line(&["r", "-x16", "-s16", "a"])), Some("-x16"));
        assert_eq!(glued_like_aria2(&line(&["r", "-s", "16", "-s1-3", "-x*.txt", "--", "-s16"])), None);
    }
}
