//! `create`: what goes into a torrent, what stands in it beside, where it is written.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::output::OutputArgs;
use crate::cli::values::{parse_piece_length, parse_tier, parse_web_seed};

#[derive(Args, Debug)]
pub struct CreateArgs {
    /// The file or folder to share
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    #[command(flatten)]
    pub target: NewTorrentArgs,
    #[command(flatten)]
    pub content: ContentArgs,
    #[command(flatten)]
    pub fields: FieldArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Where the torrent goes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Target")]
pub struct NewTorrentArgs {
    /// Write here; - is standard output [default: NAME.torrent]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(short, long)]
    pub force: bool,
    /// Show what would be in it, hash and write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// What goes into it.
#[derive(Args, Debug)]
#[command(next_help_heading = "Content")]
pub struct ContentArgs {
    /// Only files that match; !PAT leaves out
    ///
    /// Again for more; the last that matches decides.
    #[arg(short, long = "glob", value_name = "PAT")]
    pub globs: Vec<String>,
    /// Files and folders that begin with a dot too
    #[arg(long)]
    pub hidden: bool,
    /// Leave out what .gitignore and .ignore files name
    #[arg(long)]
    pub ignore_files: bool,
    /// Take what links lead to
    #[arg(short = 'L', long)]
    pub follow: bool,
    /// A v2 torrent (BEP 52), for newer programs alone
    ///
    /// Every file has its own tree of SHA-256 hashes; programs that know v1 alone refuse such a torrent.
    #[arg(long, alias = "v2-only", conflicts_with = "hybrid")]
    pub v2: bool,
    /// Both v1 and v2 in one torrent, for all programs
    #[arg(long)]
    pub hybrid: bool,
    /// Another name for the single file or the top folder
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Bytes of a piece, a power of two [default: by size]
    ///
    /// By the size of all files it is 16 KiB to 16 MiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_piece_length)]
    pub piece_length: Option<u32>,
}

/// What stands in it beside.
#[derive(Args, Debug)]
#[command(next_help_heading = "Fields")]
pub struct FieldArgs {
    /// Announce here; again for the next tier
    ///
    /// Commas stand between the trackers of one tier.
    #[arg(short, long = "tracker", value_name = "URL", value_parser = parse_tier)]
    pub trackers: Vec<Vec<String>>,
    /// This web server has the files too (BEP 19)
    #[arg(short, long = "web-seed", value_name = "URL", value_parser = parse_web_seed)]
    pub web_seeds: Vec<String>,
    /// Peers from its trackers alone (BEP 27)
    ///
    /// No DHT, no local network, no peers from peers.
    #[arg(long)]
    pub private: bool,
    /// A word that gives it an info hash of its own
    ///
    /// Private trackers want their own.
    #[arg(long, value_name = "TEXT")]
    pub source: Option<String>,
    #[arg(short, long, value_name = "TEXT", help = "A comment")]
    pub comment: Option<String>,
    /// Do not say when it was made
    ///
    /// Else it says now, or what SOURCE_DATE_EPOCH in the environment says.
    #[arg(long)]
    pub no_date: bool,
}
