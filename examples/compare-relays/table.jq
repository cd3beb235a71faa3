# Results of all rounds to one table: a figure a row, a relay a column, medians over the rounds, "-" where there is none.
# Errors of a phase follow below it. Rows name the figure, its phase and where it lies in what that phase found.

def rows: [
  ["ingest: CPU us per event", "ingest", ["relay_cpu_us_per_event"]],
  ["  over crypto cost", "ingest", ["relay_cpu_over_crypto_cost"]],
  ["  events per second", "ingest", ["events_per_second"]],
  ["  refused", "ingest", ["refused"]],
  ["one by one: OK p50 ms", "ingest", ["one_at_a_time", "ok_latency", "p50_ms"]],
  ["  p99 ms", "ingest", ["one_at_a_time", "ok_latency", "p99_ms"]],
  ["disk: bytes per event", "disk", ["bytes_per_event"]]
];

def median: sort | if length == 0 then null else (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2 end;

def shown:
  if . == null then "-"
  elif (. | fabs) >= 100 then round | tostring
  elif (. | fabs) >= 10 then . * 10 | round / 10 | tostring
  else . * 100 | round / 100 | tostring end;

def left($width): . + ($width - length) * " ";
def right($width): ($width - length) * " " + .;

. as $all
| [$all[].relay] | unique as $relays
| [rows[] as [$title, $phase, $path]
    | [$relays[] as $relay
        | [$all[] | select(.relay == $relay and .phase == $phase) | .found | getpath($path) | numbers] | median]
    | select(any(. != null))
    | [$title] + map(shown)] as $body
| [[""] + $relays] + $body
| . as $cells
| [range($cells[0] | length) as $column | [$cells[][$column] | length] | max] as $widths
| ($cells[] | . as $row | [($row[0] | left($widths[0]))] + [range(1; length) as $i | $row[$i] | right($widths[$i])] | join("  ")),
  ($all[] | select(.found.error) | "\(.relay), round \(.round), \(.phase): \(.found.error | rtrimstr("\n"))")
