use super::*;
use proptest::prelude::*;

const HEX: &str = "c12fe1c06bba254a9dc9f519b335aa7c1367a88a";
/// The same hash.
const BASE32: &str = "YEX6DQDLXISUVHOJ6UM3GNNKPQJWPKEK";
const V2: &str = "caf1e1c30e81cb361b9ee167c4aa64228a7fa4fa9f6105232b28ad099f3a302e";

fn v1() -> InfoHashV1 {
    InfoHashV1(hex(HEX).unwrap())
}

fn parse(link: &str) -> Magnet {
    Magnet::parse(&link.replace("HEX", HEX)).unwrap_or_else(|error| panic!("{link}: {error}"))
}

#[test]
fn an_ordinary_link() {
    let link = "magnet:?xt=urn:btih:HEX&dn=Big+Buck%20Bunny&tr=udp%3A%2F%2Ft.example%3A6969%2Fannounce\
                &tr=http://u.example/a?k=v&ws=https%3A%2F%2Fw%2F&x.pe=10.0.0.1:6881&so=0,2,4,6-8&xl=42";
    assert_eq!(
        parse(link),
        Magnet {
            id: TorrentId::from_v1(v1()),
            name: Some("Big+Buck Bunny".into()),
            trackers: vec!["udp://t.example:6969/announce".into(), "http://u.example/a?k=v".into()],
            web_seeds: vec!["https://w/".into()],
            peers: vec!["10.0.0.1:6881".into()],
            select: vec![(0, 0), (2, 2), (4, 4), (6, 8)],
            length: Some(42),
        }
    );
}

#[test]
fn hex_and_base32_in_any_case_are_one_hash() {
    for hash in [HEX.to_owned(), HEX.to_uppercase(), BASE32.to_owned(), BASE32.to_lowercase()] {
        assert_eq!(parse(&format!("magnet:?xt=urn:btih:{hash}")).id.v1(), Some(v1()), "{hash}");
        assert_eq!(Magnet::from_hash(&format!(" {hash}\n")).unwrap().id.v1(), Some(v1()), "{hash}");
    }
}

#[test]
fn schemes_keys_and_separators_as_they_are_pasted() {
    for link in [
        "MAGNET:?XT=URN:BTIH:HEX&TR=http://t/",
        "  magnet:?xt=urn:btih:HEX&tr=http://t/\r\n",
        "\"magnet:?xt=urn:btih:HEX&tr=http://t/\"",
        "<magnet:?xt=urn:btih:HEX&amp;tr=http://t/>",
        "magnet:?xt.1=urn:btih:HEX&tr.1=http://t/",
        "magnet:?&&xt=urn:btih:HEX&&tr=http%3a%2f%2ft%2f&",
        "magnet://?xt=urn:btih:HEX&tr=http://t/",
        "magnet:xt=urn:btih:HEX&tr=http://t/",
        "magnet:?tr=http%253A%252F%252Ft%252F&xt=urn%3Abtih%3AHEX",
        "magnet%3A%3Fxt%3Durn%3Abtih%3AHEX%26tr%3Dhttp%253A%252F%252Ft%252F",
        "magnet:?xt=urn:btih:\nHEX&tr=http://t/",
        "magnet:?xt=urn:sha1:AAAA&xt=urn:btih:HEX&tr=http://t/&tr=http://t/&foo&=",
    ] {
        let magnet = parse(link);
        assert_eq!((magnet.id.v1(), magnet.trackers), (Some(v1()), vec!["http://t/".to_owned()]), "{link}");
    }
}

#[test]
fn names_with_plus_percent_and_broken_escapes() {
    for (dn, name) in [
        ("a+b", Some("a b")),
        ("a%20b+c", Some("a b+c")),
        ("C%2B%2B", Some("C++")),
        ("100%+%zz%4", Some("100% %zz%4")),
        ("caf%C3%A9", Some("café")),
        ("caf%E9", Some("caf\u{fffd}")),
        ("a=b", Some("a=b")),
        ("%1b%5B31mred", Some("[31mred")),
        ("%20", None),
        ("", None),
    ] {
        assert_eq!(parse(&format!("magnet:?xt=urn:btih:HEX&dn={dn}")).name.as_deref(), name, "{dn}");
    }
}

#[test]
fn a_plus_in_a_tracker_stays_a_plus() {
    assert_eq!(parse("magnet:?xt=urn:btih:HEX&tr=http://t/a+b").trackers, ["http://t/a+b"]);
}

#[test]
fn v2_and_hybrid_links() {
    let both = parse(&format!("magnet:?xt=urn:btih:HEX&xt=urn:btmh:1220{}", V2.to_uppercase()));
    assert_eq!((both.id.v1(), both.id.v2()), (Some(v1()), Some(InfoHashV2(hex(V2).unwrap()))));
    assert_eq!(Magnet::from_hash(V2).unwrap().id.v2(), both.id.v2());
    assert_eq!(parse(&format!("magnet:?xt=urn:btmh:1220{V2}")).id.v1(), None);
}

#[test]
fn peers_are_host_and_port() {
    let peers = "&x.pe=[2001:db8::1]:6881&x.pe=2001:db8::2:6881&x.pe=%5B::1%5D%3A7&x.pe.1=host.example:80&x.pe=1.2.3.4:0\
                 &x.pe=1.2.3.4&x.pe=:5&x.pe=a%20b:5&x.pe=[nonsense]:5&x.pe=h:99999&x.pe=[::1:5";
    assert_eq!(
        parse(&format!("magnet:?xt=urn:btih:HEX{peers}")).peers,
        ["[2001:db8::1]:6881", "[2001:db8::2]:6881", "[::1]:7", "host.example:80"]
    );
}

#[test]
fn selections_that_make_no_sense_are_left_out() {
    let select = |so: &str| parse(&format!("magnet:?xt=urn:btih:HEX&so={so}")).select;
    assert_eq!(select("3"), [(3, 3)]);
    assert_eq!(select("1-2,x,5-4,-1,7-,99999999999,0%2D1"), [(1, 2), (0, 1)]);
    assert_eq!(select(""), []);
}

#[test]
fn each_fault_has_its_reason() {
    let zeros = "0".repeat(40);
    for (link, reason) in [
        ("http://x", "not a magnet link: it does not begin with magnet:?"),
        ("", "not a magnet link: it does not begin with magnet:?"),
        ("mägnet:?", "not a magnet link: it does not begin with magnet:?"),
        ("magnet:?dn=x", "the magnet link names no torrent: it has no xt=urn:btih:… or xt=urn:btmh:…"),
        ("magnet:?xt=urn:sha1:x", "the magnet link names no torrent: it has no xt=urn:btih:… or xt=urn:btmh:…"),
        (
            "magnet:?xt=urn:btih:abc",
            "the magnet link's info hash \"abc\" is 3 characters long; it takes 40 (hexadecimal) or 32 (base32)",
        ),
        (
            "magnet:?xt=urn:btih:g12fe1c06bba254a9dc9f519b335aa7c1367a88a",
            "the magnet link's info hash \"g12fe1c06bba254a9dc9f519b335aa7c1367a88a\" is not hexadecimal",
        ),
        (
            "magnet:?xt=urn:btih:1EX6DQDLXISUVHOJ6UM3GNNKPQJWPKEK",
            "the magnet link's info hash \"1EX6DQDLXISUVHOJ6UM3GNNKPQJWPKEK\" is not base32",
        ),
        (
            "magnet:?xt=urn:btmh:1114ab",
            "the magnet link's info hash \"1114ab\" is no SHA-256 (its first digits are not 1220)",
        ),
        (
            "magnet:?xt=urn:btmh:1220ab",
            "the magnet link's info hash \"1220ab\" is 6 characters long; it takes 1220 and 64 hexadecimal digits",
        ),
        (&format!("magnet:?xt=urn:btih:{HEX}&xt=urn:btih:{zeros}"), "the magnet link names two different torrents"),
    ] {
        assert_eq!(Magnet::parse(link).unwrap_err().to_string(), reason);
    }
    let bare = Magnet::from_hash("abc").unwrap_err().to_string();
    assert_eq!(bare, "the info hash \"abc\" is 3 characters long; it takes 40 or 64 (hexadecimal) or 32 (base32)");
    let umlauts = "ä".repeat(40);
    assert!(matches!(Magnet::from_hash(&umlauts), Err(MagnetError::BadHash(_, HashFault::Hex))));
    assert!(matches!(Magnet::from_hash(&umlauts[..64]), Err(MagnetError::BadHash(_, HashFault::Base32))));
}

#[test]
fn a_link_with_nothing_but_its_topic_may_have_been_cut() {
    assert!(parse("magnet:?xt=urn:btih:HEX").maybe_cut());
    assert!(!parse("magnet:?xt=urn:btih:HEX&dn=x").maybe_cut());
}

#[test]
fn a_flood_of_parameters_is_kept_short() {
    let many: String = (0..5_000).map(|n| format!("&tr=http://t{n}/&x.pe=h{n}:1")).collect();
    let magnet = parse(&format!("magnet:?xt=urn:btih:HEX{many}"));
    assert_eq!((magnet.trackers.len(), magnet.peers.len()), (MAX_SOURCES, MAX_SOURCES));
}

#[test]
fn the_canonical_link() {
    let link = format!(
        "magnet:?xt=urn:btih:{HEX}&xt=urn:btmh:1220{V2}&dn=a%20%26%20b&xl=5&tr=udp%3A%2F%2Ft%3A1&ws=http%3A%2F%2Fw\
         &x.pe=[::1]:5&so=1,3-4"
    );
    assert_eq!(parse(&link).to_string(), link);
}

proptest! {
    #[test]
    fn what_is_shown_reads_back_the_same(
        hash: [u8; 20], name in "\\PC{0,20}", hosts in prop::collection::hash_set("[a-z+&=%#]{1,8}", 0..4),
        length: Option<u64>, select in prop::collection::hash_set(0u32..100, 0..4),
    ) {
        let magnet = Magnet {
            id: TorrentId::from_v1(InfoHashV1(hash)),
            name: display_name(&utf8_percent_encode(&name, ESCAPED).to_string()),
            trackers: hosts.iter().map(|host| format!("http://{host}/")).collect(),
            web_seeds: vec![],
            peers: vec![],
            select: select.iter().map(|&first| (first, first + 2)).collect(),
            length,
        };
        prop_assert_eq!(Magnet::parse(&magnet.to_string()), Ok(magnet));
    }

    #[test]
    fn nothing_that_is_pasted_panics(text in "(magnet:\\?)?(xt=urn:btih:)?[\\PC%&=.]{0,60}") {
        let _ = Magnet::parse(&text);
        let _ = Magnet::from_hash(&text);
    }
}
