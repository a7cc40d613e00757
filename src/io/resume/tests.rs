use super::*;
use crate::io::file_set::fixture::Fixture;
use crate::io::take_up::weigh;

fn info() -> Vec<u8> {
    b"d4:name1:xe".to_vec()
}

fn id() -> TorrentId {
    TorrentId::new(Some(InfoHashV1(sha1(&info()))), Some(InfoHashV2(sha256(&info())))).unwrap()
}

fn full_record() -> ResumeRecord {
    let mut verified = Bitfield::new(11);
    verified.set(3);
    verified.set(10);
    let mut blocks = Bitfield::new(5);
    blocks.set(4);
    ResumeRecord {
        id: id(),
        info: info(),
        layers: b"d1:xi1ee".to_vec(),
        trackers: vec![vec!["http://a/".into(), "udp://b:1".into()], vec!["http://c/ä".into()]],
        web_seeds: vec!["http://w/".into()],
        peers: vec!["1.2.3.4:5".parse().unwrap(), "[2001:db8::1]:6881".parse().unwrap()],
        name: Some("other".into()),
        dir: "/tmp/out".into(),
        target: "/tmp/out/x".into(),
        selected: vec![true, false, true],
        verified,
        stamps: vec![Some(Stamp { size: 5, mtime: -7 }), None, Some(Stamp { size: 0, mtime: i64::MAX })],
        edges: Some(Stamp { size: 100, mtime: 1_700_000_000_123_456_789 }),
        spilled: vec![SpilledPiece { piece: 4, blocks }],
        downloaded: u64::MAX >> 1,
        uploaded: 7,
        added: 1_700_000_000,
        completed: Some(1_700_000_001),
        unknown: BTreeMap::from([(b"zz".to_vec(), b"d1:ai1ee".to_vec()), (b"aa".to_vec(), b"3:abc".to_vec())]),
    }
}

#[test]
fn a_record_comes_back_as_it_was_unknown_keys_too() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("made/when/needed");
    assert_eq!(ResumeRecord::load(&folder, &id()).unwrap(), None);
    let mut record = full_record();
    record.save(&folder).unwrap();
    assert_eq!(ResumeRecord::load(&folder, &id()).unwrap().as_ref(), Some(&record));
    (record.completed, record.name, record.edges) = (None, None, None);
    record.spilled.clear();
    record.save(&folder).unwrap();
    assert_eq!(ResumeRecord::load(&folder, &id()).unwrap().as_ref(), Some(&record));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no temporary files stay");
    ResumeRecord::remove(&folder, &id()).unwrap();
    ResumeRecord::remove(&folder, &id()).unwrap();
    assert_eq!(ResumeRecord::load(&folder, &id()).unwrap(), None);
}

#[test]
fn every_key_that_is_written_is_read_by_name() {
    let bytes = encode(&ResumeRecord { unknown: BTreeMap::new(), ..full_record() });
    let dict = Value::parse(&bytes, Limits::STATE).unwrap().0.as_dict().unwrap();
    let written: Vec<_> = dict.iter().map(|(key, _)| key).collect();
    let mut keys = KEYS.to_vec();
    keys.sort_unstable();
    assert_eq!(written, keys);
}

#[test]
fn a_record_with_any_byte_changed_or_cut_anywhere_is_damaged() {
    let state = tempfile::tempdir().unwrap();
    full_record().save(state.path()).unwrap();
    let path = record_path(state.path(), &id());
    let intact = fs::read(&path).unwrap();
    let damaged = |bytes: &[u8], what: &str| {
        fs::write(&path, bytes).unwrap();
        let loaded = ResumeRecord::load(state.path(), &id());
        assert!(matches!(loaded, Err(ResumeError::Damaged { .. })), "{what}: {loaded:?}");
    };
    for at in 0..intact.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = intact.clone();
            bytes[at] ^= flip;
            damaged(&bytes, &format!("byte {at} ^ {flip}"));
        }
        damaged(&intact[..at], &format!("cut at {at}"));
    }
    damaged(&[&intact[..], b"x"].concat(), "longer");
    damaged(&intact.iter().map(|_| 0).collect::<Vec<_>>(), "zeros");
}

#[test]
fn a_record_under_another_torrents_name_or_with_another_info_is_damaged() {
    let state = tempfile::tempdir().unwrap();
    full_record().save(state.path()).unwrap();
    let other = TorrentId::from_v1(InfoHashV1([9; 20]));
    fs::copy(record_path(state.path(), &id()), record_path(state.path(), &other)).unwrap();
    assert!(matches!(ResumeRecord::load(state.path(), &other), Err(ResumeError::Damaged { .. })));
    ResumeRecord { info: b"d4:name1:ye".to_vec(), ..full_record() }.save(state.path()).unwrap();
    assert!(matches!(ResumeRecord::load(state.path(), &id()), Err(ResumeError::Damaged { .. })));
}

#[test]
fn a_hybrids_record_is_found_by_either_hash_and_by_no_other() {
    let state = tempfile::tempdir().unwrap();
    full_record().save(state.path()).unwrap();
    let (v1, v2) = (id().v1().unwrap(), id().v2().unwrap());
    for known in [TorrentId::from_v1(v1), TorrentId::from_v2(v2)] {
        assert_eq!(ResumeRecord::load(state.path(), &known).unwrap(), Some(full_record()), "{known}");
    }
    assert_eq!(ResumeRecord::load(state.path(), &TorrentId::from_v2(InfoHashV2([9; 32]))).unwrap(), None);
    // One that an earlier run wrote from a link with the v1 hash alone.
    let old = ResumeRecord { id: TorrentId::from_v1(v1), ..full_record() };
    old.save(state.path()).unwrap();
    assert_eq!(ResumeRecord::load(state.path(), &id()).unwrap(), Some(old));
}

#[test]
fn a_v2_torrent_has_files_of_its_own() {
    let state = tempfile::tempdir().unwrap();
    let id = TorrentId::from_v2(InfoHashV2(sha256(&info())));
    let record = ResumeRecord { id, ..full_record() };
    record.save(state.path()).unwrap();
    assert_eq!(record_path(state.path(), &id).file_name().unwrap().len(), 64 + ".resume".len());
    assert_eq!(ResumeRecord::load(state.path(), &id).unwrap(), Some(record));
    ResumeRecord::remove(state.path(), &id).unwrap();
    assert_eq!(ResumeRecord::load(state.path(), &id).unwrap(), None);
}

#[test]
fn a_save_that_fails_leaves_the_former_record() {
    let state = tempfile::tempdir().unwrap();
    full_record().save(state.path()).unwrap();
    let not_a_folder = record_path(state.path(), &id());
    assert!(full_record().save(&not_a_folder).is_err());
    assert!(ResumeRecord::load(state.path(), &id()).unwrap().is_some());
}

/// Pieces of 10: a in 0..=1, b in 1, c in 1..=3.
fn abc() -> Fixture {
    Fixture::new(10, &[("t/a", 15), ("t/b", 3), ("t/d/c", 20)])
}

/// A run that selects these files, writes these pieces, and saves.
fn earlier_run(fx: &Fixture, selected: &[usize], pieces: &[u32]) -> ResumeRecord {
    let files = fx.open(selected);
    fx.put(&files, pieces).unwrap();
    let mut record = ResumeRecord::new(id(), info(), &files, 0);
    record.note(files.sync().unwrap());
    record
}

fn weighed(fx: &Fixture, selected: &[usize], record: &ResumeRecord) -> (Vec<u32>, Vec<u32>) {
    let weighed = weigh(&FileSet::open(fx.choose(selected)).unwrap(), Some(record));
    (weighed.believed.ones().collect(), weighed.doubtful.ones().collect())
}

#[test]
fn untouched_files_are_believed_without_reading() {
    let fx = abc();
    let record = earlier_run(&fx, &[0, 1, 2], &[0, 1]);
    assert_eq!(weighed(&fx, &[0, 1, 2], &record), (vec![0, 1], vec![]));
    // Files that were whole, named or not yet selected, stay believed under another selection.
    assert_eq!(weighed(&fx, &[2], &record), (vec![0, 1], vec![]));
}

#[test]
fn files_that_changed_or_went_are_doubted_alone() {
    let fx = abc();
    let record = earlier_run(&fx, &[0, 1, 2], &[0, 1, 2]);
    fs::write(fx.out.path().join("t/d/c.part"), [1; 20]).unwrap();
    assert_eq!(weighed(&fx, &[0, 1, 2], &record), (vec![0], vec![1, 2, 3]));
    fs::remove_file(fx.out.path().join("t/d/c.part")).unwrap();
    assert_eq!(weighed(&fx, &[0, 1, 2], &record), (vec![0], vec![]), "what is not there is not even doubted");
}

#[test]
fn pieces_that_reach_into_the_edge_file_stand_and_fall_with_it() {
    let fx = abc();
    let record = earlier_run(&fx, &[0], &[0, 1]);
    assert_eq!(weighed(&fx, &[0], &record), (vec![0, 1], vec![]));
    assert_eq!(weighed(&fx, &[1, 2], &record), (vec![0, 1], vec![]));
    fs::write(fx.state.path().join("x.edges"), b"something else").unwrap();
    assert_eq!(weighed(&fx, &[0], &record), (vec![0], vec![1]));
    fs::remove_file(fx.state.path().join("x.edges")).unwrap();
    assert_eq!(weighed(&fx, &[0], &record), (vec![0], vec![]));
}

#[test]
fn a_foreign_file_at_an_unselected_name_does_not_spoil_the_shared_piece() {
    let fx = abc();
    let record = earlier_run(&fx, &[0], &[0, 1]);
    fx.place("t/b", b"four");
    assert_eq!(weighed(&fx, &[0], &record), (vec![0, 1], vec![]));
    assert_eq!(weighed(&fx, &[0, 1], &record), (vec![0], vec![1]), "selected, it is what counts");
}

#[test]
fn a_record_of_another_place_or_shape_says_nothing() {
    let fx = abc();
    let record = earlier_run(&fx, &[0, 1, 2], &[0, 1]);
    for other in [
        ResumeRecord { target: "/elsewhere/t".into(), ..record.clone() },
        ResumeRecord { verified: Bitfield::full(5), ..record.clone() },
        ResumeRecord { stamps: vec![None; 2], ..record.clone() },
        ResumeRecord { spilled: vec![SpilledPiece { piece: 4, blocks: Bitfield::new(1) }], ..record.clone() },
        ResumeRecord { spilled: vec![SpilledPiece { piece: 1, blocks: Bitfield::new(2) }], ..record.clone() },
    ] {
        assert_eq!(weighed(&fx, &[0, 1, 2], &other), (vec![], vec![0, 1, 2, 3]), "all that exists is doubtful");
    }
}
