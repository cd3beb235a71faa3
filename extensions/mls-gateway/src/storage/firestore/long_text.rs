//! Texts that may be longer than a document can be, which is 1 MiB: `mls_parts` holds what does not fit.
//!
//! Invariant: the parts of a text are written and removed by the commit that writes or removes its document.

use super::PARTS;
use super::database::Database;
use super::document::{Fields, Reading};
use super::failure::Result;
use gcloud_sdk::google::firestore::v1::{Document, Write};

/// Bytes of one text that stand in the document itself; three of them fit.
const INLINE_BYTES: usize = 300_000;
/// Bytes in a part.
const PART_BYTES: usize = 900_000;

/// A field of a document, and the one that says how many parts there are besides.
#[derive(Clone, Copy, Debug)]
pub(super) struct LongText {
    pub(super) field: &'static str,
    pub(super) count_field: &'static str,
}

impl LongText {
    /// Adds the text to the fields of the document `id` and the parts to the writes.
    pub(super) fn write(
        self,
        database: &Database,
        id: &str,
        text: Option<&str>,
        fields: Fields,
        writes: &mut Vec<Write>,
    ) -> Fields {
        let (head, mut rest) = split(text.unwrap_or_default(), INLINE_BYTES);
        let mut count = 0;
        while !rest.is_empty() {
            let (part, after) = split(rest, PART_BYTES);
            let fields = Fields::default().text("text", part);
            writes.push(database.put(PARTS, &self.part(id, count), fields));
            count += 1;
            rest = after;
        }
        fields
            .maybe_text(self.field, text.map(|_| head))
            .number(self.count_field, count)
    }

    /// How many parts there are of a text.
    pub(super) fn parts_of(self, text: &str) -> usize {
        text.len()
            .saturating_sub(INLINE_BYTES)
            .div_ceil(PART_BYTES - 3)
    }

    /// The whole text, or none if the document went away meanwhile.
    pub(super) async fn read(
        self,
        database: &Database,
        document: &Document,
    ) -> Result<Option<String>> {
        let reading = Reading(document);
        let mut text = reading
            .maybe_text(self.field)?
            .unwrap_or_default()
            .to_owned();
        let names = self.parts(reading)?;
        if names.is_empty() {
            return Ok(Some(text));
        }
        let parts = database.documents(PARTS, names.iter().cloned()).await?;
        for name in &names {
            match parts.get(name) {
                Some(part) => text.push_str(Reading(part).text("text")?),
                None => return Ok(None),
            }
        }
        Ok(Some(text))
    }

    /// Adds what removes the parts of a document.
    pub(super) fn remove(
        self,
        database: &Database,
        document: &Document,
        writes: &mut Vec<Write>,
    ) -> Result<()> {
        let names = self.parts(Reading(document))?;
        writes.extend(names.iter().map(|name| database.remove(PARTS, name)));
        Ok(())
    }

    fn parts(self, document: Reading<'_>) -> Result<Vec<String>> {
        let count = document.number(self.count_field)?;
        Ok((0..count)
            .map(|part| self.part(document.id(), part))
            .collect())
    }

    fn part(self, id: &str, number: u64) -> String {
        format!("{id}-{}-{number}", self.field)
    }
}

/// The text up to so many bytes, and the rest.
fn split(text: &str, bytes: usize) -> (&str, &str) {
    text.split_at(text.floor_char_boundary(bytes))
}
