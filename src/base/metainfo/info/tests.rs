use super::*;
use crate::base::piece_hash::PieceHash;

/// Bencode, with what is given in place of a field or beside the others.
struct Torrent {
    fields: Vec<(&'static str, Vec<u8>)>,
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [format!("{}:", bytes.len()).as_bytes(), bytes].concat()
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [b"l", &items.concat()[..], b"e"].concat()
}

fn dict(fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let body: Vec<u8> =
        fields.iter().flat_map(|(key, value)| [string(key.as_bytes()), value.clone()].concat()).collect();
    [b"d", &body[..], b"e"].concat()
}

fn file(length: i64, path: &[&[u8]]) -> Vec<(&'static str, Vec<u8>)> {
    let path: Vec<_> = path.iter().map(|part| string(part)).collect();
    vec![("length", format!("i{length}e").into_bytes()), ("path", list(&path))]
}

impl Torrent {
    /// One file of 40,000 bytes in two pieces of 32 KiB.
    fn single() -> Self {
        Torrent {
            fields: vec![
                ("length", b"i40000e".to_vec()),
                ("name", string(b"a.bin")),
                ("piece length", b"i32768e".to_vec()),
                ("pieces", string(&[7; 40])),
            ],
        }
    }

    /// `files` in a folder `top`; one piece if they have any bytes.
    fn multi(files: &[Vec<(&str, Vec<u8>)>], pieces: usize) -> Self {
        let files: Vec<_> = files.iter().map(|file| dict(file)).collect();
        let mut torrent = Torrent::single().with("name", string(b"top")).with("pieces", string(&vec![7; 20 * pieces]));
        torrent.fields.retain(|(key, _)| *key != "length");
        torrent.with("files", list(&files))
    }

    fn with(mut self, key: &'static str, value: impl Into<Vec<u8>>) -> Self {
        match self.fields.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value.into(),
            None => self.fields.push((key, value.into())),
        }
        self
    }

    fn without(mut self, key: &str) -> Self {
        self.fields.retain(|(name, _)| *name != key);
        self
    }

    fn raw(&self) -> Vec<u8> {
        dict(&self.fields)
    }

    fn parse(&self) -> Result<Info, MetainfoError> {
        Info::parse(&self.raw())
    }

    fn refusal(&self) -> String {
        match self.parse() {
            Err(MetainfoError::Refused(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    fn no_torrent(&self) -> String {
        match self.parse() {
            Err(MetainfoError::NotATorrent(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }
}

fn paths(info: &Info) -> Vec<String> {
    info.files.iter().map(|file| file.path.to_string()).collect()
}

#[test]
fn a_single_file() {
    let info = Torrent::single().parse().unwrap();
    assert!(info.single_file && !info.private);
    assert_eq!((&info.name[..], paths(&info)), ("a.bin", vec!["a.bin".to_owned()]));
    assert_eq!((info.layout.total(), info.layout.pieces(), info.layout.piece_len(1)), (40_000, 2, 7_232));
    assert_eq!([0, 1].map(|piece| info.hashes.get(piece)), [PieceHash::Sha1([7; 20]); 2]);
}

#[test]
fn several_files_stand_in_their_folder_in_order() {
    let files = [file(1, &[b"x"]), file(0, &[b"sub", b"empty"]), file(2, &[b"sub", b"y"])];
    let info = Torrent::multi(&files, 1).parse().unwrap();
    assert_eq!(paths(&info), ["top/x", "top/sub/empty", "top/sub/y"]);
    assert!(!info.single_file);
    assert_eq!(info.stored_size(), 3);
    let one_in_a_folder = Torrent::multi(&[file(1, &[b"x"])], 1).parse().unwrap();
    assert!(!one_in_a_folder.single_file);
}

#[test]
fn the_hash_is_that_of_the_bytes_as_they_came() {
    let mut torrent = Torrent::single().with("zz", "d1:bi1e1:ai2ee").with("1st", "i1e");
    torrent.fields.reverse();
    let (raw, info) = (torrent.raw(), torrent.parse().unwrap());
    assert_eq!(info.id, TorrentId::from_v1(InfoHashV1(sha1(&raw))));
    assert_eq!(*info.raw, raw[..]);
}

#[test]
fn files_without_bytes_need_no_pieces() {
    let empty = Torrent::single().with("length", "i0e").with("pieces", "0:").parse().unwrap();
    assert_eq!((empty.layout.pieces(), empty.hashes.pieces(), empty.stored_size()), (0, 0, 0));
    assert!(Torrent::multi(&[file(0, &[b"x"]), file(0, &[b"y"])], 0).parse().is_ok());
}

#[test]
fn private_is_any_number_but_zero() {
    for (value, private) in [("i1e", true), ("i0e", false), ("1:1", false)] {
        assert_eq!(Torrent::single().with("private", value).parse().unwrap().private, private);
    }
}

#[test]
fn padding_is_known_by_attribute_and_by_name() {
    let mut by_attribute = file(10, &[b"any"]);
    by_attribute.push(("attr", string(b"xp")));
    let no_path = vec![("attr", string(b"p")), ("length", b"i10e".to_vec())];
    let files = [
        file(1, &[b"x"]),
        by_attribute,
        no_path,
        file(10, &[b".pad", b"10"]),
        file(10, &[b"_____padding_file_0_if you can see this"]),
        file(10, &[b".pad", b"notes.txt"]),
        file(10, &[b"any"]),
    ];
    let info = Torrent::multi(&files, 1).parse().unwrap();
    let pads: Vec<_> = info.files.iter().map(|file| file.pad).collect();
    assert_eq!(pads, [false, true, true, true, true, false, false]);
    assert!(info.layout.files()[1].pad);
    assert_eq!((info.layout.total(), info.stored_size()), (61, 21));
    assert_eq!(info.stored_files().map(|(index, _)| index).collect::<Vec<_>>(), [0, 5, 6]);
    assert_eq!(paths(&info)[6], "top/any", "padding takes no name from a file");
}

#[test]
fn a_link_has_no_bytes_and_is_never_made() {
    let link = vec![
        ("attr", string(b"l")),
        ("path", list(&[string(b"l")])),
        ("symlink path", list(&[string(b".."), string(b"x")])),
    ];
    let info = Torrent::multi(&[file(1, &[b"x"]), link], 1).parse().unwrap();
    assert!(info.files[1].pad && info.files[1].length == 0);
}

#[test]
fn utf8_keys_win_where_they_are_utf8() {
    let mut good = file(1, &[b"caf\xe9"]);
    good.push(("path.utf-8", list(&[string("café".as_bytes())])));
    let mut bad = file(1, &[b"plain"]);
    bad.push(("path.utf-8", list(&[string(b"ok"), string(b"\xff")])));
    let mut none = file(1, &[b"other"]);
    none.push(("path.utf-8", b"le".to_vec()));
    let torrent = Torrent::multi(&[good, bad, none], 1).with("name.utf-8", string("häus".as_bytes()));
    assert_eq!(paths(&torrent.parse().unwrap()), ["häus/café", "häus/plain", "häus/other"]);
    assert_eq!(Torrent::single().with("name.utf-8", string(b"\xff")).parse().unwrap().name, "a.bin");
}

#[test]
fn names_that_are_not_utf8_are_mended() {
    let info =
        Torrent::multi(&[file(1, &[b"\xe9"]), file(1, &[b"\xe8"])], 1).with("name", string(b"t\xff")).parse().unwrap();
    assert!(info.name.starts_with("t\u{fffd}~"), "{}", info.name);
    assert!(paths(&info).iter().all(|path| path.starts_with(&format!("{}/", info.name))));
    assert_ne!(info.files[0].path, info.files[1].path);
}

#[test]
fn names_that_would_leave_the_folder_are_mended_or_refused() {
    let info = Torrent::single().with("name", string(b"../../etc/passwd")).parse().unwrap();
    assert!(info.name.starts_with(".._.._etc_passwd~"));
    let files = [file(1, &[b"..", b"..", b"x"]), file(1, &[b"/etc/passwd"]), file(1, &[b"", b"y"])];
    let mended = paths(&Torrent::multi(&files, 1).parse().unwrap());
    assert_eq!((&mended[0][..], &mended[2][..]), ("top/x", "top/y"));
    assert!(mended[1].starts_with("top/_etc_passwd~"));
    for name in ["..", ".", ""] {
        let reason = Torrent::single().with("name", string(name.as_bytes())).refusal();
        assert_eq!(reason, "nothing usable is left of its name");
        let reason = Torrent::multi(&[file(1, &[b"x"]), file(1, &[name.as_bytes()])], 1).refusal();
        assert_eq!(reason, "nothing usable is left of the name of its file 2");
    }
}

#[test]
fn each_refusal_has_its_reason() {
    let (single, multi) = (Torrent::single, |files: &[Vec<(&'static str, Vec<u8>)>]| Torrent::multi(files, 1));
    let size = |size: &str| vec![("length", size.as_bytes().to_vec()), ("path", list(&[string(b"x")]))];
    let mut pad = file(1, &[b"x"]);
    pad.push(("attr", string(b"p")));
    let mut twice = file(1, &[b"x"]);
    twice.push(("length", b"i2e".to_vec()));
    for (torrent, reason) in [
        (single().with("piece length", "i0e"), "its piece length is 0"),
        (single().with("piece length", "i-1e"), "its piece length is negative (-1)"),
        (single().with("piece length", "i536870913e"), "its piece length (536870913) is beyond 512 MiB"),
        (
            single().with("piece length", "i99999999999999999999e"),
            "its piece length (99999999999999999999) is beyond 512 MiB",
        ),
        (single().with("pieces", string(&[7; 39])), "its pieces string has 39 bytes, no multiple of 20"),
        (single().with("pieces", string(&[7; 20])), "its pieces string has 1 hashes where its files make 2 pieces"),
        (single().with("pieces", string(&[7; 60])), "its pieces string has 3 hashes where its files make 2 pieces"),
        (single().with("length", "i-5e"), "its file 1 has a negative length"),
        (single().with("length", "i99999999999999999999e"), "its file sizes overflow"),
        (single().with("length", "i18446744073709551615e"), "its file sizes overflow"),
        (multi(&[size("i9223372036854775807e"), size("i1e")]), "its file sizes overflow"),
        (multi(&[size("i18446744073709551615e"), size("i1e")]), "its file sizes overflow"),
        (single().without("length"), "it has no files"),
        (multi(&[]), "it has no files"),
        (multi(&[pad]), "it has no files"),
        (multi(&[twice]), "the key \"length\" stands twice in its info"),
    ] {
        assert_eq!(torrent.refusal(), reason);
    }
    let mut twice = Torrent::single();
    twice.fields.push(("name", string(b"b")));
    assert_eq!(twice.refusal(), "the key \"name\" stands twice in its info");
}

#[test]
fn what_is_no_info_dictionary_says_so() {
    for (torrent, reason) in [
        (Torrent::single().without("pieces"), "its info has no pieces"),
        (Torrent::single().with("pieces", "i1e"), "its pieces are no string"),
        (Torrent::single().without("piece length"), "its info has no piece length"),
        (Torrent::single().with("piece length", "1:1"), "its piece length is no number"),
        (Torrent::single().without("name"), "its info has no name"),
        (Torrent::single().with("length", "1:1"), "its file 1 has no length"),
        (Torrent::single().with("files", "i1e"), "its files are no list"),
        (Torrent::multi(&[vec![("length", b"i1e".to_vec())]], 1), "its file 1 has no path"),
        (Torrent::multi(&[vec![("length", b"i1e".to_vec()), ("path", b"1:x".to_vec())]], 1), "its file 1 has no path"),
        (
            Torrent::multi(&[vec![("length", b"i1e".to_vec()), ("path", b"li1ee".to_vec())]], 1),
            "its file 1 has no path",
        ),
        (Torrent::multi(&[vec![("path", list(&[string(b"x")]))]], 1), "its file 1 has no length"),
    ] {
        assert_eq!(torrent.no_torrent(), reason);
    }
    let more = [Torrent::single().raw(), b"x".to_vec()].concat();
    assert!(matches!(Info::parse(&more), Err(MetainfoError::NotATorrent(_))));
}

#[test]
fn cut_anywhere_or_damaged_anywhere_it_never_panics() {
    let files = [file(1, &[b"x"]), file(20_000, &[b"sub", b"y"])];
    let raw = Torrent::multi(&files, 1).raw();
    for at in 0..raw.len() {
        assert!(Info::parse(&raw[..at]).is_err());
        for byte in [b'0', b'9', b'e', b'i', b'd', b'l', b':', b'-', 0xff] {
            let mut damaged = raw.clone();
            damaged[at] = byte;
            let _ = Info::parse(&damaged);
        }
    }
}
