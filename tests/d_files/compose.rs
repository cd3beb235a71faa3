//! D5: the two Compose files, and the examples of variables.

use crate::ground::{checked, path, program, read, trellis};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// `docker compose`, as a plugin or by itself.
fn docker_compose() -> Option<Command> {
    let plugin = Command::new("docker").args(["compose", "version"]).output();
    if plugin.is_ok_and(|done| done.status.success()) {
        let mut command = Command::new("docker");
        command.arg("compose");
        return Some(command);
    }
    program("docker-compose").map(Command::new)
}

/// What Compose makes of a file of ours, beside an `.env` of these lines and in no other environment.
fn composed(file: &str, env: &str) -> Option<Value> {
    let mut command = docker_compose()?;
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(path(file), folder.path().join(file)).expect("a copy");
    fs::write(folder.path().join(".env"), env).expect(".env");
    // HOME tells where Docker has its plugins.
    let passed_on = ["PATH", "HOME"].map(|name| (name, std::env::var_os(name).unwrap_or_default()));
    command.env_clear().envs(passed_on);
    command
        .current_dir(&folder)
        .args(["-f", file, "config", "--format", "json"]);
    let done = command.output().expect("docker compose");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{file}: {said}");
    assert!(!said.contains("level=warning"), "{file}: {said}");
    Some(serde_json::from_slice(&done.stdout).expect("JSON"))
}

fn environment(service: &Value) -> BTreeMap<String, String> {
    let variables = service["environment"].as_object().expect("environment");
    let pair = |(name, value): (&String, &Value)| {
        (name.clone(), value.as_str().unwrap_or_default().to_owned())
    };
    variables.iter().map(pair).collect()
}

/// Its ports as `host address:published:target/protocol`.
fn ports(service: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ports = service["ports"].as_array().cloned().unwrap_or_default();
    ports
        .iter()
        .map(|port| {
            let (address, published) = (text(&port["host_ip"]), text(&port["published"]));
            format!(
                "{address}:{published}:{}/{}",
                port["target"],
                text(&port["protocol"])
            )
        })
        .collect()
}

/// The example with its empty values filled in.
fn production() -> String {
    let filled = |line: &str| {
        if line.ends_with('=') {
            format!("{line}0123abcd")
        } else {
            line.to_owned()
        }
    };
    read(".env.prod.example")
        .lines()
        .map(filled)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn d5_a_laptop_gets_a_relay_and_livekit_that_nobody_else_reaches() {
    let Some(stack) = composed("docker-compose.yml", "") else {
        return;
    };
    let (relay, livekit) = (&stack["services"]["relay"], &stack["services"]["livekit"]);
    // Whoever forgets `-f` on an operator's machine starts, and removes, something else.
    let production = composed("docker-compose.prod.yml", &production()).expect("the other file");
    assert_ne!(stack["name"], production["name"]);
    assert_eq!(ports(relay), ["127.0.0.1:8090:8090/tcp"]);
    assert_eq!(
        ports(livekit),
        [
            "127.0.0.1:7880:7880/tcp",
            "127.0.0.1:7881:7881/tcp",
            "127.0.0.1:7882:7882/udp"
        ]
    );
    let explained = checked(environment(relay)).to_string();
    for words in [
        "ws://localhost:8090",
        "extensions.livekit_token.livekit_url",
    ] {
        assert!(explained.contains(words), "{words}: {explained}");
    }
}

#[test]
fn d5_an_operator_gets_a_stack_of_which_little_is_open() {
    let Some(stack) = composed("docker-compose.prod.yml", &production()) else {
        return;
    };
    let services = stack["services"].as_object().expect("services");
    let names: Vec<&String> = services.keys().collect();
    assert_eq!(
        names,
        ["caddy", "edge", "livekit", "postgres", "redis", "relay"]
    );
    let mut open: Vec<String> = services.values().flat_map(ports).collect();
    open.sort();
    let expected = [
        "127.0.0.1:6789:6789/tcp",
        ":3478:3478/udp",
        ":443:443/tcp",
        ":7881:7881/tcp",
        ":7882:7882/udp",
        ":80:80/tcp",
    ];
    assert_eq!(open, expected);
    for (name, service) in services {
        let hardened = service["read_only"] == true && service["cap_drop"][0] == "ALL";
        assert!(
            hardened || name == "postgres",
            "{name} may do more than it has to"
        );
    }
    // The relay and Caddy believe one address each: those that the two have.
    let address = |name: &str| {
        services[name]["networks"]["stack"]["ipv4_address"]
            .as_str()
            .expect("an address")
    };
    let variables = environment(&services["relay"]);
    assert_eq!(
        variables["TRELLIS_NETWORK__TRUSTED_PROXIES"],
        format!("{}/32", address("caddy"))
    );
    assert!(read("deploy/Caddyfile").contains(&format!("allow {}/32", address("edge"))));
    // LiveKit has the relay's key, and its webhooks name it.
    let keys = &environment(&services["livekit"])["LIVEKIT_KEYS"];
    let key = &variables["LIVEKIT_API_KEY"];
    assert_eq!(keys, &format!("{key}: {}", variables["LIVEKIT_API_SECRET"]));
    assert!(read("deploy/livekit.yaml").contains(&format!("api_key: {key}\n")));
    let explained = checked(variables).to_string();
    for words in [
        "wss://relay.example.com",
        "https://sidecar.example.com",
        "media.example.com",
        "postgres",
    ] {
        assert!(explained.contains(words), "{words}: {explained}");
    }
}

#[test]
fn d5_what_a_backup_needs_reaches_the_relay() {
    let env = production()
        + "\nBACKUP_URL=s3://my-backups/relay\nAWS_ACCESS_KEY_ID=an_id\nAWS_SECRET_ACCESS_KEY=a_key\n\
           AWS_REGION=eu\nAWS_ENDPOINT_URL=https://s3.example.com\nGOOGLE_CREDENTIALS_FILE=/etc/google.json\n\
           BACKUP_DIRECTORY=/mnt/other-disk\n";
    let Some(stack) = composed("docker-compose.prod.yml", &env) else {
        return;
    };
    let relay = &stack["services"]["relay"];
    let variables = environment(relay);
    for (name, value) in [
        ("TRELLIS_BACKUP__URL", "s3://my-backups/relay"),
        ("AWS_ACCESS_KEY_ID", "an_id"),
        ("AWS_SECRET_ACCESS_KEY", "a_key"),
        ("AWS_REGION", "eu"),
        ("AWS_ENDPOINT_URL", "https://s3.example.com"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/run/google.json"),
    ] {
        assert_eq!(
            variables.get(name).map(String::as_str),
            Some(value),
            "{name}"
        );
    }
    let mounts = relay["volumes"].as_array().expect("volumes");
    for (source, target) in [
        ("/etc/google.json", "/run/google.json"),
        ("/mnt/other-disk", "/backup"),
    ] {
        let is_there = |mount: &Value| mount["source"] == source && mount["target"] == target;
        assert!(mounts.iter().any(is_there), "{target}: {mounts:?}");
    }
    // Each is offered to whoever fills in the example.
    let example = read(".env.prod.example");
    for line in env.lines().filter_map(|line| line.split_once('=')) {
        assert!(example.contains(&format!("{}=", line.0)), "{}", line.0);
    }
}

#[test]
fn d5_git_takes_no_file_of_secrets() {
    let ignored = read(".gitignore");
    for name in [".env", "/google.json", "/service.yaml"] {
        assert!(ignored.lines().any(|line| line == name), "{name}");
    }
}

#[test]
fn d5_a_stack_does_not_start_with_what_nobody_has_filled_in() {
    let Some(mut command) = docker_compose() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(
        path("docker-compose.prod.yml"),
        folder.path().join("docker-compose.prod.yml"),
    )
    .expect("a copy");
    fs::write(folder.path().join(".env"), read(".env.prod.example")).expect(".env");
    command.current_dir(&folder);
    for line in read(".env.prod.example").lines() {
        if let Some((name, _)) = line.split_once('=') {
            command.env_remove(name);
        }
    }
    let done = command
        .args(["-f", "docker-compose.prod.yml", "config", "--quiet"])
        .output()
        .expect("docker compose");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success());
    assert!(said.contains("openssl rand -hex 32"), "{said}");
}

/// Of each name in the example the value, whether or not it is commented out.
fn example() -> BTreeMap<String, String> {
    let is_name = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let pair = |line: &str| {
        let (name, value) = line.strip_prefix('#').unwrap_or(line).split_once('=')?;
        is_name(name).then(|| (name.to_owned(), value.to_owned()))
    };
    read(".env.example").lines().filter_map(pair).collect()
}

#[test]
fn d5_the_relay_reads_each_variable_of_the_example() {
    let variables = example();
    assert!(variables.len() > 30, "{variables:?}");
    checked(variables.clone());
    // One that is not read would change nothing where it is wrong.
    let sources = [
        read("relay/src/config/environment.rs"),
        read("extensions/livekit-token/src/config/environment.rs"),
        read("docker-entrypoint.sh"),
        read("relay/src/backup/target/client.rs"),
    ];
    for name in variables
        .keys()
        .filter(|name| !name.starts_with("TRELLIS_"))
    {
        let is_read = sources.iter().any(|source| source.contains(name.as_str()));
        assert!(is_read, "nothing reads {name}");
    }
    for name in variables.keys().filter(|name| name.starts_with("TRELLIS_")) {
        let wrong = BTreeMap::from([(format!("{name}X"), "1".to_owned())]);
        let mut check = trellis(&wrong);
        check
            .args(["config", "check", "-c"])
            .arg(path("config/quickstart.toml"));
        let done = check.output().expect("trellis");
        assert_eq!(done.status.code(), Some(2), "{name}X is not refused");
    }
}
