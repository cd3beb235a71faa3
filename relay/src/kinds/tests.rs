//! Sets of kinds against the plainest model: a set.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn sets() -> impl Strategy<Value = BTreeSet<u16>> {
    let kind = prop_oneof![0u16..20, 65_520u16..=65_535];
    prop::collection::btree_set(kind, 0..12)
}

fn kinds(set: &BTreeSet<u16>) -> Kinds {
    set.iter().copied().collect()
}

proptest! {
    #[test]
    fn e1_kinds_are_a_set(one in sets(), other in sets()) {
        let (a, b) = (kinds(&one), kinds(&other));
        prop_assert_eq!(a.len(), one.len());
        prop_assert!(a.iter().eq(one.iter().copied()));
        for kind in (0..21).chain(65_519..=65_535) {
            prop_assert_eq!(a.contains(kind), one.contains(&kind));
        }
        prop_assert_eq!(a.clone() | b.clone(), kinds(&(&one | &other)));
        prop_assert_eq!(!!a.clone(), a.clone());
        prop_assert_eq!((!a.clone()).len(), 65_536 - one.len());
        let asked: Vec<u16> = other.iter().copied().collect();
        prop_assert_eq!(a.overlaps(Some(&asked)), !one.is_disjoint(&other));
        prop_assert_eq!(a.overlaps(None), !one.is_empty());
    }
}

#[test]
fn e1_kinds_come_from_ranges() {
    assert_eq!(Kinds::from(3..5), Kinds::from([3, 4]));
    assert_eq!(Kinds::from(3..=4), Kinds::from([4, 3, 3]));
    assert!(Kinds::from(0..0).is_empty());
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = 5..=3;
    assert!(Kinds::from(reversed).is_empty());
    assert_eq!(!Kinds::none(), Kinds::all());
    assert_eq!(Kinds::all().to_string(), "all");
    assert_eq!(Kinds::none().to_string(), "none");
    assert_eq!(Kinds::from([1, 3, 4]).to_string(), "1, 3-4");
}
