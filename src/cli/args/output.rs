//! What is shown, and what is kept between runs.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum, ValueHint};

/// What is kept between runs.
#[derive(Args, Debug)]
#[command(next_help_heading = "Target")]
pub struct StateArgs {
    /// Keep resume data here; none keeps nothing
    ///
    /// Otherwise it is in the platform's folder for state: see FILES.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    #[arg(env = "RTORRENT_CLI_STATE_DIR", hide_env = true)]
    pub state_dir: Option<PathBuf>,
    /// Read this configuration file, or none
    ///
    /// `rtorrent-cli config path` says which is read otherwise.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(env = "RTORRENT_CLI_CONFIG", hide_env = true)]
    pub config: Option<PathBuf>,
    /// Use the configuration's [profile.NAME]
    #[arg(long, value_name = "NAME")]
    #[arg(env = "RTORRENT_CLI_PROFILE", hide_env = true)]
    pub profile: Option<String>,
}

/// What is shown, and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// One JSON object a line on standard output
    #[arg(long, env = "RTORRENT_CLI_JSON", hide_env = true, value_parser = BoolishValueParser::new())]
    pub json: bool,
    /// Progress: auto, bar, plain, none
    ///
    /// On standard error; auto is bars on a terminal, plain lines elsewhere.
    #[arg(long, value_name = "HOW", value_enum, default_value = "auto", hide_possible_values = true)]
    #[arg(env = "RTORRENT_CLI_PROGRESS", hide_env = true)]
    pub progress: ProgressStyle,
    /// Show errors alone
    #[arg(short, long, env = "RTORRENT_CLI_QUIET", hide_env = true, value_parser = BoolishValueParser::new())]
    pub quiet: bool,
    /// Say more: causes of errors; -vv and -vvv: every step
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Write a log to this file (with -v more of it)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(env = "RTORRENT_CLI_LOG", hide_env = true)]
    pub log: Option<PathBuf>,
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
