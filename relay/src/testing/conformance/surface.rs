//! What operators call: management methods and subcommands, with parameters that nobody has thought of.

use super::harm::{RECOVERY, Tally};
use super::{Conformance, Report};
use crate::extension::ExplainedHook;
use crate::testing::{TestRelay, Value, json};
use std::time::Duration;

/// Longer than a management method may take by default.
const PATIENCE: Duration = Duration::from_secs(15);

const WORDS: [&str; 10] = [
    "",
    "x",
    "--help",
    "-1",
    "../../etc/passwd",
    "{\"a\":[1,{\"b\":null}]}",
    "\u{1f980} \u{202e}txet",
    "line\nbreak \"quoted\" \\ \0",
    "18446744073709551616",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

impl Conformance {
    /// Calls every method and subcommand; an error is an answer.
    pub(super) async fn check_surface(
        &self,
        relay: &TestRelay,
        hooks: &[ExplainedHook],
        report: &mut Report,
    ) {
        for hook in hooks {
            let target = hook.target.as_deref().unwrap_or_default();
            let parameters = match hook.hook {
                "rpc" => odd_values(),
                "command" => odd_words(),
                _ => continue,
            };
            let mut wrong = None;
            for given in parameters {
                if let Some(found) = self.call(relay, hook.hook, target, given).await {
                    wrong = Some(found);
                    break;
                }
            }
            report.check(
                &format!("its {} {target} answers odd parameters", hook.hook),
                wrong.is_none(),
                &wrong.unwrap_or_default(),
                "match on the parameters as a whole, and answer wrong ones with an Err that says what is wanted",
            );
            relay.clock().advance(RECOVERY);
        }
    }

    /// What went wrong, if anything did.
    async fn call(
        &self,
        relay: &TestRelay,
        hook: &str,
        target: &str,
        given: Vec<Value>,
    ) -> Option<String> {
        let shown: String = json!(given).to_string().chars().take(80).collect();
        let mut tally = Tally::from_now(relay, self.name());
        let in_force = relay.extensions().hooks().load();
        let answered = if hook == "rpc" {
            let answer = in_force.call_rpc(target, given)?;
            tokio::time::timeout(PATIENCE, answer).await.is_ok()
        } else {
            let words = given.iter().filter_map(Value::as_str);
            let answer = in_force.call_command(target, words.map(str::to_owned).collect())?;
            tokio::time::timeout(PATIENCE, answer).await.is_ok()
        };
        if tally.news().contains_key(hook) {
            return Some(format!("its {hook} {target} is at fault, given {shown}"));
        }
        let seconds = PATIENCE.as_secs();
        let late = format!("its {hook} {target} gives no answer within {seconds} s, given {shown}");
        (!answered).then_some(late)
    }
}

/// Parameters as JSON of any shape.
fn odd_values() -> Vec<Vec<Value>> {
    let deep = (0..90).fold(Value::Null, |inner, _| json!([inner]));
    let mut odd = vec![
        json!([null]),
        json!([true, false]),
        json!([-1]),
        json!([u64::MAX, i64::MIN, 1e300]),
        json!([0.5, "0.5"]),
        json!([[], {}]),
        json!([{"pubkey": 1, "": [null]}, "x"]),
        json!([deep]),
        json!([null, null, null, null, null, null, null, null]),
    ];
    odd.extend(odd_words().into_iter().map(Value::from));
    let lists = odd.into_iter().filter_map(|list| match list {
        Value::Array(list) => Some(list),
        _ => None,
    });
    lists.collect()
}

/// Words alone, few and many, short and long.
fn odd_words() -> Vec<Vec<Value>> {
    let one_each = WORDS.iter().map(|word| vec![json!(word)]);
    let many = WORDS.iter().map(|word| json!(word)).collect();
    let long = vec![json!("long ".repeat(20_000))];
    let further = [Vec::new(), many, vec![json!("x"); 1_000], long];
    one_each.chain(further).collect()
}
