//! Pieces sorted by how many peers have them: one bucket a count, constant work to move a piece.

/// Buckets by availability; each piece is in one at most.
pub struct Buckets {
    buckets: Vec<Vec<u32>>,
    /// Where each piece stands in its bucket.
    place: Vec<u32>,
}

impl Buckets {
    pub fn new(pieces: u32) -> Self {
        Buckets { buckets: vec![Vec::new()], place: vec![0; pieces as usize] }
    }

    /// Puts a piece, which is in no bucket, into that of `availability`.
    pub fn insert(&mut self, piece: u32, availability: u16) {
        let at = usize::from(availability);
        if at >= self.buckets.len() {
            self.buckets.resize_with(at + 1, Vec::new);
        }
        self.place[piece as usize] = self.buckets[at].len() as u32;
        self.buckets[at].push(piece);
    }

    /// Takes a piece out of the bucket of `availability`, in which it is.
    pub fn remove(&mut self, piece: u32, availability: u16) {
        let (bucket, place) = (&mut self.buckets[usize::from(availability)], self.place[piece as usize] as usize);
        debug_assert_eq!(bucket[place], piece);
        bucket.swap_remove(place);
        if let Some(&moved) = bucket.get(place) {
            self.place[moved as usize] = place as u32;
        }
    }

    /// The buckets that are not empty, from availability `from` up.
    pub fn rarest_first(&self, from: usize) -> impl Iterator<Item = &[u32]> {
        self.buckets.iter().skip(from).map(Vec::as_slice).filter(|bucket| !bucket.is_empty())
    }
}
