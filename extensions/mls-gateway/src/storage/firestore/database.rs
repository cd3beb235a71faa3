//! The calls of Firestore that are used: documents by name, queries, counts and commits.
//!
//! Invariant: of the conditions that a write may have only `exists` is used, and what a commit depends on is the condition of
//! its first write. The others have none, or may be written in part and again. So a commit does what it should where it is
//! atomic, as on the service, and where writes are applied one after another up to the first that fails, as emulators do.

use super::document::{Fields, Reading};
use super::failure::{Failure, Result};
use super::pause::Pause;
use super::question::Question;
use super::turns::WRITES_OF_A_TURN;
use firestore::{
    FirestoreAggregatedQueryParams, FirestoreAggregatedQuerySupport, FirestoreAggregation,
    FirestoreAggregationOperator, FirestoreAggregationOperatorCount,
    FirestoreAggregationOperatorSum, FirestoreDb, FirestoreGetByIdSupport, FirestoreQuerySupport,
};
use futures_util::TryStreamExt;
use gcloud_sdk::google::firestore::v1::precondition::ConditionType;
use gcloud_sdk::google::firestore::v1::write::Operation;
use gcloud_sdk::google::firestore::v1::{
    CommitRequest, Document, DocumentMask, Precondition, Write,
};
use gcloud_sdk::tonic::Code;
use std::collections::HashMap;

/// A database of Google's Firestore.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) client: FirestoreDb,
    /// Writes in one commit.
    pub(super) batch_size: usize,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Committed {
    /// It is written.
    Done,
    /// A condition does not hold, so nothing is.
    Refused,
}

/// Documents that one question names.
const NAMES_AT_ONCE: usize = 300;

impl Database {
    /// Writes that go into one commit with a turn's own.
    pub(super) fn batch_beside_a_turn(&self) -> usize {
        self.batch_size.saturating_sub(WRITES_OF_A_TURN).max(1)
    }

    /// Documents of a collection by their ids; those that are not there are left out.
    pub(super) async fn documents(
        &self,
        collection: &str,
        ids: impl IntoIterator<Item = String>,
    ) -> Result<HashMap<String, Document>> {
        let ids: Vec<String> = ids.into_iter().collect();
        let mut documents = HashMap::with_capacity(ids.len());
        for some in ids.chunks(NAMES_AT_ONCE) {
            let mut found = self
                .client
                .batch_stream_get_docs_with_errors(collection, some, None)
                .await?;
            while let Some((id, document)) = found.try_next().await? {
                if let Some(document) = document {
                    documents.insert(id, document);
                }
            }
        }
        Ok(documents)
    }

    pub(super) async fn document(&self, collection: &str, id: &str) -> Result<Option<Document>> {
        let mut found = self.documents(collection, [id.to_owned()]).await?;
        Ok(found.remove(id))
    }

    /// The documents that a question finds.
    pub(super) async fn find(&self, question: Question) -> Result<Vec<Document>> {
        if question.max == Some(0) {
            return Ok(Vec::new());
        }
        #[cfg(test)]
        super::indexes::assert_there(&question.clone().into(), None);
        Ok(self.client.query_doc(question.into()).await?)
    }

    /// How many documents a question finds, and the sum of a field of theirs, if one is named.
    pub(super) async fn count(&self, question: Question, sum: Option<&str>) -> Result<(u64, u64)> {
        #[cfg(test)]
        super::indexes::assert_there(&question.clone().into(), sum);
        let aggregation = |alias: &str, operator| FirestoreAggregation {
            alias: alias.to_owned(),
            operator: Some(operator),
        };
        let count = FirestoreAggregationOperatorCount { up_to: None };
        let count = FirestoreAggregationOperator::Count(count);
        let mut aggregations = vec![aggregation("count", count)];
        if let Some(field) = sum {
            let sum = FirestoreAggregationOperatorSum::new(field.to_owned());
            aggregations.push(aggregation("sum", FirestoreAggregationOperator::Sum(sum)));
        }
        let asked = FirestoreAggregatedQueryParams::new(question.into(), aggregations);
        let answer = self.client.aggregated_query_doc(asked).await?;
        let answer = Reading(answer.first().ok_or(Failure::Corrupt("count"))?);
        let sum = answer.maybe_number("sum")?;
        Ok((answer.number("count")?, sum.unwrap_or(0)))
    }

    /// Writes all of it or, where the condition of the first write does not hold, nothing. What only collided with other
    /// commits is tried again.
    pub(super) async fn commit(&self, writes: Vec<Write>) -> Result<Committed> {
        let request = CommitRequest {
            database: self.client.get_database_path().clone(),
            writes,
            transaction: Vec::new(),
        };
        let mut pause = Pause::default();
        loop {
            let answer = self.client.client().get().commit(request.clone()).await;
            match answer.map_err(|status| (status.code(), status)) {
                Ok(_) => return Ok(Committed::Done),
                Err((Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition, _)) => {
                    return Ok(Committed::Refused);
                }
                // The service promises that nothing was written.
                Err((Code::Aborted, _)) => pause.take().await,
                Err((_, status)) => return Err(status.into()),
            }
        }
    }

    /// Commits what may be written in pieces, and again, in as many as it takes. The writes of a piece stay together.
    pub(super) async fn commit_pieces(
        &self,
        pieces: impl IntoIterator<Item = Vec<Write>>,
    ) -> Result<Committed> {
        let mut pieces = pieces.into_iter().peekable();
        let mut writes = Vec::new();
        while let Some(piece) = pieces.next() {
            writes.extend(piece);
            let fits = |next: &Vec<Write>| writes.len() + next.len() <= self.batch_size;
            if pieces.peek().is_some_and(fits) {
                continue;
            }
            if self.commit(std::mem::take(&mut writes)).await? == Committed::Refused {
                return Ok(Committed::Refused);
            }
        }
        Ok(Committed::Done)
    }

    fn write(&self, operation: Operation, exists: Option<bool>) -> Write {
        Write {
            operation: Some(operation),
            current_document: exists.map(|exists| Precondition {
                condition_type: Some(ConditionType::Exists(exists)),
            }),
            ..Write::default()
        }
    }

    fn name(&self, collection: &str, id: &str) -> String {
        format!("{}/{collection}/{id}", self.client.get_documents_path())
    }

    fn update(&self, collection: &str, id: &str, fields: Fields) -> Operation {
        Operation::Update(Document {
            name: self.name(collection, id),
            fields: fields.0,
            ..Document::default()
        })
    }

    /// Writes a whole document, whatever was there.
    pub(super) fn put(&self, collection: &str, id: &str, fields: Fields) -> Write {
        self.write(self.update(collection, id, fields), None)
    }

    /// Writes a whole document where there is none.
    pub(super) fn create(&self, collection: &str, id: &str, fields: Fields) -> Write {
        self.write(self.update(collection, id, fields), Some(false))
    }

    /// Writes these fields and leaves the others; makes a document of them where there is none.
    pub(super) fn merge(&self, collection: &str, id: &str, fields: Fields) -> Write {
        let field_paths = fields.0.keys().cloned().collect();
        let mut write = self.put(collection, id, fields);
        write.update_mask = Some(DocumentMask { field_paths });
        write
    }

    /// The same for a document that has to be there.
    pub(super) fn change(&self, collection: &str, id: &str, fields: Fields) -> Write {
        let mut write = self.merge(collection, id, fields);
        write.current_document = Some(Precondition {
            condition_type: Some(ConditionType::Exists(true)),
        });
        write
    }

    /// Removes a document, if there is one.
    pub(super) fn remove(&self, collection: &str, id: &str) -> Write {
        self.write(Operation::Delete(self.name(collection, id)), None)
    }

    /// Removes a document that has to be there.
    pub(super) fn take(&self, collection: &str, id: &str) -> Write {
        self.write(Operation::Delete(self.name(collection, id)), Some(true))
    }
}
