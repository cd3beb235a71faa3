# shellcheck shell=bash disable=SC2034,SC2154
# Trellis, this repository. OK means committed and synced to the disk (LMDB, one fdatasync a batch). Its disk
# figure contains the file `ballast`: 32 MiB of room held ready, so that removals work when the disk is full.
variable=TRELLIS
default=trellis
origin="this repository; \`cargo build --release\` leaves it in target/release/trellis"

configure() {
  cat >"$directory/relay.toml" <<CONFIG
[data]
path = "$data"

[network]
port = $port
# An idle connection must outlive the phase that counts its memory.
idle_timeout = "10m"
ping_interval = "5m"

[limitation]
max_subscriptions = 20000

# One core is what it gets.
[thread]
http = 1
CONFIG
}

launch() {
  RUST_LOG=warn exec "$binary" serve -c "$directory/relay.toml"
}
