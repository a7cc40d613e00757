//! The configuration file.
//!
//! Must hold: what it takes, every command takes too, with nothing else given; a profile changes nothing where it is not
//! asked for; and what is refused is said in one line.
#![no_main]

use std::sync::LazyLock;

use clap::Command;
use libfuzzer_sys::fuzz_target;
use rtorrent_cli::cli::args;
use rtorrent_cli::cli::config::Config;

static COMMAND: LazyLock<Command> = LazyLock::new(args::command);

fuzz_target!(|text: &str| {
    let plain = Config::parse(text, None, &COMMAND);
    for profile in [None, Some("a")] {
        match Config::parse(text, profile, &COMMAND) {
            Ok(config) => {
                assert!(plain.is_ok());
                for line in [&["rtorrent-cli", "get", "x"][..], &["rtorrent-cli", "seed", "x"], &["rtorrent-cli", "ls"]]
                {
                    let read = config.apply(COMMAND.clone()).try_get_matches_from(line);
                    assert!(read.is_ok(), "{line:?}: {}", read.unwrap_err());
                }
            }
            Err(why) => {
                assert!(!why.trim().is_empty());
                assert!(why.lines().count() == 1 && !why.contains('\u{1b}'), "{why:?}");
            }
        }
    }
});
