//! `stream`: what to play, and where players find it.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueHint};

use super::get::{ChoiceArgs, LimitArgs};
use super::network::NetworkArgs;
use super::output::{OutputArgs, StateArgs};
use super::rates::RateArgs;
use crate::cli::hooks::Words;

#[derive(Args, Debug)]
pub struct StreamArgs {
    /// Magnet link, .torrent file or its URL, info hash, - (standard input)
    #[arg(value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub source: OsString,
    /// Only this file, named as for --select
    #[arg(value_name = "FILE")]
    pub file: Option<String>,
    /// Run this player with the URL; end when it ends
    ///
    /// The URL is its last word, or stands in the place of {}. It is split into words like a shell's and run without one.
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString, help_heading = "Player")]
    #[arg(env = "RTORRENT_CLI_PLAYER", hide_env = true)]
    pub player: Option<Words>,
    /// Serve players here [default: any free port]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Player")]
    #[arg(env = "RTORRENT_CLI_HTTP_PORT", hide_env = true)]
    pub http_port: Option<u16>,
    /// Listen on this address
    ///
    /// 0.0.0.0 or :: lets players on other machines in.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1", help_heading = "Player")]
    #[arg(env = "RTORRENT_CLI_HTTP_BIND", hide_env = true)]
    pub http_bind: IpAddr,
    /// Where downloads go; made if missing
    #[arg(short, long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    #[arg(env = "RTORRENT_CLI_DIR", hide_env = true, help_heading = "Target")]
    pub dir: PathBuf,
    /// Name of the file or top folder
    #[arg(short = 'o', long = "output", value_name = "NAME", help_heading = "Target")]
    pub name: Option<String>,
    /// Replace a file of something else that is in the way
    #[arg(long, env = "RTORRENT_CLI_OVERWRITE", hide_env = true, value_parser = BoolishValueParser::new())]
    #[arg(help_heading = "Target")]
    pub overwrite: bool,
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// Serve no other peers
    #[arg(long, env = "RTORRENT_CLI_NO_UPLOAD", hide_env = true, value_parser = BoolishValueParser::new())]
    #[arg(help_heading = "Seeding")]
    pub no_upload: bool,
    #[command(flatten)]
    pub rates: RateArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub state: StateArgs,
}
