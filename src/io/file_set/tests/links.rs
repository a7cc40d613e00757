//! Symbolic links in the way: none is followed.

use std::os::unix::fs::symlink;

use super::*;

/// What a link in the way must lead to: an error that names it, and nothing touched beyond it.
fn refused(fx: &Fixture, at: &str, error: &FileError) {
    assert!(matches!(error, FileError::Link { .. }), "{error}");
    assert_eq!(error.path(), fx.out.path().canonicalize().unwrap().join(at));
}

#[test]
fn a_link_at_a_name_a_part_name_or_a_folder_is_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("victim"), b"precious").unwrap();
    for (link, to) in [
        ("t/a", outside.path().join("victim")),
        ("t/a.part", outside.path().join("victim")),
        ("t/a.part", outside.path().join("dangling")),
        ("t", outside.path().to_owned()),
        ("t/d", outside.path().to_owned()),
        ("t/d", PathBuf::from(".")),
    ] {
        let fx = abc();
        fs::create_dir_all(fx.out.path().join(link).parent().unwrap()).unwrap();
        symlink(&to, fx.out.path().join(link)).unwrap();
        refused(&fx, link, &FileSet::open(fx.setup()).unwrap_err());
    }
    assert_eq!(fs::read(outside.path().join("victim")).unwrap(), b"precious");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn a_link_that_appears_after_the_survey_is_not_followed_either() {
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    fs::write(&victim, b"precious").unwrap();
    let fx = abc();
    let files = fx.open(&[0, 1, 2]);
    fs::create_dir(fx.out.path().join("t")).unwrap();
    symlink(&victim, fx.out.path().join("t/a.part")).unwrap();
    let error = fx.put(&files, &[0]).unwrap_err();
    assert!(matches!(error, FileError::Link { .. } | FileError::Occupied { .. }), "{error}");
    symlink(outside.path(), fx.out.path().join("t/d")).unwrap();
    refused(&fx, "t/d", &fx.put(&files, &[3]).unwrap_err());

    // The file is swapped for a link between two writes, its handle closed in between.
    let fx = abc();
    let files = fx.open(&[0, 1, 2]);
    fx.put(&files, &[0]).unwrap();
    files.state().handles.close(0);
    fs::remove_file(fx.out.path().join("t/a.part")).unwrap();
    symlink(&victim, fx.out.path().join("t/a.part")).unwrap();
    refused(&fx, "t/a.part", &fx.put(&files, &[1]).unwrap_err());
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

#[test]
fn the_output_folder_itself_may_be_a_link() {
    let fx = abc();
    let real = tempfile::tempdir().unwrap();
    let link = fx.out.path().join("link");
    symlink(real.path(), &link).unwrap();
    let files = FileSet::open(FileSetup { dir: link, ..fx.setup() }).unwrap();
    files.adopt(&Bitfield::new(4), |_| false).unwrap();
    fx.put(&files, &[0, 1]).unwrap();
    assert_eq!(fs::read(real.path().join("t/a")).unwrap(), fx.file(0));
    assert_eq!(files.target(), real.path().canonicalize().unwrap().join("t"));
}

#[test]
fn links_at_files_that_are_not_selected_are_left_alone() {
    let fx = abc();
    fs::create_dir(fx.out.path().join("t")).unwrap();
    symlink("/nowhere", fx.out.path().join("t/b")).unwrap();
    let files = fx.open(&[0]);
    fx.put(&files, &[0, 1]).unwrap();
    assert_eq!(fx.on_disk("t/a"), fx.file(0));
}
