//! `-h` and `--help`: the flags that most people need on one screen, and all of them.

use clap::Command;

use super::args;

/// The flags of `get` that `-h` shows.
const COMMON: &[&str] = &[
    "sources",
    "dir",
    "name",
    "check",
    "select",
    "exclude",
    "interactive",
    "list",
    "dry_run",
    "input_file",
    "jobs",
    "resume",
    "seed_ratio",
    "seed_time",
    "max_time",
    "stall_timeout",
    "trackers",
    "peers",
    "port",
    "json",
    "quiet",
    "verbose",
    "help",
    "limit_down",
];

/// What to print for a command line that asks for help; `None` where clap's own text is right.
pub fn asked(arguments: &[std::ffi::OsString]) -> Option<String> {
    let name = arguments.get(1)?.to_str()?;
    let command = args::command();
    let sub = command.find_subcommand(name)?;
    let short = arguments.iter().find(|argument| *argument == "-h" || *argument == "--help")? == "-h";
    let shown = if short && name == "get" { common(sub.clone()) } else { sub.clone() };
    // The full name, as it stands in the usage line.
    Some(shown.bin_name(format!("rtorrent-cli {name}")).render_help().to_string())
}

fn common(command: Command) -> Command {
    command
        .mut_args(|arg| {
            let hide = !COMMON.contains(&arg.get_id().as_str());
            arg.hide(hide)
        })
        .after_help("--help shows all flags, `rtorrent-cli man | man -l -` the manual.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(line: &[&str]) -> Vec<String> {
        let arguments: Vec<_> = line.iter().map(std::ffi::OsString::from).collect();
        asked(&arguments).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_short_help_fits_a_screen_and_the_long_one_has_every_flag() {
        let short = lines(&["rtorrent-cli", "get", "-h"]);
        assert!(short.len() <= 50, "{} lines", short.len());
        assert!(short.iter().all(|line| line.chars().count() <= 100), "{short:#?}");
        let long = lines(&["rtorrent-cli", "get", "--help"]).join("\n");
        let command = args::command();
        for arg in command.find_subcommand("get").unwrap().get_arguments() {
            let long_name = arg.get_long().unwrap_or_default();
            assert!(long.contains(&format!("--{long_name}")), "{long_name}");
            assert!(!COMMON.contains(&arg.get_id().as_str()) || short.join("\n").contains(long_name), "{long_name}");
        }
    }
}
