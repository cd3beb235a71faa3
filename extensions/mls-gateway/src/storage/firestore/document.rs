//! What stands in a document: fields on their way in, and fields that are read.
//!
//! Invariant: a field that is written is there, as null where there is nothing to say, since not every server takes a field
//! away that a write leaves out. A document that the gateway did not write so is an error and never a guess.

use super::failure::{Failure, Result};
use gcloud_sdk::google::firestore::v1::value::ValueType;
use gcloud_sdk::google::firestore::v1::{ArrayValue, Document, Value};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Write as _;
use trellis_relay::event::{EventId, PublicKey};

/// Fields to be written, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(pub(super) HashMap<String, Value>);

impl Fields {
    fn with(mut self, name: &str, value: ValueType) -> Self {
        let value = Value {
            value_type: Some(value),
        };
        self.0.insert(name.to_owned(), value);
        self
    }

    pub(super) fn text(self, name: &str, text: impl Into<String>) -> Self {
        self.with(name, ValueType::StringValue(text.into()))
    }

    pub(super) fn maybe_text(self, name: &str, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self.with(name, ValueType::NullValue(0)),
        }
    }

    /// A number as a field holds it; what no field can hold is the highest that one can.
    pub(super) fn number(self, name: &str, number: u64) -> Self {
        self.with(name, ValueType::IntegerValue(signed(number)))
    }

    pub(super) fn maybe_number(self, name: &str, number: Option<u64>) -> Self {
        match number {
            Some(number) => self.number(name, number),
            None => self.with(name, ValueType::NullValue(0)),
        }
    }

    /// A number that may be any of 64 bits, of which a field holds 63: its digits.
    pub(super) fn digits(self, name: &str, number: Option<u64>) -> Self {
        self.maybe_text(name, number.map(|it| it.to_string()))
    }

    pub(super) fn flag(self, name: &str, flag: bool) -> Self {
        self.with(name, ValueType::BooleanValue(flag))
    }

    pub(super) fn texts(self, name: &str, texts: impl IntoIterator<Item = String>) -> Self {
        self.with(name, list(texts))
    }
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn list(texts: impl IntoIterator<Item = String>) -> ValueType {
    let values = texts.into_iter().map(|text| Value {
        value_type: Some(ValueType::StringValue(text)),
    });
    ValueType::ArrayValue(ArrayValue {
        values: values.collect(),
    })
}

/// The name of a document about something of any name: group ids hold slashes, dots and whatever else clients like.
pub(super) fn document_id(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    digest
        .iter()
        .fold(String::with_capacity(64), |mut id, byte| {
            let _ = write!(id, "{byte:02x}");
            id
        })
}

/// A document that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'d>(pub(super) &'d Document);

impl<'d> Reading<'d> {
    fn value(self, name: &str) -> Option<&'d ValueType> {
        let value = self.0.fields.get(name)?.value_type.as_ref()?;
        (!matches!(value, ValueType::NullValue(_))).then_some(value)
    }

    /// Its name within its collection.
    pub(super) fn id(self) -> &'d str {
        self.0.name.rsplit('/').next().unwrap_or_default()
    }

    pub(super) fn maybe_text(self, name: &'static str) -> Result<Option<&'d str>> {
        match self.value(name) {
            None => Ok(None),
            Some(ValueType::StringValue(text)) => Ok(Some(text)),
            Some(_) => Err(Failure::Corrupt(name)),
        }
    }

    pub(super) fn text(self, name: &'static str) -> Result<&'d str> {
        self.maybe_text(name)?.ok_or(Failure::Corrupt(name))
    }

    pub(super) fn maybe_number(self, name: &'static str) -> Result<Option<u64>> {
        match self.value(name) {
            None => Ok(None),
            Some(ValueType::IntegerValue(number)) => match u64::try_from(*number) {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(Failure::Corrupt(name)),
            },
            Some(_) => Err(Failure::Corrupt(name)),
        }
    }

    pub(super) fn number(self, name: &'static str) -> Result<u64> {
        self.maybe_number(name)?.ok_or(Failure::Corrupt(name))
    }

    pub(super) fn digits(self, name: &'static str) -> Result<Option<u64>> {
        let digits = self.maybe_text(name)?;
        let number = digits.map(|digits| digits.parse().map_err(|_| Failure::Corrupt(name)));
        number.transpose()
    }

    pub(super) fn flag(self, name: &'static str) -> Result<bool> {
        match self.value(name) {
            Some(ValueType::BooleanValue(flag)) => Ok(*flag),
            _ => Err(Failure::Corrupt(name)),
        }
    }

    /// A list of texts; none where there is no such field.
    pub(super) fn texts(self, name: &'static str) -> Result<Vec<&'d str>> {
        let values = match self.value(name) {
            None => return Ok(Vec::new()),
            Some(ValueType::ArrayValue(list)) => &list.values,
            Some(_) => return Err(Failure::Corrupt(name)),
        };
        let texts = values.iter().map(|value| match &value.value_type {
            Some(ValueType::StringValue(text)) => Ok(text.as_str()),
            _ => Err(Failure::Corrupt(name)),
        });
        texts.collect()
    }

    pub(super) fn maybe_key(self, name: &'static str) -> Result<Option<PublicKey>> {
        self.maybe_text(name)?.map(|hex| key(name, hex)).transpose()
    }

    pub(super) fn key(self, name: &'static str) -> Result<PublicKey> {
        key(name, self.text(name)?)
    }

    pub(super) fn maybe_event_id(self, name: &'static str) -> Result<Option<EventId>> {
        let id = self.maybe_text(name)?;
        id.map(|hex| EventId::from_hex(hex).map_err(|_| Failure::Corrupt(name)))
            .transpose()
    }

    pub(super) fn event_id(self, name: &'static str) -> Result<EventId> {
        self.maybe_event_id(name)?.ok_or(Failure::Corrupt(name))
    }
}

/// A key in a field of that name.
pub(super) fn key(name: &'static str, hex: &str) -> Result<PublicKey> {
    PublicKey::from_hex(hex).map_err(|_| Failure::Corrupt(name))
}
