//! The files under completions/ and man/ are what the program generates.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use rtorrent_cli::cli::args::Shell;
use rtorrent_cli::cli::{completions, man};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares the files of a folder with what they should be; with UPDATE_GENERATED=1 in the environment, writes them.
fn compare(name: &str, expected: BTreeMap<String, Vec<u8>>) {
    let folder = folder(name);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for (file, contents) in &expected {
            std::fs::write(folder.join(file), contents).unwrap();
        }
    }
    let there: BTreeMap<String, Vec<u8>> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&there), names(&expected), "the files of {name}/");
    for (file, contents) in expected {
        let same = there[&file] == contents;
        assert!(same, "{name}/{file} is out of date; UPDATE_GENERATED=1 cargo test --test generated writes it");
    }
}

#[test]
fn completions_are_up_to_date() {
    let script = |shell: &Shell| (completions::file_name(*shell).to_owned(), completions::script(*shell));
    compare("completions", Shell::value_variants().iter().map(script).collect());
}

#[test]
fn manual_pages_are_up_to_date() {
    compare("man", man::pages().into_iter().collect());
}
