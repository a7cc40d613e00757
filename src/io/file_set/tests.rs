//! What the files do on a real file system.

#[cfg(unix)]
mod links;

use std::fs;

use super::fixture::Fixture;
use super::*;

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

#[cfg(target_os = "linux")]
#[test]
fn a_full_file_system_is_told_as_such_and_verifies_nothing() {
    let fx = abc();
    let files = fx.open(&[0, 1, 2]);
    fx.put(&files, &[0]).unwrap();
    super::fixture::fill_up(&files, 0);
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
