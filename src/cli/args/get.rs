//! `get`: what to download, where to, which files, until when.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum, ValueHint};

use super::network::NetworkArgs;
use super::output::{OutputArgs, StateArgs};
use crate::cli::size_time::{TimeLimit, parse_ratio, parse_seed_time, parse_time_limit};

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
