//! `--json`: one object a line on standard output, `{"v":1,"event":...,"id":...}`.
//!
//! Field names are stable; a change of their meaning is a new `v`. `id` is the item's number in the run, from 1, and
//! null for what concerns the whole run.

use serde_json::{Map, Value, json};

use super::exit::Exit;
use super::kept::Kept;
use super::status::stage_word;
use super::unresolved::Unresolved;
use super::why::Why;
use crate::base::id::TorrentId;
use crate::base::limit::Limit;
use crate::base::metainfo::Info;
use crate::engine::plan::Plan;
use crate::engine::{ItemKey, Progress, Stage};

/// Makes an event of its fields.
fn event(name: &str, id: Option<ItemKey>, fields: Value) -> Value {
    let mut object = Map::new();
    object.insert("v".into(), 1.into());
    object.insert("event".into(), name.into());
    object.insert("id".into(), id.map_or(Value::Null, |key| key.0.into()));
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    Value::Object(object)
}

/// `info_hash_v1` and `info_hash_v2`, hex or null.
pub fn hashes(id: &TorrentId) -> (Value, Value) {
    let hex = |hash: Option<String>| hash.map_or(Value::Null, Value::String);
    (hex(id.v1().map(|hash| hash.to_string())), hex(id.v2().map(|hash| hash.to_string())))
}

/// An item of the run, before anything is done with it.
pub fn item(key: ItemKey, source: &str, name: Option<&str>, id: &TorrentId) -> Value {
    let (v1, v2) = hashes(id);
    event("item", Some(key), json!({ "source": source, "name": name, "info_hash_v1": v1, "info_hash_v2": v2 }))
}

pub fn stage(key: ItemKey, stage: Stage) -> Value {
    event("stage", Some(key), json!({ "stage": stage_word(stage) }))
}

/// What the torrent holds and what of it was selected.
pub fn metadata(key: ItemKey, info: &Info, selected: &[bool]) -> Value {
    let (v1, v2) = hashes(&info.id);
    let wanted = |at: usize| selected.get(at).copied().unwrap_or(true);
    let selected_size: u64 = info.stored_files().filter(|(at, _)| wanted(*at)).map(|(_, file)| file.length).sum();
    let fields = json!({
        "name": info.name,
        "info_hash_v1": v1,
        "info_hash_v2": v2,
        "piece_length": info.layout.piece_length(),
        "pieces": info.layout.pieces(),
        "total_size": info.stored_size(),
        "selected_size": selected_size,
        "private": info.private,
        "files": selected_files(info, selected),
    });
    event("metadata", Some(key), fields)
}

/// Index from 1, path with `/`, size; no padding files.
pub fn files(info: &Info) -> Vec<Value> {
    let stored = info.stored_files().enumerate();
    stored
        .map(|(n, (_, file))| json!({ "index": n + 1, "path": slashed(file.path.as_path()), "size": file.length }))
        .collect()
}

/// As [`files`], each with `selected`; `selected` has one answer for each of `Info::files`.
pub fn selected_files(info: &Info, selected: &[bool]) -> Vec<Value> {
    let mut files = files(info);
    for (shown, (at, _)) in files.iter_mut().zip(info.stored_files()) {
        shown["selected"] = selected.get(at).copied().unwrap_or(true).into();
    }
    files
}

/// A path below the output folder with `/` on every platform.
pub fn slashed(path: &std::path::Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Bytes a second, 0 for a pause, null without a limit.
fn limit(limit: Limit) -> Value {
    if limit.holds() { limit.rate().into() } else { Value::Null }
}

/// A moment of an item; sizes in bytes, rates in bytes a second, `eta` in seconds or null.
pub fn progress(key: ItemKey, progress: &Progress, eta: Option<std::time::Duration>) -> Value {
    let swarm = &progress.swarm;
    let fields = json!({
        "stage": stage_word(progress.stage),
        "done": swarm.done_bytes,
        "total": swarm.wanted_bytes,
        "pieces_done": swarm.pieces_done,
        "pieces": swarm.pieces,
        "down_rate": progress.down_rate,
        "up_rate": progress.up_rate,
        "downloaded": swarm.downloaded,
        "uploaded": swarm.uploaded,
        "wasted": swarm.wasted,
        "peers": swarm.connected,
        "peers_known": swarm.known,
        "seeds": swarm.seeds,
        "unchoked_by": swarm.unchoked_us,
        "trackers": progress.trackers.1,
        "trackers_answered": progress.trackers.0,
        "trackers_failed": progress.trackers_failed,
        "dht_nodes": progress.dht_nodes,
        "dht_queries": progress.dht_queries,
        "metadata_pieces_done": swarm.metadata.map(|(have, _)| have),
        "metadata_pieces": swarm.metadata.map(|(_, of)| of),
        "checked": progress.checked.map(|(done, _)| done),
        "to_check": progress.checked.map(|(_, all)| all),
        "eta": eta.map(|left| left.as_secs()),
        "limit_down": limit(progress.limits.down),
        "limit_up": limit(progress.limits.up),
    });
    event("progress", Some(key), fields)
}

/// Nothing has come for a while; `reason` is a word, `message` says it to people.
pub fn why(key: ItemKey, why: &Why) -> Value {
    event("why", Some(key), json!({ "reason": why.word, "message": why.text }))
}

/// A file that is whole and verified; `index` from 1 as `info` shows it.
pub fn file(key: ItemKey, index: usize, path: &std::path::Path) -> Value {
    event("file", Some(key), json!({ "index": index, "path": path.to_string_lossy() }))
}

pub fn complete(key: ItemKey, path: &std::path::Path) -> Value {
    event("complete", Some(key), json!({ "path": path.to_string_lossy() }))
}

/// Where players find it: what to give them, and each file by its index.
pub fn stream(key: ItemKey, url: &str, files: &[(usize, String)]) -> Value {
    let files: Vec<Value> = files.iter().map(|(index, url)| json!({ "index": index, "url": url })).collect();
    event("stream", Some(key), json!({ "url": url, "files": files }))
}

/// An item that is left out: `same` (another item is the same torrent) or `archive`.
pub fn skipped(key: ItemKey, source: &str, reason: &str) -> Value {
    event("skipped", Some(key), json!({ "source": source, "reason": reason }))
}

/// What `--dry-run` says of an item.
pub fn plan(key: ItemKey, name: &str, plan: &Plan) -> Value {
    let fields = json!({
        "name": name,
        "path": plan.target.to_string_lossy(),
        "selected_size": plan.wanted,
        "there": plan.there,
        "to_check": plan.to_check,
        "to_fetch": plan.to_fetch,
        "needed_space": plan.needed_space,
        "free_space": plan.free_space,
    });
    event("plan", Some(key), fields)
}

/// What `ls` says of a torrent.
pub fn kept(kept: &Kept) -> Value {
    let (v1, v2) = hashes(&kept.record.id);
    let fields = json!({
        "info_hash_v1": v1,
        "info_hash_v2": v2,
        "name": kept.name,
        "path": kept.record.target.to_string_lossy(),
        "state": kept.state.word(),
        "done": kept.done,
        "total": kept.wanted,
        "downloaded": kept.record.downloaded,
        "uploaded": kept.record.uploaded,
        "added": kept.record.added,
        "completed": kept.record.completed,
    });
    event("kept", None, fields)
}

/// A torrent that was made; without its link it would only be made.
#[cfg(feature = "create")]
#[derive(Clone, Copy, Debug)]
pub struct Created<'a> {
    pub info: &'a Info,
    /// Where it was written; none for standard output.
    pub path: Option<&'a std::path::Path>,
    pub magnet: Option<&'a str>,
}

/// What `create` made, or with `--dry-run` would make.
#[cfg(feature = "create")]
pub fn created(created: &Created<'_>) -> Value {
    let Created { info, path, magnet } = created;
    let (v1, v2) = if magnet.is_some() { hashes(&info.id) } else { (Value::Null, Value::Null) };
    let fields = json!({
        "name": info.name,
        "path": path.map(|path| path.to_string_lossy()),
        "info_hash_v1": v1,
        "info_hash_v2": v2,
        "magnet": magnet,
        "piece_length": info.layout.piece_length(),
        "pieces": info.layout.pieces(),
        "total_size": info.stored_size(),
        "private": info.private,
        "files": files(info),
    });
    event("created", Some(ItemKey(1)), fields)
}

/// What `ls` says of a link whose metadata has not come yet: a `kept` of which little is known.
pub fn unresolved(link: &Unresolved) -> Value {
    let (v1, v2) = hashes(&link.id);
    let fields = json!({
        "info_hash_v1": v1,
        "info_hash_v2": v2,
        "name": link.name,
        "path": link.dir(),
        "state": "unresolved",
        "done": 0,
        "total": 0,
        "downloaded": 0,
        "uploaded": 0,
        "added": link.added,
        "completed": null,
    });
    event("kept", None, fields)
}

/// What ended an item, or the run where `key` is none.
pub fn error(key: Option<ItemKey>, source: Option<&str>, exit: Exit, message: &str) -> Value {
    event("error", key, json!({ "source": source, "code": exit.code(), "kind": exit.word(), "message": message }))
}

/// The last line: how many items, what became of them, what it took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub items: usize,
    pub complete: usize,
    pub failed: usize,
    /// Ended before they were complete, without a failure of their own.
    pub unfinished: usize,
    /// Left out: the same torrent as another item, or in the archive.
    pub skipped: usize,
    pub downloaded: u64,
    pub uploaded: u64,
    pub seconds: f64,
}

/// What `verify` found of a file.
pub fn checked_file(
    index: usize,
    path: &std::path::Path,
    missing: bool,
    trouble: Option<String>,
    bad_pieces: &[u32],
) -> Value {
    let fields = json!({
        "index": index,
        "path": path.to_string_lossy(),
        "good": !missing && trouble.is_none() && bad_pieces.is_empty(),
        "missing": missing,
        "trouble": trouble,
        "bad_pieces": bad_pieces,
    });
    event("file", Some(ItemKey(1)), fields)
}

/// The last line of `verify`.
pub fn check_summary(pieces: u32, bad: u32, unknown: u32, exit: Exit) -> Value {
    let fields = json!({ "pieces": pieces, "bad_pieces": bad, "unknown_pieces": unknown, "exit": exit.code() });
    event("summary", None, fields)
}

pub fn summary(totals: &Totals, exit: Exit) -> Value {
    let fields = json!({
        "items": totals.items,
        "complete": totals.complete,
        "failed": totals.failed,
        "unfinished": totals.unfinished,
        "skipped": totals.skipped,
        "downloaded": totals.downloaded,
        "uploaded": totals.uploaded,
        "seconds": (totals.seconds * 1000.0).round() / 1000.0,
        "exit": exit.code(),
    });
    event("summary", None, fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_begins_with_version_event_and_id() {
        let value = stage(ItemKey(3), Stage::Resolving);
        assert_eq!(value, json!({ "v": 1, "event": "stage", "id": 3, "stage": "resolving" }));
        let value = summary(&Totals { items: 1, seconds: 1.23456, ..Totals::default() }, Exit::NoSpace);
        assert_eq!((&value["id"], &value["exit"], &value["seconds"]), (&Value::Null, &json!(9), &json!(1.235)));
    }

    #[test]
    fn a_moment_has_null_for_what_is_not_known() {
        let value = progress(ItemKey(1), &Progress::default(), None);
        assert_eq!((&value["eta"], &value["checked"], &value["stage"]), (&Value::Null, &Value::Null, &json!("queued")));
    }
}
