use super::*;

/// Sizes and paths below `top`; a path that begins with `.pad/` is padding.
fn torrent(files: &[(u64, &str)]) -> Info {
    let total: u64 = files.iter().map(|(size, _)| size).sum();
    let mut raw = b"d5:filesl".to_vec();
    for (size, path) in files {
        raw.extend(format!("d6:lengthi{size}e4:pathl").bytes());
        path.split('/').for_each(|part| raw.extend(format!("{}:{part}", part.len()).bytes()));
        raw.extend(b"ee");
    }
    let pieces = total.div_ceil(1 << 20) as usize * 20;
    raw.extend(format!("e4:name3:top12:piece lengthi1048576e6:pieces{pieces}:").bytes());
    raw.extend(vec![b'h'; pieces]);
    raw.extend(b"e");
    Info::parse(&raw).unwrap()
}

const NONE: [usize; 0] = [];

fn season() -> Info {
    torrent(&[
        (700 << 20, "Season 1/[Grp] Show S01E01.mkv"), // 1
        (100 << 20, "Season 1/[Grp] Show S01E02.MKV"), // 2
        (48_576, ".pad/48576"),                        // 3
        (10_240, "Season 1/Subs/e01.srt"),             // 4
        (10_239, "Season 1/Subs/e02.SRT"),             // 5
        (5, "extras/readme.txt"),                      // 6
        (0, "2024.txt"),                               // 7
    ])
}

/// The places, from 1, that are selected; none is an error.
fn pick(select: &[&str], exclude: &[&str]) -> Vec<usize> {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
    let selection = Selection::parse(&texts(select), &texts(exclude)).unwrap();
    places(selection.apply(&season()))
}

fn places(applied: Result<Vec<bool>, SelectionError>) -> Vec<usize> {
    match applied {
        Ok(wanted) => (1..).zip(wanted).filter(|(_, wanted)| *wanted).map(|(place, _)| place).collect(),
        Err(SelectionError::NothingMatches(_)) => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn without_patterns_all_but_padding() {
    assert_eq!(pick(&[], &[]), [1, 2, 4, 5, 6, 7]);
    assert!(Selection::default().is_all());
}

#[test]
fn by_place() {
    assert_eq!(pick(&["1-2,6"], &[]), [1, 2, 7]);
    assert_eq!(pick(&["5-"], &[]), [6, 7]);
    assert_eq!(pick(&[" 2 , 3-4 "], &[]), [2, 4, 5], "padding has no number");
    assert_eq!(pick(&["6-99999999"], &[]), [7]);
    assert_eq!(pick(&["3"], &[]), [4]);
    assert_eq!(pick(&["99"], &[]), NONE);
}

#[test]
fn by_extension_and_size() {
    assert_eq!(pick(&["ext:mkv"], &[]), [1, 2]);
    assert_eq!(pick(&["EXT:.srt, txt"], &[]), [4, 5, 6, 7]);
    assert_eq!(pick(&["size>100M"], &[]), [1]);
    assert_eq!(pick(&["size>=100M"], &[]), [1, 2]);
    assert_eq!(pick(&["size < 10K"], &[]), [5, 6, 7]);
    assert_eq!(pick(&["size<=10K"], &["size=0"]), [4, 5, 6]);
}

#[test]
fn by_glob() {
    assert_eq!(pick(&["*.mkv"], &[]), [1, 2], "the name alone, in any folder");
    assert_eq!(pick(&["**/*.srt"], &[]), [4, 5]);
    assert_eq!(pick(&["Season 1/*"], &[]), [1, 2], "a star stays in its folder");
    assert_eq!(pick(&["Season 1/**"], &[]), [1, 2, 4, 5]);
    assert_eq!(pick(&["top/season ?/*E01*"], &[]), [1], "with the top folder, in either case");
    assert_eq!(pick(&["/*"], &[]), [7], "below the top folder itself");
    assert_eq!(pick(&["*.{txt,srt}"], &[]), [4, 5, 6, 7]);
    assert_eq!(pick(&["e0[2-9].srt"], &[]), [5]);
    assert_eq!(pick(&["**"], &[]), [1, 2, 4, 5, 6, 7]);
}

#[test]
fn a_pasted_name_with_brackets_is_found() {
    assert_eq!(pick(&["[Grp] Show S01E01.mkv"], &[]), [1]);
    assert_eq!(pick(&["top/Season 1/[Grp] Show S01E02.MKV"], &[]), [2]);
    assert_eq!(pick(&["./extras/readme.txt"], &[]), [6]);
}

#[test]
fn by_folder() {
    assert_eq!(pick(&["subs/"], &[]), [4, 5]);
    assert_eq!(pick(&["Season 1/Subs/"], &[]), [4, 5]);
    assert_eq!(pick(&["season*/"], &[]), [1, 2, 4, 5]);
    assert_eq!(pick(&["top/"], &[]), [1, 2, 4, 5, 6, 7]);
    assert_eq!(pick(&["/Subs/"], &[]), NONE, "anchored at the top");
    assert_eq!(pick(&["readme.txt/"], &[]), NONE, "a file is no folder");
    assert_eq!(pick(&["extras"], &[]), NONE, "a folder is no file");
}

#[test]
fn by_regex() {
    assert_eq!(pick(&[r"re:S\d+E02"], &[]), [2]);
    assert_eq!(pick(&[r"re:^Season"], &[]), [1, 2, 4, 5]);
    assert_eq!(pick(&[r"re:^top/2024"], &[]), [7]);
    assert_eq!(pick(&["re:readme.TXT"], &[]), NONE);
}

#[test]
fn several_are_a_union_and_exclude_takes_away() {
    assert_eq!(pick(&["1", "ext:srt"], &["e02*"]), [1, 4]);
    assert_eq!(pick(&[], &["Season 1/"]), [6, 7]);
    assert_eq!(pick(&[], &["**"]), NONE);
}

#[test]
fn a_link_selects_from_zero_until_a_pattern_does() {
    let so = [(0, 0), (3, 4), (99, u32::MAX)];
    assert_eq!(places(Selection::default().with_so(&so).apply(&season())), [1, 4, 5]);
    let excluding = Selection::parse(&[], &["1".to_owned()]).unwrap().with_so(&so);
    assert_eq!(places(excluding.apply(&season())), [4, 5]);
    let selecting = Selection::parse(&["6".to_owned()], &[]).unwrap().with_so(&so);
    assert_eq!(places(selecting.apply(&season())), [7]);
    assert_eq!(places(Selection::default().with_so(&[(99, 100)]).apply(&season())), NONE);
}

#[test]
fn what_was_picked_is_taken_as_it_is_but_for_padding() {
    assert_eq!(places(Selection::picked([false, true, true, true]).apply(&season())), [2, 4]);
    assert_eq!(places(Selection::picked([false; 7]).apply(&season())), NONE);
}

#[test]
fn what_matches_nothing_lists_what_there_is() {
    let nothing = Selection::parse(&["*.iso".to_owned()], &[]).unwrap().apply(&season()).unwrap_err();
    let text = nothing.to_string();
    assert!(
        text.starts_with(
            "no file is selected; there are 6:\n     1  top/Season 1/[Grp] Show S01E01.mkv (734003200 bytes)\n"
        ),
        "{text}"
    );
    assert!(!text.contains(".pad") && text.ends_with("     6  top/2024.txt (0 bytes)"), "{text}");
    let many: Vec<_> = (0..500).map(|n| (1, format!("f{n}"))).collect();
    let many: Vec<_> = many.iter().map(|(size, path)| (*size, &path[..])).collect();
    let text = Selection::parse(&["x".to_owned()], &[]).unwrap().apply(&torrent(&many)).unwrap_err().to_string();
    assert!(text.ends_with("and 400 more"), "{text}");
}

#[test]
fn bad_patterns_say_why() {
    for (pattern, reason) in [
        ("", "it is empty"),
        ("0", "files count from 1"),
        ("1-0", "files count from 1"),
        ("5-2", "the range 5-2 runs backwards"),
        ("1,,2", "\"\" is not a file's number"),
        ("-5", "\"\" is not a file's number"),
        ("99999999999999999999999", "\"99999999999999999999999\" is not a file's number"),
        ("ext:", "an extension is empty"),
        ("ext:a,,b", "an extension is empty"),
        ("size>x", "\"x\" is not a size; write for example 512K, 64M or 1.5GiB"),
        ("re:(", "unclosed group"),
        ("[a", "unclosed character class; missing ']'"),
        ("/", "it names nothing"),
    ] {
        let error = Selection::parse(&[pattern.to_owned()], &[]).unwrap_err();
        let expected = SelectionError::BadPattern { pattern: pattern.into(), reason: reason.into() };
        assert_eq!(error, expected);
    }
}

#[test]
fn a_hundred_thousand_ranges_over_as_many_files_take_no_time() {
    let ranges: Vec<_> = (0..100_000).map(|first| (first, u32::MAX)).collect();
    let files: Vec<_> = (0..2_000).map(|_| (0, "same")).collect();
    assert_eq!(places(Selection::default().with_so(&ranges).apply(&torrent(&files))).len(), 2_000);
}
