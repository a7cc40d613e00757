//! The examples below each command's help, which its manual page shows too.

pub const ROOT: &str = "\
`rtorrent-cli SRC...` alone means `get`. SRC is a magnet link (in quotes), a .torrent file,
an http(s) URL of one, `-` for one on standard input, or a bare info hash.

Examples:
  rtorrent-cli 'magnet:?xt=urn:btih:...'
  rtorrent-cli get -d ~/Downloads --select '*.iso' debian.torrent
  rtorrent-cli info debian.torrent

`rtorrent-cli COMMAND --help` says more.";

pub const GET: &str = "\
Examples:
  rtorrent-cli get 'magnet:?xt=urn:btih:...&tr=...'      mind the quotes
  rtorrent-cli get -d ~/Downloads a.torrent b.torrent    two at once
  rtorrent-cli get -s 1-3,7 -x '*.txt' a.torrent         some files of it
  rtorrent-cli get -n a.torrent                          what would happen
  rtorrent-cli get -i list.txt --archive done.txt        a list, each once
  rtorrent-cli get --seed-ratio 1 a.torrent              give back as much
  rtorrent-cli get -o - a.torrent | tar x                into a pipe

Interrupted? The same command line goes on where it stopped.";

pub const INFO: &str = "\
Examples:
  rtorrent-cli info a.torrent
  rtorrent-cli info --offline 'magnet:?xt=urn:btih:...'
  rtorrent-cli info --save a.torrent 'magnet:?xt=urn:btih:...'
  rtorrent-cli info --json a.torrent | jq '.files[].path'";

pub const VERIFY: &str = "\
Examples:
  rtorrent-cli verify a.torrent ~/Downloads
  rtorrent-cli verify -s '*.iso' a.torrent ~/Downloads && echo good";

pub const CREATE: &str = "\
Examples:
  rtorrent-cli create -t https://tracker.example/announce holiday/
  rtorrent-cli create -n -g '*.mkv' holiday/             what would be in it
  rtorrent-cli create --hybrid holiday/                  for old programs and new
  rtorrent-cli create -o - notes.pdf | ssh host 'cat > notes.torrent'
  rtorrent-cli create -q notes/ && rtorrent-cli seed notes.torrent .

It prints the magnet link. The same content gives the same info hash, and with
SOURCE_DATE_EPOCH the same bytes.";

pub const SEED: &str = "\
Examples:
  rtorrent-cli seed a.torrent ~/Downloads
  rtorrent-cli seed --seed-ratio 2 --seed-time 120 a.torrent ~/Downloads";

pub const STREAM: &str = "\
Examples:
  rtorrent-cli stream --player mpv 'magnet:?xt=urn:btih:...'
  rtorrent-cli stream a.torrent film.mkv                 prints the URL; Ctrl-C ends it
  rtorrent-cli stream --player 'vlc --fullscreen' -s 'ext:flac' album.torrent
  rtorrent-cli stream --http-bind 0.0.0.0 --http-port 8000 a.torrent

What has been downloaded stays in the folder as with `get`, and goes on from
there. A folder of several things to play is a playlist. Players may seek: what
they need next is fetched first.";

pub const DOCTOR: &str = "\
Examples:
  rtorrent-cli doctor
  rtorrent-cli doctor --port 6881 -d /mnt/downloads
  rtorrent-cli doctor --json | jq '.findings[] | select(.state != \"ok\")'

It exits with 0 if downloads can work from here, 6 if the network does not let
them, 17 if the folder does not.";

pub const COMPLETIONS: &str = "\
Examples:
  rtorrent-cli completions bash > ~/.local/share/bash-completion/completions/rtorrent-cli
  rtorrent-cli completions fish > ~/.config/fish/completions/rtorrent-cli.fish";

pub const MAN: &str = "\
Examples:
  rtorrent-cli man                                       on a terminal, as `man` shows it
  rtorrent-cli man get
  rtorrent-cli man > rtorrent-cli.1
  rtorrent-cli man ~/.local/share/man/man1";

pub const LS: &str = "\
Examples:
  rtorrent-cli ls
  rtorrent-cli ls --json | jq -r 'select(.state == \"unfinished\") | .path'
  rtorrent-cli get --resume                              go on with all that is unfinished";

pub const RM: &str = "\
Examples:
  rtorrent-cli rm 0123abcd
  rtorrent-cli rm --complete --gone                      keep the unfinished ones alone";

pub const CONFIG: &str = "\
Examples:
  rtorrent-cli config path
  rtorrent-cli config show --profile night

The file is TOML; keys are named like the long flags:
  dir = \"/data/downloads\"
  tracker = [\"udp://tracker.example:80\"]
  [profile.night]
  jobs = 10";

pub const SCHEMA: &str = "\
Examples:
  rtorrent-cli schema > events.schema.json";
