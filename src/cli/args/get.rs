//! `get`: what to download, where to, which files, until when.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum, ValueHint};

use super::network::NetworkArgs;
use super::output::{OutputArgs, StateArgs};
use super::rates::RateArgs;
use crate::cli::hooks::Words;
use crate::cli::size_time::{TimeLimit, parse_ratio, parse_seed_time, parse_time_limit};

#[derive(Args, Debug)]
pub struct GetArgs {
    /// Magnet link, .torrent file, its URL, `-` for standard input, or info hash
    #[arg(value_name = "SRC", value_hint = ValueHint::FilePath)]
    #[arg(required_unless_present_any = ["input_file", "resume"])]
    pub sources: Vec<OsString>,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub choice: ChoiceArgs,
    #[command(flatten)]
    pub look: LookArgs,
    #[command(flatten)]
    pub batch: BatchArgs,
    #[command(flatten)]
    pub goals: SeedGoalArgs,
    /// Serve nobody
    #[arg(long, env = "RTORRENT_CLI_NO_UPLOAD", hide_env = true, value_parser = BoolishValueParser::new())]
    #[arg(conflicts_with_all = ["seed_ratio", "seed_time"], help_heading = "Seeding")]
    pub no_upload: bool,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub rates: RateArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
    #[command(flatten)]
    pub hooks: HookArgs,
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
    /// Another name for the file or top folder; - writes one file to standard output
    #[arg(short = 'o', long = "output", value_name = "NAME")]
    pub name: Option<String>,
    /// What of the files on disk is believed: quick (intact resume data, else hashes), full (hashes alone), none
    #[arg(long, value_name = "HOW", value_enum, default_value = "quick", hide_possible_values = true)]
    #[arg(env = "RTORRENT_CLI_CHECK", hide_env = true)]
    pub check: Check,
    /// Replace a file of something else that is in the way
    #[arg(long, env = "RTORRENT_CLI_OVERWRITE", hide_env = true, value_parser = BoolishValueParser::new())]
    pub overwrite: bool,
    /// Unfinished files have their final names at once
    #[arg(long, env = "RTORRENT_CLI_NO_PART", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_part: bool,
    /// Room on disk for new files: none (they grow), sparse, full (set aside at once)
    #[arg(long, value_name = "HOW", value_enum, default_value = "sparse", hide_possible_values = true)]
    #[arg(env = "RTORRENT_CLI_ALLOCATE", hide_env = true)]
    pub allocate: Allocation,
    /// Begin although the free space looks short
    #[arg(long, env = "RTORRENT_CLI_NO_SPACE_CHECK", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_space_check: bool,
    /// Fetch pieces from first to last
    #[arg(long, env = "RTORRENT_CLI_SEQUENTIAL", hide_env = true, value_parser = BoolishValueParser::new())]
    pub sequential: bool,
    /// Fetch the first and last piece of each file before the rest
    #[arg(long, env = "RTORRENT_CLI_FIRST_LAST", hide_env = true, value_parser = BoolishValueParser::new())]
    pub first_last: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Check {
    Quick,
    Full,
    None,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Allocation {
    None,
    Sparse,
    Full,
}

/// Which files of a torrent.
#[derive(Args, Debug)]
#[command(next_help_heading = "Selection")]
pub struct ChoiceArgs {
    /// Only these: numbers (1-5,8), globs ('**/*.mkv'), ext:mkv,srt, size>100M, re:..., folder/
    #[arg(short, long, value_name = "PAT")]
    #[arg(env = "RTORRENT_CLI_SELECT", hide_env = true)]
    pub select: Vec<String>,
    /// All but these
    #[arg(short = 'x', long, value_name = "PAT")]
    #[arg(env = "RTORRENT_CLI_EXCLUDE", hide_env = true)]
    pub exclude: Vec<String>,
}

/// Looking before anything is downloaded.
#[derive(Args, Debug)]
#[command(next_help_heading = "Selection")]
pub struct LookArgs {
    /// Pick the files from a list, on a terminal
    #[arg(short = 'I', long, conflicts_with_all = ["list", "dry_run", "json"])]
    pub interactive: bool,
    /// Show the files and what of them is selected, and end
    #[arg(short, long)]
    pub list: bool,
    /// Show what would happen (sizes, free space, what is there already), and end
    #[arg(short = 'n', long, conflicts_with = "list")]
    pub dry_run: bool,
}

/// Many sources in one run.
#[derive(Args, Debug)]
#[command(next_help_heading = "Batch")]
pub struct BatchArgs {
    /// Sources from a file (- for standard input), one a line; indented key=value lines set flags of that item
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub input_file: Option<PathBuf>,
    /// Downloads at once; what is resolved or seeds is not counted
    #[arg(short, long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(env = "RTORRENT_CLI_JOBS", hide_env = true)]
    pub jobs: u32,
    /// Go on with all downloads that the state folder knows as unfinished
    #[arg(long)]
    pub resume: bool,
    /// Skip the info hashes in this file, and add those that are completed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(env = "RTORRENT_CLI_ARCHIVE", hide_env = true)]
    pub archive: Option<PathBuf>,
    /// Write what is not complete at the end to this file, for -i
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(env = "RTORRENT_CLI_SAVE_SESSION", hide_env = true)]
    pub save_session: Option<PathBuf>,
    /// End the run at the first failure
    #[arg(long, env = "RTORRENT_CLI_FAIL_FAST", hide_env = true, value_parser = BoolishValueParser::new())]
    pub fail_fast: bool,
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

/// Programs that are run when something happens to an item.
#[derive(Args, Debug)]
#[command(next_help_heading = "Hooks")]
pub struct HookArgs {
    /// Run this (split into words, no shell) when an item's metadata is known
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    #[arg(env = "RTORRENT_CLI_ON_METADATA", hide_env = true)]
    pub on_metadata: Option<Words>,
    /// Run this when an item is complete; RTORRENT_HOOK_NAME, _DIR, _PATH, _FILES ... tell what
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    #[arg(env = "RTORRENT_CLI_ON_COMPLETE", hide_env = true)]
    pub on_complete: Option<Words>,
    /// Run this when an item has failed
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    #[arg(env = "RTORRENT_CLI_ON_ERROR", hide_env = true)]
    pub on_error: Option<Words>,
}
