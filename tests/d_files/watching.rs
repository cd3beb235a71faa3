//! D6: alerts and the dashboard ask for metrics that there are, and say something when they should.

use crate::ground::{assert_metrics_exist, path, program, read, succeed, yaml};
use serde_json::Value;
use std::fs;
use std::process::Command;
use yaml_rust2::Yaml;

/// Those whose thresholds are the page's; the tests of the two extensions show when theirs fire.
const FILES: [&str; 3] = ["relay", "calls", "media"];

/// Every file of alerts that there is.
fn files() -> Vec<String> {
    let entries = fs::read_dir(path("config/alerts"))
        .expect("a folder")
        .flatten();
    let names = entries.map(|entry| entry.path().file_stem().map(|stem| stem.to_os_string()));
    let names = names.map(|name| name.expect("a name").to_string_lossy().into_owned());
    let names: Vec<String> = names.collect();
    assert!(names.len() >= FILES.len() + 2, "{names:?}");
    names
}

/// Every rule of a file.
fn rules(file: &str) -> Vec<Yaml> {
    let rules = yaml(&format!("config/alerts/{file}.yaml"));
    rules["groups"][0]["rules"].as_vec().expect("rules").clone()
}

#[test]
fn d6_alerts_name_metrics_and_runbooks_that_there_are() {
    let page = read("docs/deploying/monitoring.md");
    for file in &files() {
        assert!(
            page.contains(&format!("config/alerts/{file}.yaml")),
            "{file} is not on the page"
        );
        for rule in rules(file) {
            let name = rule["alert"].as_str().expect("a name");
            assert_metrics_exist(name, rule["expr"].as_str().expect("an expression"));
            let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
            assert!(
                ["warning", "critical"].contains(&severity),
                "{name}: {severity}"
            );
            let runbook = rule["annotations"]["runbook"].as_str().unwrap_or_default();
            assert!(path(runbook).is_file(), "{name}: {runbook}");
        }
    }
}

#[test]
fn d6_thresholds_are_those_of_the_page() {
    let all: Vec<Yaml> = FILES.iter().flat_map(|file| rules(file)).collect();
    let bound = |alert: &str| {
        let rule = all
            .iter()
            .find(|rule| rule["alert"].as_str() == Some(alert));
        let rule = rule.unwrap_or_else(|| panic!("there is no alert {alert}"));
        let expression = rule["expr"].as_str().expect("an expression").to_owned();
        let bound = expression.rsplit(['>', '=']).next().unwrap_or_default();
        bound
            .trim()
            .parse::<f64>()
            .unwrap_or_else(|_| panic!("{alert}: {expression}"))
    };
    for (warning, critical, bounds) in [
        ("ConnectionsNearlyUsedUp", "ConnectionsUsedUp", [0.8, 0.95]),
        ("ManyDisconnections", "VeryManyDisconnections", [0.05, 0.15]),
        ("SlowQueries", "VerySlowQueries", [0.5, 2.0]),
        ("SlowCallRoutes", "VerySlowCallRoutes", [0.5, 2.0]),
        ("TokensFail", "TokensOftenFail", [0.01, 0.05]),
        ("LiveKitBusy", "LiveKitOverloaded", [0.7, 0.9]),
        ("MediaFillUp", "MediaNearlyFull", [70.0, 90.0]),
        ("StoreFillsUp", "StoreNearlyFull", [0.7, 0.9]),
        ("BackupLate", "BackupVeryLate", [120.0, 900.0]),
    ] {
        assert_eq!([bound(warning), bound(critical)], bounds, "{warning}");
        assert!(
            read("docs/deploying/monitoring.md").contains(&format!("`{warning}`, `{critical}`")),
            "{warning}"
        );
    }
}

#[test]
fn d6_each_alert_says_something_when_it_should() {
    let cases = read("tests/data/d6_alerts.yaml");
    for file in FILES {
        for rule in rules(file) {
            let name = rule["alert"].as_str().expect("a name");
            assert!(
                cases.contains(&format!("alertname: {name}\n")),
                "{name} is not tested"
            );
        }
    }
    let Some(promtool) = program("promtool") else {
        return;
    };
    for file in FILES {
        let rules = path(&format!("config/alerts/{file}.yaml"));
        succeed(Command::new(&promtool).args(["check", "rules"]).arg(rules));
    }
    let cases = path("tests/data/d6_alerts.yaml");
    succeed(Command::new(&promtool).args(["test", "rules"]).arg(cases));
}

#[test]
fn d6_the_dashboard_asks_what_prometheus_can_answer() {
    let dashboard: Value =
        serde_json::from_str(&read("deploy/grafana/trellis.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut ids = Vec::new();
    let mut expressions = Vec::new();
    for panel in panels {
        ids.push(panel["id"].as_u64().expect("an id"));
        let title = panel["title"].as_str().expect("a title");
        let place = &panel["gridPos"];
        let right = place["x"].as_u64().expect("x") + place["w"].as_u64().expect("w");
        assert!(right <= 24, "{title} stands beyond the edge");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().expect("an expression");
            assert_metrics_exist(title, expression);
            expressions.push(expression.to_owned());
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "two panels have one id");
    assert!(expressions.len() > 40, "{}", expressions.len());
    let Some(promtool) = program("promtool") else {
        return;
    };
    // As rules, which promtool reads; variables of Grafana's with a value.
    let rules: Vec<Value> = expressions
        .iter()
        .map(|expression| {
            let expression = expression
                .replace("$__rate_interval", "5m")
                .replace("$instance", ".+");
            serde_json::json!({"record": "dashboard:panel", "expr": expression})
        })
        .collect();
    let file = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]});
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dashboard.json");
    fs::write(&path, file.to_string()).expect("the rules");
    let said = Command::new(promtool)
        .args(["check", "rules", "--lint=none"])
        .arg(&path)
        .output();
    let said = said.expect("promtool");
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stdout) + String::from_utf8_lossy(&said.stderr)
    );
}
