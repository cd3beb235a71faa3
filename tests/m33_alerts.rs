//! M33: the alert rules that come with the gateway are right, and say something when they should.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use yaml_rust2::{Yaml, YamlLoader};

fn rules_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/alerts/mls-gateway.yaml")
}

/// Name and expression of each rule.
fn rules() -> Vec<(String, String)> {
    let text = fs::read_to_string(rules_file()).expect("the rules");
    let documents = YamlLoader::load_from_str(&text).expect("YAML");
    let rules = documents[0]["groups"][0]["rules"].as_vec().expect("rules");
    let text = |rule: &Yaml, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
    rules
        .iter()
        .map(|rule| (text(rule, "alert"), text(rule, "expr")))
        .collect()
}

#[test]
fn m33_rules_name_metrics_that_there_are_and_look_at_rates() {
    let page = include_str!("../docs/metrics.md");
    let rules = rules();
    let names: Vec<&str> = rules.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["HighErrorRate", "SlowDatabase"]);
    for (name, expression) in &rules {
        assert!(expression.contains("rate("), "{name}: {expression}");
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let metrics: BTreeSet<&str> = expression
            .split(|c| !is_name(c))
            .filter(|word| word.starts_with("mls_gateway_"))
            .map(|word| word.trim_end_matches("_bucket"))
            .collect();
        assert!(!metrics.is_empty(), "{name}: {expression}");
        for metric in metrics {
            assert!(
                page.contains(&format!("| `{metric}` |")),
                "{name}: {metric}"
            );
        }
    }
}

/// What Prometheus itself makes of them, where `promtool` is installed.
#[test]
fn m33_rules_fire_when_errors_are_many_and_the_database_is_slow() {
    if Command::new("promtool").arg("--version").output().is_err() {
        eprintln!("SKIPPED: promtool is not installed");
        return;
    }
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/m33_alerts.yaml");
    for (words, file) in [
        (["check", "rules"], rules_file()),
        (["test", "rules"], cases),
    ] {
        let done = Command::new("promtool").args(words).arg(&file).output();
        let done = done.expect("promtool");
        let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert!(
            done.status.success(),
            "{words:?} {}: {said}",
            file.display()
        );
    }
}
