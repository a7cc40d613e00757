//! Which files of a torrent are wanted: the patterns of `--select` and `--exclude`, and a magnet's `so`.
//!
//! | pattern | the files |
//! |---|---|
//! | `1-5,8`, `7-` | by their number in `info`: from 1, padding not counted |
//! | `ext:mkv,srt` | by extension |
//! | `size>100M`, `size<=10K` | by size |
//! | `re:S0[12]E` | whose path matches somewhere |
//! | `extras/` | in a folder of that name, globs allowed |
//! | `*.mkv`, `Season 1/*`, `**/*.srt` | by glob; one without `/` is for the name alone, in any folder |
//!
//! `*` and `?` match no `/`. Paths match with the top folder and without it; letters match in either case, except in
//! `re:`.

use std::fmt;
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;

use super::metainfo::Info;
use super::size::parse_size;

/// Patterns, ready to be applied. The default wants everything.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    select: Vec<Pattern>,
    exclude: Vec<Pattern>,
    /// From a link, from 0, inclusive.
    so: Vec<(u32, u32)>,
    /// One answer a file, in the place of all patterns.
    picked: Option<Arc<[bool]>>,
}

/// What is wrong with a selection. The user mends it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SelectionError {
    #[error("bad pattern {pattern:?}: {reason}")]
    BadPattern { pattern: String, reason: String },
    /// Nothing is left to download; shows what there is, a file a line.
    #[error("{0}")]
    NothingMatches(NothingMatches),
}

/// A selection that matches nothing, beside the files that there are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NothingMatches {
    /// The first files of the torrent.
    pub files: Vec<Listed>,
    /// How many there are in all.
    pub total: usize,
}

/// One line of a file list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// From 1, as in patterns.
    pub index: usize,
    pub path: String,
    /// In bytes.
    pub length: u64,
}

impl Selection {
    /// `select` is a union, of everything if it is empty; `exclude` takes away from it.
    ///
    /// # Errors
    /// [`SelectionError::BadPattern`] for the first pattern that can't be read.
    pub fn parse(select: &[String], exclude: &[String]) -> Result<Selection, SelectionError> {
        let patterns = |texts: &[String]| texts.iter().map(|text| Pattern::parse(text)).collect::<Result<Vec<_>, _>>();
        Ok(Selection { select: patterns(select)?, exclude: patterns(exclude)?, ..Selection::default() })
    }

    /// Exactly these files, one answer for each of `Info::files`.
    pub fn picked(files: impl Into<Arc<[bool]>>) -> Selection {
        Selection { picked: Some(files.into()), ..Selection::default() }
    }

    /// With the files that a link asks for (BEP 53): they count where no pattern selects anything else.
    pub fn with_so(mut self, so: &[(u32, u32)]) -> Selection {
        self.so.extend_from_slice(so);
        self
    }

    /// True if every torrent is wanted whole.
    pub fn is_all(&self) -> bool {
        self.select.is_empty() && self.exclude.is_empty() && self.so.is_empty() && self.picked.is_none()
    }

    /// One answer for each of `info.files`; padding is never wanted.
    ///
    /// # Errors
    /// [`SelectionError::NothingMatches`] if no file is wanted.
    pub fn apply(&self, info: &Info) -> Result<Vec<bool>, SelectionError> {
        let mut wanted = match (&self.select[..], &self.so[..]) {
            _ if self.picked.is_some() => {
                let mut wanted = self.picked.as_deref().unwrap_or_default().to_vec();
                wanted.resize(info.files.len(), false);
                wanted
            }
            ([], []) => vec![true; info.files.len()],
            ([], so) => in_ranges(so.iter().map(|&(first, last)| (first as usize, last as usize)), info.files.len()),
            (select, _) => any_matches(select, info),
        };
        for (wanted, excluded) in wanted.iter_mut().zip(any_matches(&self.exclude, info)) {
            *wanted &= !excluded;
        }
        for (wanted, file) in wanted.iter_mut().zip(&info.files) {
            *wanted &= !file.pad;
        }
        if wanted.contains(&true) { Ok(wanted) } else { Err(SelectionError::NothingMatches(NothingMatches::of(info))) }
    }
}

impl NothingMatches {
    /// Files that are listed.
    const MAX_LISTED: usize = 100;

    fn of(info: &Info) -> Self {
        let listed = |(n, (_, file)): (usize, (usize, &super::metainfo::FileEntry))| Listed {
            index: n + 1,
            path: file.path.to_string(),
            length: file.length,
        };
        NothingMatches {
            files: info.stored_files().enumerate().take(Self::MAX_LISTED).map(listed).collect(),
            total: info.stored_files().count(),
        }
    }
}

impl fmt::Display for NothingMatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no file is selected; there {} {}:", if self.total == 1 { "is" } else { "are" }, self.total)?;
        for Listed { index, path, length } in &self.files {
            write!(f, "\n{index:>6}  {path} ({length} bytes)")?;
        }
        match self.total - self.files.len() {
            0 => Ok(()),
            more => write!(f, "\n        and {more} more"),
        }
    }
}

#[derive(Clone, Debug)]
enum Pattern {
    /// From 0, inclusive.
    Places(Vec<(usize, usize)>),
    /// With their dot, in lower case.
    Extensions(Vec<String>),
    Size(Order, u64),
    Regex(Regex),
    /// `name_only`: one component, matched against each folder above the file.
    Folder {
        glob: GlobMatcher,
        name_only: bool,
    },
    /// `literal`: the pattern as it was typed, since names are pasted and have brackets.
    Glob {
        glob: GlobMatcher,
        literal: String,
        name_only: bool,
    },
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Below,
    AtMost,
    Equal,
    AtLeast,
    Above,
}

impl Pattern {
    fn parse(text: &str) -> Result<Pattern, SelectionError> {
        let parsed = match text.trim() {
            "" => Err("it is empty".into()),
            places if places.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, ',' | '-' | ' ')) => {
                places_of(places)
            }
            other => {
                if let Some(extensions) = after_keyword(other, "ext:") {
                    extensions_of(extensions)
                } else if let Some(regex) = other.strip_prefix("re:") {
                    Regex::new(regex).map(Pattern::Regex).map_err(|error| last_line(&error.to_string()))
                } else if let Some((order, size)) = after_keyword(other, "size").and_then(order_of) {
                    parse_size(size).map(|size| Pattern::Size(order, size)).map_err(|error| error.to_string())
                } else {
                    glob_of(other)
                }
            }
        };
        parsed.map_err(|reason| SelectionError::BadPattern { pattern: text.into(), reason })
    }

    fn matches(&self, file: &Subject) -> bool {
        match self {
            Pattern::Places(_) => false,
            Pattern::Extensions(extensions) => {
                let ends_with = |extension: &String| {
                    let start = file.name.len().checked_sub(extension.len()).filter(|&start| start > 0);
                    let end = start.and_then(|start| file.name.get(start..));
                    end.is_some_and(|end| end.eq_ignore_ascii_case(extension) || end.to_lowercase() == *extension)
                };
                extensions.iter().any(ends_with)
            }
            Pattern::Size(order, size) => match order {
                Order::Below => file.length < *size,
                Order::AtMost => file.length <= *size,
                Order::Equal => file.length == *size,
                Order::AtLeast => file.length >= *size,
                Order::Above => file.length > *size,
            },
            Pattern::Regex(regex) => regex.is_match(file.path) || regex.is_match(file.below_top),
            Pattern::Folder { glob, name_only: true } => {
                file.path.rsplit('/').skip(1).any(|folder| glob.is_match(folder))
            }
            Pattern::Folder { glob, name_only: false } => {
                folders_above(file.path).chain(folders_above(file.below_top)).any(|folder| glob.is_match(folder))
            }
            Pattern::Glob { glob, literal, name_only } => {
                let candidates = if *name_only { [file.name, file.name] } else { [file.path, file.below_top] };
                candidates.iter().any(|&path| path == literal || glob.is_match(path))
            }
        }
    }
}

/// A file as patterns see it.
struct Subject<'a> {
    /// `top/folder/name`
    path: &'a str,
    /// `folder/name`; the whole path of a single file.
    below_top: &'a str,
    name: &'a str,
    length: u64,
}

fn any_matches(patterns: &[Pattern], info: &Info) -> Vec<bool> {
    let places = patterns.iter().filter_map(|pattern| match pattern {
        Pattern::Places(ranges) => Some(ranges),
        _ => None,
    });
    // Numbers are those that people are shown, where padding has none.
    let mut matches = vec![false; info.files.len()];
    let numbered = in_ranges(places.flatten().copied(), info.stored_files().count());
    info.stored_files().zip(numbered).for_each(|((index, _), matched)| matches[index] = matched);
    if patterns.iter().all(|pattern| matches!(pattern, Pattern::Places(_))) {
        return matches;
    }
    for (matched, file) in matches.iter_mut().zip(&info.files).filter(|(_, file)| !file.pad) {
        let path = file.path.to_slashes();
        let below_top = path.split_once('/').map_or(&path[..], |(_, below)| below);
        let subject = Subject { path: &path, below_top, name: file.path.file_name(), length: file.length };
        *matched = *matched || patterns.iter().any(|pattern| pattern.matches(&subject));
    }
    matches
}

/// For each number below `len` whether it lies in a range (inclusive), in time linear in both.
fn in_ranges(ranges: impl Iterator<Item = (usize, usize)>, len: usize) -> Vec<bool> {
    let mut steps = vec![0i64; len + 1];
    for (first, last) in ranges.filter(|&(first, last)| first < len && first <= last) {
        steps[first] += 1;
        steps[last.min(len - 1) + 1] -= 1;
    }
    let mut depth = 0;
    steps[..len]
        .iter()
        .map(|step| {
            depth += step;
            depth > 0
        })
        .collect()
}

/// `a/b/c` gives `a`, `a/b`.
fn folders_above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

fn places_of(text: &str) -> Result<Pattern, String> {
    let place = |text: &str| match text.trim().parse::<usize>() {
        Ok(0) => Err("files count from 1".to_owned()),
        Ok(place) => Ok(place - 1),
        Err(_) => Err(format!("{:?} is not a file's number", text.trim())),
    };
    let range = |part: &str| {
        let (first, last) = match part.split_once('-') {
            None => (place(part)?, place(part)?),
            Some((first, last)) if last.trim().is_empty() => (place(first)?, usize::MAX),
            Some((first, last)) => (place(first)?, place(last)?),
        };
        if first <= last { Ok((first, last)) } else { Err(format!("the range {} runs backwards", part.trim())) }
    };
    text.split(',').map(range).collect::<Result<_, _>>().map(Pattern::Places)
}

fn extensions_of(text: &str) -> Result<Pattern, String> {
    let bare: Vec<_> = text.split(',').map(|extension| extension.trim().trim_start_matches('.')).collect();
    if bare.contains(&"") {
        return Err("an extension is empty".into());
    }
    Ok(Pattern::Extensions(bare.iter().map(|extension| format!(".{}", extension.to_lowercase())).collect()))
}

/// The comparison at the front of `text`, and the rest; `None` if there is none, so that a file may be called `size`.
fn order_of(text: &str) -> Option<(Order, &str)> {
    const ORDERS: [(&str, Order); 5] =
        [("<=", Order::AtMost), (">=", Order::AtLeast), ("<", Order::Below), (">", Order::Above), ("=", Order::Equal)];
    let text = text.trim_start();
    ORDERS.iter().find_map(|&(sign, order)| Some((order, text.strip_prefix(sign)?)))
}

fn glob_of(text: &str) -> Result<Pattern, String> {
    let bare = text.trim_start_matches("./").trim_start_matches('/');
    let anchored = bare.len() < text.len();
    let (bare, folder) = match bare.strip_suffix('/') {
        Some(folder) => (folder.trim_end_matches('/'), true),
        None => (bare, false),
    };
    if bare.is_empty() {
        return Err("it names nothing".into());
    }
    let glob = GlobBuilder::new(bare).literal_separator(true).case_insensitive(true).backslash_escape(true).build();
    let glob = glob.map_err(|error| error.kind().to_string())?.compile_matcher();
    let name_only = !anchored && !bare.contains('/');
    Ok(if folder {
        Pattern::Folder { glob, name_only }
    } else {
        Pattern::Glob { glob, literal: bare.into(), name_only }
    })
}

fn after_keyword<'a>(text: &'a str, keyword: &str) -> Option<&'a str> {
    let start = text.get(..keyword.len())?;
    start.eq_ignore_ascii_case(keyword).then(|| &text[keyword.len()..])
}

/// The sentence of a regex error; the lines before it draw the pattern.
fn last_line(message: &str) -> String {
    message.lines().last().unwrap_or(message).trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests;
