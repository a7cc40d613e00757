//! What a file is, by the end of its name.

/// The content type that players are told; `application/octet-stream` for what a browser might run.
pub fn content_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    TYPES.iter().find(|(known, _)| *known == extension).map_or("application/octet-stream", |(_, kind)| kind)
}

/// Whether it is something to play: of a folder only such files stand in the playlist.
pub fn plays(name: &str) -> bool {
    let kind = content_type(name);
    kind.starts_with("video/") || kind.starts_with("audio/")
}

const TYPES: &[(&str, &str)] = &[
    ("mkv", "video/x-matroska"),
    ("mk3d", "video/x-matroska"),
    ("mka", "audio/x-matroska"),
    ("webm", "video/webm"),
    ("mp4", "video/mp4"),
    ("m4v", "video/mp4"),
    ("mov", "video/quicktime"),
    ("avi", "video/x-msvideo"),
    ("divx", "video/x-msvideo"),
    ("mpg", "video/mpeg"),
    ("mpeg", "video/mpeg"),
    ("m2v", "video/mpeg"),
    ("vob", "video/mpeg"),
    ("ts", "video/mp2t"),
    ("m2ts", "video/mp2t"),
    ("mts", "video/mp2t"),
    ("wmv", "video/x-ms-wmv"),
    ("flv", "video/x-flv"),
    ("ogv", "video/ogg"),
    ("3gp", "video/3gpp"),
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("m4b", "audio/mp4"),
    ("aac", "audio/aac"),
    ("flac", "audio/flac"),
    ("ogg", "audio/ogg"),
    ("oga", "audio/ogg"),
    ("opus", "audio/ogg"),
    ("wav", "audio/wav"),
    ("wma", "audio/x-ms-wma"),
    ("aif", "audio/aiff"),
    ("aiff", "audio/aiff"),
    ("ape", "audio/x-ape"),
    ("srt", "application/x-subrip"),
    ("ass", "text/x-ssa"),
    ("ssa", "text/x-ssa"),
    ("vtt", "text/vtt"),
    ("txt", "text/plain; charset=utf-8"),
    ("nfo", "text/plain; charset=utf-8"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_last_extension_and_never_as_a_page() {
        assert_eq!(content_type("A Film (1980).1080p.MKV"), "video/x-matroska");
        assert_eq!(content_type("mp4"), "application/octet-stream");
        assert!(plays("x.flac") && !plays("x.srt"));
        for page in ["x.html", "x.svg", "x.xhtml", "x.js", "x"] {
            assert_eq!(content_type(page), "application/octet-stream", "{page}");
        }
    }
}
