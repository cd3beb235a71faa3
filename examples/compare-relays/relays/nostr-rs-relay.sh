# shellcheck shell=bash disable=SC2034,SC2154
# nostr-rs-relay: Rust, SQLite. WAL with synchronous=NORMAL: OK is sent after the commit, but a commit is synced to the
# disk only with the next checkpoint, so a crash of the machine can lose the last events. A connection may hold at most 32
# subscriptions, and no key changes that. It sends no EOSE where every filter has `limit: 0`, so phases that subscribe so
# wait for it in vain.
# Events of the same second come in another order than NIP-01 asks for.
ties=--ties-in-any-order
variable=NOSTR_RS_RELAY
default=nostr-rs-relay
origin="https://crates.io/crates/nostr-rs-relay; \`cargo install nostr-rs-relay\` builds it and needs protoc"

configure() {
  cat >"$directory/relay.toml" <<CONFIG
[info]
relay_url = "ws://127.0.0.1:$port/"
name = "nostr-rs-relay"

[database]
data_directory = "$data"
# One core is what it gets: more readers would only wait for it.
min_conn = 1
max_conn = 2

[network]
address = "127.0.0.1"
port = $port
ping_interval = 600

[limits]
max_event_bytes = 524288
max_ws_message_bytes = 1048576
max_ws_frame_bytes = 1048576
max_blocking_threads = 4
CONFIG
}

launch() {
  RUST_LOG=error exec "$binary" --config "$directory/relay.toml" --db "$data"
}
