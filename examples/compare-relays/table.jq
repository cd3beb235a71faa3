# Results of all rounds to one table: a figure a row, a relay a column, medians over the rounds in which the phase went
# right, "-" where there is none. What went wrong follows below it. A row names the figure, its phase and where it lies in
# what that phase found.

def rows: . as $all | [
  ["ingest: CPU us per event", "ingest", "relay_cpu_us_per_event"],
  ["  over crypto cost", "ingest", "relay_cpu_over_crypto_cost"],
  ["  events per second", "ingest", "events_per_second"],
  ["  refused", "ingest", "refused"],
  ["one by one: OK p50 ms", "ingest", "one_at_a_time", "ok_latency", "p50_ms"],
  ["  p99 ms", "ingest", "one_at_a_time", "ok_latency", "p99_ms"],
  ["disk: bytes per event", "disk", "bytes_per_event"],
  ["query: CPU us per query", "query", "saturated", "relay_cpu_us_per_query"],
  ["  CPU us per event returned", "query", "saturated", "relay_cpu_us_per_event"],
  ["  events returned per query", "query", "saturated", "events_per_query"],
  ["  queries per second", "query", "saturated", "queries_per_second"],
  ["  one at a time: p50 ms", "query", "one_at_a_time", "latency", "p50_ms"],
  ["  p99 ms", "query", "one_at_a_time", "latency", "p99_ms"],
  ["  wrong answers", "query", "wrong_answers"],
  ([$all[].phase | select(startswith("fanout-"))] | unique | sort_by(.[7:] | tonumber)[]
    | [(sub("-"; " ") + ": CPU us per delivery"), ., "together", "relay_cpu_us_per_delivery"],
      ["  single event: CPU us per delivery", ., "one_at_a_time", "relay_cpu_us_per_delivery"],
      ["  to the last subscriber: p50 ms", ., "one_at_a_time", "latency", "p50_ms"]),
  ["narrow: CPU us per event", "narrow", "narrow_subscriptions", "relay_cpu_us_per_event_with_subscriptions"],
  ["  more than without, percent", "narrow", "narrow_subscriptions", "more_percent"],
  ["idle: RSS KiB per connection", "idle", "rss_kib_per_connection"],
  ["  CPU percent", "idle", "idle_cpu_percent"],
  ["  RSS KiB without connections", "idle", "rss_without_connections_kib"]
];

# Counts of what went wrong: shown where their phase failed as well, as they say how far.
def faults: ["ingest refused", "query wrong_answers"];

def median: sort | if length == 0 then null else (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2 end;

def shown:
  if . == null then "-"
  elif fabs >= 100 then round | tostring
  elif fabs >= 10 then . * 10 | round / 10 | tostring
  else . * 100 | round / 100 | tostring end;

def left($width): . + ($width - length) * " ";
def right($width): ($width - length) * " " + .;

. as $all
| ([$all[].relay] | unique) as $relays
| [[""] + $relays]
  + [rows[]
    | .[0] as $title | .[1] as $phase | .[2:] as $path
    | [$relays[] as $relay
        | [$all[]
            | select(.relay == $relay and .phase == $phase)
            | .found
            | select((has("error") | not) or (faults | index([$phase] + $path | join(" "))))
            | getpath($path)
            | numbers]
        | median]
    | select(any(. != null) or any($all[]; .phase == $phase and (.found | has("error"))))
    | [$title] + map(shown)]
| . as $cells
| [range($cells[0] | length) as $column | [$cells[][$column] | length] | max] as $widths
| ($cells[]
    | . as $row
    | [($row[0] | left($widths[0]))] + [range(1; length) as $column | $row[$column] | right($widths[$column])]
    | join("  ")),
  ($all[]
    | select(.found.error)
    | "\(.relay), round \(.round), \(.phase): \(.found.error | rtrimstr("\n"))")
