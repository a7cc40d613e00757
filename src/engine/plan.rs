//! What an item would do: what is on disk, what would be fetched, whether there is room. Nothing is changed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::item::{CheckMode, Failure, Item};
use super::prepare::file_failure;
use crate::base::bitfield::Bitfield;
use crate::base::metainfo::Info;
use crate::io::file_set::{FileSet, FileSetup, free_space, paths_of};
use crate::io::resume::{ResumeRecord, edges_path};
use crate::io::take_up::weigh;

/// What would happen. Sizes in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Where the single file or the top folder would stand.
    pub target: PathBuf,
    /// Of the selected files.
    pub wanted: u64,
    /// Verified by an earlier run and unchanged since: neither hashed nor fetched. Whole pieces are counted, as in all
    /// that follows.
    pub there: u64,
    /// On disk and in doubt: would be hashed, and fetched where it is wrong.
    pub to_check: u64,
    /// Not there at all.
    pub to_fetch: u64,
    /// What the file system would have to give.
    pub needed_space: u64,
    /// What it has; unknown on some systems.
    pub free_space: Option<u64>,
}

/// Looks at the disk for `item`, whose files of `info` are `selected`. Blocks.
///
/// # Errors
/// What would end the item before it began, but for want of space, which [`Plan`] tells.
pub fn plan(item: &Item, info: &Info, selected: &[bool], state_dir: Option<&Path>) -> Result<Plan, Failure> {
    let paths = paths_of(info, item.name.as_deref().map(OsStr::new));
    let bytes = |pieces: &Bitfield| pieces.ones().map(|piece| u64::from(info.layout.piece_len(piece))).sum::<u64>();
    let lengths = || info.files.iter().zip(selected).filter(|(_, selected)| **selected).map(|(file, _)| file.length);
    let top = paths.first().and_then(|path| path.iter().next()).map(PathBuf::from).unwrap_or_default();
    let nothing = Plan {
        target: std::path::absolute(item.dir.join(top)).unwrap_or_else(|_| item.dir.clone()),
        wanted: lengths().sum(),
        there: 0,
        to_check: 0,
        to_fetch: lengths().sum(),
        needed_space: lengths().sum(),
        free_space: free_space(existing(&item.dir)),
    };
    if !item.dir.is_dir() {
        return Ok(nothing);
    }
    let files = FileSet::open(FileSetup {
        layout: info.layout.clone(),
        paths,
        dir: item.dir.clone(),
        selected: selected.to_vec(),
        part: item.part,
        allocate: item.allocate,
        writable: false,
        overwrite: item.overwrite,
        edges: state_dir.map(|state| edges_path(state, &info.id)),
        max_open: 128,
    })
    .map_err(|e| file_failure(&e))?;
    let record = state_dir.and_then(|state| ResumeRecord::load(state, &info.id).ok()).flatten();
    let weighed = weigh(&files, record.as_ref());
    let (believed, doubtful) = match item.check {
        CheckMode::Quick => (weighed.believed, weighed.doubtful),
        CheckMode::Full => (Bitfield::new(info.layout.pieces()), files.present()),
        CheckMode::None => (Bitfield::new(info.layout.pieces()), Bitfield::new(info.layout.pieces())),
    };
    let only = |chosen: &dyn Fn(u32) -> bool| {
        let mut pieces = Bitfield::new(info.layout.pieces());
        files.wanted().ones().filter(|piece| chosen(*piece)).for_each(|piece| {
            pieces.set(piece);
        });
        bytes(&pieces)
    };
    Ok(Plan {
        target: files.target(),
        there: only(&|piece| believed.get(piece)),
        to_check: only(&|piece| doubtful.get(piece)),
        to_fetch: only(&|piece| !believed.get(piece) && !doubtful.get(piece)),
        needed_space: files.needed_space(),
        ..nothing
    })
}

/// The nearest folder above that is there.
fn existing(dir: &Path) -> &Path {
    let there = dir.ancestors().find(|folder| folder.is_dir());
    there.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Goal, ItemSource};
    use std::sync::Arc;

    #[test]
    fn what_is_there_what_is_in_doubt_and_what_is_missing_add_up() {
        let data: Vec<u8> = (0..50_000u32).map(|i| (i % 251) as u8).collect();
        let mut raw = b"d6:lengthi50000e4:name5:a.bin12:piece lengthi16384e6:pieces80:".to_vec();
        data.chunks(16_384).for_each(|piece| raw.extend(crate::base::hash::sha1(piece)));
        raw.push(b'e');
        let torrent = crate::base::metainfo::wrap(&raw, &[], &[], &[]);
        let metainfo = Arc::new(crate::base::metainfo::Metainfo::parse(&torrent).unwrap());
        let out = tempfile::tempdir().unwrap();
        let goal = Goal::Download { seed_ratio: None, seed_time: None };
        let item = |dir: PathBuf| Item::new(ItemSource::Torrent(metainfo.clone()), goal.clone(), dir);
        let plan = |dir: PathBuf| plan(&item(dir), &metainfo.info, &[true], None).unwrap();
        let none = plan(out.path().join("not/there"));
        assert_eq!((none.wanted, none.to_fetch, none.to_check, none.needed_space), (50_000, 50_000, 0, 50_000));
        assert!(none.target.ends_with("not/there/a.bin"));
        #[cfg(unix)]
        assert!(none.free_space.is_some());
        std::fs::write(out.path().join("a.bin"), &data).unwrap();
        let some = plan(out.path().to_owned());
        assert_eq!((some.there, some.to_check, some.to_fetch), (0, 50_000, 0));
    }
}
