//! `--sequential` and `--first-last` as places in the picker's key.

use super::item::Order;
use crate::base::layout::Layout;
use crate::swarm::picker::Urgency;

/// The pieces that do not wait for their rarity, with their urgency; none for the ordinary order. `selected` has one
/// answer a file.
pub(super) fn urgencies(layout: &Layout, selected: &[bool], order: Order) -> Vec<(u32, Option<Urgency>)> {
    let mut urgent = Vec::new();
    if order.sequential {
        // 0 is kept for what comes before all.
        urgent.extend((0..layout.pieces()).map(|piece| (piece, Some(Urgency { deadline: piece + 1, priority: 0 }))));
    }
    if order.first_last {
        let ends = selected.iter().enumerate().filter(|(_, selected)| **selected).flat_map(|(file, _)| {
            let pieces = layout.pieces_of(file);
            (!pieces.is_empty()).then(|| [pieces.start, pieces.end - 1]).into_iter().flatten()
        });
        urgent.extend(ends.map(|piece| (piece, Some(Urgency { deadline: 0, priority: 0 }))));
    }
    urgent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::metainfo::Info;

    /// Two files of 2.5 pieces each.
    fn layout() -> std::sync::Arc<Layout> {
        let mut raw = b"d5:filesl".to_vec();
        for name in ["a", "b"] {
            raw.extend(format!("d6:lengthi40960e4:pathl1:{name}ee").bytes());
        }
        raw.extend(b"e4:name3:top12:piece lengthi16384e6:pieces100:");
        raw.extend([7; 100]);
        raw.push(b'e');
        Info::parse(&raw).unwrap().layout.clone()
    }

    fn first(urgent: &[(u32, Option<Urgency>)]) -> Vec<u32> {
        let keys: std::collections::BTreeMap<u32, Urgency> =
            urgent.iter().filter_map(|(piece, urgency)| Some((*piece, (*urgency)?))).collect();
        let mut order: Vec<(Urgency, u32)> = keys.into_iter().map(|(piece, urgency)| (urgency, piece)).collect();
        order.sort();
        order.into_iter().map(|(_, piece)| piece).collect()
    }

    #[test]
    fn the_ends_of_each_selected_file_come_before_the_rest_in_order() {
        let (layout, both) = (layout(), Order { sequential: true, first_last: true });
        assert_eq!(first(&urgencies(&layout, &[true, true], both)), [0, 2, 4, 1, 3]);
        assert_eq!(first(&urgencies(&layout, &[true, true], Order { first_last: false, ..both })), [0, 1, 2, 3, 4]);
        assert_eq!(first(&urgencies(&layout, &[false, true], Order { sequential: false, ..both })), [2, 4]);
        assert!(urgencies(&layout, &[true, true], Order::default()).is_empty());
    }
}
