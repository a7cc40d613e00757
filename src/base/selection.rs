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
mod tests {
    use super::*;

    /// Sizes and paths below `top`; a path that begins with `.pad/` is padding.
    fn torrent(files: &[(u64, &str)]) -> Info {
        let total: u64 = files.iter().map(|(size, _)| size).sum();
        let mut raw = b"d5:filesl".to_vec();
        for (size, path) in files {
            raw.extend(format!("d6:lengthi{size}e4:pathl").bytes());
            path.split('/').for_each(|part| raw.extend(format!("{}:{part}", part.len()).bytes()));
            raw.extend(b"ee");
        }
        let pieces = total.div_ceil(1 << 20) as usize * 20;
        raw.extend(format!("e4:name3:top12:piece lengthi1048576e6:pieces{pieces}:").bytes());
        raw.extend(vec![b'h'; pieces]);
        raw.extend(b"e");
        Info::parse(&raw).unwrap()
    }

    const NONE: [usize; 0] = [];

    fn season() -> Info {
        torrent(&[
            (700 << 20, "Season 1/[Grp] Show S01E01.mkv"), // 1
            (100 << 20, "Season 1/[Grp] Show S01E02.MKV"), // 2
            (48_576, ".pad/48576"),                        // 3
            (10_240, "Season 1/Subs/e01.srt"),             // 4
            (10_239, "Season 1/Subs/e02.SRT"),             // 5
            (5, "extras/readme.txt"),                      // 6
            (0, "2024.txt"),                               // 7
        ])
    }

    /// The places, from 1, that are selected; none is an error.
    fn pick(select: &[&str], exclude: &[&str]) -> Vec<usize> {
        let texts = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        let selection = Selection::parse(&texts(select), &texts(exclude)).unwrap();
        places(selection.apply(&season()))
    }

    fn places(applied: Result<Vec<bool>, SelectionError>) -> Vec<usize> {
        match applied {
            Ok(wanted) => (1..).zip(wanted).filter(|(_, wanted)| *wanted).map(|(place, _)| place).collect(),
            Err(SelectionError::NothingMatches(_)) => Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn without_patterns_all_but_padding() {
        assert_eq!(pick(&[], &[]), [1, 2, 4, 5, 6, 7]);
        assert!(Selection::default().is_all());
    }

    #[test]
    fn by_place() {
        assert_eq!(pick(&["1-2,6"], &[]), [1, 2, 7]);
        assert_eq!(pick(&["5-"], &[]), [6, 7]);
        assert_eq!(pick(&[" 2 , 3-4 "], &[]), [2, 4, 5], "padding has no number");
        assert_eq!(pick(&["6-99999999"], &[]), [7]);
        assert_eq!(pick(&["3"], &[]), [4]);
        assert_eq!(pick(&["99"], &[]), NONE);
    }

    #[test]
    fn by_extension_and_size() {
        assert_eq!(pick(&["ext:mkv"], &[]), [1, 2]);
        assert_eq!(pick(&["EXT:.srt, txt"], &[]), [4, 5, 6, 7]);
        assert_eq!(pick(&["size>100M"], &[]), [1]);
        assert_eq!(pick(&["size>=100M"], &[]), [1, 2]);
        assert_eq!(pick(&["size < 10K"], &[]), [5, 6, 7]);
        assert_eq!(pick(&["size<=10K"], &["size=0"]), [4, 5, 6]);
    }

    #[test]
    fn by_glob() {
        assert_eq!(pick(&["*.mkv"], &[]), [1, 2], "the name alone, in any folder");
        assert_eq!(pick(&["**/*.srt"], &[]), [4, 5]);
        assert_eq!(pick(&["Season 1/*"], &[]), [1, 2], "a star stays in its folder");
        assert_eq!(pick(&["Season 1/**"], &[]), [1, 2, 4, 5]);
        assert_eq!(pick(&["top/season ?/*E01*"], &[]), [1], "with the top folder, in either case");
        assert_eq!(pick(&["/*"], &[]), [7], "below the top folder itself");
        assert_eq!(pick(&["*.{txt,srt}"], &[]), [4, 5, 6, 7]);
        assert_eq!(pick(&["e0[2-9].srt"], &[]), [5]);
        assert_eq!(pick(&["**"], &[]), [1, 2, 4, 5, 6, 7]);
    }

    #[test]
    fn a_pasted_name_with_brackets_is_found() {
        assert_eq!(pick(&["[Grp] Show S01E01.mkv"], &[]), [1]);
        assert_eq!(pick(&["top/Season 1/[Grp] Show S01E02.MKV"], &[]), [2]);
        assert_eq!(pick(&["./extras/readme.txt"], &[]), [6]);
    }

    #[test]
    fn by_folder() {
        assert_eq!(pick(&["subs/"], &[]), [4, 5]);
        assert_eq!(pick(&["Season 1/Subs/"], &[]), [4, 5]);
        assert_eq!(pick(&["season*/"], &[]), [1, 2, 4, 5]);
        assert_eq!(pick(&["top/"], &[]), [1, 2, 4, 5, 6, 7]);
        assert_eq!(pick(&["/Subs/"], &[]), NONE, "anchored at the top");
        assert_eq!(pick(&["readme.txt/"], &[]), NONE, "a file is no folder");
        assert_eq!(pick(&["extras"], &[]), NONE, "a folder is no file");
    }

    #[test]
    fn by_regex() {
        assert_eq!(pick(&[r"re:S\d+E02"], &[]), [2]);
        assert_eq!(pick(&[r"re:^Season"], &[]), [1, 2, 4, 5]);
        assert_eq!(pick(&[r"re:^top/2024"], &[]), [7]);
        assert_eq!(pick(&["re:readme.TXT"], &[]), NONE);
    }

    #[test]
    fn several_are_a_union_and_exclude_takes_away() {
        assert_eq!(pick(&["1", "ext:srt"], &["e02*"]), [1, 4]);
        assert_eq!(pick(&[], &["Season 1/"]), [6, 7]);
        assert_eq!(pick(&[], &["**"]), NONE);
    }

    #[test]
    fn a_link_selects_from_zero_until_a_pattern_does() {
        let so = [(0, 0), (3, 4), (99, u32::MAX)];
        assert_eq!(places(Selection::default().with_so(&so).apply(&season())), [1, 4, 5]);
        let excluding = Selection::parse(&[], &["1".to_owned()]).unwrap().with_so(&so);
        assert_eq!(places(excluding.apply(&season())), [4, 5]);
        let selecting = Selection::parse(&["6".to_owned()], &[]).unwrap().with_so(&so);
        assert_eq!(places(selecting.apply(&season())), [7]);
        assert_eq!(places(Selection::default().with_so(&[(99, 100)]).apply(&season())), NONE);
    }

    #[test]
    fn what_was_picked_is_taken_as_it_is_but_for_padding() {
        assert_eq!(places(Selection::picked([false, true, true, true]).apply(&season())), [2, 4]);
        assert_eq!(places(Selection::picked([false; 7]).apply(&season())), NONE);
    }

    #[test]
    fn what_matches_nothing_lists_what_there_is() {
        let nothing = Selection::parse(&["*.iso".to_owned()], &[]).unwrap().apply(&season()).unwrap_err();
        let text = nothing.to_string();
        assert!(
            text.starts_with(
                "no file is selected; there are 6:\n     1  top/Season 1/[Grp] Show S01E01.mkv (734003200 bytes)\n"
            ),
            "{text}"
        );
        assert!(!text.contains(".pad") && text.ends_with("     6  top/2024.txt (0 bytes)"), "{text}");
        let many: Vec<_> = (0..500).map(|n| (1, format!("f{n}"))).collect();
        let many: Vec<_> = many.iter().map(|(size, path)| (*size, &path[..])).collect();
        let text = Selection::parse(&["x".to_owned()], &[]).unwrap().apply(&torrent(&many)).unwrap_err().to_string();
        assert!(text.ends_with("and 400 more"), "{text}");
    }

    #[test]
    fn bad_patterns_say_why() {
        for (pattern, reason) in [
            ("", "it is empty"),
            ("0", "files count from 1"),
            ("1-0", "files count from 1"),
            ("5-2", "the range 5-2 runs backwards"),
            ("1,,2", "\"\" is not a file's number"),
            ("-5", "\"\" is not a file's number"),
            ("99999999999999999999999", "\"99999999999999999999999\" is not a file's number"),
            ("ext:", "an extension is empty"),
            ("ext:a,,b", "an extension is empty"),
            ("size>x", "\"x\" is not a size; write for example 512K, 64M or 1.5GiB"),
            ("re:(", "unclosed group"),
            ("[a", "unclosed character class; missing ']'"),
            ("/", "it names nothing"),
        ] {
            let error = Selection::parse(&[pattern.to_owned()], &[]).unwrap_err();
            let expected = SelectionError::BadPattern { pattern: pattern.into(), reason: reason.into() };
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn a_hundred_thousand_ranges_over_as_many_files_take_no_time() {
        let ranges: Vec<_> = (0..100_000).map(|first| (first, u32::MAX)).collect();
        let files: Vec<_> = (0..2_000).map(|_| (0, "same")).collect();
        assert_eq!(places(Selection::default().with_so(&ranges).apply(&torrent(&files))).len(), 2_000);
    }
}
