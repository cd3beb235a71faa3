# shellcheck shell=bash disable=SC2034,SC2154
# chorus: Rust, events in a file of their own and LMDB for the indexes. Nothing is synced to the disk when OK is sent:
# LMDB runs with NOSYNC, so a crash of the machine can lose events and, as LMDB says of that mode, harm the indexes.
# Events of the same second come in another order than NIP-01 asks for.
ties=--ties-in-any-order
variable=CHORUS
default=chorus
origin="https://github.com/mikedilger/chorus, whose README says how to build it"
# Each connection gets all new events through a queue of 512, wanted or not, and is closed when that runs over. A
# publisher with much to send falls behind with that queue, so only few of its events may be under way.
window=8

configure() {
  cat >"$directory/relay.toml" <<CONFIG
data_directory = "$data"
ip_address = "127.0.0.1"
port = $port
hostname = "127.0.0.1"
use_tls = false
chorus_is_behind_a_proxy = false
name = "chorus"

# Anybody may publish and read, as with the others.
open_relay = true
allow_scraping = true
verify_events = true

# No limit on how much or how often; an idle connection must outlive the phase that counts its memory.
enable_ip_blocking = false
max_connections_per_ip = 100000
max_subscriptions = 20000
throttling_bytes_per_second = 1000000000000
throttling_burst = 1000000000000
timeout_seconds = 3600

server_log_level = "Error"
library_log_level = "Error"
client_log_level = "Error"
CONFIG
}

launch() {
  exec "$binary" "$directory/relay.toml"
}
