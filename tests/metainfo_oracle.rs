//! Our metainfo reader beside lava_torrent, which wrote the torrents: same info hash, files, pieces, trackers.

use std::collections::{BTreeSet, HashMap};

use lava_torrent::bencode::BencodeElem;
use lava_torrent::torrent::v1::{File, Torrent};
use proptest::prelude::*;
use rtorrent_cli::base::metainfo::{Metainfo, wrap};
use rtorrent_cli::base::piece_hash::{PieceHash, PieceHashes};

/// Names that need no mending, since mending is ours alone.
fn names() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set("[b-n]{1,6}/[b-n]{1,6}/[o-z]{1,8}( [0-9]|é)?\\.[d-m]{2}", 1..12)
}

fn torrents() -> impl Strategy<Value = Torrent> {
    let single = ("[b-z]{1,12}\\.iso", 0i64..200_000).prop_map(|(name, length)| (name, None, length));
    let several = (names(), prop::collection::vec(0i64..50_000, 12)).prop_map(|(paths, lengths)| {
        let file = |(path, length): (String, i64)| File { length, path: path.into(), extra_fields: None };
        let files: Vec<_> = paths.into_iter().zip(lengths).map(file).collect();
        let total = files.iter().map(|file| file.length).sum();
        ("top".to_owned(), Some(files), total)
    });
    let tiers = prop::collection::vec(prop::collection::btree_set("http://[a-z]{1,5}/", 1..3), 0..3);
    (prop_oneof![single, several], 0u32..4, any::<bool>(), tiers).prop_map(
        |((name, files, length), doublings, private, tiers)| {
            let piece_length = 16_384i64 << doublings;
            let pieces = (length as u64).div_ceil(piece_length as u64);
            Torrent {
                announce: tiers.first().and_then(|tier| tier.first().cloned()),
                announce_list: (!tiers.is_empty())
                    .then(|| tiers.into_iter().map(|tier| tier.into_iter().collect()).collect()),
                length,
                files,
                name,
                piece_length,
                pieces: (0..pieces).map(|nth| vec![0xa0 | nth as u8; 20]).collect(),
                extra_fields: None,
                extra_info_fields: private.then(|| HashMap::from([("private".to_owned(), BencodeElem::Integer(1))])),
            }
        },
    )
}

fn v1_hashes(hashes: &PieceHashes) -> Vec<Vec<u8>> {
    let hash = |piece| match hashes.get(piece) {
        PieceHash::Sha1(hash) => hash.to_vec(),
        PieceHash::Merkle { .. } => panic!("a v1 torrent"),
    };
    (0..hashes.pieces()).map(hash).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn two_readers_agree(theirs in torrents()) {
        let bytes = theirs.clone().encode().unwrap();
        let ours = Metainfo::parse(&bytes).unwrap();
        prop_assert_eq!(ours.info.id.to_string(), theirs.info_hash());
        prop_assert_eq!(&ours.info.name, &theirs.name);
        prop_assert_eq!(ours.info.layout.total(), theirs.length as u64);
        prop_assert_eq!(i64::from(ours.info.layout.piece_length()), theirs.piece_length);
        prop_assert_eq!(v1_hashes(&ours.info.hashes), theirs.pieces.clone());
        prop_assert_eq!(ours.info.private, theirs.is_private());
        let files: Vec<_> = ours.info.files.iter().map(|file| (file.path.to_string(), file.length as i64)).collect();
        let expected = match &theirs.files {
            None => vec![(theirs.name.clone(), theirs.length)],
            Some(files) => files.iter().map(|file| (format!("top/{}", file.path.display()), file.length)).collect(),
        };
        prop_assert_eq!(files, expected);
        let mut seen = BTreeSet::new();
        let tiers = theirs.announce_list.clone().unwrap_or_default().into_iter();
        let tiers = tiers.map(|tier| tier.into_iter().filter(|url| seen.insert(url.clone())).collect::<Vec<_>>());
        prop_assert_eq!(ours.trackers, tiers.filter(|tier| !tier.is_empty()).collect::<Vec<_>>());
    }

    #[test]
    fn what_we_wrap_reads_back_there(theirs in torrents()) {
        let ours = Metainfo::parse(&theirs.clone().encode().unwrap()).unwrap();
        let again = Torrent::read_from_bytes(wrap(&ours.info.raw, &[], &ours.trackers, &[])).unwrap();
        prop_assert_eq!(again.info_hash(), theirs.info_hash());
        prop_assert_eq!(again.files, theirs.files);
    }
}
