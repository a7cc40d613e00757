//! Open files of one torrent, at most so many at a time; the one that was not used for longest is closed first.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

#[derive(Debug)]
pub(in crate::io) struct Handles {
    open: HashMap<usize, Handle>,
    bound: usize,
    clock: u64,
}

#[derive(Debug)]
struct Handle {
    file: Arc<File>,
    writable: bool,
    used: u64,
}

impl Handles {
    /// None open, at most `bound` (at least one).
    pub fn new(bound: usize) -> Self {
        Handles { open: HashMap::new(), bound: bound.max(1), clock: 0 }
    }

    /// The open file `index`, if it is open and, where `write` says so, open for writing.
    pub fn get(&mut self, index: usize, write: bool) -> Option<Arc<File>> {
        self.clock += 1;
        let handle = self.open.get_mut(&index).filter(|handle| handle.writable || !write)?;
        handle.used = self.clock;
        Some(handle.file.clone())
    }

    pub fn put(&mut self, index: usize, file: File, writable: bool) -> Arc<File> {
        if self.open.len() >= self.bound && !self.open.contains_key(&index) {
            let oldest = self.open.iter().min_by_key(|(_, handle)| handle.used).map(|(&index, _)| index);
            oldest.map(|index| self.open.remove(&index));
        }
        self.clock += 1;
        let file = Arc::new(file);
        self.open.insert(index, Handle { file: file.clone(), writable, used: self.clock });
        file
    }

    pub fn close(&mut self, index: usize) {
        self.open.remove(&index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_and_the_least_used_goes_first() {
        let mut handles = Handles::new(2);
        let file = || tempfile::tempfile().unwrap();
        handles.put(0, file(), false);
        handles.put(1, file(), true);
        assert!(handles.get(0, true).is_none(), "open, but not for writing");
        assert!(handles.get(0, false).is_some());
        handles.put(2, file(), true);
        assert!(handles.get(1, false).is_none() && handles.get(0, false).is_some() && handles.get(2, true).is_some());
        handles.put(0, file(), true);
        assert_eq!(handles.open.len(), 2);
    }
}
