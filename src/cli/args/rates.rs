//! Flags that limit how much payload flows.

use clap::Args;

use crate::base::limit::Limit;
use crate::base::schedule::Schedule;
use crate::base::size::parse_size;
use crate::engine::LimitSettings;

/// Limits of the whole run, shared by all items.
#[derive(Args, Debug)]
#[command(next_help_heading = "Limits")]
pub struct RateArgs {
    /// Download no faster, all items together
    ///
    /// Bytes a second, as in 500K or 2M; 0, the default, is no limit. --limit-rate and --max-overall-download-limit are
    /// the same.
    #[arg(long, value_name = "RATE", default_value = "0", hide_default_value = true, value_parser = parse_rate)]
    #[arg(aliases = ["limit-rate", "max-overall-download-limit"])]
    #[arg(env = "RTORRENT_CLI_LIMIT_DOWN", hide_env = true)]
    pub limit_down: Limit,
    /// Upload no faster, all items together
    ///
    /// Bytes a second, as in 500K or 2M; 0, the default, is no limit. --max-overall-upload-limit is the same.
    #[arg(long, value_name = "RATE", default_value = "0", hide_default_value = true, value_parser = parse_rate)]
    #[arg(alias = "max-overall-upload-limit", env = "RTORRENT_CLI_LIMIT_UP", hide_env = true)]
    pub limit_up: Limit,
    /// By time of day, as in 22:00-07:00=0,*=2M
    ///
    /// A part is DOWN, DOWN/UP or pause. The first part that fits the local time counts, and counts before the other limits.
    #[arg(long, value_name = "TIMES", value_parser = parse_schedule)]
    #[arg(env = "RTORRENT_CLI_LIMIT_SCHEDULE", hide_env = true)]
    pub limit_schedule: Option<Schedule>,
}

impl RateArgs {
    /// What the engine is told.
    pub fn settings(&self) -> LimitSettings {
        LimitSettings { down: self.limit_down, up: self.limit_up, schedule: self.limit_schedule.clone() }
    }
}

fn parse_rate(text: &str) -> Result<Limit, String> {
    // "2M/s" is what displays show.
    let size = text.trim().strip_suffix("/s").unwrap_or(text);
    let rate = parse_size(size).map_err(|_| format!("{text:?} is not a rate; write for example 500K, 2M or 0"))?;
    Ok(Limit::bytes(rate))
}

fn parse_schedule(text: &str) -> Result<Schedule, String> {
    text.parse().map_err(|error: crate::base::schedule::ScheduleError| error.to_string())
}
