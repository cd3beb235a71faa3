//! Questions to a collection: conditions, an order, and how much is wanted.
//!
//! The composite indexes of `firestore.indexes.json` are those that these questions need. Not here: asking them (`database`).

use super::document::{list, signed};
use firestore::{
    FirestoreQueryDirection, FirestoreQueryFilter, FirestoreQueryFilterCompare,
    FirestoreQueryFilterComposite, FirestoreQueryFilterCompositeOperator, FirestoreQueryOrder,
    FirestoreQueryParams, FirestoreValue,
};
use gcloud_sdk::google::firestore::v1::Value;
use gcloud_sdk::google::firestore::v1::value::ValueType;

/// A question to a collection: all its conditions have to hold.
#[derive(Clone, Debug)]
pub(super) struct Question {
    collection: &'static str,
    conditions: Vec<FirestoreQueryFilter>,
    order: Vec<(&'static str, FirestoreQueryDirection)>,
    pub(super) max: Option<usize>,
    only: Vec<&'static str>,
}

impl Question {
    pub(super) fn to(collection: &'static str) -> Self {
        Question {
            collection,
            conditions: Vec::new(),
            order: Vec::new(),
            max: None,
            only: Vec::new(),
        }
    }

    fn given(mut self, condition: FirestoreQueryFilterCompare) -> Self {
        let condition = FirestoreQueryFilter::Compare(Some(condition));
        self.conditions.push(condition);
        self
    }

    pub(super) fn equal(self, field: &str, text: impl Into<String>) -> Self {
        let text = value(ValueType::StringValue(text.into()));
        self.given(FirestoreQueryFilterCompare::Equal(field.to_owned(), text))
    }

    pub(super) fn equal_number(self, field: &str, number: u64) -> Self {
        let number = value(ValueType::IntegerValue(signed(number)));
        self.given(FirestoreQueryFilterCompare::Equal(field.to_owned(), number))
    }

    pub(super) fn equal_flag(self, field: &str, flag: bool) -> Self {
        let flag = value(ValueType::BooleanValue(flag));
        self.given(FirestoreQueryFilterCompare::Equal(field.to_owned(), flag))
    }

    /// At most 30 texts.
    pub(super) fn among(self, field: &str, texts: &[String]) -> Self {
        let texts = value(list(texts.iter().cloned()));
        self.given(FirestoreQueryFilterCompare::In(field.to_owned(), texts))
    }

    pub(super) fn holds(self, field: &str, text: String) -> Self {
        let text = value(ValueType::StringValue(text));
        let field = field.to_owned();
        self.given(FirestoreQueryFilterCompare::ArrayContains(field, text))
    }

    pub(super) fn after_text(self, field: &str, text: &str) -> Self {
        let text = value(ValueType::StringValue(text.to_owned()));
        let field = field.to_owned();
        self.given(FirestoreQueryFilterCompare::GreaterThan(field, text))
    }

    pub(super) fn above(self, field: &str, number: u64) -> Self {
        let number = value(ValueType::IntegerValue(signed(number)));
        let field = field.to_owned();
        self.given(FirestoreQueryFilterCompare::GreaterThan(field, number))
    }

    pub(super) fn at_least(self, field: &str, number: u64) -> Self {
        let number = value(ValueType::IntegerValue(signed(number)));
        let field = field.to_owned();
        self.given(FirestoreQueryFilterCompare::GreaterThanOrEqual(
            field, number,
        ))
    }

    pub(super) fn at_most(self, field: &str, number: u64) -> Self {
        let number = value(ValueType::IntegerValue(signed(number)));
        let field = field.to_owned();
        self.given(FirestoreQueryFilterCompare::LessThanOrEqual(field, number))
    }

    pub(super) fn below(self, field: &str, number: u64) -> Self {
        let number = value(ValueType::IntegerValue(signed(number)));
        let field = field.to_owned();
        self.given(FirestoreQueryFilterCompare::LessThan(field, number))
    }

    /// Lowest first; by the second of equals, and so on.
    pub(super) fn in_order_of<const N: usize>(mut self, fields: [&'static str; N]) -> Self {
        let ascending = |field| (field, FirestoreQueryDirection::Ascending);
        self.order = fields.map(ascending).into();
        self
    }

    /// The one document where this field is highest.
    pub(super) fn highest_of(mut self, field: &'static str) -> Self {
        self.order = vec![(field, FirestoreQueryDirection::Descending)];
        self.at_most_documents(1)
    }

    /// Only these fields are wanted.
    pub(super) fn giving(mut self, fields: impl IntoIterator<Item = &'static str>) -> Self {
        self.only = fields.into_iter().collect();
        self
    }

    pub(super) fn at_most_documents(mut self, max: usize) -> Self {
        self.max = Some(max);
        self
    }
}

fn value(value: ValueType) -> FirestoreValue {
    FirestoreValue::from(Value {
        value_type: Some(value),
    })
}

impl From<Question> for FirestoreQueryParams {
    fn from(mut question: Question) -> Self {
        let mut params = FirestoreQueryParams::new(question.collection.into());
        params.filter = match question.conditions.len() {
            0 | 1 => question.conditions.pop(),
            _ => Some(FirestoreQueryFilter::Composite(
                FirestoreQueryFilterComposite::new(
                    question.conditions,
                    FirestoreQueryFilterCompositeOperator::And,
                ),
            )),
        };
        if !question.order.is_empty() {
            let order = question.order.into_iter().map(FirestoreQueryOrder::from);
            params.order_by = Some(order.collect());
        }
        if !question.only.is_empty() {
            let fields = question.only.into_iter().map(str::to_owned);
            params.return_only_fields = Some(fields.collect());
        }
        params.limit = question.max.map(|max| max.min(i32::MAX as usize) as u32);
        params
    }
}
