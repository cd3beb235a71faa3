#!/bin/sh
# Runs the relay as process 1, so that signals reach it, with the configuration that CONFIG names. Arguments, where there
# are any, are those of another command: `docker run IMAGE export -c config/quickstart.toml`.
set -eu

if [ "$#" -gt 0 ]; then
  exec trellis "$@"
fi
exec trellis relay -c "${CONFIG:-/app/config/trellis.toml}" --watch
