//! The files of `-i` and `--save-session`: one source a line, indented `key=value` lines for its flags.
//!
//! Blank lines and lines that begin with `#` are nothing. A key is the name of a flag without its dashes; those that
//! aria2 users know by another name have that one too. What stands in such a file counts before the command line.

use std::io::Write as _;
use std::path::Path;

use super::error::{Problem, file_problem};

/// The flags that an item may have of its own.
pub const KEYS: &[&str] = &[
    "dir",
    "output",
    "check",
    "overwrite",
    "no-part",
    "allocate",
    "no-space-check",
    "sequential",
    "first-last",
    "select",
    "exclude",
    "seed-ratio",
    "seed-time",
    "no-upload",
    "metadata-timeout",
    "stall-timeout",
    "tracker",
    "no-trackers",
    "peer",
    "web-seed",
    "header",
];

/// What aria2 calls some of them.
const ALIASES: &[(&str, &str)] = &[
    ("out", "output"),
    ("select-file", "select"),
    ("bt-tracker", "tracker"),
    ("allow-overwrite", "overwrite"),
    ("file-allocation", "allocate"),
    ("bt-stop-timeout", "stall-timeout"),
];

/// What some editors begin a file with.
const MARK: char = '\u{feff}';

/// One source with its flags.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    pub source: String,
    /// In the order of the file; a key may stand again.
    pub options: Vec<(String, String)>,
    /// Its line, from 1.
    pub line: usize,
}

/// Reads what such a file holds.
///
/// # Errors
/// The line, from 1, and what is wrong with it, where it can't be said what a line belongs to. Unknown keys are the
/// item's affair.
pub fn parse(text: &str) -> Result<Vec<Entry>, (usize, &'static str)> {
    let (mut reader, mut entries) = (Reader::default(), Vec::new());
    for line in text.lines() {
        entries.extend(reader.line(line)?);
    }
    entries.extend(reader.end());
    Ok(entries)
}

/// Reads such a file line by line.
#[derive(Debug, Default)]
pub struct Reader {
    line: usize,
    /// The source whose options may still come.
    open: Option<Entry>,
    /// Something was wrong: indented lines up to the next source belong to nobody.
    spoilt: bool,
}

impl Reader {
    /// Takes the next line, without its end. A line with a source gives out the one before it.
    ///
    /// # Errors
    /// As [`parse`]; the next line may be good again.
    pub fn line(&mut self, content: &str) -> Result<Option<Entry>, (usize, &'static str)> {
        self.line += 1;
        let line = self.line;
        // Files that were joined have a mark of their encoding amid them too.
        let content = content.trim_start_matches(MARK);
        let trimmed = content.trim_start_matches(|c: char| c.is_whitespace() || c == MARK).trim_end();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return Ok(None);
        }
        if !content.starts_with([' ', '\t']) {
            self.spoilt = false;
            return Ok(self.open.replace(Entry { source: trimmed.to_owned(), options: Vec::new(), line }));
        }
        if self.spoilt {
            return Ok(None);
        }
        let entry = self.open.as_mut().ok_or((line, "an indented line, but no source before it"))?;
        let Some((key, value)) = trimmed.split_once('=') else {
            // Without all its options it would be something else than was wanted.
            (self.open, self.spoilt) = (None, true);
            return Err((line, "an indented line is KEY=VALUE"));
        };
        let key = key.trim();
        let key = ALIASES.iter().find(|(alias, _)| *alias == key).map_or(key, |(_, name)| name);
        entry.options.push((key.to_owned(), value.trim().to_owned()));
        Ok(None)
    }

    /// Passes over a line that can't be read, with the source that it belongs to; its number.
    pub fn skip(&mut self, indented: bool) -> usize {
        self.line += 1;
        self.spoilt = true;
        if indented {
            self.open = None;
        }
        self.line
    }

    /// True if there is a source whose options may still come.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// No more options will come: gives the last source out.
    pub fn end(&mut self) -> Option<Entry> {
        self.open.take()
    }
}

/// The entries as [`parse`] reads them.
pub fn to_text(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        text += &format!("{}\n", entry.source);
        entry.options.iter().for_each(|(key, value)| text += &format!("  {key}={value}\n"));
    }
    text
}

/// Writes a session in one step: whoever reads it sees the old one or the new one.
///
/// # Errors
/// What the file system says.
pub fn save(path: &Path, entries: &[Entry]) -> Result<(), Problem> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".session-").tempfile_in(folder)?;
        file.write_all(to_text(entries).as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| file_problem("write the session", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# what I want\n\nmagnet:?xt=urn:btih:00&dn=a\n  dir=/tmp/my files\n\tselect = 1-3\n  # not that\n  select=ext:mkv\nb.torrent\n  out=c=d\n";

    #[test]
    fn sources_comments_and_options() {
        let entries = parse(TEXT).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].source.as_str(), entries[0].line), ("magnet:?xt=urn:btih:00&dn=a", 3));
        let pairs =
            |entry: &Entry| entry.options.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
        assert_eq!(pairs(&entries[0]), ["dir=/tmp/my files", "select=1-3", "select=ext:mkv"]);
        assert_eq!(pairs(&entries[1]), ["output=c=d"]);
        assert_eq!(parse("  dir=x\na"), Err((1, "an indented line, but no source before it")));
        assert_eq!(parse("a\n  what"), Err((2, "an indented line is KEY=VALUE")));
        assert_eq!(parse("\u{feff}a\r\n  dir=b\r\n").unwrap()[0].options, [("dir".to_owned(), "b".to_owned())]);
    }

    #[test]
    fn what_is_wrong_takes_its_own_source_away_and_no_other() {
        let mut reader = Reader::default();
        let mut seen = Vec::new();
        for line in ["a", "  select", "  dir=x", "b", "  dir=y", "?", "  dir=z", "c", "  ?", "d"] {
            match line.trim_start() {
                "?" => {
                    reader.skip(line.starts_with(' '));
                }
                _ => seen.extend(reader.line(line).ok().flatten()),
            }
        }
        seen.extend(reader.end());
        assert_eq!(to_text(&seen), "b\n  dir=y\nd\n");
    }

    #[test]
    fn joined_files_with_marks_are_read_as_each_alone_and_written_without() {
        let entries = parse("\u{feff}a\n\u{feff}b\n\u{b}\u{feff}c\n\u{feff}\n\u{feff}  dir=d\n").unwrap();
        let read: Vec<_> = entries.iter().map(|entry| (&*entry.source, entry.options.len())).collect();
        assert_eq!(read, [("a", 0), ("b", 0), ("c", 1)]);
        assert_eq!(to_text(&entries), "a\nb\nc\n  dir=d\n");
    }

    #[test]
    fn a_session_is_read_as_it_was_written() {
        let entries = parse(TEXT).unwrap();
        let again = parse(&to_text(&entries)).unwrap();
        let plain =
            |entries: &[Entry]| entries.iter().map(|e| (e.source.clone(), e.options.clone())).collect::<Vec<_>>();
        assert_eq!(plain(&again), plain(&entries));
    }
}
