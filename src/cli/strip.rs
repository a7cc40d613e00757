//! A strip of cells that shows which pieces of a torrent are there, on their way and missing.

/// A stretch of cells of the same kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stretch {
    pub cells: String,
    /// Pieces of it are on their way.
    pub moving: bool,
}

/// Draws `pieces` bits (first bit lowest in the first word) in `cells` columns: empty, then fuller and fuller. A cell of
/// which nothing is there yet, but something `under_way`, has a sign of its own.
pub fn strip(there: &[u64], under_way: &[u64], pieces: u32, cells: usize, unicode: bool) -> Vec<Stretch> {
    let shades: &[char] = if unicode { &['·', '░', '▒', '▓', '█'] } else { &['.', '-', '=', '#'] };
    let coming = if unicode { '▪' } else { '+' };
    let cells_in_all = cells as u64;
    let mut stretches: Vec<Stretch> = Vec::new();
    for cell in 0..cells_in_all {
        let from = cell * u64::from(pieces) / cells_in_all;
        let to = ((cell + 1) * u64::from(pieces) / cells_in_all).max(from + 1).min(pieces.into());
        let (of, set) = (to.saturating_sub(from), set_between(there, from, to));
        let moving = set < of && set_between(under_way, from, to) > 0;
        let drawn = if moving && set == 0 { coming } else { shade(set, of, shades) };
        match stretches.last_mut().filter(|last| last.moving == moving) {
            Some(last) => last.cells.push(drawn),
            None => stretches.push(Stretch { cells: drawn.into(), moving }),
        }
    }
    stretches
}

/// Draws a plain share of a whole, for what is counted and not mapped.
pub fn bar(done: u64, all: u64, cells: usize, unicode: bool) -> String {
    let (full, empty) = if unicode { ('█', '·') } else { ('#', '.') };
    let filled = (u128::from(done.min(all)) * cells as u128 / u128::from(all.max(1))) as usize;
    (0..cells).map(|cell| if cell < filled { full } else { empty }).collect()
}

/// The last shade only for all, the first only for none.
fn shade(set: u64, of: u64, shades: &[char]) -> char {
    let between = shades.len() as u64 - 2;
    let index = match set {
        0 => 0,
        all if all == of => shades.len() as u64 - 1,
        some => 1 + (some * between / of).min(between - 1),
    };
    shades[index as usize]
}

/// How many bits of `from..to` are set.
fn set_between(words: &[u64], from: u64, to: u64) -> u64 {
    if from >= to {
        return 0;
    }
    let below = |end: u64| {
        let whole = (end / 64) as usize;
        let full: u64 = words.iter().take(whole).map(|word| u64::from(word.count_ones())).sum();
        let part = words.get(whole).map_or(0, |word| (word & ((1 << (end % 64)) - 1)).count_ones());
        full + u64::from(part)
    };
    below(to) - below(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cells, with those in brackets where something moves.
    fn drawn(there: &[u64], under_way: &[u64], pieces: u32, cells: usize, unicode: bool) -> String {
        let stretches = strip(there, under_way, pieces, cells, unicode);
        let all: String = stretches.iter().map(|stretch| stretch.cells.as_str()).collect();
        assert_eq!(all.chars().count(), cells);
        let shown = |it: &Stretch| if it.moving { format!("[{}]", it.cells) } else { it.cells.clone() };
        stretches.iter().map(shown).collect()
    }

    #[test]
    fn cells_show_none_some_and_all() {
        // 8 pieces, the first four and the sixth are there: two pieces a cell.
        assert_eq!(drawn(&[0b0010_1111], &[], 8, 4, true), "██▒·");
        assert_eq!(drawn(&[0b0010_1111], &[], 8, 4, false), "##=.");
        assert_eq!(drawn(&[], &[], 8, 4, false), "....");
        assert_eq!(drawn(&[], &[], 0, 4, false), "....");
    }

    #[test]
    fn what_is_on_its_way_is_neither_there_nor_missing() {
        // The first two are there, the fourth and the eighth are coming; what is there is not coming.
        assert_eq!(drawn(&[0b0000_0011], &[0b1000_1001], 8, 4, true), "█[▪]·[▪]");
        assert_eq!(drawn(&[0b0000_0111], &[0b0000_1001], 8, 4, true), "█[▒]··");
        assert_eq!(drawn(&[0b0000_0011], &[0b1000_1001], 8, 4, false), "#[+].[+]");
    }

    #[test]
    fn fewer_pieces_than_cells_stretch() {
        assert_eq!(drawn(&[0b01], &[], 2, 6, false), "###...");
    }

    #[test]
    fn one_missing_piece_of_many_is_seen() {
        let words = [u64::MAX, !(1 << 40), u64::MAX];
        assert_eq!(drawn(&words, &[], 192, 3, true), "█▓█");
    }

    #[test]
    fn a_bar_is_full_only_at_the_end() {
        assert_eq!(bar(99, 100, 10, false), "#########.");
        assert_eq!(bar(100, 100, 10, false), "##########");
    }
}
