//! D1 to D10: the files for operators are what the programs that read them take, and say what they should.
//!
//! Docker, Cloud Run and a host to serve are not here; what stands in for them are the programs' own checks: hadolint,
//! `docker compose config`, the schemas of Cloud Build and Knative, `caddy validate`, `nginx -t`, `systemd-analyze`, promtool,
//! LiveKit and shellcheck. `tests/run` brings them; what is missing is named as SKIPPED.

mod calls;
mod cloud;
mod compose;
mod ground;
mod image;
mod migrating;
mod pages;
mod proxies;
mod service;
mod watching;
