//! D5: what stands in front of the relay: Caddy, nginx, and the one that shares port 443.

use crate::ground::{free_ports, path, program, read, succeed};
use std::fs;
use std::path::Path;
use std::process::Command;

const NAMES: [&str; 4] = [
    "relay.example.com",
    "sidecar.example.com",
    "livekit.example.com",
    "media.example.com",
];

#[test]
fn d5_caddy_takes_its_file() {
    let file = read("deploy/Caddyfile");
    for words in [
        "tls1.2",
        "Strict-Transport-Security",
        "X-Real-IP {remote_host}",
        "/token /token/*",
        "/health /ready",
        "handle_path /livekit/*",
        "{$RELAY_HOST}",
        "{$SIDECAR_HOST}",
        "{$LIVEKIT_HOST}",
        "{$MEDIA_HOST}",
    ] {
        assert!(file.contains(words), "{words}");
    }
    let Some(caddy) = program("caddy") else {
        return;
    };
    let home = tempfile::tempdir().expect("a folder");
    let mut validate = Command::new(&caddy);
    validate
        .args(["validate", "--adapter", "caddyfile", "--config"])
        .arg(path("deploy/Caddyfile"));
    validate
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path());
    let variables = ["RELAY_HOST", "SIDECAR_HOST", "LIVEKIT_HOST", "MEDIA_HOST"];
    for (variable, name) in variables.iter().zip(NAMES) {
        validate.env(variable, name);
    }
    validate
        .env("TURN_HOST", "turn.example.com")
        .env("ACME_EMAIL", "operator@example.com");
    succeed(&mut validate);
    // As `caddy fmt` writes it.
    succeed(
        Command::new(&caddy)
            .args(["fmt", "--diff"])
            .arg(path("deploy/Caddyfile")),
    );
}

/// Has nginx check a whole configuration in a folder of its own, of which it warns of nothing; nothing listens.
fn nginx_takes(folder: &Path, config: &str) {
    let Some(nginx) = program("nginx") else {
        return;
    };
    let file = folder.join("nginx.conf");
    fs::write(&file, config).expect("the configuration");
    let mut check = Command::new(nginx);
    check.arg("-t").arg("-p").arg(folder).arg("-c").arg(&file);
    // Where it would write before it has read where it should.
    check.arg("-e").arg(folder.join("error.log"));
    let said = succeed(&mut check);
    assert!(!said.contains("[warn]"), "{said}");
}

/// A certificate for these tests, as `certificate.pem` and `key.pem`.
fn certify(folder: &Path) -> bool {
    let Some(openssl) = program("openssl") else {
        return false;
    };
    let mut make = Command::new(openssl);
    make.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=test",
    ]);
    make.arg("-keyout")
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("certificate.pem"));
    succeed(&mut make);
    true
}

#[test]
fn d5_nginx_takes_its_file() {
    let file = read("deploy/nginx/trellis.conf");
    for name in NAMES {
        assert!(file.contains(&format!("server_name {name};")), "{name}");
    }
    let hsts = file.matches("add_header Strict-Transport-Security").count();
    assert_eq!(hsts, NAMES.len(), "each server has a header of its own");
    let protocols = file.matches("    ssl_protocols TLSv1.2 TLSv1.3;").count();
    assert_eq!(protocols, NAMES.len(), "each server has its own");
    for words in [
        "proxy_read_timeout 86400s;",
        "X-Real-IP $remote_addr",
        "Upgrade $http_upgrade",
    ] {
        assert!(file.contains(words), "{words}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    if !certify(folder.path()) {
        return;
    }
    let here = folder.path().display();
    let site = file
        .replace(
            "/etc/letsencrypt/live/relay.example.com/fullchain.pem",
            &format!("{here}/certificate.pem"),
        )
        .replace(
            "/etc/letsencrypt/live/relay.example.com/privkey.pem",
            &format!("{here}/key.pem"),
        );
    // A check opens the ports as well, and 80 and 443 may be taken.
    let mut site = site;
    for (named, port) in ["443 ssl", "80;"].iter().zip(free_ports(2)) {
        for address in ["", "[::]:"] {
            let rest = named.trim_start_matches(|c: char| c.is_ascii_digit());
            site = site.replace(
                &format!("listen {address}{named}"),
                &format!("listen {address}{port}{rest}"),
            );
        }
    }
    fs::write(folder.path().join("site.conf"), site).expect("the file");
    let bodies = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths: String = bodies
        .iter()
        .map(|of| format!("{of}_temp_path {here}/{of};\n"))
        .collect();
    // Distributions name protocols of their own at this level, to which another line there would only add.
    let protocols = "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;";
    let config = format!(
        "pid {here}/pid;\nevents {{}}\nhttp {{\n{protocols}\n{paths}include {here}/site.conf;\n}}\n"
    );
    nginx_takes(folder.path(), &config);
}

#[test]
fn d5_the_edge_shares_port_443_between_caddy_and_turn() {
    let file = read("deploy/nginx/edge.conf");
    // The folder is named after Caddy's only authority.
    let authority = "acme-v02.api.letsencrypt.org";
    assert!(file.contains(&format!("/certificates/{authority}-directory/")));
    assert!(read("deploy/Caddyfile").contains(&format!("acme_ca https://{authority}/directory")));
    assert!(read("deploy/livekit.yaml").contains("tls_port: 5349"));
    assert!(file.contains("livekit:5349"));
    let Ok(module) = std::env::var("TEST_NGINX_STREAM") else {
        eprintln!("SKIPPED: TEST_NGINX_STREAM is not set; tests/run sets it");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().display().to_string();
    let port = free_ports(1)[0];
    let config = file
        .replace("listen 443;", &format!("listen 127.0.0.1:{port};"))
        .replace("/tmp/", &format!("{here}/"));
    nginx_takes(folder.path(), &format!("load_module {module};\n{config}"));
}
