//! `ls` and `rm`: the downloads that the state folder knows.

use std::path::Path;

use super::args::{LsArgs, RmArgs};
use super::display::print_result;
use super::error::{Problem, file_problem};
use super::exit::Exit;
use super::json;
use super::settings;
use super::size_time::{size, size_of};
use super::status::percent;
use super::text::escape;
use super::unresolved::{self, Unresolved};
use crate::base::bitfield::Bitfield;
use crate::base::id::TorrentId;
use crate::base::metainfo::Info;
use crate::io::lock::TargetLock;
use crate::io::resume::ResumeRecord;

/// A torrent that an earlier run knew.
#[derive(Clone, Debug)]
pub struct Kept {
    pub record: ResumeRecord,
    pub name: String,
    pub state: KeptState,
    /// Verified bytes, and all bytes, of the pieces of selected files.
    pub done: u64,
    pub wanted: u64,
    single_file: bool,
}

/// What has become of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeptState {
    Unfinished,
    Complete,
    /// Nothing of it is on disk any more.
    Gone,
}

impl KeptState {
    pub fn word(self) -> &'static str {
        match self {
            KeptState::Unfinished => "unfinished",
            KeptState::Complete => "complete",
            KeptState::Gone => "gone",
        }
    }
}

/// All of them, those that were added last at the end. Records that are damaged are left out.
///
/// # Errors
/// If the folder can't be read; one that is not there is empty.
pub fn all(state_dir: &Path) -> Result<Vec<Kept>, Problem> {
    let records = ResumeRecord::load_all(state_dir).map_err(|error| file_problem("read", state_dir, error))?;
    let mut all: Vec<Kept> = records.into_iter().filter_map(of_record).collect();
    all.sort_by(|a, b| (a.record.added, &a.name).cmp(&(b.record.added, &b.name)));
    Ok(all)
}

fn of_record(record: ResumeRecord) -> Option<Kept> {
    let info = Info::parse(&record.info).ok()?;
    let layout = &info.layout;
    let mut wanted = Bitfield::new(layout.pieces());
    for index in (0..info.files.len()).filter(|index| record.selected.get(*index).copied().unwrap_or(true)) {
        layout.pieces_of(index).for_each(|piece| {
            wanted.set(piece);
        });
    }
    let bytes = |there: &dyn Fn(u32) -> bool| -> u64 {
        wanted.ones().filter(|piece| there(*piece)).map(|piece| u64::from(layout.piece_len(piece))).sum()
    };
    let (done, all) = (bytes(&|piece| record.verified.get(piece)), bytes(&|_| true));
    let mut part = record.target.clone().into_os_string();
    part.push(".part");
    let on_disk = record.target.exists() || Path::new(&part).exists();
    let state = match (done == all && record.completed.is_some(), on_disk) {
        // Of what was stopped before its first byte there is nothing on disk either.
        (_, false) if done > 0 => KeptState::Gone,
        (true, true) => KeptState::Complete,
        _ => KeptState::Unfinished,
    };
    Some(Kept { name: info.name.clone(), state, done, wanted: all, single_file: info.single_file, record })
}

fn state_folder(args: &super::args::StateArgs) -> Result<std::path::PathBuf, Problem> {
    settings::state_dir(args.state_dir.as_deref())
        .ok_or_else(|| Problem::new(Exit::Usage, "there is no state folder (--state-dir none)"))
}

/// `ls`.
pub fn list(args: &LsArgs) -> Exit {
    told(list_all(args))
}

fn list_all(args: &LsArgs) -> Result<Exit, Problem> {
    let state_dir = state_folder(&args.state)?;
    let all = all(&state_dir)?;
    let shown = all.iter().filter(|kept| !args.unfinished || kept.state == KeptState::Unfinished);
    for kept in shown {
        let line = if args.json { json::kept(kept).to_string() } else { line(kept) };
        print_result(&line)?;
    }
    for link in unresolved::all(&state_dir) {
        let line = if args.json { json::unresolved(&link).to_string() } else { link_line(&link) };
        print_result(&line)?;
    }
    Ok(Exit::Success)
}

/// `0123456789  unfinished   26%  1.2/4.5 GiB    /home/me/debian.iso`
fn line(kept: &Kept) -> String {
    let id = kept.record.id.to_string();
    let amount = if kept.done == kept.wanted { size(kept.wanted) } else { size_of(kept.done, kept.wanted) };
    format!(
        "{}  {:10}  {:>3}%  {amount:>15}  {}",
        &id[..10],
        kept.state.word(),
        if kept.wanted == 0 { 100 } else { percent(kept.done, kept.wanted) },
        escape(&kept.record.target.to_string_lossy()),
    )
}

/// `0123456789  unfinished    --      no metadata  a name -> /home/me`
fn link_line(link: &Unresolved) -> String {
    let id = link.id.to_string();
    let (name, dir) = (escape(&link.name), escape(link.dir()));
    format!("{}  {:10}  {:>4}  {:>15}  {name} -> {dir}", &id[..10], KeptState::Unfinished.word(), "--", "no metadata")
}

/// `rm`.
pub fn remove(args: &RmArgs) -> Exit {
    told(remove_all(args))
}

fn remove_all(args: &RmArgs) -> Result<Exit, Problem> {
    let state_dir = state_folder(&args.state)?;
    let all = all(&state_dir)?;
    let links = unresolved::all(&state_dir);
    let (mut chosen, mut chosen_links): (Vec<&Kept>, Vec<&Unresolved>) = Default::default();
    for word in &args.which {
        match find(&all, &links, word)? {
            Found::Kept(kept) => chosen.push(kept),
            Found::Link(link) => chosen_links.push(link),
        }
    }
    let over = |kept: &&Kept| {
        (args.complete && kept.state == KeptState::Complete) || (args.gone && kept.state == KeptState::Gone)
    };
    chosen.extend(all.iter().filter(over));
    chosen.dedup_by_key(|kept| kept.record.id);
    for kept in chosen {
        forget(&state_dir, kept)?;
        print_result(&format!("forgot {}  {}", kept.record.id, escape(&kept.name)))?;
    }
    chosen_links.dedup_by_key(|link| link.id);
    for link in chosen_links {
        unresolved::forget(&state_dir, &link.id);
        print_result(&format!("forgot {}  {}", link.id, escape(&link.name)))?;
    }
    Ok(Exit::Success)
}

/// What `rm` can forget.
#[derive(Clone, Copy)]
enum Found<'a> {
    Kept(&'a Kept),
    Link(&'a Unresolved),
}

impl Found<'_> {
    fn id(&self) -> TorrentId {
        match self {
            Found::Kept(kept) => kept.record.id,
            Found::Link(link) => link.id,
        }
    }

    fn name(&self) -> &str {
        match self {
            Found::Kept(kept) => &kept.name,
            Found::Link(link) => &link.name,
        }
    }
}

/// The one that `word` means: an info hash, the beginning of one, or a name.
fn find<'a>(all: &'a [Kept], links: &'a [Unresolved], word: &str) -> Result<Found<'a>, Problem> {
    const SHORTEST: usize = 4;
    let lower = word.to_ascii_lowercase();
    let begins = |found: &Found<'_>| {
        let id = found.id();
        let mut hashes = id.v1().map(|hash| hash.to_string()).into_iter();
        let second = id.v2().map(|hash| hash.to_string());
        lower.len() >= SHORTEST && hashes.by_ref().chain(second).any(|hash| hash.starts_with(&lower))
    };
    let every = || all.iter().map(Found::Kept).chain(links.iter().map(Found::Link));
    let named: Vec<Found<'_>> = every().filter(|found| found.name() == word).collect();
    let found = if named.is_empty() { every().filter(begins).collect() } else { named };
    match found[..] {
        [one] => Ok(one),
        [] => Err(Problem::new(Exit::NotFound, format!("{}: no such download is known", escape(word)))
            .hint("`rtorrent-cli ls` shows those that are")),
        _ => Err(Problem::new(Exit::Usage, format!("{}: {} downloads begin like that", escape(word), found.len()))
            .hint("write more of the info hash")),
    }
}

fn forget(state_dir: &Path, kept: &Kept) -> Result<(), Problem> {
    let record = &kept.record;
    let top = record.target.file_name().map(Path::new).unwrap_or(Path::new(""));
    // While another process has it, it would only be written again.
    let _lock = TargetLock::acquire(Some(state_dir), &record.dir, top, &record.id, kept.single_file)
        .map_err(|error| Problem::new(Exit::InUse, format!("{}: {error}", escape(&kept.name))).because(error))?;
    ResumeRecord::remove(state_dir, &record.id)
        .map_err(|error| Problem::new(Exit::FileIo, error.to_string()).because(error))
}

fn told(result: Result<Exit, Problem>) -> Exit {
    result.unwrap_or_else(|problem| super::told(&problem))
}
