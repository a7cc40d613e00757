//! SRC: what a person names as the thing to work on, made a torrent or a magnet link.
//!
//! What can be known to be wrong without asking anybody is known after [`Given::read`]; only URLs are left to fetch.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::args::{is_command, nearest_command};
use super::error::{Problem, file_problem};
use super::exit::Exit;
use super::text::{clip, escape};
use crate::base::bencode::Limits;
use crate::base::id::TorrentId;
use crate::base::magnet::Magnet;
use crate::base::metainfo::{Metainfo, MetainfoError};
use crate::engine::ItemSource;
use crate::io::resume::ResumeRecord;

/// A source that has been looked at.
#[derive(Debug)]
pub enum Given {
    /// A .torrent, with its bytes as they came.
    Torrent(Arc<Metainfo>, Vec<u8>),
    Magnet(Magnet),
    /// An http or https URL, still to be fetched.
    Url(String),
}

impl Given {
    /// Reads what `source` names.
    ///
    /// # Errors
    /// One line that says what is wrong with it.
    pub fn read(source: &OsStr) -> Result<Given, Problem> {
        let Some(text) = source.to_str() else {
            return read_file(Path::new(source), &source.to_string_lossy());
        };
        // What was copied from a page has blanks round it.
        let text = if Path::new(text).exists() { text } else { text.trim() };
        let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            _ if text == "-" => read_standard_input(),
            Some("magnet") => read_magnet(text),
            Some("http" | "https") => Ok(Given::Url(text.to_owned())),
            Some(other) if text[other.len()..].starts_with("://") => {
                Err(Problem::new(Exit::NotFound, format!("{}: {other} URLs are not supported", shown(text)))
                    .hint("http, https and magnet are"))
            }
            _ if Path::new(text).exists() => read_file(Path::new(text), text),
            _ => read_hash(text),
        }
    }

    /// A .torrent from `bytes` that came from `origin`.
    ///
    /// # Errors
    /// If they are no torrent, or one that is refused.
    pub fn torrent(bytes: Vec<u8>, origin: &str) -> Result<Given, Problem> {
        match Metainfo::parse(&bytes) {
            Ok(metainfo) => Ok(Given::Torrent(Arc::new(metainfo), bytes)),
            Err(error) => Err(metainfo_problem(error, &bytes, origin)),
        }
    }

    /// A magnet link from anywhere but the command line.
    ///
    /// # Errors
    /// If it is malformed.
    pub fn magnet(link: &str) -> Result<Given, Problem> {
        let magnet = Magnet::parse(link)
            .map_err(|error| Problem::new(Exit::BadMagnet, format!("{}: {error}", shown(link))).because(error))?;
        Ok(Given::Magnet(magnet))
    }

    /// What the engine works on; `None` for what is still to be fetched.
    pub fn into_item_source(self) -> Option<ItemSource> {
        match self {
            Given::Torrent(metainfo, _) => Some(ItemSource::Torrent(metainfo)),
            Given::Magnet(magnet) => Some(ItemSource::Magnet(magnet)),
            Given::Url(_) => None,
        }
    }
}

/// The torrent of a source, for a command that has no use for a magnet link, nor for a torrent whose data can't be checked.
/// Piece layers that it lacks may be in the state folder.
///
/// # Errors
/// If it is a link, or lacks piece layers (BEP 52).
pub fn whole_torrent(given: Given, command: &str, state_dir: Option<&Path>) -> Result<Arc<Metainfo>, Problem> {
    match given {
        Given::Torrent(metainfo, _) => {
            let metainfo = with_kept_layers(metainfo, state_dir);
            let Some(file) = metainfo.info.lacks_layer_of() else { return Ok(metainfo) };
            let (name, path) = (shown(&metainfo.info.name), file.path.to_slashes());
            let message = format!("{name}: {command} needs the piece layer of {path:?}, which the torrent lacks");
            Err(Problem::new(Exit::Refused, message)
                .hint("`rtorrent-cli info --save WHOLE.torrent FILE.torrent` gets it from peers"))
        }
        Given::Magnet(_) | Given::Url(_) => Err(Problem::new(
            Exit::Usage,
            format!("{command} needs a .torrent, which a magnet link or an info hash is not"),
        )
        .hint("`rtorrent-cli info --save FILE.torrent LINK` makes one")),
    }
}

/// The same torrent with the piece layers that it lacks and an earlier run kept.
fn with_kept_layers(metainfo: Arc<Metainfo>, state_dir: Option<&Path>) -> Arc<Metainfo> {
    if metainfo.info.lacks_layer_of().is_none() {
        return metainfo;
    }
    match state_dir.map(|dir| ResumeRecord::load(dir, &metainfo.info.id)) {
        Some(Ok(Some(record))) => {
            Arc::new(Metainfo { info: record.complete(&metainfo.info), ..Metainfo::clone(&metainfo) })
        }
        _ => metainfo,
    }
}

/// The name to show for a source before its metadata is known.
pub fn label(source: &ItemSource) -> String {
    match source {
        ItemSource::Torrent(metainfo) => metainfo.info.name.clone(),
        ItemSource::Magnet(magnet) => magnet.name.clone().unwrap_or_else(|| magnet.id.to_string()),
    }
}

pub fn id(source: &ItemSource) -> TorrentId {
    match source {
        ItemSource::Torrent(metainfo) => metainfo.info.id,
        ItemSource::Magnet(magnet) => magnet.id,
    }
}

/// What a person should know of a link that a shell may have cut at its first `&`.
pub fn cut_by_the_shell(source: &OsStr) -> Option<&'static str> {
    let text = source.to_str()?;
    let lonely = text.get(..7)?.eq_ignore_ascii_case("magnet:") && !text.contains('&');
    lonely.then_some("the magnet link names no trackers; if it was longer, put it in quotes: the shell ends it at an &")
}

/// What is wrong with a source that is none but a command, at the wrong place or mistyped as the first word of `line`:
/// the sources beside it are not to be downloaded for that.
pub fn meant_as_command(typed: &OsStr, line: &[String]) -> Option<Problem> {
    let text = typed.to_str().filter(|text| !Path::new(text).exists())?;
    let first = line.get(1).is_some_and(|word| word == text);
    let meant = is_command(text) || (first && nearest_command(text).is_some());
    meant.then(|| Problem { exit: Exit::Usage, ..not_found(text) })
}

/// A source in a message: escaped, not longer than a line, and without what may tell who asks.
pub fn shown(text: &str) -> String {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    let text = match scheme.as_deref() {
        Some("magnet") => link_without_secrets(text),
        Some("http" | "https") => url_without_secrets(text),
        _ => text.to_owned(),
    };
    clip(&escape(&text), 100).into_owned()
}

/// The link without its trackers and web seeds, whose URLs may hold a key.
fn link_without_secrets(link: &str) -> String {
    let (start, parameters) = link.split_once('?').unwrap_or((link, ""));
    let public = |parameter: &&str| {
        let key = parameter.split(['=', '.']).next().unwrap_or_default();
        !["tr", "ws", "as", "xs"].iter().any(|secret| key.eq_ignore_ascii_case(secret))
    };
    let kept: Vec<&str> = parameters.split('&').filter(public).collect();
    let more = if kept.len() < parameters.split('&').count() { "&..." } else { "" };
    let mark = if link.contains('?') { "?" } else { "" };
    format!("{start}{mark}{}{more}", kept.join("&"))
}

/// The URL without user, password and query, and with parts of its path left out that look like a key.
fn url_without_secrets(url: &str) -> String {
    let (path, query) = url.split_once('?').map_or((url, ""), |(path, _)| (path, "?..."));
    let is_key = |part: &str| {
        part.len() >= 16 && part.bytes().all(|b| b.is_ascii_alphanumeric()) && part.bytes().any(|b| b.is_ascii_digit())
    };
    let parts = path.split('/').enumerate().map(|(n, part)| match part.rsplit_once('@') {
        Some((_, host)) if n == 2 => host,
        _ if n > 2 && is_key(part) => "...",
        _ => part,
    });
    format!("{}{query}", parts.collect::<Vec<_>>().join("/"))
}

fn read_standard_input() -> Result<Given, Problem> {
    let mut bytes = Vec::new();
    let limit = Limits::TORRENT.bytes as u64 + 1;
    std::io::stdin()
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| file_problem("read", Path::new("standard input"), error))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) if text.trim_start().get(..7).is_some_and(|start| start.eq_ignore_ascii_case("magnet:")) => {
            Given::magnet(text.trim())
        }
        _ => Given::torrent(bytes, "standard input"),
    }
}

fn read_file(path: &Path, text: &str) -> Result<Given, Problem> {
    let limit = Limits::TORRENT.bytes as u64 + 1;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    match read {
        Ok(_) => Given::torrent(bytes, &shown(text)),
        Err(_) if path.is_dir() => {
            Err(Problem::new(Exit::NotATorrent, format!("{} is a folder", shown(text))).hint("name the .torrent file"))
        }
        Err(error) => Err(file_problem("read", path, error)),
    }
}

fn read_magnet(text: &str) -> Result<Given, Problem> {
    Given::magnet(text).map_err(|problem| match cut_by_the_shell(OsStr::new(text)) {
        Some(_) if problem.exit == Exit::BadMagnet => problem.hint("put the whole link in quotes"),
        _ => problem,
    })
}

/// A bare info hash, or a file that is not there.
fn read_hash(text: &str) -> Result<Given, Problem> {
    let alphanumeric = text.bytes().all(|b| b.is_ascii_alphanumeric());
    let hexadecimal = text.bytes().all(|b| b.is_ascii_hexdigit());
    match text.len() {
        32 | 40 | 64 if alphanumeric => {
            let magnet = Magnet::from_hash(text)
                .map_err(|error| Problem::new(Exit::BadMagnet, format!("{}: {error}", shown(text))).because(error))?;
            Ok(Given::Magnet(magnet))
        }
        length @ 30..=70 if hexadecimal => Err(Problem::new(
            Exit::BadMagnet,
            format!("{text}: {length} digits are no info hash; it has 40 or 64 hexadecimal or 32 base32 digits"),
        )),
        _ => Err(not_found(text)),
    }
}

fn not_found(text: &str) -> Problem {
    if text.trim().is_empty() {
        return Problem::new(Exit::NotFound, "a source is empty").hint("has a variable of the script no value?");
    }
    let problem = Problem::new(Exit::NotFound, format!("no such file: {}", shown(text)));
    match text {
        _ if is_command(text) => problem.hint("a command stands before all flags"),
        "help" => problem.hint("`rtorrent-cli help` stands alone, or before a command"),
        "add" | "download" | "fetch" | "start" => problem.hint("`rtorrent-cli get SRC` downloads"),
        "check" => problem.hint("`rtorrent-cli verify` checks data on disk"),
        "list" => problem.hint("`rtorrent-cli ls` lists downloads, `get --list SRC` the files of a torrent"),
        "make" | "new" => problem.hint("`rtorrent-cli create` makes a .torrent"),
        "play" => problem.hint("`rtorrent-cli stream` plays while it downloads"),
        "remove" | "delete" => problem.hint("`rtorrent-cli rm` forgets a download"),
        "show" | "files" => problem.hint("`rtorrent-cli info SRC` shows what a torrent holds"),
        _ if nearest_command(text).is_some() => {
            problem.hint(format!("is it the command {}?", nearest_command(text).unwrap_or_default()))
        }
        _ if text.starts_with("xt=") || text.starts_with("?xt=") => problem.hint("a magnet link begins with magnet:?"),
        _ => problem.hint("give a magnet link in quotes, a .torrent file, its URL, or an info hash"),
    }
}

fn metainfo_problem(error: MetainfoError, bytes: &[u8], origin: &str) -> Problem {
    let exit = match error {
        MetainfoError::NotATorrent(_) => Exit::NotATorrent,
        MetainfoError::Refused(_) => Exit::Refused,
    };
    let problem = Problem::new(exit, format!("{origin}: {error}")).because(error);
    let start = bytes.trim_ascii_start();
    if exit == Exit::NotATorrent && start.first() == Some(&b'<') {
        return problem.hint("it looks like a web page; does the site want a login?");
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(source: &str) -> Exit {
        Given::read(OsStr::new(source)).expect_err(source).exit
    }

    const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn links_urls_and_hashes_are_told_apart() {
        let read = |source: &str| Given::read(OsStr::new(source)).unwrap();
        assert!(matches!(read(&format!("magnet:?xt=urn:btih:{HASH}")), Given::Magnet(_)));
        assert!(matches!(read(HASH), Given::Magnet(_)));
        let v2 = format!("{HASH}0123456789abcdef01234567");
        for source in [v2.clone(), format!("magnet:?xt=urn:btmh:1220{v2}")] {
            let Given::Magnet(magnet) = read(&source) else { panic!("{source}") };
            assert_eq!((magnet.id.v1(), magnet.id.to_string()), (None, v2.clone()));
        }
        assert!(matches!(read("HTTPS://example.org/a.torrent"), Given::Url(_)));
    }

    #[test]
    fn each_bad_source_has_its_code() {
        assert_eq!(exit("magnet:?dn=x"), Exit::BadMagnet);
        assert_eq!(exit("magnet:?xt=urn:btih:xyz"), Exit::BadMagnet);
        assert_eq!(exit(&HASH[1..]), Exit::BadMagnet);
        assert_eq!(exit("no such file"), Exit::NotFound);
        assert_eq!(exit(""), Exit::NotFound);
        assert_eq!(exit("ftp://example.org/a.torrent"), Exit::NotFound);
        assert_eq!(exit(env!("CARGO_MANIFEST_DIR")), Exit::NotATorrent);
        assert_eq!(exit(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")), Exit::NotATorrent);
    }

    #[test]
    fn a_word_that_was_meant_for_a_command_is_seen() {
        for (word, hint) in [
            ("create", "before all flags"),
            ("download", "rtorrent-cli get"),
            ("verfy", "the command verify"),
            ("film.torrent", "magnet link"),
            ("", "variable"),
        ] {
            assert!(not_found(word).to_string().contains(hint), "{word}: {}", not_found(word));
        }
    }

    #[test]
    fn a_command_among_the_sources_downloads_nothing() {
        let exit = |line: &[&str], typed: &str| {
            let line: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
            meant_as_command(OsStr::new(typed), &line).map(|problem| problem.exit)
        };
        assert_eq!(exit(&["r", "verfy", "a.torrent"], "verfy"), Some(Exit::Usage));
        assert_eq!(exit(&["r", "--no-dht", "verify", "a.torrent"], "verify"), Some(Exit::Usage));
        // A file, or a word that was said to be a source.
        assert_eq!(exit(&["r", "src"], "src"), None);
        assert_eq!(exit(&["r", "get", "verfy"], "verfy"), None);
        assert_eq!(exit(&["r", "a.torrent"], "a.torrent"), None);
    }

    #[test]
    fn blanks_round_what_was_copied_do_no_harm() {
        for source in [format!(" {HASH}\n"), format!("\tmagnet:?xt=urn:btih:{HASH} ")] {
            assert!(matches!(Given::read(OsStr::new(&source)), Ok(Given::Magnet(_))), "{source:?}");
        }
        assert_eq!(exit(" "), Exit::NotFound);
    }

    #[test]
    fn a_link_that_the_shell_cut_is_seen() {
        assert!(cut_by_the_shell(OsStr::new("magnet:?xt=urn:btih:00")).is_some());
        assert!(cut_by_the_shell(OsStr::new("magnet:?xt=urn:btih:00&dn=a")).is_none());
        assert!(cut_by_the_shell(OsStr::new("a.torrent")).is_none());
    }

    #[test]
    fn keys_of_private_trackers_are_never_shown() {
        assert_eq!(
            shown("magnet:?xt=urn:btih:00&tr=http%3A%2F%2Ft%2Fkey&tr.1=x&dn=a"),
            "magnet:?xt=urn:btih:00&dn=a&..."
        );
        assert_eq!(shown("magnet:?xt=urn:btih:00"), "magnet:?xt=urn:btih:00");
        assert_eq!(
            shown("https://me:secret@t.example/get/0123456789abcdef/a.torrent?key=1"),
            "https://t.example/get/.../a.torrent?..."
        );
        assert_eq!(shown("http://t.example/debian-12.torrent"), "http://t.example/debian-12.torrent");
    }

    #[test]
    fn a_web_page_is_called_one() {
        let problem = Given::torrent(b"\n<!DOCTYPE html>".to_vec(), "x").unwrap_err();
        assert!(problem.to_string().contains("web page"), "{problem}");
    }
}
