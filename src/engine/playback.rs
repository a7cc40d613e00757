//! Reading a file while it downloads: readers that wait for what they need, and where they stand made known.
//!
//! A [`Playback`] is the way into an item whose files are open. Each [`Reader`] goes through a stretch of one file in
//! order; the item fetches first what its readers need (`swarm::play`). A reader that is dropped is forgotten, but
//! where the last one stood stays the place that counts: a player that pauses comes back there.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, watch};

use super::torrent_task::Control;
use crate::base::have_log::HaveLog;
use crate::base::layout::Layout;
use crate::base::metainfo::Info;
use crate::io::disk::TorrentDisk;
use crate::swarm::PlayWindow;

/// So many bytes are fetched ahead of each reader before anything else.
const AHEAD: u64 = 32 << 20;
/// Bytes that a reader gets at a time, at most.
const CHUNK: u64 = 256 << 10;

/// The way to read from an item that has its files open. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Playback {
    pub info: Arc<Info>,
    log: Arc<HaveLog>,
    disk: TorrentDisk,
    /// Renewed with every piece that is verified; closed with the end of the item.
    verified: watch::Receiver<()>,
    /// Weak, since the item itself holds this.
    control: mpsc::WeakUnboundedSender<Control>,
    next: Arc<AtomicU64>,
}

/// One reader on its way through a stretch of a file.
#[derive(Debug)]
pub struct Reader {
    playback: Playback,
    key: u64,
    /// Bytes of the torrent that are still to be read.
    left: Range<u64>,
    /// The piece that was told as its place.
    told: Option<u32>,
}

/// The item is over, or what was verified can't be read back.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(String);

impl Playback {
    pub(super) fn new(
        info: Arc<Info>,
        log: Arc<HaveLog>,
        disk: TorrentDisk,
        verified: watch::Receiver<()>,
        control: mpsc::WeakUnboundedSender<Control>,
    ) -> Playback {
        Playback { info, log, disk, verified, control, next: Arc::default() }
    }

    /// A reader of `range` of the bytes of file `file`, which is cut to what the file has.
    pub fn read(&self, file: usize, range: Range<u64>) -> Reader {
        let span = self.info.layout.files()[file];
        let place = |at: u64| span.offset + at.min(span.length);
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        Reader { playback: self.clone(), key, left: place(range.start)..place(range.end), told: None }
    }

    fn say(&self, control: Control) {
        // An item that is over has no readers to look after.
        if let Some(item) = self.control.upgrade() {
            let _ = item.send(control);
        }
    }
}

impl Reader {
    /// The next bytes, once they are verified; `None` at the end of the stretch.
    ///
    /// # Errors
    /// If the item is over before they came, or they can't be read back.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let layout = self.playback.info.layout.clone();
        let piece = layout.piece_at(self.left.start);
        self.tell(piece, &layout);
        loop {
            self.wait_for(piece).await?;
            let begin = (self.left.start - layout.piece_offset(piece)) as u32;
            let rest = u64::from(layout.piece_len(piece) - begin);
            let len = rest.min(self.left.end - self.left.start).min(CHUNK);
            match self.playback.disk.read(piece, begin, len as u32).await {
                Ok(Ok(bytes)) => {
                    self.left.start += len;
                    return Ok(Some(bytes));
                }
                // It may have been found lost in the meantime, and be fetched again.
                _ if !self.playback.log.contains(piece) => {}
                Ok(Err(error)) => return Err(ReadError(error.to_string())),
                Err(_) => return Err(ReadError("the disk threads are gone".into())),
            }
        }
    }

    async fn wait_for(&mut self, piece: u32) -> Result<(), ReadError> {
        // Marked as seen before the look, so that nothing slips in between.
        self.playback.verified.borrow_and_update();
        while !self.playback.log.contains(piece) {
            let over = |_| ReadError("the download is over".into());
            self.playback.verified.changed().await.map_err(over)?;
        }
        Ok(())
    }

    fn tell(&mut self, piece: u32, layout: &Layout) {
        if self.told.replace(piece) != Some(piece) {
            let end = self.left.end.div_ceil(layout.piece_length().into()) as u32;
            let window = PlayWindow { first: piece, end, ahead: pieces_ahead(layout) };
            self.playback.say(Control::Reader(self.key, Some(window)));
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.told.is_some() {
            self.playback.say(Control::Reader(self.key, None));
        }
    }
}

/// How many pieces are fetched ahead of a reader; two at least.
fn pieces_ahead(layout: &Layout) -> u32 {
    (AHEAD / u64::from(layout.piece_length())).clamp(2, u32::MAX.into()) as u32
}

/// Where the readers of an item stand.
#[derive(Debug, Default)]
pub(super) struct Readers {
    windows: BTreeMap<u64, PlayWindow>,
    /// What counts while nobody reads.
    idle: Vec<PlayWindow>,
}

impl Readers {
    /// Nobody reads yet: the beginning of each file in its turn, and before the rest of it its end, where players look
    /// for an index.
    pub fn begin(layout: &Layout, selected: &[bool]) -> Readers {
        let Some(file) = (0..selected.len())
            .find(|&file| selected[file] && !layout.files()[file].pad && !layout.pieces_of(file).is_empty())
        else {
            return Readers::default();
        };
        let pieces = layout.pieces_of(file);
        let head = PlayWindow { first: pieces.start, end: pieces.end, ahead: pieces_ahead(layout) };
        let tail = PlayWindow { first: pieces.end - 1, end: pieces.end, ahead: 1 };
        Readers { windows: BTreeMap::new(), idle: vec![head, tail] }
    }

    /// A reader has come to `window`, or is gone.
    pub fn note(&mut self, key: u64, window: Option<PlayWindow>) {
        match window {
            Some(window) => drop(self.windows.insert(key, window)),
            None => {
                if let Some(last) = self.windows.remove(&key)
                    && self.windows.is_empty()
                {
                    self.idle = vec![last];
                }
            }
        }
    }

    /// What they need.
    pub fn windows(&self) -> Vec<PlayWindow> {
        if self.windows.is_empty() { self.idle.clone() } else { self.windows.values().copied().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_counts_until_somebody_reads_and_the_last_place_after_that() {
        // Padding and what is not selected are left out.
        let layout = Layout::v1(1 << 20, [(3 << 20, false), (0, false), (50 << 20, false)]);
        let mut readers = Readers::begin(&layout, &[false, true, true]);
        let window = |first, end, ahead| PlayWindow { first, end, ahead };
        assert_eq!(readers.windows(), [window(3, 53, 32), window(52, 53, 1)]);
        readers.note(7, Some(window(10, 53, 32)));
        readers.note(9, Some(window(40, 53, 32)));
        assert_eq!(readers.windows(), [window(10, 53, 32), window(40, 53, 32)]);
        readers.note(7, None);
        readers.note(9, None);
        assert_eq!(readers.windows(), [window(40, 53, 32)]);
        readers.note(9, None);
        assert_eq!(readers.windows().len(), 1);
        assert!(Readers::begin(&layout, &[false, true, false]).windows().is_empty());
    }
}
