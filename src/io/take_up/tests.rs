use std::fs;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::base::id::{InfoHashV1, TorrentId};
use crate::io::file_set::FileSetup;
use crate::io::file_set::fixture::Fixture;

fn id() -> TorrentId {
    TorrentId::from_v1(InfoHashV1([1; 20]))
}

/// Pieces of 10: a in 0..=1, b in 1, c in 1..=3.
fn abc() -> Fixture {
    Fixture::new(10, &[("t/a", 15), ("t/b", 3), ("t/d/c", 20)])
}

fn record_of(files: &FileSet) -> ResumeRecord {
    let mut record = ResumeRecord::new(id(), Vec::new(), files, 0);
    record.note(files.sync().unwrap());
    record
}

fn go_on(fx: &Fixture, setup: FileSetup, record: Option<&ResumeRecord>, trust: Trust) -> (FileSet, Vec<u32>) {
    let files = FileSet::open(setup).unwrap();
    let taken = take_up(&files, &fx.hashes(), record, trust, &CheckWatch::default()).unwrap().unwrap();
    let verified = taken.verified.ones().collect();
    (files, verified)
}

/// Makes the files a minute older, so that any write shows however coarse the file system's clock is.
fn backdate(fx: &Fixture) {
    for name in fx.tree().iter().filter(|name| !name.ends_with('/')) {
        let file = fs::File::options().write(true).open(fx.out.path().join(name)).unwrap();
        let time = file.metadata().unwrap().modified().unwrap();
        file.set_modified(time - std::time::Duration::from_secs(60)).unwrap();
    }
}

#[test]
fn killed_after_any_piece_with_or_without_a_record_all_that_was_written_is_taken_up() {
    for records in [false, true] {
        let fx = abc();
        let mut record = None;
        for (done, piece) in [2, 0, 3, 1].into_iter().enumerate() {
            backdate(&fx);
            let (files, verified) = go_on(&fx, fx.setup(), record.as_ref(), Trust::Quick);
            assert_eq!(verified.len(), done, "records: {records}");
            // The record is from before the piece, as after a kill.
            record = records.then(|| record_of(&files));
            fx.put(&files, &[piece]).unwrap();
        }
        let (files, verified) = go_on(&fx, fx.setup(), record.as_ref(), Trust::Quick);
        assert_eq!((verified, files.take_finished()), (vec![0, 1, 2, 3], vec![0, 1, 2]));
        assert_eq!(fx.tree(), ["t/", "t/a", "t/b", "t/d/", "t/d/c"]);
    }
}

#[test]
fn killed_between_the_write_and_the_name_the_file_gets_its_name() {
    let fx = abc();
    fx.place("t/a.part", fx.file(0));
    fx.place("t/b.part", fx.file(1));
    fx.place("t/d/c.part", fx.file(2));
    let (files, _) = go_on(&fx, fx.setup(), None, Trust::Quick);
    assert_eq!((files.take_finished(), fx.on_disk("t/b")), (vec![0, 1, 2], fx.file(1).to_vec()));
}

#[test]
fn killed_right_after_a_file_was_made_it_is_not_foreign() {
    let fx = abc();
    fs::create_dir_all(fx.out.path().join("t")).unwrap();
    fs::File::create(fx.out.path().join("t/a.part")).unwrap();
    fs::File::create(fx.out.path().join("t/b.part")).unwrap().set_len(3).unwrap();
    let (files, verified) = go_on(&fx, fx.setup(), None, Trust::Quick);
    assert!(verified.is_empty());
    fx.put(&files, &[0, 1, 2, 3]).unwrap();
    assert_eq!(fx.on_disk("t/a"), fx.file(0));
}

#[test]
fn a_later_selection_takes_up_all_that_is_there() {
    let fx = abc();
    let (files, _) = go_on(&fx, fx.choose(&[0]), None, Trust::Quick);
    fx.put(&files, &[0, 1]).unwrap();
    let record = record_of(&files);
    drop(files);
    for trust in [Trust::Quick, Trust::Full] {
        let (_, verified) = go_on(&fx, fx.choose(&[0]), Some(&record), trust);
        assert_eq!(verified, [0, 1], "{trust:?}");
    }
    let (files, verified) = go_on(&fx, fx.choose(&[1]), Some(&record), Trust::Full);
    assert_eq!((verified, files.take_finished()), (vec![0, 1], vec![1]));
    assert_eq!(fx.tree(), ["t/", "t/a", "t/b"]);
    let record = record_of(&files);
    drop(files);
    let (files, verified) = go_on(&fx, fx.choose(&[1, 2]), Some(&record), Trust::Quick);
    assert_eq!(verified, [0, 1]);
    fx.put(&files, &[2, 3]).unwrap();
    assert_eq!(fx.on_disk("t/d/c"), fx.file(2));
}

#[test]
fn damaged_data_is_found_where_the_times_tell_or_all_is_hashed() {
    let fx = abc();
    let (files, _) = go_on(&fx, fx.setup(), None, Trust::Quick);
    fx.put(&files, &[0, 1, 2, 3]).unwrap();
    let record = record_of(&files);
    drop(files);
    let path = fx.out.path().join("t/d/c");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let mut c = fx.file(2).to_vec();
    c[19] ^= 1;
    fs::write(&path, &c).unwrap();
    let set_time = |time| fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    set_time(time);
    let (_, verified) = go_on(&fx, fx.setup(), Some(&record), Trust::Quick);
    assert_eq!(verified, [0, 1, 2, 3], "the record is believed while size and time match");
    let (_, verified) = go_on(&fx, fx.setup(), Some(&record), Trust::Full);
    assert_eq!(verified, [0, 1, 2]);
    set_time(time + std::time::Duration::from_secs(1));
    let (files, verified) = go_on(&fx, fx.setup(), Some(&record), Trust::Quick);
    assert_eq!(verified, [0, 1, 2]);
    fx.put(&files, &[3]).unwrap();
    assert_eq!(fx.on_disk("t/d/c"), fx.file(2));
}

#[test]
fn trusting_nothing_fetches_all_again() {
    let fx = abc();
    let (files, _) = go_on(&fx, fx.setup(), None, Trust::Quick);
    fx.put(&files, &[0, 1, 2, 3]).unwrap();
    let record = record_of(&files);
    drop(files);
    let (files, verified) = go_on(&fx, fx.setup(), Some(&record), Trust::Nothing);
    assert!(verified.is_empty() && files.take_finished().is_empty());
    fx.put(&files, &[0, 1, 2, 3]).unwrap();
    assert_eq!(files.take_finished(), [0, 1, 2]);
    let error =
        take_up(&FileSet::open(fx.setup()).unwrap(), &fx.hashes(), None, Trust::Nothing, &CheckWatch::default())
            .unwrap_err();
    assert!(matches!(error, FileError::Occupied { .. }), "without a record they may be anybody's");
}

#[test]
fn spilled_blocks_are_taken_up_only_where_nobody_touched_the_file() {
    let fx = abc();
    let (files, _) = go_on(&fx, fx.setup(), None, Trust::Quick);
    fx.put(&files, &[0]).unwrap();
    let mut record = record_of(&files);
    record.spilled = [0, 1, 2].map(|piece| SpilledPiece { piece, blocks: Bitfield::full(1) }).into();
    drop(files);
    let spilled = |record: &ResumeRecord, trust| {
        let files = FileSet::open(fx.setup()).unwrap();
        let taken = take_up(&files, &fx.hashes(), Some(record), trust, &CheckWatch::default()).unwrap().unwrap();
        taken.spilled.iter().map(|spilled| spilled.piece).collect::<Vec<_>>()
    };
    // 0 is verified, c (in 1 and 2) was never made.
    assert!(spilled(&record, Trust::Quick).is_empty());
    let (files, _) = go_on(&fx, fx.setup(), Some(&record), Trust::Quick);
    files.write(&[crate::io::file_set::Stretched { piece: 2, begin: 0, bytes: fx.piece(2) }]).unwrap();
    let mut again = record_of(&files);
    again.spilled = record.spilled;
    drop(files);
    assert_eq!(spilled(&again, Trust::Quick), [2]);
    assert!(spilled(&again, Trust::Nothing).is_empty());
    fs::write(fx.out.path().join("t/d/c.part"), [7; 20]).unwrap();
    assert!(spilled(&again, Trust::Quick).is_empty());
}

#[test]
fn a_small_file_whose_neighbours_are_gone_is_not_foreign_but_one_of_another_length_is() {
    let fx = abc();
    fx.place("t/b", fx.file(1));
    let (files, verified) = go_on(&fx, fx.setup(), None, Trust::Quick);
    assert!(verified.is_empty());
    fx.put(&files, &[0, 1]).unwrap();
    assert_eq!(fx.on_disk("t/b"), fx.file(1));
    let fx = abc();
    fx.place("t/b", b"four");
    let files = FileSet::open(fx.setup()).unwrap();
    let taken = take_up(&files, &fx.hashes(), None, Trust::Quick, &CheckWatch::default());
    assert!(matches!(taken, Err(FileError::Occupied { .. })));
}

/// Many runs with random selections, each killed at some point, with records that are fresh, stale or lost.
#[test]
fn whatever_happens_between_runs_only_right_bytes_are_believed_and_all_ends_well() {
    for seed in 0..60 {
        let mut rng = StdRng::seed_from_u64(seed);
        let lengths: Vec<u64> = (0..rng.random_range(1..9)).map(|_| rng.random_range(0..40)).collect();
        let names: Vec<String> = (0..lengths.len()).map(|n| format!("t/{}/{n}", n % 3)).collect();
        let named: Vec<_> = names.iter().map(String::as_str).zip(lengths.iter().copied()).collect();
        if lengths.iter().sum::<u64>() == 0 {
            continue;
        }
        let fx = Fixture::new(rng.random_range(1..25), &named);
        let mut record: Option<ResumeRecord> = None;
        let mut written = Bitfield::new(fx.layout.pieces());
        for run in 0..8 {
            backdate(&fx);
            let all = run == 7;
            let selected: Vec<usize> = (0..named.len()).filter(|_| all || rng.random()).collect();
            let (files, verified) = go_on(&fx, fx.choose(&selected), record.as_ref(), Trust::Quick);
            for &piece in &verified {
                assert!(written.get(piece), "seed {seed}, run {run}: piece {piece} was never written");
                let mut bytes = vec![0; fx.layout.piece_len(piece) as usize];
                files.read(piece, 0, &mut bytes).unwrap_or_else(|e| panic!("seed {seed}, run {run}: {e}"));
                assert_eq!(bytes, fx.piece(piece), "seed {seed}, run {run}, piece {piece}");
            }
            let mut missing: Vec<u32> = files.wanted().ones().filter(|piece| !verified.contains(piece)).collect();
            while !missing.is_empty() && (all || rng.random_ratio(5, 6)) {
                let piece = missing.swap_remove(rng.random_range(0..missing.len()));
                fx.put(&files, &[piece]).unwrap_or_else(|e| panic!("seed {seed}, run {run}: {e}"));
                written.set(piece);
                match rng.random_range(0..6) {
                    0 => record = Some(record_of(&files)),
                    1 => record = None,
                    _ => {}
                }
            }
            for (index, name) in names.iter().enumerate().filter(|(index, _)| selected.contains(index)) {
                let whole = fx.layout.pieces_of(index).all(|piece| files.verified().get(piece));
                assert!(!whole || fx.on_disk(name) == fx.file(index), "seed {seed}, run {run}: {name}");
            }
        }
        for (index, name) in names.iter().enumerate() {
            assert_eq!(fx.on_disk(name), fx.file(index), "seed {seed}: {name}");
        }
    }
}
