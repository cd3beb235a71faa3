//! Whether `firestore.indexes.json` has what a question needs: the service refuses what has no index, and emulators do not.

#![allow(clippy::unwrap_used)]

use firestore::{
    FirestoreQueryDirection, FirestoreQueryFilter, FirestoreQueryFilterCompare,
    FirestoreQueryOrder, FirestoreQueryParams,
};
use std::collections::BTreeSet;

const INDEXES: &str = include_str!("../../../firestore/firestore.indexes.json");

/// Fails unless the index is there. `sum` is the field that is added up.
pub(super) fn assert_there(question: &FirestoreQueryParams, sum: Option<&str>) {
    let needed = Index::needed(question, sum);
    if needed.is_single() {
        return;
    }
    let file: serde_json::Value = serde_json::from_str(INDEXES).unwrap();
    let collection = question.collection_id.to_string();
    let there = file["indexes"].as_array().unwrap().iter().any(|index| {
        let fields = index["fields"].as_array().unwrap().iter().map(|field| {
            let kind = field["order"].as_str().or(field["arrayConfig"].as_str());
            (field["fieldPath"].as_str().unwrap(), kind.unwrap())
        });
        let fields: Vec<(&str, &str)> = fields.collect();
        index["collectionGroup"] == collection && needed.is_served_by(&fields)
    });
    assert!(there, "no index in {collection}: {needed:?}");
}

/// What an index has to have: the fields that are compared for being equal, in any order, then the others in theirs.
#[derive(Debug, Default)]
struct Index {
    equal: BTreeSet<(String, &'static str)>,
    ordered: Vec<(String, &'static str)>,
}

impl Index {
    fn needed(question: &FirestoreQueryParams, sum: Option<&str>) -> Self {
        let mut index = Index::default();
        let order = question.order_by.iter().flatten();
        let direction = |order: &FirestoreQueryOrder| match order.direction {
            FirestoreQueryDirection::Ascending => "ASCENDING",
            FirestoreQueryDirection::Descending => "DESCENDING",
        };
        index.ordered = order
            .map(|order| (order.field_name.clone(), direction(order)))
            .collect();
        let conditions = match question.filter.clone() {
            None => Vec::new(),
            Some(FirestoreQueryFilter::Composite(all)) => all.for_all_filters,
            Some(one) => vec![one],
        };
        let mut ranges = BTreeSet::new();
        for condition in conditions {
            let FirestoreQueryFilter::Compare(Some(condition)) = condition else {
                panic!("{condition:?}");
            };
            match condition {
                FirestoreQueryFilterCompare::Equal(field, _)
                | FirestoreQueryFilterCompare::In(field, _) => {
                    index.equal.insert((field, "ASCENDING"));
                }
                FirestoreQueryFilterCompare::ArrayContains(field, _) => {
                    index.equal.insert((field, "CONTAINS"));
                }
                FirestoreQueryFilterCompare::LessThan(field, _)
                | FirestoreQueryFilterCompare::LessThanOrEqual(field, _)
                | FirestoreQueryFilterCompare::GreaterThan(field, _)
                | FirestoreQueryFilterCompare::GreaterThanOrEqual(field, _) => {
                    ranges.insert(field);
                }
                other => panic!("{other:?}"),
            }
        }
        let further = ranges.into_iter().chain(sum.map(str::to_owned));
        for field in further {
            if index.ordered.iter().all(|(ordered, _)| *ordered != field) {
                index.ordered.push((field, "ASCENDING"));
            }
        }
        index
    }

    /// Every field has an index of its own, and the service joins those of fields that are compared for being equal.
    fn is_single(&self) -> bool {
        self.ordered.is_empty() || self.equal.len() + self.ordered.len() == 1
    }

    fn is_served_by(&self, fields: &[(&str, &str)]) -> bool {
        let Some((equal, ordered)) = fields.split_at_checked(self.equal.len()) else {
            return false;
        };
        let same = |(name, kind): &(String, &str)| equal.contains(&(name.as_str(), *kind));
        let alike = |((name, kind), wanted): (&(&str, &str), &(String, &str))| {
            (*name, *kind) == (wanted.0.as_str(), wanted.1)
        };
        self.equal.iter().all(same)
            && ordered.len() == self.ordered.len()
            && ordered.iter().zip(&self.ordered).all(alike)
    }
}
