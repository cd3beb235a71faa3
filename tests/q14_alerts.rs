//! Q14: the alert rules that come with fleets are right, and say something when they should.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use yaml_rust2::{Yaml, YamlLoader};

fn rules_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/alerts/qube-coordination.yaml")
}

#[test]
fn q14_rules_name_metrics_that_there_are() {
    let text = fs::read_to_string(rules_file()).expect("the rules");
    let documents = YamlLoader::load_from_str(&text).expect("YAML");
    let rules = documents[0]["groups"][0]["rules"].as_vec().expect("rules");
    assert_eq!(rules.len(), 4);
    let page = include_str!("../docs/metrics.md");
    let expression = |rule: &Yaml| rule["expr"].as_str().expect("an expression").to_owned();
    for expression in rules.iter().map(expression) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let metrics: BTreeSet<&str> = expression
            .split(|c| !is_name(c))
            .filter(|word| word.starts_with("qube_coordination_"))
            .collect();
        assert!(!metrics.is_empty(), "{expression}");
        for metric in metrics {
            assert!(page.contains(&format!("| `{metric}` |")), "{metric}");
        }
    }
}

/// What Prometheus itself makes of them, where `promtool` is installed.
#[test]
fn q14_rules_fire_for_what_is_open_down_or_not_taken() {
    if Command::new("promtool").arg("--version").output().is_err() {
        eprintln!("SKIPPED: promtool is not installed");
        return;
    }
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/q14_alerts.yaml");
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
