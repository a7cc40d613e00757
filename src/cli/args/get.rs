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
    /// Magnet link, .torrent file or its URL, info hash, - (standard input)
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
    /// Name of the file or top folder; - is standard output
    ///
    /// To standard output goes one file, in order, each byte verified first; nothing is written to disk.
    #[arg(short = 'o', long = "output", value_name = "NAME")]
    pub name: Option<String>,
    /// Check what is there: quick, full, none
    ///
    /// quick believes intact resume data where sizes and times of files match, and hashes every other file that is there;
    /// full hashes all; none neither believes nor hashes, and fetches all.
    #[arg(long, value_name = "HOW", value_enum, default_value = "quick", hide_possible_values = true)]
    #[arg(env = "RTORRENT_CLI_CHECK", hide_env = true)]
    pub check: Check,
    /// Replace a file of something else that is in the way
    #[arg(long, env = "RTORRENT_CLI_OVERWRITE", hide_env = true, value_parser = BoolishValueParser::new())]
    pub overwrite: bool,
    /// Unfinished files have their final names at once
    #[arg(long, env = "RTORRENT_CLI_NO_PART", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_part: bool,
    /// Space for files: none, sparse, full
    ///
    /// With none they grow; sparse gives a file its length at once and its space as it is written; full sets all its
    /// space aside.
    #[arg(long, value_name = "HOW", value_enum, default_value = "sparse", hide_possible_values = true)]
    #[arg(env = "RTORRENT_CLI_ALLOCATE", hide_env = true)]
    pub allocate: Allocation,
    /// Begin although the free space looks short
    #[arg(long, env = "RTORRENT_CLI_NO_SPACE_CHECK", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_space_check: bool,
    /// Fetch pieces from first to last
    #[arg(long, env = "RTORRENT_CLI_SEQUENTIAL", hide_env = true, value_parser = BoolishValueParser::new())]
    pub sequential: bool,
    /// Fetch the first and last piece of each file first
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
    /// Only these: 1-5,8 '**/*.mkv' ext:mkv 'size>1G' re:X dir/
    ///
    /// Numbers as --list and info show them, globs, extensions (ext:mkv,srt), sizes (size>100M, size<1G), regular
    /// expressions, whole folders. Again for more. Quote what the shell would take for its own.
    #[arg(short, long, value_name = "PAT")]
    #[arg(env = "RTORRENT_CLI_SELECT", hide_env = true)]
    pub select: Vec<String>,
    /// All but these, written as for --select
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
    /// Show what would be fetched, what is there, the free space
    ///
    /// Nothing is written.
    #[arg(short = 'n', long, conflicts_with = "list")]
    pub dry_run: bool,
}

/// Many sources in one run.
#[derive(Args, Debug)]
#[command(next_help_heading = "Batch")]
pub struct BatchArgs {
    /// Sources from this file; - is standard input
    ///
    /// One a line. Indented key=value lines set flags of the item above them: see INPUT FILE.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub input_file: Option<PathBuf>,
    /// Downloads at once
    ///
    /// What is being resolved, or seeds, is not counted.
    #[arg(short, long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(env = "RTORRENT_CLI_JOBS", hide_env = true)]
    pub jobs: u32,
    /// Go on with all that is unfinished (see `ls`)
    #[arg(long)]
    pub resume: bool,
    /// Skip what this file names, add what is completed
    ///
    /// It has an info hash a line.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(env = "RTORRENT_CLI_ARCHIVE", hide_env = true)]
    pub archive: Option<PathBuf>,
    /// Write what is left at the end to this file, for -i
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
    #[arg(long, value_name = "R", value_parser = parse_ratio, allow_negative_numbers = true)]
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
    /// Wait so long for metadata
    ///
    /// A magnet link whose metadata is not here by then fails; the others go on. off waits for ever.
    #[arg(long, value_name = "T", default_value = "5m", value_parser = parse_time_limit)]
    #[arg(env = "RTORRENT_CLI_METADATA_TIMEOUT", hide_env = true)]
    pub metadata_timeout: TimeLimit,
    /// Give up if nothing comes for so long
    ///
    /// Only that item fails. off, the default, waits for ever.
    #[arg(long, value_name = "T", default_value = "off", hide_default_value = true, value_parser = parse_time_limit)]
    #[arg(env = "RTORRENT_CLI_STALL_TIMEOUT", hide_env = true)]
    pub stall_timeout: TimeLimit,
    /// End the run after so long, state saved
    ///
    /// off is the default.
    #[arg(short, long, value_name = "T", default_value = "off", hide_default_value = true)]
    #[arg(value_parser = parse_time_limit)]
    #[arg(env = "RTORRENT_CLI_MAX_TIME", hide_env = true)]
    pub max_time: TimeLimit,
}

/// Programs that are run when something happens to an item.
#[derive(Args, Debug)]
#[command(next_help_heading = "Hooks")]
pub struct HookArgs {
    /// Run this when an item's metadata is known
    ///
    /// Split into words like a shell's and run without one: see HOOKS.
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    #[arg(env = "RTORRENT_CLI_ON_METADATA", hide_env = true)]
    pub on_metadata: Option<Words>,
    /// Run this when an item is complete
    ///
    /// RTORRENT_HOOK_NAME, RTORRENT_HOOK_PATH and others in its environment tell what: see HOOKS.
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    #[arg(env = "RTORRENT_CLI_ON_COMPLETE", hide_env = true)]
    pub on_complete: Option<Words>,
    /// Run this when an item has failed
    ///
    /// RTORRENT_HOOK_STATUS and RTORRENT_HOOK_CODE in its environment tell why: see HOOKS.
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    #[arg(env = "RTORRENT_CLI_ON_ERROR", hide_env = true)]
    pub on_error: Option<Words>,
}
