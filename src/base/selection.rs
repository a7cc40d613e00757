//! selection

/// Which files of a torrent are wanted: the patterns of `--select` and `--exclude`, and a magnet's `so`.
#[derive(Clone, Debug, Default)]
pub struct Selection {}
