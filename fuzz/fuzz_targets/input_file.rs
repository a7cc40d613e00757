//! The files of `-i` and `--save-session`.
//!
//! Must hold: what is read is written so that it is read as the same; every source has its line; and what is good in a file
//! is read line by line as it is in one go.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtorrent_cli::cli::input_file::{Entry, Reader, parse, to_text};

fuzz_target!(|text: &str| {
    let lines: Vec<&str> = text.lines().collect();
    match parse(text) {
        Ok(entries) => {
            for entry in &entries {
                assert!(lines[entry.line - 1].contains(&entry.source) && !entry.source.is_empty());
                assert!(!entry.source.contains('\n') && entry.source == entry.source.trim());
            }
            let again = parse(&to_text(&entries)).expect("our own text");
            assert_eq!(plain(&again), plain(&entries));
        }
        Err((line, _)) => assert!((1..=lines.len()).contains(&line)),
    }
    // On and on, whatever is wrong between.
    let (mut reader, mut read, mut bad) = (Reader::default(), Vec::new(), false);
    for line in &lines {
        match reader.line(line) {
            Ok(entry) => read.extend(entry),
            Err(_) => bad = true,
        }
        assert!(reader.is_open() || read.is_empty());
    }
    read.extend(reader.end());
    assert!(read.windows(2).all(|pair| pair[0].line < pair[1].line));
    assert_eq!(parse(text).is_err(), bad);
    if !bad {
        assert_eq!(parse(text).as_ref(), Ok(&read));
    }
});

fn plain(entries: &[Entry]) -> Vec<(&str, &[(String, String)])> {
    entries.iter().map(|entry| (&*entry.source, &*entry.options)).collect()
}
