# shellcheck shell=bash disable=SC2034,SC2154
# rnostr: Rust, LMDB. Commits are synced to the disk, but OK is sent before the commit: a crash can lose events that the
# publisher holds for stored. Its figures of ingest and of publishing one by one are to be read with that in mind.
# Events of the same second come in another order than NIP-01 asks for.
ties=--ties-in-any-order
variable=RNOSTR
default=rnostr
origin="https://crates.io/crates/rnostr"

configure() {
  cat >"$directory/relay.toml" <<CONFIG
[information]
name = "rnostr"

[data]
path = "$data"

[network]
host = "127.0.0.1"
port = $port
heartbeat_interval = "5m"
heartbeat_timeout = "10m"

# One core is what it gets.
[thread]
http = 1
reader = 1

[limitation]
max_subscriptions = 20000
max_filters = 20
max_limit = 5000
# The corpus has the age it has; 0 switches the check off.
max_event_time_older_than_now = 0

[metrics]
enabled = false
[auth]
enabled = false
[rate_limiter]
enabled = false
[count]
enabled = false
[search]
enabled = false
CONFIG
}

launch() {
  RUST_LOG=error exec "$binary" relay -c "$directory/relay.toml"
}
