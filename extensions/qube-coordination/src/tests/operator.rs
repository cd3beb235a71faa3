//! The operator's own hand, as `trellis import` and `trellis delete` have it: an extension beside the one under test that
//! stores and removes whatever it is told to.

use super::ground::{Ground, table};
use crate::QubeCoordination;
use actix_web::web::{Json, Path};
use std::sync::Arc;
use trellis_relay::event::EventId;
use trellis_relay::extension::Restored;
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::TestRelay;

struct Operator {
    host: Host,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Extension for Operator {
    const NAME: &'static str = "operator";
    type Config = Nothing;

    async fn build(_: Nothing, host: Host) -> Result<Self, BuildError> {
        Ok(Operator { host })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.api(Mount::prefix("/operator"), |api| {
            api.about("What the operator does by hand.")
                .max_body_bytes(4 << 20);
            api.post("/store", store)
                .summary("Stores events as an import does")
                .answers::<Vec<String>>(200);
            api.post("/remove/{id}/{cause}", remove)
                .summary("Removes an event")
                .answers::<bool>(200);
        });
    }
}

async fn store(
    me: Current<Operator>,
    Json(texts): Json<Vec<String>>,
) -> Result<Json<Vec<String>>, ApiError> {
    let events = texts
        .iter()
        .map(|text| Arc::new(Event::parse(text.as_bytes()).unwrap()));
    let outcomes = me.host.restore(events.collect()).await?;
    let told = outcomes.into_iter().map(|outcome| match outcome {
        Restored::Refused(reason) => reason.to_string(),
        other => format!("{other:?}"),
    });
    Ok(Json(told.collect()))
}

async fn remove(
    me: Current<Operator>,
    path: Path<(String, String)>,
) -> Result<Json<bool>, ApiError> {
    let (id, cause) = path.into_inner();
    let causes = [
        Cause::Deletion,
        Cause::Expiry,
        Cause::Vanish,
        Cause::Retention,
        Cause::Admin,
    ];
    let cause = causes.into_iter().find(|it| it.label() == cause).unwrap();
    let id = EventId::from_hex(&id).unwrap();
    Ok(Json(me.host.remove(id, cause).await?))
}

impl Ground {
    /// With these lines in the table, and the operator at hand.
    pub(super) async fn operated(keys: &str) -> Self {
        Ground::operated_with(&table(keys)).await
    }

    /// With this configuration, and the operator at hand.
    pub(super) async fn operated_with(config: &str) -> Self {
        let relay = TestRelay::of::<QubeCoordination>()
            .extension::<Operator>()
            .config(config)
            .start()
            .await;
        Ground { relay }
    }

    /// Has the operator store events, and tells what became of each.
    pub(super) async fn import(&self, events: &[Event]) -> Vec<String> {
        let texts: Vec<_> = events
            .iter()
            .map(|event| String::from_utf8_lossy(event.json()).into_owned())
            .collect();
        let answer = self.relay.post("/operator/store").json(&texts).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Has an event removed for a cause; whether it is gone.
    pub(super) async fn remove(&self, event: &Event, cause: &str) -> bool {
        let path = format!("/operator/remove/{}/{cause}", event.id().to_hex());
        let answer = self.relay.post(&path).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}
