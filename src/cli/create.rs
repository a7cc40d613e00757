//! `create PATH`: makes a .torrent.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::args::CreateArgs;
use super::display::{Display, write_result};
use super::error::{Problem, file_problem};
use super::exit::Exit;
use super::json::{self, Created};
use super::size_time::{elapsed, size};
use super::text::{count, escape};
use super::watched::watched;
use super::{facts, settings};
use crate::base::bencode::Limits;
use crate::base::magnet::Magnet;
use crate::base::merkle::Node;
use crate::base::metainfo::make::{Content, Draft, MOST_PIECE, Version, piece_length_for, tree_order};
use crate::base::metainfo::{Info, Metainfo, MetainfoError};
use crate::base::safe_path::SafePath;
use crate::engine::Stage;
use crate::io::file_set::FileError;
use crate::io::gather::{GatherError, Gathered, LeftOut, Wanted, gather};
use crate::io::hash_pieces::Recipe;
use crate::io::new_file::write_new;
use crate::io::source_files::{SourceFile, SourceFiles};

/// Does the command.
pub fn run(args: &CreateArgs) -> Exit {
    let mut display = Display::new(&args.output);
    let finished = settings::start_logging(&args.output, &display).and_then(|()| make(args, &mut display));
    display.clear();
    finished.unwrap_or_else(|problem| {
        let _ = display.json_problem(None, None, &problem);
        display.problem(&problem);
        problem.exit
    })
}

fn make(args: &CreateArgs, display: &mut Display) -> Result<Exit, Problem> {
    let name = name_of(args)?;
    let target = Target::of(args, &name)?;
    let date = if args.fields.no_date { None } else { Some(date()?) };
    let Gathered { single, files, left_out } = found(args, &target)?;
    let (content, sources) = laid_out(single, files, version(args));
    let mut draft = draft(args, name, content, date)?;
    // What will not be read back is not hashed first.
    let pieces = pieces(&draft)?;
    draft.hashes = vec![[0; 20]; if draft.version.has_v1() { pieces } else { 0 }];
    draft.roots = (0..if draft.version.has_v2() { pieces } else { 0 }).map(no_root).collect();
    let planned = read_back(&draft)?;
    tell_of_left_out(left_out, display);
    warn(&draft, &planned.info, display);
    if args.target.dry_run {
        show_plan(&planned.info, &target, display)?;
        return Ok(Exit::Success);
    }
    let started = Instant::now();
    let sources = SourceFiles::new(sources, draft.layout());
    let trees = draft.version.has_v2().then(|| draft.v2_layout());
    let recipe = Recipe { sha1: draft.version.has_v1(), merkle: trees.as_ref() };
    let hashed = watched(&draft.name, Stage::Hashing, display, |watch| sources.hash(recipe, watch));
    let digests = hashed.map_err(hash_problem)?;
    if draft.version.has_v1() {
        draft.hashes = digests.iter().map(|digests| digests.sha1).collect();
    }
    if draft.version.has_v2() {
        draft.roots = digests.iter().map(|digests| digests.merkle).collect();
    }
    let took = started.elapsed();
    let torrent = read_back(&draft)?;
    target.write(&draft.encode(), args.target.force)?;
    display.clear();
    report(&torrent, &target, took, display)?;
    Ok(Exit::Success)
}

/// The name of the single file or top folder in the torrent.
fn name_of(args: &CreateArgs) -> Result<String, Problem> {
    if let Some(name) = &args.content.name {
        return match SafePath::new(name) {
            Some(path) if path.components().count() == 1 => Ok(name.clone()),
            _ => Err(Problem::new(Exit::Usage, format!("--name {}: not a plain name", escape(name)))),
        };
    }
    let path = &args.path;
    // `.` and `..` have names of their own only once they are resolved.
    let whole = match path.file_name() {
        Some(_) => path.clone(),
        None => path.canonicalize().map_err(|error| file_problem("read", path, error))?,
    };
    let Some(name) = whole.file_name() else {
        return Err(Problem::new(Exit::Usage, format!("{} has no name", path.display())).hint("give one with --name"));
    };
    let not_utf8 = || {
        Problem::new(
            Exit::Refused,
            format!("{} has a name that is not UTF-8, and names in torrents are", path.display()),
        )
        .hint("give another with --name")
    };
    name.to_str().map(str::to_owned).ok_or_else(not_utf8)
}

/// Where the torrent goes.
enum Target {
    StandardOutput,
    File(PathBuf),
}

impl Target {
    /// Looks whether it can be written, before anything is hashed.
    fn of(args: &CreateArgs, name: &str) -> Result<Target, Problem> {
        let file_name = format!("{name}.torrent");
        let path = match &args.target.output {
            Some(path) if path.as_os_str() == "-" => {
                return match () {
                    () if args.target.dry_run => Ok(Target::StandardOutput),
                    () if args.output.json => Err(Problem::new(
                        Exit::Usage,
                        "-o - and --json both want standard output; leave one of them out",
                    )),
                    () if std::io::stdout().is_terminal() => {
                        Err(Problem::new(Exit::Usage, "-o -: a torrent is not for a terminal")
                            .hint("lead it into a file or a program"))
                    }
                    () => Ok(Target::StandardOutput),
                };
            }
            Some(path) if path.is_dir() => path.join(file_name),
            Some(path) => path.clone(),
            None => PathBuf::from(file_name),
        };
        if !args.target.dry_run {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            std::fs::metadata(folder).map_err(|error| file_problem("write to", folder, error))?;
            match std::fs::metadata(&path) {
                Ok(meta) if !meta.is_file() => return Err(occupied(&path, "is there and is no plain file")),
                Ok(_) if !args.target.force => {
                    return Err(occupied(&path, "is there already").hint("--force replaces it"));
                }
                _ => {}
            }
        }
        Ok(Target::File(path))
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Target::StandardOutput => None,
            Target::File(path) => Some(path),
        }
    }

    fn shown(&self) -> String {
        self.path().map_or_else(|| "standard output".into(), |path| escape(&path.to_string_lossy()).into_owned())
    }

    fn write(&self, bytes: &[u8], replace: bool) -> Result<(), Problem> {
        match self {
            Target::StandardOutput => Ok(write_result(bytes)?),
            Target::File(path) => write_new(path, bytes, replace).map_err(|error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => occupied(path, "is there already").hint("--force replaces it"),
                _ => file_problem("write", path, error),
            }),
        }
    }
}

fn occupied(path: &Path, why: &str) -> Problem {
    Problem::new(Exit::Occupied, format!("{} {why}", path.display()))
}

/// Seconds since 1970: of `SOURCE_DATE_EPOCH` for reproducible files, else now.
fn date() -> Result<i64, Problem> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) if !text.is_empty() => {
            let seconds = text.trim().parse().ok().filter(|seconds| *seconds >= 0);
            let wrong = || Problem::new(Exit::Usage, format!("SOURCE_DATE_EPOCH: {text:?} is no number of seconds"));
            seconds.ok_or_else(wrong)
        }
        _ => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            Ok(i64::try_from(now.as_secs()).unwrap_or_default())
        }
    }
}

fn found(args: &CreateArgs, target: &Target) -> Result<Gathered, Problem> {
    let wanted = Wanted {
        globs: args.content.globs.clone(),
        hidden: args.content.hidden,
        ignore_files: args.content.ignore_files,
        follow: args.content.follow,
        except: target.path().map(Path::to_owned),
    };
    let found = gather(&args.path, &wanted).map_err(gather_problem)?;
    let nothing = |why: &str| Err(Problem::new(Exit::NotFound, format!("{}: {why}", args.path.display())));
    if found.files.is_empty() {
        return nothing("there is no file to share");
    }
    if found.files.iter().all(|(_, file)| file.stamp.size == 0) {
        return nothing("every file is empty: there is nothing to share");
    }
    Ok(found)
}

fn version(args: &CreateArgs) -> Version {
    match () {
        () if args.content.v2 => Version::V2,
        () if args.content.hybrid => Version::Hybrid,
        () => Version::V1,
    }
}

/// Stands for the root of a piece until it is hashed; each another one, since equal roots are of equal pieces.
fn no_root(piece: usize) -> Node {
    let mut root = [0; 32];
    root[..8].copy_from_slice(&(piece as u64).to_be_bytes());
    root
}

fn laid_out(single: bool, mut files: Vec<(String, SourceFile)>, version: Version) -> (Content, Vec<SourceFile>) {
    if version.has_v2() {
        files.sort_by(|(one, _), (other, _)| tree_order(one, other));
    }
    let content = match &files[..] {
        [(_, file)] if single => Content::File(file.stamp.size),
        several => Content::Folder(several.iter().map(|(path, file)| (path.clone(), file.stamp.size)).collect()),
    };
    (content, files.into_iter().map(|(_, file)| file).collect())
}

fn draft(args: &CreateArgs, name: String, content: Content, creation_date: Option<i64>) -> Result<Draft, Problem> {
    let total = content.total().filter(|total| *total <= i64::MAX as u64);
    let total = total.ok_or_else(|| Problem::new(Exit::Refused, "the sizes of the files overflow"))?;
    let (version, piece_length) = (version(args), args.content.piece_length.unwrap_or_else(|| piece_length_for(total)));
    Ok(Draft {
        name,
        content,
        version,
        piece_length,
        hashes: Vec::new(),
        roots: Vec::new(),
        private: args.fields.private,
        source: args.fields.source.clone(),
        trackers: args.fields.trackers.clone(),
        web_seeds: args.fields.web_seeds.clone(),
        comment: args.fields.comment.clone(),
        created_by: Some(concat!("rtorrent-cli ", env!("CARGO_PKG_VERSION")).into()),
        creation_date,
    })
}

/// How many pieces there will be, if a torrent can list so many.
fn pieces(draft: &Draft) -> Result<usize, Problem> {
    let each = if draft.version.has_v1() { 20 } else { 0 } + if draft.version.has_v2() { 32 } else { 0 };
    let most = Limits::TORRENT.bytes as u64 / each;
    match draft.pieces() {
        pieces if pieces <= most => Ok(pieces as usize),
        pieces => Err(Problem::new(Exit::Refused, format!("{pieces} pieces are more than the {most} that are read"))
            .hint("make them longer with --piece-length")),
    }
}

/// What our own reader makes of it.
fn read_back(draft: &Draft) -> Result<Metainfo, Problem> {
    Metainfo::parse(&draft.encode()).map_err(|error| {
        let (MetainfoError::NotATorrent(why) | MetainfoError::Refused(why)) = &error;
        Problem::new(Exit::Refused, format!("nobody would take this torrent: {why}")).because(error)
    })
}

fn tell_of_left_out(left_out: LeftOut, display: &Display) {
    let LeftOut { hidden, links, special } = left_out;
    let parts = [
        (hidden, "hidden file or folder", "hidden files or folders", " (--hidden takes them)"),
        (links, "link", "links", " (--follow takes what they lead to)"),
        (special, "socket, pipe or device", "sockets, pipes or devices", ""),
    ];
    let parts = parts.iter().filter(|(n, ..)| *n > 0);
    let told: Vec<String> =
        parts.map(|(n, one, several, how)| format!("{n} {}{how}", if *n == 1 { one } else { several })).collect();
    if !told.is_empty() {
        display.note(&format!("left out: {}", told.join(", ")));
    }
}

fn warn(draft: &Draft, info: &Info, display: &Display) {
    if draft.private && draft.trackers.is_empty() {
        display.warning("a private torrent without a --tracker finds nobody");
    }
    if draft.piece_length > MOST_PIECE {
        display.warning(&format!("many programs refuse pieces above {}", size(MOST_PIECE.into())));
    }
    let mended = mended(draft, info);
    if let Some((ours, theirs)) = mended.first() {
        display.warning(&format!(
            "{} will be called otherwise where it is downloaded, as {:?} will be {:?}",
            count(mended.len() as u64, "file"),
            escape(ours),
            escape(theirs)
        ));
    }
}

/// The files whose paths do no good elsewhere: (path here, path there).
fn mended(draft: &Draft, info: &Info) -> Vec<(String, String)> {
    let here: Vec<String> = match &draft.content {
        Content::File(_) => vec![draft.name.clone()],
        Content::Folder(files) => files.iter().map(|(path, _)| format!("{}/{path}", draft.name)).collect(),
    };
    let there = info.stored_files().map(|(_, file)| file.path.to_slashes().into_owned());
    here.into_iter().zip(there).filter(|(here, there)| here != there).collect()
}

fn show_plan(info: &Info, target: &Target, display: &Display) -> Result<(), Problem> {
    display.json_line(&json::created(&Created { info, path: target.path(), magnet: None }))?;
    let files = count(info.stored_files().count() as u64, "file");
    display.result_line(&format!("{}: {} in {files}", escape(&info.name), size(info.stored_size())))?;
    for line in facts::tree(info, None) {
        display.result_line(&line)?;
    }
    display.result_line(&format!("  pieces    {}", pieces_text(info)))?;
    display.result_line(&format!("  to        {}", target.shown()))?;
    Ok(())
}

fn report(torrent: &Metainfo, target: &Target, took: Duration, display: &Display) -> Result<(), Problem> {
    let (info, magnet) = (&torrent.info, Magnet::of(torrent).to_string());
    display.json_line(&json::created(&Created { info, path: target.path(), magnet: Some(&magnet) }))?;
    let files = count(info.stored_files().count() as u64, "file");
    let rate = (info.stored_size() as f64 / took.as_secs_f64().max(0.001)) as u64;
    let line = format!(
        "{}, {} in {files}, {}, hashed in {}, {}/s",
        target.shown(),
        size(info.stored_size()),
        pieces_text(info),
        elapsed(took),
        size(rate)
    );
    display.good("created", &line);
    match target {
        Target::StandardOutput => display.note(&magnet),
        Target::File(_) => display.result_line(&magnet)?,
    }
    Ok(())
}

/// `7 pieces of 16 KiB`
fn pieces_text(info: &Info) -> String {
    let each = size(info.layout.piece_length().into()).replace(".0 ", " ");
    format!("{} of {each}", count(info.layout.pieces().into(), "piece"))
}

fn gather_problem(error: GatherError) -> Problem {
    match error {
        GatherError::Io { path, source } => file_problem("read", &path, source),
        GatherError::BadGlob { .. } => Problem::new(Exit::Usage, error.to_string()),
        GatherError::NotUtf8 { .. } => Problem::new(Exit::Refused, error.to_string()).hint("rename it or leave it out"),
        GatherError::Walk(_) | GatherError::Special { .. } => Problem::new(Exit::FileIo, error.to_string()),
    }
}

fn hash_problem(error: FileError) -> Problem {
    let problem = Problem::new(Exit::FileIo, error.to_string());
    match &error {
        FileError::Changed { .. } | FileError::Vanished { .. } => {
            problem.hint("try again when nobody writes there").because(error)
        }
        _ => problem.because(error),
    }
}
