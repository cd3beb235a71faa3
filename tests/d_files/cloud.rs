//! D2: Cloud Build and Cloud Run.

use crate::ground::{checked, path, program, read, succeed, yaml};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use yaml_rust2::{Yaml, YamlLoader};

const PROFILES: [&str; 2] = ["secure", "standard"];

#[test]
fn d2_cloud_build_builds_tests_pushes_and_deploys() {
    let build = yaml("cloudbuild.yaml");
    let steps = build["steps"].as_vec().expect("steps");
    let ids: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["id"].as_str())
        .collect();
    assert_eq!(ids, ["build", "test", "push", "deploy"]);
    let waits: Vec<Vec<&str>> = steps
        .iter()
        .map(|step| {
            step["waitFor"]
                .as_vec()
                .expect("waitFor")
                .iter()
                .filter_map(Yaml::as_str)
                .collect()
        })
        .collect();
    assert_eq!(
        waits,
        [vec!["-"], vec!["-"], vec!["build", "test"], vec!["push"]]
    );
    // Each substitution is explained in the file and on the page, and used.
    let text = read("cloudbuild.yaml");
    let page = read("docs/deploying/cloud-run.md");
    let substitutions = build["substitutions"].as_hash().expect("substitutions");
    for name in substitutions.keys().filter_map(Yaml::as_str) {
        assert!(text.contains(&format!("${{{name}}}")), "{name} is not used");
        let is_made = ["_IMAGE", "_CACHE"].contains(&name);
        assert!(
            is_made || text.contains(&format!("#   {name} ")),
            "{name} is not explained"
        );
        assert!(
            is_made || page.contains(&format!("| `{name}` |")),
            "{name} is not on the page"
        );
    }
    if let Some(check) = program("check-jsonschema") {
        let mut check = Command::new(check);
        check
            .args(["--builtin-schema", "vendor.cloudbuild"])
            .arg(path("cloudbuild.yaml"));
        succeed(&mut check);
    }
}

/// The variables of the one container, secrets as some text.
fn environment(container: &Yaml) -> BTreeMap<String, String> {
    let variables = container["env"].as_vec().expect("env");
    let pair = |variable: &Yaml| {
        let name = variable["name"].as_str().expect("a name").to_owned();
        let secret = &variable["valueFrom"]["secretKeyRef"];
        let value = match variable["value"].as_str() {
            Some(value) => value,
            None => secret["name"].as_str().expect("a value or a secret"),
        };
        (name, value.to_owned())
    };
    variables.iter().map(pair).collect()
}

#[test]
fn d2_services_are_one_instance_with_the_bounds_of_their_profile() {
    for profile in PROFILES {
        let service = yaml(&format!("deploy/knative/{profile}.yaml"));
        let meta = &service["metadata"]["annotations"];
        let scaling = &service["spec"]["template"]["metadata"]["annotations"];
        let spec = &service["spec"]["template"]["spec"];
        let container = &spec["containers"][0];
        let words = |yaml: &Yaml| yaml.as_str().unwrap_or_default().to_owned();
        assert_eq!(words(&scaling["autoscaling.knative.dev/minScale"]), "1");
        assert_eq!(words(&scaling["autoscaling.knative.dev/maxScale"]), "1");
        assert_eq!(
            words(&scaling["run.googleapis.com/execution-environment"]),
            "gen2"
        );
        assert_eq!(
            words(&scaling["run.googleapis.com/sessionAffinity"]),
            "true"
        );
        assert_eq!(spec["timeoutSeconds"].as_i64(), Some(3600));
        assert!(words(&spec["serviceAccountName"]).starts_with("trellis-relay@"));
        assert_eq!(words(&container["resources"]["limits"]["cpu"]), "1");
        assert_eq!(words(&container["resources"]["limits"]["memory"]), "1Gi");
        assert_eq!(container["ports"][0]["containerPort"].as_i64(), Some(8080));
        assert_eq!(
            words(&container["startupProbe"]["httpGet"]["path"]),
            "/ready"
        );
        // The longest that the platform takes: a restore has to be over within it.
        let startup = &container["startupProbe"];
        let (period, failures) = (&startup["periodSeconds"], &startup["failureThreshold"]);
        let patience_secs = period.as_i64().zip(failures.as_i64()).map(|(a, b)| a * b);
        assert_eq!(patience_secs, Some(240));
        assert_eq!(
            words(&container["livenessProbe"]["httpGet"]["path"]),
            "/livez"
        );
        let secure = profile == "secure";
        assert_eq!(
            spec["containerConcurrency"].as_i64(),
            Some(if secure { 100 } else { 80 })
        );
        let ingress = if secure { "internal" } else { "all" };
        assert_eq!(words(&meta["run.googleapis.com/ingress"]), ingress);
        // Only the open one takes callers without a role.
        assert_eq!(
            meta["run.googleapis.com/invoker-iam-disabled"].as_str(),
            (!secure).then_some("true")
        );
    }
}

#[test]
fn d2_services_start_with_what_their_variables_say() {
    for profile in PROFILES {
        let service = yaml(&format!("deploy/knative/{profile}.yaml"));
        let container = &service["spec"]["template"]["spec"]["containers"][0];
        let mut variables = environment(container);
        // As the platform has it, and with the names filled in.
        variables.insert("PORT".to_owned(), "8080".to_owned());
        variables.insert("K_SERVICE".to_owned(), "trellis".to_owned());
        for value in variables.values_mut() {
            *value = value
                .replace("RELAY_HOST", "relay.example.com")
                .replace("PROJECT_ID", "some-project");
        }
        let explained = checked(variables.clone()).to_string();
        assert!(explained.contains("wss://relay.example.com"), "{explained}");
        assert!(explained.contains("some-project"), "{explained}");
        // The disk is not durable, and whoever deploys the file has said that it need not be.
        let setting = "TRELLIS_DATA__ALLOW_EPHEMERAL";
        assert_eq!(variables.get(setting).map(String::as_str), Some("true"));
        let text = read(&format!("deploy/knative/{profile}.yaml"));
        let secret = text.split("METRICS_AUTH_KEY").nth(1);
        assert!(
            secret
                .expect("the variable")
                .trim_start()
                .starts_with("valueFrom"),
            "the key of the metrics stands in the file"
        );
        // Everything that is to be filled in is replaced where it is deployed.
        let build = read("cloudbuild.yaml");
        for placeholder in ["IMAGE", "PROJECT_ID", "SERVICE_NAME", "RELAY_HOST"] {
            assert!(text.contains(placeholder), "{placeholder}");
            assert!(
                build.contains(&format!("s|{placeholder}|")),
                "{placeholder} is not replaced"
            );
        }
    }
}

/// The definition's schema, in which what is not named is refused.
fn strict(schema: &Yaml) -> Value {
    match schema {
        Yaml::Hash(fields) => {
            let mut object = serde_json::Map::new();
            for (key, value) in fields {
                let key = key.as_str().unwrap_or_default();
                if !key.starts_with("x-kubernetes-") {
                    object.insert(key.to_owned(), strict(value));
                }
            }
            let free = &schema["x-kubernetes-preserve-unknown-fields"];
            if object.contains_key("properties") && free.as_bool() != Some(true) {
                object.entry("additionalProperties").or_insert(json!(false));
            }
            if schema["x-kubernetes-int-or-string"].as_bool() == Some(true) {
                object.insert("type".to_owned(), json!(["integer", "string"]));
            }
            Value::Object(object)
        }
        Yaml::Array(items) => items.iter().map(strict).collect(),
        Yaml::String(text) => json!(text),
        Yaml::Integer(number) => json!(number),
        Yaml::Boolean(flag) => json!(flag),
        Yaml::Real(text) => json!(text.parse::<f64>().ok()),
        _ => Value::Null,
    }
}

#[test]
fn d2_services_are_as_knative_defines_them() {
    let Ok(definition) = std::env::var("TEST_KNATIVE_SERVICE") else {
        eprintln!("SKIPPED: TEST_KNATIVE_SERVICE is not set; tests/run sets it");
        return;
    };
    let Some(check) = program("check-jsonschema") else {
        return;
    };
    let text = std::fs::read_to_string(definition).expect("the definition");
    let definition = &YamlLoader::load_from_str(&text).expect("YAML")[0];
    let mut schema = strict(&definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]);
    schema["properties"]["metadata"] = json!({"type": "object"});
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("service.json");
    std::fs::write(&file, schema.to_string()).expect("the schema");
    let run = |service: &std::path::Path| {
        let mut check = Command::new(&check);
        check.arg("--schemafile").arg(&file).arg(service);
        check
    };
    for profile in PROFILES {
        succeed(&mut run(&path(&format!("deploy/knative/{profile}.yaml"))));
        // It tells what is wrong, too.
        let wrong = read(&format!("deploy/knative/{profile}.yaml"))
            .replace("timeoutSeconds: 3600", "timeout: 3600");
        let copy = folder.path().join("wrong.yaml");
        std::fs::write(&copy, wrong).expect("a copy");
        let said = run(&copy).output().expect("check-jsonschema");
        assert!(
            !said.status.success(),
            "a key that does not exist was taken"
        );
    }
}
