# shellcheck shell=bash disable=SC2034,SC2154
# strfry: C++, LMDB. OK means committed and synced to the disk, one commit for all events that wait.
#
# Its build may leave one object (the configuration, which brings templates of the JSON parser with it) without
# optimisation, and the linker then takes those templates for the whole program: ingest costs nearly twice as much. Say
# in your results which build yours is; `readelf --debug-dump=info OBJECT | grep DW_AT_producer` tells.
# Events of the same second come in another order than NIP-01 asks for.
ties=--ties-in-any-order
variable=STRFRY
default=strfry
origin="https://github.com/hoytech/strfry, whose README says how to build it"

configure() {
  cat >"$directory/strfry.conf" <<CONFIG
db = "$data/"
relay {
    bind = "127.0.0.1"
    port = $port
    # Leave the limit of open files as it is here.
    nofiles = 0
    # Gift wraps are read without authentication, so that every relay sends the same events.
    auth { enabled = false }
    maxSubsPerConnection = 20000
    maxFilterLimit = 5000
    maxWebsocketPayloadSize = 1048576
    # The generator takes no compressed frames; the window alone would take 80 KiB of every connection.
    compression {
        enabled = false
        slidingWindow = false
    }
    logging { invalidEvents = false }
    # One core is what it gets.
    numThreads {
        ingester = 1
        reqWorker = 1
        reqMonitor = 1
        negentropy = 1
    }
}
events {
    maxEventSize = 524288
    maxNumTags = 5000
    maxTagValSize = 65536
    # The corpus has the age it has.
    rejectEventsOlderThanSeconds = 2000000000
}
CONFIG
}

launch() {
  # By default every stored event is a line of its log.
  exec "$binary" --config="$directory/strfry.conf" --verbosity=WARNING relay
}
