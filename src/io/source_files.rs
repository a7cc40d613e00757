//! The files on disk that a torrent is made of, read as pieces.
//!
//! They are somebody's own files and may be written to while they are read: each has the size and time with which it was
//! found, and [`SourceFiles::look_again`] says whether they still hold.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::layout::{Layout, Stretch};
use crate::io::file_set::handles::Handles;
use crate::io::file_set::{FileError, Stamp, sys};
use crate::io::hash_pieces::{CheckWatch, Digests, Hashed, PieceBytes, Recipe, hash_pieces};

/// A file as it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceFile {
    pub path: PathBuf,
    pub stamp: Stamp,
}

/// Files laid out and cut into pieces.
#[derive(Debug)]
pub struct SourceFiles {
    /// One for each file of the layout; `None` for padding.
    files: Vec<Option<SourceFile>>,
    layout: Layout,
    handles: Mutex<Handles>,
}

/// Files open at a time.
const MAX_OPEN: usize = 64;

impl SourceFiles {
    /// `files` are those of `layout` that are no padding, in its order.
    pub fn new(files: Vec<SourceFile>, layout: Layout) -> SourceFiles {
        let mut files = files.into_iter();
        let files = layout.files().iter().map(|span| if span.pad { None } else { files.next() }).collect();
        SourceFiles { files, layout, handles: Mutex::new(Handles::new(MAX_OPEN)) }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The hashes of each piece, with all cores. Blocks.
    ///
    /// # Errors
    /// The first that is met, and what [`SourceFiles::look_again`] finds: a torrent of files that change is of no use.
    pub fn hash(&self, recipe: Recipe<'_>, watch: &CheckWatch) -> Result<Vec<Digests>, FileError> {
        let all: Vec<u32> = (0..self.layout.pieces()).collect();
        let found = Mutex::new((vec![Digests::default(); all.len()], None));
        let note = |hashed: Vec<Hashed>| {
            let (all_digests, failure) = &mut *found.lock().unwrap_or_else(PoisonError::into_inner);
            for (piece, result) in hashed {
                match result {
                    Ok(digests) => all_digests[piece as usize] = digests,
                    Err(error) => {
                        failure.get_or_insert(error);
                        watch.cancel.store(true, Relaxed);
                    }
                }
            }
        };
        hash_pieces(PieceBytes::Source(self), &all, recipe, watch, &note);
        match found.into_inner().unwrap_or_else(PoisonError::into_inner) {
            (_, Some(failure)) => Err(failure),
            (digests, None) => self.look_again().map(|()| digests),
        }
    }

    /// Fills `buffer` with the bytes from `begin` of piece `piece` on, which must lie in the piece.
    ///
    /// # Errors
    /// [`FileError::Vanished`] and [`FileError::Changed`] if the bytes are not there any more, or what the file system
    /// says.
    pub fn read(&self, piece: u32, begin: u32, buffer: &mut [u8]) -> Result<(), FileError> {
        for stretch in self.layout.stretches(piece, begin, buffer.len() as u32) {
            let into = &mut buffer[stretch.at as usize..][..stretch.len as usize];
            let Some(SourceFile { path, .. }) = &self.files[stretch.file] else {
                into.fill(0);
                continue;
            };
            let Some(file) = self.file_of(&stretch)? else { continue };
            let found =
                sys::read_at(&file, into, stretch.file_offset).map_err(|error| FileError::io("read", path, error))?;
            if found < into.len() {
                return Err(FileError::Changed { path: path.to_owned() });
            }
        }
        Ok(())
    }

    /// True if every byte of piece `piece` is zero because it lies in a hole of a file. `false` says nothing.
    pub fn is_hole(&self, piece: u32) -> bool {
        let len = self.layout.piece_len(piece);
        let whole = self.layout.stretches(piece, 0, len).next().filter(|stretch| stretch.len == len);
        // One that takes several files is too small to be worth asking.
        let Some((stretch, Ok(Some(file)))) = whole.map(|stretch| (stretch, self.file_of(&stretch))) else {
            return false;
        };
        let end = stretch.file_offset + u64::from(len);
        sys::next_data(&file, stretch.file_offset).is_none_or(|data| data >= end)
    }

    /// True if the kernel seems to have the bytes of `pieces`, which rise, in memory: the first and the last of them.
    pub fn is_cached(&self, pieces: &[u32]) -> bool {
        let (Some(&first), Some(&last)) = (pieces.first(), pieces.last()) else { return true };
        let cached = |piece, begin| {
            let Some(stretch) = self.layout.stretches(piece, begin, 1).next() else { return true };
            self.file_of(&stretch).is_ok_and(|file| file.is_none_or(|file| sys::is_cached(&file, stretch.file_offset)))
        };
        cached(first, 0) && cached(last, self.layout.piece_len(last) - 1)
    }

    /// Looks whether each file still has the size and time with which it was found.
    ///
    /// # Errors
    /// [`FileError::Vanished`] and [`FileError::Changed`] for the first that has not.
    pub fn look_again(&self) -> Result<(), FileError> {
        for SourceFile { path, stamp } in self.files.iter().flatten() {
            let meta = std::fs::metadata(path).map_err(|error| refusal("look at", path, error))?;
            if Stamp::of(&meta) != *stamp {
                return Err(FileError::Changed { path: path.clone() });
            }
        }
        Ok(())
    }

    /// The open file of a stretch, kept open where more of it will be read; `None` for padding.
    fn file_of(&self, stretch: &Stretch) -> Result<Option<Arc<File>>, FileError> {
        let Some(SourceFile { path, stamp }) = &self.files[stretch.file] else { return Ok(None) };
        let open = || File::open(path).map_err(|error| refusal("open", path, error));
        if u64::from(stretch.len) == stamp.size {
            return Ok(Some(Arc::new(open()?)));
        }
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        match handles.get(stretch.file, false) {
            Some(file) => Ok(Some(file)),
            None => Ok(Some(handles.put(stretch.file, open()?, false))),
        }
    }
}

fn refusal(doing: &'static str, path: &Path, error: io::Error) -> FileError {
    match error.kind() {
        io::ErrorKind::NotFound => FileError::Vanished { path: path.to_owned() },
        _ => FileError::io(doing, path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::sha1;
    use crate::io::hash_pieces::STEP;

    struct Scene {
        dir: tempfile::TempDir,
        content: Vec<u8>,
        files: Vec<SourceFile>,
    }

    impl Scene {
        /// Files of these lengths, all bytes different from their neighbours.
        fn new(lengths: &[usize]) -> Scene {
            let mut scene = Scene { dir: tempfile::tempdir().unwrap(), content: Vec::new(), files: Vec::new() };
            for (nth, len) in lengths.iter().enumerate() {
                let bytes: Vec<u8> = (0..*len).map(|at| (at * 31 + at / 251 + nth * 7) as u8).collect();
                let path = scene.dir.path().join(nth.to_string());
                std::fs::write(&path, &bytes).unwrap();
                let stamp = Stamp::of(&std::fs::metadata(&path).unwrap());
                scene.content.extend(bytes);
                scene.files.push(SourceFile { path, stamp });
            }
            scene
        }

        fn source(&self, piece_length: u32) -> SourceFiles {
            let layout = Layout::v1(piece_length, self.files.iter().map(|file| (file.stamp.size, false)));
            SourceFiles::new(self.files.clone(), layout)
        }
    }

    fn hash(files: &SourceFiles) -> Result<Vec<[u8; 20]>, FileError> {
        let watch = CheckWatch::default();
        let hashed = files.hash(Recipe { sha1: true, merkle: None }, &watch);
        assert!(hashed.is_err() || watch.done.into_inner() == files.layout().total());
        hashed.map(|hashed| hashed.into_iter().map(|digests| digests.sha1).collect())
    }

    #[test]
    fn each_piece_has_the_hash_of_its_bytes_wherever_they_lie() {
        let scene = Scene::new(&[0, 5, 70_000, 0, 1, 16_384, 300_000, 7]);
        for piece_length in [1 << 14, 1 << 16, STEP as u32 * 2, 1 << 20] {
            let expected: Vec<_> = scene.content.chunks(piece_length as usize).map(sha1).collect();
            assert_eq!(hash(&scene.source(piece_length)).unwrap(), expected);
        }
    }

    #[test]
    fn holes_are_zeros() {
        let scene = Scene::new(&[10]);
        let path = &scene.files[0].path;
        File::options().write(true).open(path).unwrap().set_len(1 << 20).unwrap();
        let stamp = Stamp::of(&std::fs::metadata(path).unwrap());
        let layout = Layout::v1(1 << 16, [(stamp.size, false)]);
        let files = SourceFiles::new(vec![SourceFile { path: path.clone(), stamp }], layout);
        if cfg!(target_os = "linux") {
            assert!(files.is_hole(15) && !files.is_hole(0));
        }
        let zeros = sha1(&[0; 1 << 16]);
        assert!(hash(&files).unwrap().into_iter().skip(1).all(|hash| hash == zeros));
    }

    #[test]
    fn what_changes_or_goes_is_noticed() {
        let scene = Scene::new(&[100_000, 50]);
        let files = scene.source(1 << 14);
        files.look_again().unwrap();

        File::options().write(true).open(&scene.files[0].path).unwrap().set_len(90_000).unwrap();
        assert!(matches!(hash(&files), Err(FileError::Changed { path }) if path == scene.files[0].path));
        assert!(matches!(files.look_again(), Err(FileError::Changed { .. })));

        let files = scene.source(1 << 14);
        std::fs::remove_file(&scene.files[0].path).unwrap();
        assert!(matches!(hash(&files), Err(FileError::Vanished { .. })));
        assert!(matches!(files.look_again(), Err(FileError::Vanished { .. })));
    }

    #[test]
    fn an_old_file_of_the_same_size_is_another_one() {
        let scene = Scene::new(&[10]);
        let files = scene.source(1 << 14);
        let file = File::options().write(true).open(&scene.files[0].path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert!(matches!(hash(&files), Err(FileError::Changed { .. })));
    }
}
