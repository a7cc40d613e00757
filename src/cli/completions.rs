//! `completions SHELL`: a static script for a shell.

use std::io::Write;

use clap::{Args as _, Command, CommandFactory as _};
use clap_complete::Shell as Known;

use super::args::{Cli, GetArgs, Shell};

/// Writes the script for `shell`.
pub fn write(shell: Shell, out: &mut dyn Write) {
    let mut command = completed();
    let name = command.get_name().to_owned();
    // Generators panic on a write error; a script in memory has none.
    let mut script = Vec::new();
    match shell {
        Shell::Bash => clap_complete::generate(Known::Bash, &mut command, name, &mut script),
        Shell::Zsh => clap_complete::generate(Known::Zsh, &mut command, name, &mut script),
        Shell::Fish => clap_complete::generate(Known::Fish, &mut command, name, &mut script),
        Shell::Powershell => clap_complete::generate(Known::PowerShell, &mut command, name, &mut script),
        Shell::Elvish => clap_complete::generate(Known::Elvish, &mut command, name, &mut script),
        Shell::Nushell => clap_complete::generate(clap_complete_nushell::Nushell, &mut command, name, &mut script),
    }
    if shell == Shell::Bash {
        script = with_names_that_meet(&script);
    }
    // A reader that goes away early has seen what it wanted.
    let _ = out.write_all(&script);
}

/// The bash generator calls a command with a hyphen in its name one thing where it finds the subcommand and another where
/// it looks up its flags, which then are never found.
fn with_names_that_meet(script: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(script).replace("rtorrent__subcmd__cli", "rtorrent__cli").into_bytes()
}

/// The commands, and the flags of `get` beside them, since `get` may be left out.
fn completed() -> Command {
    GetArgs::augment_args(Cli::command()).args_conflicts_with_subcommands(true).subcommand_negates_reqs(true)
}

/// What the script of a shell is called in the places where shells look.
pub fn file_name(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => "rtorrent-cli.bash",
        Shell::Zsh => "_rtorrent-cli",
        Shell::Fish => "rtorrent-cli.fish",
        Shell::Powershell => "_rtorrent-cli.ps1",
        Shell::Elvish => "rtorrent-cli.elv",
        Shell::Nushell => "rtorrent-cli.nu",
    }
}
