//! `-i -`: sources that come over standard input while the run is under way.
//!
//! A thread reads lines; an item is given out when the next source begins, the input ends, or nothing follows for a
//! moment: its options come in the same breath as its line.

use std::collections::VecDeque;
use std::io::{self, BufRead as _};
use std::time::Duration;

use tokio::sync::mpsc;

use super::error::{Problem, file_problem};
use super::exit::Exit;
use super::input_file::{Entry, Reader};

/// After so long without another line an item has all its options.
const BREATH: Duration = Duration::from_millis(300);
/// Longer lines are no sources.
const LONGEST_LINE: usize = 1 << 20;
/// Reads that may be ahead of the run.
const AHEAD: usize = 4;

/// The items of an input that is being read.
pub struct Feed {
    /// What each read brought, cut behind its last line.
    reads: mpsc::Receiver<io::Result<Vec<u8>>>,
    lines: VecDeque<Vec<u8>>,
    reader: Reader,
    over: bool,
}

impl Feed {
    /// Begins to read standard input.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start() -> Result<Feed, Problem> {
        Feed::of(io::stdin())
    }

    fn of(input: impl io::Read + Send + 'static) -> Result<Feed, Problem> {
        let (send, reads) = mpsc::channel(AHEAD);
        // Nobody waits for it: it may sit in a read when the run is over.
        let thread = std::thread::Builder::new().name("input".into()).spawn(move || read(input, &send));
        thread.map_err(|error| Problem::new(Exit::Other, format!("can't start a thread: {error}")))?;
        Ok(Feed { reads, lines: VecDeque::new(), reader: Reader::default(), over: false })
    }

    /// The next item, or what is wrong with a line; `None` at the end. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Entry, Problem>> {
        loop {
            while let Some(line) = self.lines.pop_front() {
                if let Some(entry) = self.take(&line).transpose() {
                    return Some(entry);
                }
            }
            if self.over {
                return self.reader.end().map(Ok);
            }
            let read = tokio::select! {
                biased;
                read = self.reads.recv() => read,
                () = tokio::time::sleep(BREATH), if self.reader.is_open() => return self.reader.end().map(Ok),
            };
            match read {
                None => self.over = true,
                Some(Ok(bytes)) => {
                    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
                    self.lines.extend(lines.map(<[u8]>::to_vec));
                }
                Some(Err(error)) => {
                    return Some(Err(file_problem("read", std::path::Path::new("standard input"), error)));
                }
            }
        }
    }

    fn take(&mut self, line: &[u8]) -> Result<Option<Entry>, Problem> {
        let wrong = |line: usize, why: &str| Problem::new(Exit::Usage, format!("standard input, line {line}: {why}"));
        let has_source = self.reader.is_open();
        let of_its_source = |problem: Problem| match has_source {
            true => problem.hint("the source above it is left out"),
            false => problem,
        };
        match std::str::from_utf8(line) {
            Ok(text) if line.len() <= LONGEST_LINE => {
                let read = self.reader.line(text.trim_end_matches(['\n', '\r']));
                read.map_err(|(line, why)| of_its_source(wrong(line, why)))
            }
            _ => {
                let line = self.reader.skip(line.starts_with(b" ") || line.starts_with(b"\t"));
                Err(wrong(line, "it is no source: not UTF-8, or far too long"))
            }
        }
    }
}

/// Hands on what comes, in whole lines, until the end or until nobody listens.
fn read(input: impl io::Read, send: &mpsc::Sender<io::Result<Vec<u8>>>) {
    let (mut input, mut rest) = (io::BufReader::new(input), Vec::new());
    loop {
        let len = match input.fill_buf() {
            Ok(bytes) => {
                rest.extend_from_slice(bytes);
                bytes.len()
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return drop(send.blocking_send(Err(error))),
        };
        input.consume(len);
        let end = match rest.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => at + 1,
            // The end, or a line that is refused as soon as it is too long.
            None if len == 0 || rest.len() > LONGEST_LINE => rest.len(),
            None => 0,
        };
        let tail = rest.split_off(end);
        let lines = std::mem::replace(&mut rest, tail);
        if !lines.is_empty() && send.blocking_send(Ok(lines)).is_err() || len == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn an_item_comes_when_its_options_are_there_and_not_at_the_end() {
        let (input, mut writer) = std::io::pipe().unwrap();
        let mut feed = Feed::of(input).unwrap();
        writer.write_all(b"# list\na.torrent\n  select=1\n").unwrap();
        let first = feed.next().await.unwrap().unwrap();
        assert_eq!((first.source.as_str(), first.line, first.options.len()), ("a.torrent", 2, 1));
        // Options that come too late, a line that is none, and two items at once.
        writer.write_all(b"  dir=late\nb\n\xff\xfe\nc\n  what\nd").unwrap();
        let late = feed.next().await.unwrap().unwrap_err().to_string();
        assert!(late.contains("line 4") && late.contains("no source before it"), "{late}");
        let mut seen = Vec::new();
        drop(writer);
        while let Some(next) = feed.next().await {
            seen.push(next.map_or_else(|problem| format!("! {problem}"), |entry| entry.source));
        }
        assert_eq!(seen.len(), 4, "{seen:?}");
        assert!(seen[0].starts_with("! standard input, line 6: it is no source"), "{seen:?}");
        assert_eq!(seen[1], "b");
        assert!(
            seen[2].starts_with("! standard input, line 8: an indented line is KEY=VALUE; the source above"),
            "{seen:?}"
        );
        // Without its options a source is something else.
        assert_eq!(seen[3..], ["d"]);
    }
}
