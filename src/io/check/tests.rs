use std::fs::{self, OpenOptions};

use super::*;
use crate::io::file_set::fixture::Fixture;
use crate::io::hash_pieces::STEP;

fn all(fx: &Fixture) -> Bitfield {
    Bitfield::full(fx.layout.pieces())
}

fn run(fx: &Fixture, files: &FileSet) -> Checked {
    check(files, &fx.hashes(), &all(fx), &CheckWatch::default()).unwrap()
}

fn abc() -> Fixture {
    Fixture::new(1000, &[("t/a", 15_500), ("t/b", 300), ("t/d/c", 20_000)])
}

fn lay_down(fx: &Fixture) {
    for (index, path) in fx.paths.iter().enumerate() {
        fx.place(path.to_str().unwrap(), fx.file(index));
    }
}

#[test]
fn whole_data_is_right_and_one_wrong_byte_is_one_wrong_piece() {
    let fx = abc();
    lay_down(&fx);
    let watch = CheckWatch::default();
    let files = FileSet::open(fx.setup()).unwrap();
    assert!(check(&files, &fx.hashes(), &all(&fx), &watch).unwrap().verified.all());
    assert_eq!((watch.done.into_inner(), watch.total.into_inner()), (35_800, 35_800));

    let mut c = fx.file(2).to_vec();
    c[10_000] ^= 1;
    fx.place("t/d/c", &c);
    let verified = run(&fx, &FileSet::open(fx.setup()).unwrap()).verified;
    assert_eq!((verified.count(), verified.get(25)), (35, false));
}

#[test]
fn missing_and_short_files_cost_the_pieces_that_they_lack() {
    let fx = abc();
    lay_down(&fx);
    fs::remove_file(fx.out.path().join("t/b")).unwrap();
    OpenOptions::new().write(true).open(fx.out.path().join("t/a")).unwrap().set_len(4_500).unwrap();
    let files = FileSet::open(fx.setup()).unwrap();
    let Checked { verified, unreadable } = run(&fx, &files);
    assert_eq!(verified.ones().collect::<Vec<_>>(), (0..4).chain(16..36).collect::<Vec<_>>());
    assert!(matches!(unreadable[&0], FileError::Short { .. }), "a missing file is no news");
    assert!(matches!(files.problem(0), Some(FileError::Short { found: 4_500, expected: 15_500, .. })));
    assert!(matches!(files.problem(1), Some(FileError::Missing { .. })) && files.problem(2).is_none());
    assert_eq!(files.present().count(), 35, "piece 15 has bytes of the missing file");
}

#[test]
fn holes_are_zeros_but_a_short_file_is_no_hole() {
    let mut fx = Fixture::new(1 << 16, &[("sparse", 20 << 16)]);
    fx.content[..18 << 16].fill(0);
    let path = fx.out.path().join("sparse");
    let file = fs::File::create(&path).unwrap();
    file.set_len(20 << 16).unwrap();
    let files = FileSet::open(fx.setup()).unwrap();
    if cfg!(target_os = "linux") {
        assert!(files.is_hole(0) && files.is_hole(19));
    }
    assert_eq!(run(&fx, &files).verified.ones().collect::<Vec<_>>(), (0..18).collect::<Vec<_>>());
    file.set_len(10 << 16).unwrap();
    assert!(!files.is_hole(10));
    assert_eq!(run(&fx, &files).verified.count(), 10);
}

/// BEP 52: files of several pieces, of one, of no bytes, of many steps; every piece lies in one file.
#[test]
fn v2_pieces_are_judged_by_the_roots_of_their_trees() {
    for piece in [1 << 14, 1 << 15, 1 << 18] {
        let long = 20 * u64::from(piece);
        let fx = Fixture::v2(piece, &[("t/a", long + 5), ("t/b", 700), ("t/c", 0), ("t/d/e", long), ("t/f", 16_385)]);
        lay_down(&fx);
        let watch = CheckWatch::default();
        let files = FileSet::open(fx.setup()).unwrap();
        assert!(check(&files, &fx.hashes(), &all(&fx), &watch).unwrap().verified.all());
        assert_eq!(watch.done.into_inner(), 2 * long + 5 + 700 + 16_385);

        // A wrong byte in a whole piece and in the short one of `b`, and a file that is missing.
        let mut bytes = fx.on_disk("t/a");
        bytes[3 * piece as usize + 16_000] ^= 1;
        fx.place("t/a", &bytes);
        let mut bytes = fx.on_disk("t/b");
        bytes[699] ^= 1;
        fx.place("t/b", &bytes);
        fs::remove_file(fx.out.path().join("t/f")).unwrap();
        let files = FileSet::open(fx.setup()).unwrap();
        let verified = run(&fx, &files).verified;
        let bad: Vec<u32> = (0..fx.layout.pieces()).filter(|piece| !verified.get(*piece)).collect();
        assert_eq!(bad, [&[3, 21], &fx.layout.pieces_of(4).collect::<Vec<_>>()[..]].concat());
        assert_eq!(files.present().count() + fx.layout.pieces_of(4).len() as u32, fx.layout.pieces());
    }
}

#[test]
fn holes_in_v2_files_are_zeros() {
    let mut fx = Fixture::v2(1 << 16, &[("sparse", (20 << 16) + 17_000)]);
    fx.content[..18 << 16].fill(0);
    fx.content[20 << 16..].fill(0);
    let file = fs::File::create(fx.out.path().join("sparse")).unwrap();
    file.set_len((20 << 16) + 17_000).unwrap();
    let files = FileSet::open(fx.setup()).unwrap();
    if cfg!(target_os = "linux") {
        assert!(files.is_hole(0) && files.is_hole(20));
    }
    assert_eq!(run(&fx, &files).verified.ones().collect::<Vec<_>>(), (0..18).chain([20]).collect::<Vec<_>>());
}

#[test]
fn a_cancelled_check_says_nothing() {
    let fx = abc();
    lay_down(&fx);
    let watch = CheckWatch { cancel: true.into(), ..CheckWatch::default() };
    assert!(check(&FileSet::open(fx.setup()).unwrap(), &fx.hashes(), &all(&fx), &watch).is_none());
}

/// Pieces of more than a step, so that they are read a step at a time where the kernel has them, with an odd length.
#[test]
fn long_pieces_that_are_read_in_steps_are_judged_like_whole_ones() {
    let piece = 3 * STEP as u32 + 1_001;
    let fx =
        Fixture::new(piece, &[("t/a", 7 * u64::from(piece) + 55), ("t/b", 9 * u64::from(piece)), ("t/c", 40 << 10)]);
    lay_down(&fx);
    let files = FileSet::open(fx.setup()).unwrap();
    assert!(run(&fx, &files).verified.all());

    // A wrong byte in each step of a piece, a short file, and a missing one.
    for (piece, at) in [(1, 5), (2, STEP), (4, 3 * STEP + 1_000)] {
        let mut bytes = fx.on_disk("t/a");
        bytes[fx.layout.piece_offset(piece) as usize + at] ^= 1;
        fx.place("t/a", &bytes);
    }
    OpenOptions::new().write(true).open(fx.out.path().join("t/b")).unwrap().set_len(6 * u64::from(piece)).unwrap();
    fs::remove_file(fx.out.path().join("t/c")).unwrap();
    let files = FileSet::open(fx.setup()).unwrap();
    let Checked { verified, unreadable } = run(&fx, &files);
    assert_eq!(verified.ones().collect::<Vec<_>>(), [0, 3, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert!(matches!(unreadable[&1], FileError::Short { .. }), "{unreadable:?}");
}
