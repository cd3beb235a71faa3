//! What `nip11` hooks may do to the information document (NIP-11): add to it.
//!
//! Invariant: what the operator and the core say of the relay stays as they say it. Three fields are open to what only an
//! extension can know: `supported_nips` grows, `limitation` gets further names, and a `false` in it may become true.

use super::failure::HookError;
use super::json_size::{self, Bounds};
use serde_json::{Map, Value};

/// The document as a whole. Clients ask for it often.
const BOUNDS: Bounds = Bounds {
    bytes: 64 << 10,
    depth: 16,
};

/// The document after a hook, from what it was before and what the hook made of it. An `Err` names what the hook must
/// not do.
pub(super) fn extended(
    before: &Map<String, Value>,
    after: Map<String, Value>,
) -> Result<Map<String, Value>, HookError> {
    let after = Value::Object(after);
    let problem = match json_size::check(&after, BOUNDS) {
        Ok(()) => problem(before, &after),
        Err(problem) => Some(format!("the document {problem}")),
    };
    match (problem, after) {
        (None, Value::Object(mut after)) => {
            unite_nips(before, &mut after);
            Ok(after)
        }
        (problem, after) => {
            json_size::dismantle(after);
            Err(HookError(problem.unwrap_or_default()))
        }
    }
}

fn problem(before: &Map<String, Value>, after: &Value) -> Option<String> {
    before.iter().find_map(|(name, old)| {
        let new = &after[name.as_str()];
        match (name.as_str(), old, new) {
            (_, old, new) if old == new => None,
            ("supported_nips", Value::Array(_), Value::Array(nips)) => {
                let is_nip = |nip: &Value| nip.as_u64().is_some_and(|nip| nip <= 0xffff);
                let is_good = nips.iter().all(is_nip);
                (!is_good).then(|| "it put into `supported_nips` what is no number".to_owned())
            }
            ("limitation", Value::Object(old), Value::Object(new)) => {
                let broken = old.iter().find(|(name, old)| {
                    let new = new.get(*name);
                    new != Some(*old)
                        && (*old, new) != (&Value::Bool(false), Some(&Value::Bool(true)))
                });
                broken.map(|(name, _)| format!("it changed the field `limitation.{name}`"))
            }
            _ => Some(format!("it changed the field `{name}`")),
        }
    })
}

/// Those of both, in order.
fn unite_nips(before: &Map<String, Value>, after: &mut Map<String, Value>) {
    const NAME: &str = "supported_nips";
    if let (Some(Value::Array(old)), Some(Value::Array(new))) = (before.get(NAME), after.get(NAME))
        && old != new
    {
        let mut nips: Vec<u64> = old.iter().chain(new).filter_map(Value::as_u64).collect();
        nips.sort_unstable();
        nips.dedup();
        after.insert(NAME.to_owned(), nips.into());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn document() -> Map<String, Value> {
        map(json!({
            "name": "t",
            "supported_nips": [1, 9],
            "limitation": {"max_limit": 500, "payment_required": false, "auth_required": true},
        }))
    }

    #[test]
    fn e6_a_document_is_only_added_to() {
        let mut after = document();
        after.insert("fees".to_owned(), json!({"admission": []}));
        after.insert("supported_nips".to_owned(), json!([29, 1]));
        after["limitation"]["payment_required"] = true.into();
        after["limitation"]["max_groups"] = 3.into();
        let extended = extended(&document(), after).unwrap();
        assert_eq!(extended["supported_nips"], json!([1, 9, 29]));
        assert_eq!(extended["fees"], json!({"admission": []}));
        assert_eq!(extended["limitation"]["payment_required"], true);
        assert_eq!(extended["limitation"]["max_groups"], 3);
        assert_eq!(extended["limitation"]["max_limit"], 500);
    }

    #[test]
    fn e6_what_is_changed_in_a_document_is_named() {
        type Change = fn(&mut Map<String, Value>);
        let cases: [(Change, &str); 7] = [
            (|it| drop(it.remove("name")), "`name`"),
            (|it| it["name"] = "mine".into(), "`name`"),
            (|it| it.clear(), "it changed the field"),
            (|it| it["supported_nips"] = json!(["x"]), "`supported_nips`"),
            (|it| it["limitation"] = json!({}), "`limitation."),
            (
                |it| it["limitation"]["auth_required"] = false.into(),
                "`limitation.auth_required`",
            ),
            (
                |it| drop(it.insert("motto".to_owned(), "x".repeat(1 << 20).into())),
                "larger than 65536 bytes",
            ),
        ];
        for (change, words) in cases {
            let mut after = document();
            change(&mut after);
            let error = extended(&document(), after).unwrap_err();
            assert!(error.0.contains(words), "{error}");
        }
    }

    #[test]
    fn e6_a_document_nested_a_million_levels_deep_is_refused() {
        let mut deep = json!(1);
        for _ in 0..1_000_000 {
            deep = Value::Array(vec![deep]);
        }
        let mut after = document();
        after.insert("deep".to_owned(), deep);
        let error = extended(&document(), after).unwrap_err();
        assert!(error.0.contains("deeper than 16"), "{error}");
    }
}
