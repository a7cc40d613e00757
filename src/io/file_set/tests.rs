//! What the files do on a real file system.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::base::layout::FileSpan;
use crate::base::merkle::{self, Node};
use crate::base::metainfo::Trees;
use crate::base::piece_hash::{PieceHashes, merkle_roots, tree_height};

/// A folder with a torrent's files in it.
pub(crate) struct Fixture {
    pub out: TempDir,
    pub state: TempDir,
    pub layout: Arc<Layout>,
    pub paths: Vec<PathBuf>,
    pub content: Vec<u8>,
    v2: bool,
}

impl Fixture {
    /// Pieces of `piece_length`, files of these names and lengths; a name that begins with `.pad` is padding.
    pub fn new(piece_length: u32, files: &[(&str, u64)]) -> Fixture {
        let is_pad = |name: &str| name.starts_with(".pad");
        let layout = Layout::v1(piece_length, files.iter().map(|&(name, length)| (length, is_pad(name))));
        Fixture::of(layout, files, false)
    }

    /// The same with every file at the start of a piece (BEP 52), and no padding.
    pub fn v2(piece_length: u32, files: &[(&str, u64)]) -> Fixture {
        Fixture::of(Layout::v2(piece_length, files.iter().map(|&(_, length)| (length, false))), files, true)
    }

    fn of(layout: Layout, files: &[(&str, u64)], v2: bool) -> Fixture {
        let mut content: Vec<u8> = (0..layout.end()).map(|at| (at * 7 + at / 251 + 1) as u8 | 1).collect();
        for span in layout.files().iter().filter(|span| span.pad) {
            content[span.offset as usize..][..span.length as usize].fill(0);
        }
        Fixture {
            out: tempfile::tempdir().unwrap(),
            state: tempfile::tempdir().unwrap(),
            layout: Arc::new(layout),
            paths: files.iter().map(|&(name, _)| name.into()).collect(),
            content,
            v2,
        }
    }

    pub fn setup(&self) -> FileSetup {
        FileSetup {
            allocate: Allocate::Sparse,
            layout: self.layout.clone(),
            paths: self.paths.clone(),
            dir: self.out.path().to_owned(),
            selected: self.layout.files().iter().map(|span| !span.pad).collect(),
            part: true,
            writable: true,
            overwrite: false,
            edges: Some(self.state.path().join("x.edges")),
            max_open: 3,
        }
    }

    /// Opened with these files selected, nothing verified.
    pub fn open(&self, selected: &[usize]) -> FileSet {
        let files = FileSet::open(self.choose(selected)).unwrap();
        files.adopt(&Bitfield::new(self.layout.pieces()), |_| false).unwrap();
        files
    }

    pub fn choose(&self, selected: &[usize]) -> FileSetup {
        FileSetup { selected: (0..self.paths.len()).map(|index| selected.contains(&index)).collect(), ..self.setup() }
    }

    pub fn piece(&self, piece: u32) -> &[u8] {
        &self.content[self.layout.piece_offset(piece) as usize..][..self.layout.piece_len(piece) as usize]
    }

    pub fn hashes(&self) -> PieceHashes {
        match self.v2 {
            false => (0..self.layout.pieces()).map(|piece| crate::base::hash::sha1(self.piece(piece))).collect(),
            true => PieceHashes::V2 { layout: self.layout.clone(), trees: self.trees() },
        }
    }

    fn trees(&self) -> Trees {
        let layout = &self.layout;
        let root = |piece| merkle_roots(&[(&[self.piece(piece)], tree_height(layout, piece))])[0];
        let layers: Vec<Vec<Node>> =
            (0..self.paths.len()).map(|file| layout.pieces_of(file).map(root).collect()).collect();
        let of_file = |(layer, span): (&Vec<Node>, &FileSpan)| match layer.len() {
            0 => None,
            1 => Some((layer[0], span.length)),
            _ => {
                let base = merkle::piece_layer(layout.piece_length());
                Some((merkle::root(layer, base, merkle::file_height(span.length) - base), span.length))
            }
        };
        let roots: Vec<_> = layers.iter().zip(layout.files()).map(of_file).collect();
        let trees = Trees::new(layout.piece_length(), roots.clone()).unwrap();
        let layers = roots.into_iter().zip(layers).filter_map(|(root, layer)| Some((root?.0, layer)));
        trees.with_layers(layers).unwrap()
    }

    pub fn file(&self, index: usize) -> &[u8] {
        let span = self.layout.files()[index];
        &self.content[span.offset as usize..][..span.length as usize]
    }

    /// Writes these pieces in one go and marks them verified.
    pub fn put(&self, files: &FileSet, pieces: &[u32]) -> Result<(), FileError> {
        let parts: Vec<_> =
            pieces.iter().map(|&piece| Stretched { piece, begin: 0, bytes: self.piece(piece) }).collect();
        files.write(&parts)?;
        pieces.iter().try_for_each(|&piece| files.mark_verified(piece))
    }

    /// Everything below the output folder, folders with a slash behind.
    pub fn tree(&self) -> Vec<String> {
        fn walk(folder: &Path, prefix: &str, into: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if entry.file_type().unwrap().is_dir() {
                    walk(&entry.path(), &format!("{name}/"), into);
                    into.push(format!("{name}/"));
                } else {
                    into.push(name);
                }
            }
        }
        let mut tree = Vec::new();
        walk(self.out.path(), "", &mut tree);
        tree.sort();
        tree
    }

    pub fn on_disk(&self, name: &str) -> Vec<u8> {
        fs::read(self.out.path().join(name)).unwrap()
    }

    pub fn place(&self, name: &str, bytes: &[u8]) {
        let path = self.out.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Three files over pieces of 10: a in 0..=1, b in 1, c in 1..=3.
fn abc() -> Fixture {
    Fixture::new(10, &[("t/a", 15), ("t/b", 3), ("t/d/c", 20)])
}

#[test]
fn files_are_made_with_their_first_byte_and_named_with_their_last() {
    let fx = abc();
    let files = fx.open(&[0, 1, 2]);
    assert!(fx.tree().is_empty(), "nothing before the first byte");
    fx.put(&files, &[0]).unwrap();
    assert_eq!(fx.tree(), ["t/", "t/a.part"]);
    assert_eq!(fx.on_disk("t/a.part").len(), 15, "full length at once");
    fx.put(&files, &[1]).unwrap();
    assert_eq!(fx.tree(), ["t/", "t/a", "t/b", "t/d/", "t/d/c.part"]);
    assert_eq!(files.take_finished(), [0, 1]);
    fx.put(&files, &[2, 3]).unwrap();
    assert_eq!((files.take_finished(), fx.tree().pop().unwrap().as_str()), (vec![2], "t/d/c"));
    assert_eq!(
        (fx.on_disk("t/a"), fx.on_disk("t/b"), fx.on_disk("t/d/c")),
        (fx.file(0).to_vec(), fx.file(1).to_vec(), fx.file(2).to_vec())
    );
    assert!(files.verified().all());
}

#[test]
fn every_stretch_of_every_piece_reads_back() {
    let fx = Fixture::new(10, &[("t/a", 15), ("t/e", 0), (".pad/5", 5), ("t/b", 3), ("t/c", 21)]);
    let files = fx.open(&[0, 1, 4]);
    fx.put(&files, &[3, 4, 0, 1, 2]).unwrap();
    for piece in 0..fx.layout.pieces() {
        for begin in 0..fx.layout.piece_len(piece) {
            for end in begin + 1..=fx.layout.piece_len(piece) {
                let mut bytes = vec![9; (end - begin) as usize];
                files.read(piece, begin, &mut bytes).unwrap();
                assert_eq!(bytes, fx.piece(piece)[begin as usize..end as usize], "{piece}: {begin}..{end}");
            }
        }
    }
    assert_eq!(fx.tree(), ["t/", "t/a", "t/c", "t/e"], "neither padding nor what is not selected; empty files are");
}

#[test]
fn without_part_a_file_has_its_name_from_the_start() {
    let fx = abc();
    let files = FileSet::open(FileSetup { part: false, ..fx.setup() }).unwrap();
    files.adopt(&Bitfield::new(4), |_| false).unwrap();
    fx.put(&files, &[0]).unwrap();
    assert_eq!(fx.tree(), ["t/", "t/a"]);
    fx.put(&files, &[1, 2, 3]).unwrap();
    assert_eq!(fx.on_disk("t/a"), fx.file(0));
}

#[test]
fn bytes_of_unselected_files_wait_in_the_edge_file_for_their_selection() {
    let fx = abc();
    let files = fx.open(&[0]);
    assert_eq!(files.wanted().ones().collect::<Vec<_>>(), [0, 1]);
    fx.put(&files, &[0, 1]).unwrap();
    assert_eq!(fx.tree(), ["t/", "t/a"]);
    let mut piece = [0; 10];
    files.read(1, 0, &mut piece).unwrap();
    assert_eq!(piece, fx.piece(1), "a shared piece can be served");
    drop(files);

    // A later run that believes the verified pieces: b is whole at once, c has its first two bytes.
    let files = FileSet::open(fx.choose(&[1, 2])).unwrap();
    let mut verified = Bitfield::new(4);
    verified.set(0);
    verified.set(1);
    files.adopt(&verified, |index| index == 0).unwrap();
    assert_eq!(fx.tree(), ["t/", "t/a", "t/b"]);
    assert_eq!((fx.on_disk("t/b"), files.take_finished()), (fx.file(1).to_vec(), vec![1]));
    fx.put(&files, &[2, 3]).unwrap();
    assert_eq!(fx.on_disk("t/d/c"), fx.file(2));
}

#[test]
fn selecting_while_it_runs_moves_what_waits() {
    let fx = abc();
    let files = fx.open(&[0]);
    fx.put(&files, &[0, 1]).unwrap();
    files.select(&[true, true, true]).unwrap();
    assert_eq!(files.take_finished(), [0, 0, 1]);
    assert_eq!(fx.on_disk("t/b"), fx.file(1));
    fx.put(&files, &[3, 2]).unwrap();
    assert_eq!(fx.on_disk("t/d/c"), fx.file(2));
}

#[test]
fn unselecting_keeps_what_is_there_and_makes_nothing_new() {
    let fx = abc();
    let files = fx.open(&[0, 1, 2]);
    fx.put(&files, &[0]).unwrap();
    files.select(&[true, false, false]).unwrap();
    fx.put(&files, &[1]).unwrap();
    assert_eq!(fx.tree(), ["t/", "t/a"]);
}

#[cfg(unix)]
mod links {
    use std::os::unix::fs::symlink;

    use super::*;

    /// What a link in the way must lead to: an error that names it, and nothing touched beyond it.
    fn refused(fx: &Fixture, at: &str, error: &FileError) {
        assert!(matches!(error, FileError::Link { .. }), "{error}");
        assert_eq!(error.path(), fx.out.path().canonicalize().unwrap().join(at));
    }

    #[test]
    fn a_link_at_a_name_a_part_name_or_a_folder_is_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("victim"), b"precious").unwrap();
        for (link, to) in [
            ("t/a", outside.path().join("victim")),
            ("t/a.part", outside.path().join("victim")),
            ("t/a.part", outside.path().join("dangling")),
            ("t", outside.path().to_owned()),
            ("t/d", outside.path().to_owned()),
            ("t/d", PathBuf::from(".")),
        ] {
            let fx = abc();
            fs::create_dir_all(fx.out.path().join(link).parent().unwrap()).unwrap();
            symlink(&to, fx.out.path().join(link)).unwrap();
            refused(&fx, link, &FileSet::open(fx.setup()).unwrap_err());
        }
        assert_eq!(fs::read(outside.path().join("victim")).unwrap(), b"precious");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_that_appears_after_the_survey_is_not_followed_either() {
        let outside = tempfile::tempdir().unwrap();
        let victim = outside.path().join("victim");
        fs::write(&victim, b"precious").unwrap();
        let fx = abc();
        let files = fx.open(&[0, 1, 2]);
        fs::create_dir(fx.out.path().join("t")).unwrap();
        symlink(&victim, fx.out.path().join("t/a.part")).unwrap();
        let error = fx.put(&files, &[0]).unwrap_err();
        assert!(matches!(error, FileError::Link { .. } | FileError::Occupied { .. }), "{error}");
        symlink(outside.path(), fx.out.path().join("t/d")).unwrap();
        refused(&fx, "t/d", &fx.put(&files, &[3]).unwrap_err());

        // The file is swapped for a link between two writes, its handle closed in between.
        let fx = abc();
        let files = fx.open(&[0, 1, 2]);
        fx.put(&files, &[0]).unwrap();
        files.state().handles.close(0);
        fs::remove_file(fx.out.path().join("t/a.part")).unwrap();
        symlink(&victim, fx.out.path().join("t/a.part")).unwrap();
        refused(&fx, "t/a.part", &fx.put(&files, &[1]).unwrap_err());
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
    }

    #[test]
    fn the_output_folder_itself_may_be_a_link() {
        let fx = abc();
        let real = tempfile::tempdir().unwrap();
        let link = fx.out.path().join("link");
        symlink(real.path(), &link).unwrap();
        let files = FileSet::open(FileSetup { dir: link, ..fx.setup() }).unwrap();
        files.adopt(&Bitfield::new(4), |_| false).unwrap();
        fx.put(&files, &[0, 1]).unwrap();
        assert_eq!(fs::read(real.path().join("t/a")).unwrap(), fx.file(0));
        assert_eq!(files.target(), real.path().canonicalize().unwrap().join("t"));
    }

    #[test]
    fn links_at_files_that_are_not_selected_are_left_alone() {
        let fx = abc();
        fs::create_dir(fx.out.path().join("t")).unwrap();
        symlink("/nowhere", fx.out.path().join("t/b")).unwrap();
        let files = fx.open(&[0]);
        fx.put(&files, &[0, 1]).unwrap();
        assert_eq!(fx.on_disk("t/a"), fx.file(0));
    }
}

#[test]
fn paths_that_leave_the_folder_are_refused_even_if_somebody_made_them() {
    for path in ["../x", "/etc/x", "t/../../x"] {
        let fx = Fixture { paths: vec![path.into()], ..Fixture::new(10, &[("x", 5)]) };
        assert!(FileSet::open(fx.setup()).is_err(), "{path}");
    }
}

#[test]
fn something_of_a_foreign_make_is_refused_and_untouched() {
    let fx = abc();
    fx.place("t/b", b"mine");
    let files = FileSet::open(fx.setup()).unwrap();
    let error = files.adopt(&Bitfield::new(4), |_| false).unwrap_err();
    assert!(matches!(&error, FileError::Occupied { path } if path.ends_with("t/b")), "{error}");
    assert_eq!(fx.on_disk("t/b"), b"mine");

    let ours = FileSet::open(fx.setup()).unwrap();
    ours.adopt(&Bitfield::new(4), |index| index == 1).expect("a record says that it is ours");
    drop(ours);

    let files = FileSet::open(FileSetup { overwrite: true, ..fx.setup() }).unwrap();
    files.adopt(&Bitfield::new(4), |_| false).unwrap();
    fx.put(&files, &[0, 1]).unwrap();
    assert_eq!(fx.on_disk("t/b"), fx.file(1));
}

#[test]
fn overwriting_does_not_write_through_a_second_name_of_the_file() {
    let fx = abc();
    fx.place("t/b", b"abc");
    fs::hard_link(fx.out.path().join("t/b"), fx.out.path().join("backup")).unwrap();
    let files = FileSet::open(FileSetup { overwrite: true, ..fx.setup() }).unwrap();
    files.adopt(&Bitfield::new(4), |_| false).unwrap();
    fx.put(&files, &[0, 1]).unwrap();
    assert_eq!((fx.on_disk("t/b"), fx.on_disk("backup")), (fx.file(1).to_vec(), b"abc".to_vec()));
}

#[test]
fn a_file_with_a_right_piece_is_taken_up_and_hidden_until_it_is_whole() {
    let fx = abc();
    let mut half = fx.file(0).to_vec();
    half.truncate(12);
    fx.place("t/a", &half);
    let files = FileSet::open(fx.setup()).unwrap();
    let mut verified = Bitfield::new(4);
    verified.set(0);
    files.adopt(&verified, |_| false).unwrap();
    assert_eq!(fx.tree(), ["t/", "t/a"], "untouched until something is written to it");
    fx.put(&files, &[1]).unwrap();
    assert_eq!((fx.tree()[1].as_str(), fx.on_disk("t/a")), ("t/a", fx.file(0).to_vec()));
}

#[test]
fn a_foreign_file_that_is_not_selected_is_left_alone() {
    let fx = abc();
    fx.place("t/b", b"abc");
    let files = fx.open(&[0]);
    fx.put(&files, &[0, 1]).unwrap();
    assert_eq!((fx.on_disk("t/b"), fx.on_disk("t/a")), (b"abc".to_vec(), fx.file(0).to_vec()));
    let mut piece = [0; 10];
    files.read(1, 0, &mut piece).unwrap();
    assert_eq!(piece, fx.piece(1));
}

#[test]
fn both_names_at_once_are_refused_unless_overwriting() {
    let fx = abc();
    fx.place("t/a", b"something");
    fx.place("t/a.part", fx.file(0));
    let mut verified = Bitfield::new(4);
    verified.set(0);
    let files = FileSet::open(fx.setup()).unwrap();
    assert!(matches!(files.adopt(&verified, |_| true), Err(FileError::Occupied { .. })));
    let files = FileSet::open(FileSetup { overwrite: true, ..fx.setup() }).unwrap();
    files.adopt(&verified, |_| true).unwrap();
    fx.put(&files, &[1]).unwrap();
    assert_eq!(fx.on_disk("t/a"), fx.file(0));
}

#[test]
fn a_name_that_gets_taken_meanwhile_is_not_replaced() {
    let fx = abc();
    let files = fx.open(&[0, 1, 2]);
    fx.put(&files, &[0]).unwrap();
    fx.place("t/a", b"newcomer");
    assert!(matches!(fx.put(&files, &[1]), Err(FileError::Occupied { .. })));
    assert_eq!(fx.on_disk("t/a"), b"newcomer");
}

#[test]
fn a_folder_in_the_place_of_a_file_and_a_file_in_the_place_of_a_folder_are_named() {
    let fx = abc();
    fs::create_dir_all(fx.out.path().join("t/a")).unwrap();
    let error = FileSet::open(fx.setup()).unwrap_err();
    assert!(matches!(&error, FileError::Occupied { path } if path.ends_with("t/a")), "{error}");
    let fx = abc();
    fx.place("t", b"a file");
    let error = FileSet::open(fx.setup()).unwrap_err();
    assert!(matches!(&error, FileError::Occupied { path } if path.ends_with("t")), "{error}");
}

#[test]
fn a_file_that_is_too_long_is_cut_when_it_is_whole() {
    let fx = abc();
    let mut long = fx.file(1).to_vec();
    long.extend(b"tail");
    fx.place("t/b", &long);
    fx.place("t/a", fx.file(0));
    let files = FileSet::open(fx.setup()).unwrap();
    let mut verified = Bitfield::new(4);
    verified.set(1);
    files.adopt(&verified, |_| false).unwrap();
    assert_eq!(fx.on_disk("t/b"), fx.file(1));
}

#[test]
fn a_file_that_shrank_is_an_error() {
    let fx = abc();
    let files = fx.open(&[0, 1, 2]);
    fx.put(&files, &[0, 1, 2, 3]).unwrap();
    fs::OpenOptions::new().write(true).open(fx.out.path().join("t/a")).unwrap().set_len(12).unwrap();
    let error = files.read(1, 0, &mut [0; 10]).unwrap_err();
    assert!(matches!(error, FileError::Short { expected: 15, found: 12, .. }), "{error}");
    files.read(0, 0, &mut [0; 10]).unwrap();
}

#[test]
fn a_read_only_set_makes_and_changes_nothing() {
    let fx = abc();
    fx.place("t/a.part", fx.file(0));
    fx.place("t/b", b"toolong!");
    let files = FileSet::open(FileSetup { writable: false, ..fx.setup() }).unwrap();
    files.adopt(&Bitfield::full(4), |_| true).unwrap();
    assert_eq!(fx.tree(), ["t/", "t/a.part", "t/b"]);
    assert_eq!(fx.on_disk("t/b"), b"toolong!");
    assert!(matches!(
        FileSet::open(FileSetup { writable: false, dir: fx.out.path().join("no"), ..fx.setup() }),
        Err(FileError::Missing { .. })
    ));
}

#[test]
fn space_counts_what_is_still_to_come() {
    let fx = Fixture::new(1 << 20, &[("big", 3 << 20)]);
    let files = fx.open(&[0]);
    assert_eq!(files.needed_space(), 3 << 20);
    files.check_space().unwrap();
    drop(files);
    let huge = Layout::v1(1 << 30, [(1 << 60, false)]);
    let setup = FileSetup { layout: Arc::new(huge), ..fx.setup() };
    let files = FileSet::open(setup).unwrap();
    if cfg!(unix) {
        assert!(matches!(files.check_space(), Err(FileError::SpaceShort { needed, .. }) if needed == 1 << 60));
    }
    fx.place("big.part", &vec![1; 2 << 20]);
    let files = FileSet::open(fx.setup()).unwrap();
    if cfg!(unix) {
        assert_eq!(files.needed_space(), 1 << 20, "what has blocks already is not counted");
    }
}

#[test]
fn behind_a_v2_file_there_are_zeros_up_to_the_next_piece() {
    let fx = Fixture::v2(100, &[("t/a", 130), ("t/b", 7)]);
    let files = fx.open(&[0, 1]);
    fx.put(&files, &[0, 1, 2]).unwrap();
    for piece in 0..3 {
        let mut bytes = vec![0xee; 90];
        files.read(piece, 10 * u32::from(piece < 2), &mut bytes).unwrap();
        let mut expected = fx.piece(piece)[10 * usize::from(piece < 2)..].to_vec();
        expected.resize(90, 0);
        assert_eq!(bytes, expected, "{piece}");
        assert_eq!(
            files.locate(piece, 0, 90).is_some(),
            piece == 0,
            "bytes that are not in the file can't be sent from it"
        );
    }
}

#[test]
fn thousands_of_files_need_few_handles() {
    let names: Vec<_> = (0..5_000).map(|n| (format!("t/{}/{n}", n % 50), 1 + n % 40)).collect();
    let named: Vec<_> = names.iter().map(|(name, length)| (name.as_str(), *length)).collect();
    let fx = Fixture::new(16_384, &named);
    let files = fx.open(&(0..5_000).collect::<Vec<_>>());
    let pieces: Vec<_> = (0..fx.layout.pieces()).collect();
    fx.put(&files, &pieces).unwrap();
    assert_eq!(files.take_finished().len(), 5_000);
    for piece in pieces {
        let mut bytes = vec![0; fx.layout.piece_len(piece) as usize];
        files.read(piece, 0, &mut bytes).unwrap();
        assert_eq!(bytes, fx.piece(piece));
    }
}

/// Makes every further write to file `index` fail as on a full file system.
#[cfg(target_os = "linux")]
pub(crate) fn fill_up(files: &FileSet, index: usize) {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    files.state().handles.put(index, full, true);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_file_system_is_told_as_such_and_verifies_nothing() {
    let fx = abc();
    let files = fx.open(&[0, 1, 2]);
    fx.put(&files, &[0]).unwrap();
    fill_up(&files, 0);
    let error = fx.put(&files, &[1]).unwrap_err();
    assert!(matches!(&error, FileError::NoSpace { path } if path.ends_with("t/a")), "{error}");
    assert_eq!(error.to_failure().kind, crate::swarm::DiskFailureKind::NoSpace);
    assert_eq!(files.verified().ones().collect::<Vec<_>>(), [0]);
}

#[test]
fn a_sync_tells_what_a_record_may_say() {
    let fx = abc();
    let files = fx.open(&[0, 2]);
    fx.put(&files, &[0, 1]).unwrap();
    assert!(files.dirty_bytes() > 0);
    let synced = files.sync().unwrap();
    assert_eq!(files.dirty_bytes(), 0);
    assert_eq!(synced.verified.ones().collect::<Vec<_>>(), [0, 1]);
    let stamp = |name: &str| Some(Stamp::of(&fs::metadata(fx.out.path().join(name)).unwrap()));
    assert_eq!(synced.stamps, [stamp("t/a"), None, stamp("t/d/c.part")]);
    assert_eq!(synced.edges, Some(Stamp::of(&fs::metadata(fx.state.path().join("x.edges")).unwrap())));
    drop(files);
    assert_eq!(FileSet::open(fx.choose(&[0, 2])).unwrap().stamps(), synced.stamps);
}
