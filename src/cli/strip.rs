//! A strip of cells that shows which pieces of a torrent are there.

/// Draws `pieces` bits (first bit lowest in the first word) in `cells` columns: empty, then fuller and fuller.
pub fn strip(words: &[u64], pieces: u32, cells: usize, unicode: bool) -> String {
    let shades: &[char] = if unicode { &['·', '░', '▒', '▓', '█'] } else { &['.', '-', '=', '#'] };
    let cells_in_all = cells as u64;
    (0..cells_in_all)
        .map(|cell| {
            let from = cell * u64::from(pieces) / cells_in_all;
            let to = ((cell + 1) * u64::from(pieces) / cells_in_all).max(from + 1).min(pieces.into());
            shade(set_between(words, from, to), to.saturating_sub(from), shades)
        })
        .collect()
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

    #[test]
    fn cells_show_none_some_and_all() {
        // 8 pieces, the first four and the sixth are there: two pieces a cell.
        assert_eq!(strip(&[0b0010_1111], 8, 4, true), "██▒·");
        assert_eq!(strip(&[0b0010_1111], 8, 4, false), "##=.");
        assert_eq!(strip(&[], 8, 4, false), "....");
        assert_eq!(strip(&[], 0, 4, false), "....");
    }

    #[test]
    fn fewer_pieces_than_cells_stretch() {
        assert_eq!(strip(&[0b01], 2, 6, false), "###...");
    }

    #[test]
    fn one_missing_piece_of_many_is_seen() {
        let words = [u64::MAX, !(1 << 40), u64::MAX];
        let drawn = strip(&words, 192, 3, true);
        assert_eq!(drawn, "█▓█");
    }

    #[test]
    fn a_bar_is_full_only_at_the_end() {
        assert_eq!(bar(99, 100, 10, false), "#########.");
        assert_eq!(bar(100, 100, 10, false), "##########");
    }
}
