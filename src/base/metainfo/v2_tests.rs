//! Torrents with a file tree (BEP 52): as libtorrent 2.0.8 makes them, and as nobody should.

use super::*;
use crate::base::hash::sha1;
use crate::base::merkle;
use crate::base::piece_hash::PieceHash;

fn string(bytes: &[u8]) -> Vec<u8> {
    [format!("{}:", bytes.len()).as_bytes(), bytes].concat()
}

fn dict(fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let body: Vec<u8> =
        fields.iter().flat_map(|(key, value)| [string(key.as_bytes()), value.clone()].concat()).collect();
    [b"d", &body[..], b"e"].concat()
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [b"l", &items.concat()[..], b"e"].concat()
}

fn int(number: u64) -> Vec<u8> {
    format!("i{number}e").into_bytes()
}

/// The four files of the examples: `a`, `d/c`, `e` and `f`.
fn contents() -> [Vec<u8>; 4] {
    [b"hello".to_vec(), vec![b'c'; 40_000], vec![], vec![b'f'; 16_384]]
}

/// The three pieces of `d/c`: two of 16 KiB and one of 7,232 bytes.
fn layer() -> Vec<Node> {
    merkle::leaves(&[&contents()[1]])
}

fn roots() -> [Option<Node>; 4] {
    let [a, _, _, f] = contents();
    [Some(merkle::leaves(&[&a])[0]), Some(merkle::root(&layer(), 0, 2)), None, Some(merkle::leaves(&[&f])[0])]
}

/// `{"": {length, pieces root}}`
fn file(length: u64, root: Option<Node>) -> Vec<u8> {
    let mut fields = vec![("length", int(length))];
    fields.extend(root.map(|root| ("pieces root", string(&root))));
    dict(&[("", dict(&fields))])
}

/// The tree of the examples.
fn tree() -> Vec<u8> {
    let [a, c, e, f] = roots();
    let folder = dict(&[("c", file(40_000, c))]);
    dict(&[("a", file(5, a)), ("d", folder), ("e", file(0, e)), ("f", file(16_384, f))])
}

/// An info dictionary, with what is given in place of a field or beside the others.
struct Made(Vec<(&'static str, Vec<u8>)>);

impl Made {
    /// The four files in pieces of 16 KiB.
    fn v2() -> Made {
        Made(vec![
            ("file tree", tree()),
            ("meta version", int(2)),
            ("name", string(b"top")),
            ("piece length", int(16_384)),
        ])
    }

    /// The same with the v1 fields: padding (BEP 47) up to the next piece where a file does not end at one.
    fn hybrid() -> Made {
        Made::v2().with("files", list(&v1_files())).with("pieces", string(v1_pieces().as_flattened())).sorted()
    }

    fn with(mut self, key: &'static str, value: Vec<u8>) -> Made {
        match self.0.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
        self
    }

    fn without(mut self, key: &str) -> Made {
        self.0.retain(|(name, _)| *name != key);
        self
    }

    fn sorted(mut self) -> Made {
        self.0.sort();
        self
    }

    fn raw(&self) -> Vec<u8> {
        dict(&self.0)
    }

    /// A .torrent with these layers.
    fn torrent(&self, layers: &[(Node, Vec<Node>)]) -> Vec<u8> {
        let entry = |(root, layer): &(Node, Vec<Node>)| [string(root), string(layer.as_flattened())].concat();
        let layers: Vec<u8> = layers.iter().flat_map(entry).collect();
        dict(&[("info", self.raw()), ("piece layers", [b"d", &layers[..], b"e"].concat())])
    }

    fn refusal(&self) -> String {
        reason(Info::parse(&self.raw()).map(drop))
    }
}

fn reason(result: Result<(), MetainfoError>) -> String {
    match result {
        Err(MetainfoError::Refused(reason)) => reason,
        Err(MetainfoError::NotATorrent(reason)) => format!("NOT: {reason}"),
        Ok(()) => "taken".into(),
    }
}

fn v1_file(length: u64, path: &[&str], pad: bool) -> Vec<u8> {
    let path: Vec<_> = path.iter().map(|part| string(part.as_bytes())).collect();
    let mut fields = vec![("length", int(length)), ("path", list(&path))];
    if pad {
        fields.insert(0, ("attr", string(b"p")));
    }
    dict(&fields)
}

fn v1_files() -> Vec<Vec<u8>> {
    vec![
        v1_file(5, &["a"], false),
        v1_file(16_379, &[".pad", "16379"], true),
        v1_file(40_000, &["d", "c"], false),
        v1_file(9_152, &[".pad", "9152"], true),
        v1_file(0, &["e"], false),
        v1_file(16_384, &["f"], false),
    ]
}

fn v1_pieces() -> Vec<[u8; 20]> {
    let [a, c, _, f] = contents();
    let all = [&a[..], &vec![0; 16_379], &c, &vec![0; 9_152], &f].concat();
    all.chunks(16_384).map(sha1).collect()
}

fn right_layers() -> Vec<(Node, Vec<Node>)> {
    vec![(roots()[1].unwrap(), layer())]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that libtorrent's `create_torrent` gives for the four files with `v2_only` and a piece size of 16 KiB:
///
/// ```text
/// d 4:info d
///     9:file tree d
///       1:a d 0: d 6:length i5e 11:pieces root 32:2cf24dba… e e      one block: the root is SHA-256 of "hello"
///       1:d d 1:c d 0: d 6:length i40000e 11:pieces root 32:094166c4… e e e
///       1:e d 0: d 6:length i0e e e                                  nothing to hash
///       1:f d 0: d 6:length i16384e 11:pieces root 32:354ccac0… e e  as long as a piece: no layer
///     e
///     12:meta version i2e  4:name 3:top  12:piece length i16384e
///   e
///   12:piece layers d 32:094166c4… 96:3600eaa9… 3600eaa9… e095db98… e
/// e
/// ```
#[test]
fn a_v2_torrent_of_libtorrent() {
    assert_eq!(hex(&roots()[1].unwrap()), "094166c436ac3692787175b82af85496313b9bc5b791e6b2e6bcf7c2b2ef557a");
    assert_eq!(hex(&layer()[2]), "e095db982431381186354af9c8f47f7c88e0a7b644124e26a86b2583ce186463");
    let torrent = Metainfo::parse(&Made::v2().torrent(&right_layers())).unwrap();
    let info = &torrent.info;
    assert_eq!(info.id.v1(), None);
    assert_eq!(info.id.v2().unwrap().to_string(), "1e4212956c983048d57f1016bc9ce82bdd78d98934381b7ef7a0cbab4dd9af3c");
    let files: Vec<_> = info.files.iter().map(|file| (file.path.to_string(), file.length, file.pad)).collect();
    let expected = [("top/a", 5), ("top/d/c", 40_000), ("top/e", 0), ("top/f", 16_384)];
    assert_eq!(files, expected.map(|(path, length)| (path.to_owned(), length, false)));
    assert_eq!((&info.name[..], info.single_file, info.stored_size()), ("top", false, 56_389));
    assert_eq!(info.layout.pieces(), 5);
    let lens: Vec<u32> = (0..5).map(|piece| info.layout.piece_len(piece)).collect();
    assert_eq!(lens, [5, 16_384, 16_384, 7_232, 16_384]);
    let [a, c, _, f] = contents();
    for (piece, bytes) in [&a[..], &c[..16_384], &c[16_384..32_768], &c[32_768..], &f].into_iter().enumerate() {
        let hash = info.hashes.get(piece as u32);
        assert!(matches!(hash, PieceHash::Merkle { height: 0, .. }) && hash.is_of(&[bytes]), "piece {piece}");
    }
    assert_eq!(info.missing_layers().count(), 0);
    let trees = info.trees.as_ref().unwrap();
    assert_eq!(trees.of_root(&roots()[1].unwrap()).unwrap().layer(), Some(&layer()[..]));
    assert_eq!(trees.file(0).unwrap().layer(), None, "one piece needs none");
    assert_eq!(trees.file(2), None);
}

/// The same files without `v2_only`: beside the file tree stand `5:files`, with padding, and `6:pieces 100:…`.
#[test]
fn a_hybrid_of_libtorrent_has_both_hashes_and_runs_as_v1() {
    let torrent = Metainfo::parse(&Made::hybrid().torrent(&right_layers())).unwrap();
    let info = &torrent.info;
    assert_eq!(info.id.v1().unwrap().to_string(), "3331df21b0ed884a85bfbd7ab715c1e645d923a2");
    assert_eq!(info.id.v2().unwrap().to_string(), "623252670a44400727cba142fe024504c847deb4ef935cee79aa152643935fde");
    assert_eq!((info.layout.total(), info.layout.pieces(), info.stored_size()), (81_920, 5, 56_389));
    assert_eq!(info.hashes.get(0), PieceHash::Sha1(v1_pieces()[0]));
    let trees = info.trees.as_ref().unwrap();
    assert_eq!(
        [0, 1, 2, 3, 4, 5].map(|file| trees.file(file).map(|tree| tree.root)),
        [roots()[0], None, roots()[1], None, None, roots()[3]]
    );
    assert_eq!(trees.file(2).unwrap().layer(), Some(&layer()[..]));
    // Who has it from peers can do without the layers.
    let bare = Info::parse(&Made::hybrid().raw()).unwrap();
    assert_eq!((bare.missing_layers().count(), bare.trees.unwrap().missing().count()), (0, 1));
    assert!(Metainfo::parse(&Made::hybrid().torrent(&[])).is_ok());
}

#[test]
fn an_info_dictionary_from_peers_says_which_layers_it_lacks_and_takes_them() {
    let bare = Info::parse(&Made::v2().raw()).unwrap();
    let missing: Vec<_> = bare.missing_layers().map(|tree| (tree.root, tree.length, tree.pieces)).collect();
    assert_eq!(missing, [(roots()[1].unwrap(), 40_000, 3)]);
    assert!(bare.encode_layers().is_empty());
    let PieceHash::Merkle { root, .. } = bare.hashes.get(2) else { panic!("v2") };
    assert_eq!(root, [0; 32], "nothing hashes to that");
    assert!(bare.hashes.get(0).is_of(&[b"hello"]), "the root is enough for one piece");

    let whole = bare.with_layers(right_layers()).unwrap();
    assert_eq!(whole.missing_layers().count(), 0);
    assert!(whole.hashes.get(3).is_of(&[&[b'c'; 7_232]]));
    let again = bare.with_encoded_layers(&whole.encode_layers()).unwrap();
    assert_eq!(again.trees, whole.trees);
    assert_eq!(bare.with_encoded_layers(b"").unwrap().missing_layers().count(), 1);
    let with_others = bare.with_layers([([9; 32], vec![[1; 32]]), (roots()[0].unwrap(), vec![[1; 32]])]).unwrap();
    assert_eq!(with_others.trees, bare.trees, "of no file, and of a file that needs none");
}

#[test]
fn layers_that_do_not_lead_to_the_root_are_refused() {
    let (root, right) = right_layers().remove(0);
    let mut lie = right.clone();
    lie[2][31] ^= 1;
    let mut longer = right.clone();
    longer.push([0; 32]);
    let wrong = "the piece layer of \"top/d/c\" does not fit its pieces root";
    for layer in [lie, longer, right[..2].to_vec(), vec![]] {
        for made in [Made::v2(), Made::hybrid()] {
            assert_eq!(reason(Metainfo::parse(&made.torrent(&[(root, layer.clone())])).map(drop)), wrong);
        }
    }
    for bad in [&b"d32:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx3:abce"[..], b"le", b"d32:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxi1ee"]
    {
        let torrent = dict(&[("info", Made::v2().raw()), ("piece layers", bad.to_vec())]);
        assert_eq!(reason(Metainfo::parse(&torrent).map(drop)), "its piece layers are no dictionary of hashes");
    }
}

#[test]
fn a_torrent_without_layers_says_which_file_lacks_one() {
    let odd = dict(&[("info", Made::v2().raw()), ("piece layers", b"d3:abc3:abce".to_vec())]);
    for bytes in [Made::v2().torrent(&[]), dict(&[("info", Made::v2().raw())]), odd] {
        let info = Metainfo::parse(&bytes).unwrap().info;
        assert_eq!(info.lacks_layer_of().map(|file| file.path.to_slashes()).as_deref(), Some("top/d/c"));
        assert_eq!(info.with_layers(right_layers()).unwrap().lacks_layer_of(), None);
    }
    for whole in [Made::v2().torrent(&right_layers()), Made::hybrid().torrent(&[])] {
        assert_eq!(Metainfo::parse(&whole).unwrap().info.lacks_layer_of(), None);
    }
}

#[test]
fn a_file_alone_at_the_root_is_a_single_file_by_its_own_name() {
    let alone = Made::v2().with("file tree", dict(&[("x.bin", file(5, roots()[0]))]));
    let info = Info::parse(&alone.raw()).unwrap();
    assert_eq!((&info.name[..], info.single_file, info.files[0].path.to_string()), ("x.bin", true, "x.bin".into()));
    let nameless = Info::parse(&alone.without("name").raw()).unwrap();
    assert_eq!(nameless.name, "x.bin", "\"name\" is purely advisory");
    // A v1 side that has it in a folder decides.
    let in_folder = Made::v2()
        .with("file tree", dict(&[("x.bin", file(5, roots()[0]))]))
        .with("files", list(&[v1_file(5, &["x.bin"], false)]))
        .with("pieces", string(&sha1(b"hello")));
    let info = Info::parse(&in_folder.raw()).unwrap();
    assert_eq!((info.single_file, info.files[0].path.to_string()), (false, "top/x.bin".into()));
    let single = Made::v2()
        .with("file tree", dict(&[("top", file(5, roots()[0]))]))
        .with("length", int(5))
        .with("pieces", string(&sha1(b"hello")));
    assert!(Info::parse(&single.raw()).unwrap().single_file);
}

#[test]
fn names_of_a_tree_are_mended_as_those_of_a_list() {
    let root = roots()[0];
    let tree = dict(&[("..", file(5, root)), ("A", file(5, root)), ("a", file(5, root)), ("b/c", file(5, root))]);
    let reason = Made::v2().with("file tree", tree).refusal();
    assert_eq!(reason, "nothing usable is left of the name of its file 1");
    let tree = dict(&[("A", file(5, root)), ("a", file(5, root)), ("b/c", file(5, root))]);
    let info = Info::parse(&Made::v2().with("file tree", tree).raw()).unwrap();
    let paths: Vec<_> = info.files.iter().map(|file| file.path.to_string()).collect();
    assert_eq!(paths[0], "top/A");
    assert!(paths[1].starts_with("top/a~") && paths[2].starts_with("top/b_c~"), "{paths:?}");
    let web = Info::parse(&Made::v2().raw()).unwrap().url_paths();
    assert_eq!(web, ["top/a", "top/d/c", "top/e", "top/f"]);
}

#[test]
fn padding_and_links_in_a_tree_are_never_stored() {
    let link =
        dict(&[("", dict(&[("attr", string(b"l")), ("length", int(0)), ("symlink path", list(&[string(b"a")]))]))]);
    let zeros = merkle::leaves(&[&[0; 100]])[0];
    let fields = [("attr", string(b"p")), ("length", int(100)), ("pieces root", string(&zeros))];
    let tree = dict(&[("a", file(5, roots()[0])), ("l", link), ("p", dict(&[("", dict(&fields))]))]);
    let info = Info::parse(&Made::v2().with("file tree", tree).raw()).unwrap();
    assert_eq!(info.files.iter().map(|file| file.pad).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!((info.stored_size(), info.layout.total(), info.layout.files()[2].pad), (5, 105, true));
}

#[test]
fn each_refusal_has_its_reason() {
    let with_tree = |tree: Vec<u8>| Made::v2().with("file tree", tree);
    let root = || roots()[0];
    let tree_of = |fields: Vec<u8>| with_tree(dict(&[("x", dict(&[("", fields)]))]));
    let deep = dict(&[("d", dict(&[("x", b"i1e".to_vec())]))]);
    let both = dict(&[("x", dict(&[("", dict(&[("length", int(0))])), ("y", file(5, root()))]))]);
    let twice = [&b"d"[..], &string(b"x"), &file(5, root()), &string(b"x"), &file(5, root()), b"e"].concat();
    let same_root = dict(&[("x", file(5, root())), ("y", file(6, root()))]);
    let many = dict(&[("x", file(1 << 62, root())), ("y", file(1 << 62, root()))]);
    for (made, reason) in [
        (
            Made::v2().with("meta version", int(3)),
            "it is for a later version of BitTorrent (meta version 3) than 2, which is the last that is known here",
        ),
        (
            Made::hybrid().with("meta version", b"i99999999999999999999e".to_vec()),
            "it is for a later version of BitTorrent (meta version 99999999999999999999) than 2, which is the last that is known here",
        ),
        (Made::v2().without("meta version"), "it has a file tree, but not the meta version 2 that goes with it"),
        (Made::v2().with("meta version", int(1)), "it has a file tree, but not the meta version 2 that goes with it"),
        (
            Made::v2().with("meta version", string(b"2")),
            "it has a file tree, but not the meta version 2 that goes with it",
        ),
        (Made::v2().without("file tree"), "NOT: its info has neither pieces nor a file tree"),
        (with_tree(int(1)), "NOT: its file tree is no dictionary"),
        (Made::v2().without("name"), "NOT: its info has no name"),
        (Made::v2().without("piece length"), "NOT: its info has no piece length"),
        (
            Made::v2().with("piece length", int(8_192)),
            "its piece length (8192) is no power of two of 16 KiB or more, as v2 wants it",
        ),
        (
            Made::v2().with("piece length", int(48 << 10)),
            "its piece length (49152) is no power of two of 16 KiB or more, as v2 wants it",
        ),
        (
            Made::hybrid().with("piece length", int(16_385)),
            "its piece length (16385) is no power of two of 16 KiB or more, as v2 wants it",
        ),
        (with_tree(dict(&[])), "it has no files"),
        (with_tree(dict(&[("d", dict(&[]))])), "it has no files"),
        (with_tree(dict(&[("", dict(&[("length", int(5))]))])), "its file tree is itself a file"),
        (with_tree(dict(&[("x", int(1))])), "NOT: its file tree has something else than files"),
        (with_tree(deep), "NOT: \"d\" in its file tree has something else than files"),
        (with_tree(both), "\"x\" in its file tree is a file and a folder at once"),
        (with_tree(twice), "the key \"x\" stands twice in its info"),
        (with_tree(same_root), "\"top/y\" has the pieces root of another file, but not its length"),
        (with_tree(many), "it has more than 1048576 pieces"),
        (tree_of(dict(&[("pieces root", string(&[7; 32]))])), "NOT: its file 1 has no length"),
        (
            tree_of(dict(&[("length", b"i-1e".to_vec()), ("pieces root", string(&[7; 32]))])),
            "its file 1 has a negative length",
        ),
        (tree_of(dict(&[("length", int(5))])), "NOT: its file 1 has no pieces root"),
        (
            tree_of(dict(&[("length", int(5)), ("pieces root", string(&[7; 20]))])),
            "the pieces root of its file 1 is no hash of 32 bytes",
        ),
        (
            tree_of(dict(&[("length", int(5)), ("pieces root", int(1))])),
            "the pieces root of its file 1 is no hash of 32 bytes",
        ),
        (
            tree_of(dict(&[("length", int(5)), ("length", int(6)), ("pieces root", string(&[7; 32]))])),
            "the key \"length\" stands twice in its info",
        ),
    ] {
        assert_eq!(made.refusal(), reason);
    }
}

#[test]
fn a_hybrid_whose_sides_disagree_is_refused() {
    let changed = |nth: usize, file: Vec<u8>| {
        let mut files = v1_files();
        files[nth] = file;
        Made::hybrid().with("files", list(&files))
    };
    let mut lacking = v1_files();
    lacking.remove(4);
    let mut more = v1_files();
    more.push(v1_file(0, &["z"], false));
    let shifted = vec![
        v1_file(5, &["a"], false),
        v1_file(40_000, &["d", "c"], false),
        v1_file(0, &["e"], false),
        v1_file(16_384, &["f"], false),
    ];
    for (made, reason) in [
        (
            changed(2, v1_file(40_000, &["d", "C"], false)),
            "its file tree has \"top/d/c\" where its list of files has \"top/d/C\"",
        ),
        (
            changed(0, v1_file(6, &["a"], false)).with("pieces", string(&[7; 120])),
            "\"top/a\" has 6 bytes by its list of files and 5 by its file tree",
        ),
        (
            Made::hybrid().with("files", list(&lacking)),
            "its file tree has \"top/e\" where its list of files has \"top/f\"",
        ),
        (Made::hybrid().with("files", list(&more)), "its file tree lacks \"top/z\" of its list of files"),
        (
            Made::hybrid().with(
                "file tree",
                dict(&[
                    ("a", file(5, roots()[0])),
                    ("d", dict(&[("c", file(40_000, roots()[1]))])),
                    ("e", file(0, None)),
                    ("f", file(16_384, roots()[3])),
                    ("g", file(0, None)),
                ]),
            ),
            "its list of files lacks \"top/g\" of its file tree",
        ),
        (
            Made::hybrid().with("files", list(&shifted)).with("pieces", string(&[7; 80])),
            "\"top/d/c\" begins within a piece, where its file tree has it at the start of one",
        ),
        (
            Made::hybrid().with("pieces", string(&[7; 80])),
            "its pieces string has 4 hashes where its files make 5 pieces",
        ),
    ] {
        assert_eq!(made.refusal(), reason);
    }
}

#[test]
fn what_was_wrapped_reads_back_with_its_layers() {
    for made in [Made::v2(), Made::hybrid()] {
        let torrent = Metainfo::parse(&made.torrent(&right_layers())).unwrap();
        let wrapped =
            wrap(&torrent.info.raw, &torrent.info.encode_layers(), &[vec!["http://t/".into()]], &["http://w/".into()]);
        let again = Metainfo::parse(&wrapped).unwrap();
        assert_eq!((again.info.id, &again.info.trees), (torrent.info.id, &torrent.info.trees));
        assert_eq!((again.trackers.len(), again.web_seeds.len()), (1, 1));
    }
}

#[test]
fn files_with_the_same_bytes_share_a_root_and_its_layer() {
    let root = roots()[1];
    let tree = dict(&[("x", file(40_000, root)), ("y", file(40_000, root))]);
    let info = Info::parse(&Made::v2().with("file tree", tree).raw()).unwrap();
    assert_eq!(info.missing_layers().count(), 1);
    let info = info.with_layers(right_layers()).unwrap();
    assert_eq!(info.missing_layers().count(), 0);
    assert_eq!(info.hashes.get(2), info.hashes.get(5));
    let encoded = info.encode_layers();
    assert_eq!(encoded.len(), 2 + 3 + 32 + 3 + 96, "it stands there once");
}

#[test]
fn cut_anywhere_or_damaged_anywhere_it_never_panics() {
    for made in [Made::v2(), Made::hybrid()] {
        let torrent = made.torrent(&right_layers());
        for at in 0..torrent.len() {
            assert!(Metainfo::parse(&torrent[..at]).is_err());
            for byte in [b'0', b'9', b'e', b'i', b'd', b'l', b':', b'-', 0xff] {
                let mut damaged = torrent.clone();
                damaged[at] = byte;
                if let Ok(torrent) = Metainfo::parse(&damaged) {
                    let pieces = torrent.info.layout.pieces();
                    for piece in 0..pieces {
                        std::hint::black_box(torrent.info.hashes.get(piece));
                    }
                }
            }
        }
    }
}
