//! Keeps the architecture of `src/lib.rs` true: imports point down, and the layers below `io` have no clock, no locks, no
//! sockets, no files and no randomness of their own.
//!
//! Reads the source text with comments and literals blanked, so a word counts only where it is code.

use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up.
const LAYERS: [&str; 6] = ["base", "proto", "swarm", "io", "engine", "cli"];

/// Words that may not stand in the code of some layers, test modules aside.
const FORBIDDEN: &[(&[&str], &[&str], &str)] = &[
    (&["base", "proto", "swarm", "engine"], &["Mutex", "RwLock"], "one owner per state, messages to it"),
    (&["base", "proto", "swarm"], &["Instant::now", "SystemTime::now"], "time is an argument"),
    (
        &["base", "proto", "swarm"],
        &["rand::rng", "rand::random", "thread_rng", "from_os_rng", "SysRng"],
        "randomness is an argument",
    ),
    (
        &["base", "proto", "swarm"],
        &["tokio", "std::fs", "fs::File", "TcpStream", "TcpListener", "UdpSocket", "socket2", "reqwest", "std::thread"],
        "only io has sockets, files and threads",
    ),
    (&["base", "proto", "swarm", "io", "engine"], &["anyhow"], "errors below cli are types"),
];

#[test]
fn imports_point_down() {
    let mut upward = Vec::new();
    for file in sources() {
        let reachable = LAYERS.iter().position(|layer| *layer == file.layer).expect("a known layer");
        for (line, target) in layer_paths(&file.code, file.depth) {
            let target_at = LAYERS.iter().position(|layer| *layer == target).expect("only layers are returned");
            if target_at > reachable {
                upward.push(format!("{}:{line}: {} must not know {target}", file.path.display(), file.layer));
            }
        }
    }
    assert!(upward.is_empty(), "arrows that point up:\n{}", upward.join("\n"));
}

#[test]
fn lower_layers_stay_pure() {
    let mut found = Vec::new();
    for file in sources() {
        let code = without_tests(&file.code);
        for (layers, words, reason) in FORBIDDEN {
            for word in words.iter().filter(|_| layers.contains(&&*file.layer) && !file.is_test) {
                for at in words_at(&code, word) {
                    found.push(format!("{}:{}: {word} ({reason})", file.path.display(), line_of(&code, at)));
                }
            }
        }
    }
    assert!(found.is_empty(), "words that do not belong there:\n{}", found.join("\n"));
}

/// What opens a socket or looks a name up, and the files of `io` that may.
const SOCKETS: &[&str] = &[
    "TcpStream::connect",
    "TcpSocket::new_v4",
    "TcpSocket::new_v6",
    "TcpListener::bind",
    "UdpSocket::bind",
    "Socket::new",
    "to_socket_addrs",
    "lookup_host",
    "getaddrinfo",
    "ClientBuilder::new",
    "Client::new",
];

/// The permitted path is the one way to a socket: what is opened past it would ignore `--interface` and `--proxy`.
#[test]
fn sockets_are_opened_on_the_permitted_path_alone() {
    // The look-up by the system serves only where there is no fence.
    // Local discovery is off behind a fence, and uTP's own `Socket` is none.
    let allowed = [
        ("io/net_path.rs", SOCKETS),
        ("io/resolve.rs", &["to_socket_addrs"][..]),
        ("io/lsd_task.rs", &["Socket::new"][..]),
        // Players call it, it calls nobody.
        ("io/http_server.rs", &["TcpListener::bind"][..]),
        ("io/utp.rs", &["Socket::new"][..]),
    ];
    let mut found = Vec::new();
    for file in sources().iter().filter(|file| !file.is_test) {
        let code = without_tests(&file.code);
        let may = |word: &str| allowed.iter().any(|(path, words)| file.path.ends_with(path) && words.contains(&word));
        for word in SOCKETS.iter().filter(|word| !may(word)) {
            for at in words_at(&code, word) {
                found.push(format!("{}:{}: {word}", file.path.display(), line_of(&code, at)));
            }
        }
        // A path without a fence is for the settings' default.
        let open = ["io/net_path.rs", "io/resolve.rs", "engine/settings.rs"];
        let openly = open.iter().any(|path| file.path.ends_with(path));
        for word in ["NetPath::open", "NetPath::default", "Resolver::new"].iter().filter(|_| !openly) {
            for at in words_at(&code, word) {
                found.push(format!("{}:{}: {word}", file.path.display(), line_of(&code, at)));
            }
        }
    }
    assert!(found.is_empty(), "sockets past the permitted path:\n{}", found.join("\n"));
}

#[test]
fn every_folder_is_a_layer() {
    let folders: Vec<_> =
        fs::read_dir(src()).unwrap().map(|entry| entry.unwrap()).filter(|entry| entry.path().is_dir()).collect();
    for folder in &folders {
        let name = folder.file_name();
        assert!(LAYERS.contains(&name.to_str().unwrap()), "src/{} is no layer", name.display());
    }
    assert_eq!(folders.len(), LAYERS.len());
}

struct Source {
    path: PathBuf,
    layer: String,
    /// How many modules deep below the crate: 1 for `base/mod.rs`, 2 for `base/id.rs`.
    depth: usize,
    /// The whole file is test code.
    is_test: bool,
    /// Comments and literals blanked, lines kept.
    code: String,
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    let mut folders = vec![src()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let below: Vec<_> = files.into_iter().filter_map(|path| source(&path)).collect();
    assert!(below.len() > 20, "the sources were found");
    below
}

/// `None` for the files above all layers (`lib.rs`, `main.rs`).
fn source(path: &Path) -> Option<Source> {
    let relative = path.strip_prefix(src()).unwrap();
    let parts: Vec<_> = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    let (file, folders) = parts.split_last().unwrap();
    let layer = folders.first()?.clone();
    Some(Source {
        path: Path::new("src").join(relative),
        layer,
        depth: folders.len() + usize::from(file != "mod.rs"),
        is_test: file == "tests.rs" || folders.iter().any(|folder| folder == "tests"),
        code: blanked(&fs::read_to_string(path).unwrap()),
    })
}

/// The layers that are named by `crate::…` or by enough `super::`s, with their lines; groups are looked into.
fn layer_paths(code: &str, depth: usize) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    let mut look = |at: usize, rest: &str| {
        let targets: Vec<&str> = match rest.trim_start().strip_prefix('{') {
            Some(group) => group_heads(group),
            None => vec![head(rest)],
        };
        for target in targets {
            if let Some(layer) = LAYERS.iter().find(|layer| **layer == target) {
                found.push((line_of(code, at), *layer));
            }
        }
    };
    for at in words_at(code, "crate") {
        if let Some(rest) = after_colons(&code[at + "crate".len()..]) {
            look(at, rest);
        }
    }
    for at in words_at(code, "super") {
        let (mut rest, mut supers) = (&code[at..], 0);
        while let Some(after) = rest.trim_start().strip_prefix("super").and_then(after_colons) {
            rest = after;
            supers += 1;
        }
        if supers >= depth {
            look(at, rest);
        }
    }
    found
}

fn after_colons(text: &str) -> Option<&str> {
    text.trim_start().strip_prefix("::")
}

/// The identifier at the front.
fn head(text: &str) -> &str {
    let text = text.trim_start();
    &text[..text.find(|letter: char| !is_word(letter)).unwrap_or(text.len())]
}

/// The first identifier of each entry of a `{…}` group, whose inside starts `text`.
fn group_heads(text: &str) -> Vec<&str> {
    let mut heads = vec![head(text)];
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(head(&text[at + 1..])),
            _ => {}
        }
    }
    heads
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Where `word` stands by itself.
fn words_at<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// The code with everything under `#[cfg(test)]` blanked.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    for marker in ["#[cfg(test)]", "#[cfg(all(test"] {
        while let Some(start) = out.find(marker) {
            let end = item_end(&out[start..]).map_or(out.len(), |len| start + len);
            let blank: String = out[start..end].chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }).collect();
            out.replace_range(start..end, &blank);
        }
    }
    out
}

/// Where the item at the front ends: its `;`, its `,`, or its closing brace.
fn item_end(code: &str) -> Option<usize> {
    let (mut braces, mut round) = (0, 0);
    for (at, letter) in code.char_indices() {
        match letter {
            '(' | '[' => round += 1,
            ')' | ']' => round -= 1,
            '{' => braces += 1,
            '}' => braces -= 1,
            ';' | ',' if braces == 0 && round == 0 => return Some(at + 1),
            _ => {}
        }
        if letter == '}' && braces <= 0 {
            return Some(at + 1);
        }
    }
    None
}

/// The text with comments, strings and characters as spaces, line breaks kept.
fn blanked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let previous_is_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let len = match bytes[at] {
            b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => block_comment(rest),
            b'"' => string(rest),
            b'r' | b'b' | b'c' if !previous_is_word => prefixed_string(rest),
            b'\'' => character(rest),
            _ => 0,
        };
        if len == 0 {
            out.push(bytes[at]);
            at += 1;
        } else {
            out.extend(bytes[at..at + len].iter().map(|&byte| if byte == b'\n' { b'\n' } else { b' ' }));
            at += len;
        }
    }
    String::from_utf8(out).expect("only whole literals were blanked")
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `c"…"`, `b'…'`; 0 for anything else.
fn prefixed_string(text: &str) -> usize {
    let letters = text.bytes().take_while(|byte| matches!(byte, b'r' | b'b' | b'c')).count();
    let (prefix, rest) = text.split_at(letters);
    if letters > 2 {
        return 0;
    }
    if !prefix.contains('r') {
        return match rest.bytes().next() {
            Some(b'"') => letters + string(rest),
            Some(b'\'') if prefix == "b" => letters + character(rest),
            _ => 0,
        };
    }
    let hashes = rest.bytes().take_while(|&byte| byte == b'#').count();
    if !rest[hashes..].starts_with('"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let body = letters + hashes + 1;
    text[body..].find(&close).map_or(text.len(), |at| body + at + close.len())
}

/// A character literal; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut letters = text.char_indices().skip(1);
    match letters.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(0, |at| 3 + at + 1),
        Some(_) => match letters.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[test]
fn the_reader_sees_code_and_nothing_else() {
    let code = blanked(
        r###"// crate::io
/* crate::io /* nested */ crate::io */
let a = "crate::io \" crate::io"; let b = r#"crate::io " "#; let c = '"'; let d = b'\''; let e: &'a str = b"crate::io";
/// crate::io
use crate::engine::x;"###,
    );
    assert_eq!(layer_paths(&code, 2), [(5, "engine")]);
    assert_eq!(code.lines().count(), 5);
}

#[test]
fn every_spelling_of_a_path_is_seen() {
    let seen = |code: &str, depth| layer_paths(code, depth).into_iter().map(|(_, layer)| layer).collect::<Vec<_>>();
    assert_eq!(seen("use crate::io::x;", 2), ["io"]);
    assert_eq!(seen("use crate :: { base::{self, y}, io::x,\n swarm };", 2), ["base", "io", "swarm"]);
    assert_eq!(seen("fn f() { crate::cli::run() }", 2), ["cli"]);
    assert_eq!(seen("pub(crate) fn io() {} use io::Read; use std::io; mycrate::io::x", 2), Vec::<&str>::new());
    assert_eq!(seen("use super::super::io::x;", 2), ["io"]);
    assert_eq!(seen("use super::io::x;", 2), Vec::<&str>::new(), "a module of the same folder");
    assert_eq!(seen("use super::io::x;", 1), ["io"]);
}

#[test]
fn test_modules_are_left_out() {
    let code =
        without_tests("a(); #[cfg(test)]\nmod tests { fn x() { Instant::now() } }\nb(); #[cfg(test)] use c; d();");
    assert!(!code.contains("Instant") && !code.contains('c'), "{code}");
    assert!(code.contains("a();") && code.contains("b();") && code.contains("d();"), "{code}");
    assert_eq!(words_at("Mutex MutexGuard std::sync::Mutex<u8>", "Mutex").count(), 2);
}
