//! `completions SHELL`, and what a shell asks when a person presses Tab.
//!
//! The scripts of bash, zsh, fish, elvish and PowerShell ask the program itself, with `COMPLETE=SHELL` in its
//! environment, so that they know what only it can: the files of the torrent on the line, the downloads of the state
//! folder, the profiles. nushell's is static.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{Args as _, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _};
use clap_complete::env::{Bash, CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use super::args::{self, GetArgs, Shell};
use super::config;
use super::json::slashed;
use super::settings;
use super::size_time::size;
use super::text::escape;
use crate::base::bencode::Limits;
use crate::base::metainfo::Metainfo;

/// The variable with which a script asks.
const VARIABLE: &str = "COMPLETE";
const PROGRAM: &str = "rtorrent-cli";

/// Answers a shell that asks, and ends the process then.
pub fn answer() {
    CompleteEnv::with_factory(completed).var(VARIABLE).bin(PROGRAM).completer(PROGRAM).complete();
}

/// The script for `shell`.
pub fn script(shell: Shell) -> Vec<u8> {
    // Generators panic on a write error; a script in memory has none.
    let mut script = Vec::new();
    let asking: Option<&dyn EnvCompleter> = match shell {
        Shell::Bash => Some(&Bash),
        Shell::Zsh => Some(&Zsh),
        Shell::Fish => Some(&Fish),
        Shell::Powershell => Some(&Powershell),
        Shell::Elvish => Some(&Elvish),
        Shell::Nushell => None,
    };
    match asking {
        Some(asking) => {
            asking.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script).expect("writing to memory")
        }
        None => clap_complete::generate(clap_complete_nushell::Nushell, &mut completed(), PROGRAM, &mut script),
    }
    script
}

/// The commands, and the flags of `get` beside them, since `get` may be left out.
fn completed() -> Command {
    let command = GetArgs::augment_args(args::command()).args_conflicts_with_subcommands(true);
    let own = |id: &str| -> Option<ArgValueCompleter> {
        Some(match id {
            "select" | "exclude" => ArgValueCompleter::new(files_of_the_line),
            "file" => ArgValueCompleter::new(files_of_the_line),
            "which" => ArgValueCompleter::new(known_downloads),
            "what" => ArgValueCompleter::new(pages_and_folders),
            "profile" => ArgValueCompleter::new(profiles),
            "interface" => ArgValueCompleter::new(interfaces),
            _ => return None,
        })
    };
    let add = move |arg: clap::Arg| match own(arg.get_id().as_str()) {
        Some(completer) => arg.add(completer),
        None => arg,
    };
    command.subcommand_negates_reqs(true).mut_args(add).mut_subcommands(move |sub| sub.mut_args(add))
}

/// The words of the line that is being completed: what stands behind the `--` of the question.
fn line() -> Vec<OsString> {
    std::env::args_os().skip_while(|word| word != "--").skip(1).collect()
}

fn candidates(all: impl Iterator<Item = (String, String)>, begun: &OsStr) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    all.filter(|(value, _)| value.starts_with(&*begun))
        .map(|(value, help)| CompletionCandidate::new(value).help(Some(help.into())))
        .collect()
}

/// Most files that are offered.
const MOST: usize = 200;

/// Paths and numbers of the files of the first torrent on the line.
fn files_of_the_line(begun: &OsStr) -> Vec<CompletionCandidate> {
    let torrent = line().into_iter().skip(1).find_map(|word| read(Path::new(&word)));
    let Some(torrent) = torrent else { return Vec::new() };
    let numbers = begun.to_string_lossy().starts_with(|c: char| c.is_ascii_digit());
    let files = torrent.info.stored_files().enumerate().map(|(n, (_, file))| {
        let (path, size) = (escape(&slashed(file.path.as_path())).into_owned(), size(file.length));
        if numbers { ((n + 1).to_string(), format!("{path}, {size}")) } else { (path, size) }
    });
    let mut files = candidates(files, begun);
    files.truncate(MOST);
    files
}

/// What `man` shows, or the folders that it could write to.
fn pages_and_folders(begun: &OsStr) -> Vec<CompletionCandidate> {
    let commands = args::command();
    let told =
        |sub: &Command| (sub.get_name().to_owned(), sub.get_about().map(ToString::to_string).unwrap_or_default());
    let mut all = candidates(commands.get_subcommands().map(told), begun);
    all.extend(PathCompleter::dir().complete(begun));
    all
}

fn read(path: &Path) -> Option<Metainfo> {
    let small =
        std::fs::metadata(path).ok().filter(|meta| meta.is_file() && meta.len() <= Limits::TORRENT.bytes as u64);
    small.and_then(|_| Metainfo::parse(&std::fs::read(path).ok()?).ok())
}

/// Info hashes of the state folder.
fn known_downloads(begun: &OsStr) -> Vec<CompletionCandidate> {
    let named = std::env::var_os("RTORRENT_CLI_STATE_DIR");
    let folder = settings::state_dir(named.as_deref().map(Path::new));
    let Some(folder) = folder else { return Vec::new() };
    let kept = super::kept::all(&folder).unwrap_or_default().into_iter();
    let kept = kept.map(|kept| (kept.record.id, kept.name, kept.state.word()));
    let links = super::unresolved::all(&folder).into_iter().map(|link| (link.id, link.name, "no metadata yet"));
    let told = kept.chain(links).map(|(id, name, state)| (id.to_string(), format!("{}, {state}", escape(&name))));
    candidates(told, begun)
}

fn profiles(begun: &OsStr) -> Vec<CompletionCandidate> {
    let names = config::profiles(&config::Where::of(&line()));
    candidates(names.into_iter().map(|name| (name, "profile".to_owned())), begun)
}

/// Names of network interfaces, where the system tells them in a plain way.
fn interfaces(begun: &OsStr) -> Vec<CompletionCandidate> {
    let names = std::fs::read_dir("/sys/class/net").into_iter().flatten().filter_map(Result::ok);
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    candidates(names.map(|name| (name, "interface".to_owned())), begun)
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
