//! All sources of a `get`: those of the command line, of an input file, and of the state folder.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::args::GetArgs;
use super::display::Display;
use super::error::{Problem, file_problem};
use super::exit::Exit;
use super::input_file::{self, Entry};
use super::item_args::ItemArgs;
use super::kept::{self, KeptState};
use super::settings;
use super::source::{self, Given};
use super::unresolved::{self, Unresolved};
use crate::base::magnet::Magnet;
use crate::base::metainfo::{self, Metainfo};
use crate::engine::ItemKey;
use crate::io::resume::ResumeRecord;

/// A source on its way to an item.
pub struct Source {
    pub key: ItemKey,
    /// As it was typed, fit to print.
    pub text: String,
    /// With its flags, for a session: good in any folder.
    pub entry: Entry,
    pub given: Result<Given, Problem>,
    pub args: Result<Rc<GetArgs>, Problem>,
    pub kept: Option<Kept>,
}

/// What an earlier run knew of an item.
#[derive(Clone, Debug)]
pub struct Kept {
    pub dir: PathBuf,
    pub name: Option<String>,
    pub selected: Vec<bool>,
}

/// An input file is not read beyond this.
const LONGEST_FILE: u64 = 64 << 20;

/// Reads them all, in the order: state folder, command line, input file. What comes over standard input (`-i -`) is not
/// among them: it is read during the run.
///
/// # Errors
/// If the input file or the state folder can't be read. What is wrong with one source is that source's affair.
pub fn read(args: &GetArgs, item_args: &ItemArgs, display: &Display) -> Result<Vec<Source>, Problem> {
    let shared = item_args.options();
    // The flags of the command line have been looked at already: every item without its own has them.
    let plain = item_args.with(&[]).map(Rc::new)?;
    let mut sources = Vec::new();
    let mut keys = (1..).map(ItemKey);
    if args.batch.resume {
        let state_dir = settings::state_dir(args.state.state_dir.as_deref())
            .ok_or_else(|| Problem::new(Exit::Usage, "--resume: there is no state folder (--state-dir none)"))?;
        for kept in kept::all(&state_dir)?.into_iter().filter(|kept| kept.state == KeptState::Unfinished) {
            sources.push(of_record(keys.next().expect("keys enough"), &kept.record, &shared, plain.clone()));
        }
        for link in unresolved::all(&state_dir) {
            sources.push(of_unresolved(keys.next().expect("keys enough"), link, item_args, display));
        }
    }
    for typed in &args.sources {
        let entry = Entry { source: typed.to_string_lossy().into_owned(), options: shared.clone(), line: 0 };
        sources.push(of_text(keys.next().expect("keys enough"), typed, entry, Ok(plain.clone()), Some(display)));
    }
    if let Some(path) = args.batch.input_file.as_deref().filter(|path| *path != "-") {
        for entry in entries(path)? {
            sources.push(of_entry(keys.next().expect("keys enough"), entry, item_args, Some(display)));
        }
    }
    Ok(sources)
}

/// The source of an entry of an input file.
pub fn of_entry(key: ItemKey, entry: Entry, item_args: &ItemArgs, display: Option<&Display>) -> Source {
    let shared = item_args.options();
    let (typed, own) = (OsString::from(&entry.source), item_args.with(&entry.options).map(Rc::new));
    let own = own.map_err(|problem| Problem {
        message: format!("{} (line {}): {}", source::shown(&entry.source), entry.line, problem.message),
        ..problem
    });
    let own = match (&typed, own) {
        (typed, Ok(_)) if typed == "-" => Err(Problem::new(
            Exit::Usage,
            format!("line {}: - stands for standard input on the command line alone", entry.line),
        )),
        (_, own) => own,
    };
    let options = shared.iter().filter(|(key, _)| !entry.options.iter().any(|(own, _)| own == key));
    let options = options.chain(&entry.options).cloned().collect();
    let entry = Entry { options, ..entry };
    of_text(key, &typed, entry, own, display)
}

/// A link whose metadata an earlier run looked for, with the flags that it had then; what this run's command line says
/// counts before them, but for where it goes and what is selected. How long to wait is this run's affair alone.
fn of_unresolved(key: ItemKey, link: Unresolved, item_args: &ItemArgs, display: &Display) -> Source {
    const ITS_OWN: [&str; 4] = ["dir", "output", "select", "exclude"];
    let given = item_args.options();
    let mut entry = link.entry;
    entry.options.retain(|(key, _)| {
        let said = given.iter().any(|(given, _)| given == key);
        ITS_OWN.contains(&key.as_str()) || (!said && !key.ends_with("-timeout"))
    });
    of_entry(key, entry, item_args, Some(display))
}

fn entries(path: &Path) -> Result<Vec<Entry>, Problem> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LONGEST_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|error| file_problem("read", path, error))?;
    let wrong = |why: String| Problem::new(Exit::Usage, format!("{}{why}", path.display()));
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(wrong(" is too long for a list of sources".into()));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| wrong(" is no list of sources: it is not UTF-8".into()).hint("a .torrent stands without -i"))?;
    input_file::parse(&text).map_err(|(line, why)| wrong(format!(", line {line}: {why}")))
}

fn of_text(
    key: ItemKey,
    typed: &OsStr,
    mut entry: Entry,
    args: Result<Rc<GetArgs>, Problem>,
    display: Option<&Display>,
) -> Source {
    let text = source::shown(&typed.to_string_lossy());
    // Its flags are wrong: there is no use in reading it.
    let given = match &args {
        Ok(_) => Given::read(typed),
        Err(_) => Ok(Given::Url(String::new())),
    };
    if let (Ok(_), Ok(_), Some(note), Some(display)) = (&given, &args, source::cut_by_the_shell(typed), display) {
        display.note(&format!("note: {note}"));
    }
    match &given {
        Ok(Given::Torrent(metainfo, _)) if typed == "-" => entry.source = Magnet::of(metainfo).to_string(),
        Ok(Given::Magnet(magnet)) if typed == "-" => entry.source = magnet.to_string(),
        Ok(Given::Torrent(..)) | Err(_) if typed != "-" && Path::new(typed).exists() => {
            entry.source = absolute(Path::new(typed)).to_string_lossy().into_owned();
        }
        _ => {}
    }
    match entry.options.iter_mut().find(|(key, _)| key == "dir") {
        Some((_, dir)) => *dir = absolute(Path::new(dir)).to_string_lossy().into_owned(),
        None => entry.options.insert(0, ("dir".into(), absolute(Path::new(".")).to_string_lossy().into_owned())),
    }
    Source { key, text, entry, given, args, kept: None }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn of_record(key: ItemKey, record: &ResumeRecord, shared: &[(String, String)], args: Rc<GetArgs>) -> Source {
    let bytes = metainfo::wrap(&record.info, &record.layers, &record.trackers, &record.web_seeds);
    let id = record.id.to_string();
    let given = match Metainfo::parse(&bytes) {
        Ok(metainfo) => Ok(Given::Torrent(Arc::new(metainfo), bytes)),
        Err(error) => Err(Problem::new(Exit::Refused, format!("{id}: {error}")).because(error)),
    };
    let mut options = vec![("dir".to_owned(), record.dir.to_string_lossy().into_owned())];
    options.extend(record.name.clone().map(|name| ("output".to_owned(), name)));
    options.extend(shared.iter().filter(|(key, _)| key != "dir" && key != "output").cloned());
    let kept = Kept { dir: record.dir.clone(), name: record.name.clone(), selected: record.selected.clone() };
    Source {
        key,
        text: id.clone(),
        entry: Entry { source: id, options, line: 0 },
        given,
        args: Ok(args),
        kept: Some(kept),
    }
}
