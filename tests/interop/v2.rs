//! v2 and hybrid torrents (BEP 52), made by libtorrent, with libtorrent and a program that is built on it on the other side.

use std::path::Path;
use std::process::Command;

use crate::content::{Content, Torrent};
use crate::free_port::free_port;
use crate::peers::Peer;
use crate::process::python;
use crate::tracker::{OpenTracker, Place};
use crate::{PATIENCE, Row, Scene, ours};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    V2,
    Hybrid,
}

/// Over uTP there are rows of their own.
const TCP: [&str; 2] = ["--transport", "tcp"];

/// What is given to who downloads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    File,
    /// A link with the v1 hash, the v2 hash, or both.
    V1,
    V2,
    Both,
}

impl Form {
    fn word(self) -> &'static str {
        match self {
            Form::V2 => "v2",
            Form::Hybrid => "hybrid",
        }
    }

    fn sources(self) -> &'static [By] {
        match self {
            Form::V2 => &[By::File, By::V2],
            Form::Hybrid => &[By::File, By::V1, By::V2, By::Both],
        }
    }
}

impl By {
    fn words(self) -> &'static str {
        match self {
            By::File => ".torrent",
            By::V1 => "btih magnet",
            By::V2 => "btmh magnet",
            By::Both => "magnet with both",
        }
    }

    fn source(self, torrent: &Torrent) -> String {
        let v1 = || format!("urn:btih:{}", torrent.hex());
        // SHA-256 as a multihash.
        let v2 = || format!("urn:btmh:1220{}", torrent.v2.as_deref().unwrap_or_default());
        match self {
            By::File => torrent.file.display().to_string(),
            By::V1 => torrent.magnet_of(&[v1()]),
            By::V2 => torrent.magnet_of(&[v2()]),
            By::Both => torrent.magnet_of(&[v1(), v2()]),
        }
    }
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let needs = || Peer::Libtorrent.programs();
    for form in [Form::V2, Form::Hybrid] {
        // Others only need to show that they are no different.
        let few = [By::File, By::V2];
        let all = form.sources().iter().map(|by| (Peer::Libtorrent, *by));
        for (peer, by) in all.chain(few.map(|by| (Peer::QBittorrent, by))) {
            let (word, name, how) = (form.word(), peer.name(), by.words());
            // libtorrent makes the .torrent.
            let needs = [needs(), peer.programs()].concat();
            rows.push(Row {
                name: format!("get {word} from {name} ({how})"),
                needs: needs.clone(),
                run: Box::new(move |scene| get(scene, peer, form, by)),
            });
            // libtorrent gives a hybrid up now and then ("v1 and v2 hashes do not describe the same data") if it has a piece
            // before the hashes of its layer: of a link it has neither, and what we send first is chance.
            if form == Form::Hybrid && by != By::File {
                continue;
            }
            rows.push(Row {
                name: format!("seed {word} to {name} ({how})"),
                needs,
                run: Box::new(move |scene| seed(scene, peer, form, by)),
            });
        }
        rows.push(Row {
            name: format!("info --save of {} from libtorrent", form.word()),
            needs: needs(),
            run: Box::new(move |scene| save(scene, form)),
        });
    }
    rows.push(Row { name: "pass v2 on from libtorrent to libtorrent".into(), needs: needs(), run: Box::new(pass_on) });
    rows
}

/// `peer` seeds, ours downloads.
fn get(scene: &Scene, peer: Peer, form: Form, by: By) -> Result<(), String> {
    let folder = scene.folder.path();
    let (place, content) = (Place::free(), Content::aligned());
    let torrent = make(folder, form, place, &content)?;
    let tracker = OpenTracker::start(folder, place, &torrent)?;
    let _seeder = peer.seed(folder, &torrent)?;
    tracker.wait_for_seed(PATIENCE)?;
    ours::get(folder, &by.source(&torrent), &TCP)?;
    content.compare(&folder.join("seed"), &folder.join("ours"))
}

/// Ours seeds, `peer` downloads.
fn seed(scene: &Scene, peer: Peer, form: Form, by: By) -> Result<(), String> {
    let folder = scene.folder.path();
    let (place, content) = (Place::free(), Content::aligned());
    let torrent = make(folder, form, place, &content)?;
    let tracker = OpenTracker::start(folder, place, &torrent)?;
    let mut seeder = ours::seed(folder, &torrent, &TCP)?;
    seeder.until(PATIENCE, || tracker.wait_for_seed(std::time::Duration::ZERO))?;
    let mut leecher = peer.leech(folder, &by.source(&torrent), free_port())?;
    leecher
        .until(PATIENCE, || content.compare(&folder.join("seed"), &folder.join("theirs")))
        .map_err(|complaint| seeder.with_log(&complaint))
}

/// Ours makes a .torrent of a link, and libtorrent takes it for the same.
fn save(scene: &Scene, form: Form) -> Result<(), String> {
    let folder = scene.folder.path();
    let (place, content) = (Place::free(), Content::aligned());
    let torrent = make(folder, form, place, &content)?;
    let tracker = OpenTracker::start(folder, place, &torrent)?;
    let _seeder = Peer::Libtorrent.seed(folder, &torrent)?;
    tracker.wait_for_seed(PATIENCE)?;
    let saved = folder.join("saved.torrent");
    ours::save(folder, &By::V2.source(&torrent), &saved)?;
    let hash = "import libtorrent, sys; print(libtorrent.torrent_info(sys.argv[1]).info_hashes().v2)";
    let said = run(Command::new(python()).args(["-W", "ignore", "-c", hash]).arg(&saved))?;
    if Some(said.trim()) == torrent.v2.as_deref() { Ok(()) } else { Err(format!("libtorrent says {said}")) }
}

/// libtorrent seeds, ours downloads by a link and seeds, and another libtorrent has the whole from ours by a link: the
/// hashes that came from peers are passed on.
fn pass_on(scene: &Scene) -> Result<(), String> {
    let folder = scene.folder.path();
    let (place, content) = (Place::free(), Content::aligned());
    let torrent = make(folder, Form::V2, place, &content)?;
    let tracker = OpenTracker::start(folder, place, &torrent)?;
    let link = By::V2.source(&torrent);
    {
        let _first = Peer::Libtorrent.seed(folder, &torrent)?;
        tracker.wait_for_seed(PATIENCE)?;
        ours::get(folder, &link, &TCP)?;
    }
    let seeder = ours::get_and_stay(folder, &link)?;
    let mut last = Peer::Libtorrent.leech(folder, &link, free_port())?;
    last.until(PATIENCE, || content.compare(&folder.join("seed"), &folder.join("theirs")))
        .map_err(|complaint| seeder.with_log(&complaint))
}

/// The files of `content`, and the .torrent that libtorrent makes of them.
fn make(folder: &Path, form: Form, place: Place, content: &Content) -> Result<Torrent, String> {
    content.write_files(&folder.join("seed"));
    let (file, tracker) = (folder.join("seed.torrent"), place.http_url());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/libtorrent_make.py");
    let mut command = Command::new(python());
    command.args(["-W", "ignore"]).arg(script).arg(form.word()).arg(content.top(&folder.join("seed")));
    let said = run(command.args(["32768", &tracker]).arg(&file))?;
    let of_length = |length: usize| said.lines().find(|line| line.len() == length);
    let v2 = of_length(64).ok_or(format!("libtorrent_make.py said {said}"))?;
    let known_by = of_length(40).unwrap_or(&v2[..40]);
    let mut info_hash = [0; 20];
    for (byte, at) in info_hash.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&known_by[at..at + 2], 16).map_err(|e| e.to_string())?;
    }
    Ok(Torrent { file, info_hash, v2: Some(v2.into()), tracker })
}

/// What a program says until it ends.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| e.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
