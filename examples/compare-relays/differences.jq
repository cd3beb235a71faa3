# What keeps lines of results from standing in one table: settings, or versions of one relay, that are not the same in
# all. One line, empty where there is nothing. Values stand in the order in which they came.

def different: reduce .[] as $value ([]; if any(.[]; . == $value) then . else . + [$value] end);

def told: if . == null or . == "" then "unknown" else tostring end;

. as $lines
| ([$lines[].settings // {} | keys[]] | unique) as $settings
| [($settings[] | . as $key | {title: $key, values: [$lines[].settings[$key]] | different}),
   ([$lines[].relay] | unique[] | . as $relay
     | {title: "version of \($relay)", values: [$lines[] | select(.relay == $relay) | .version] | different})]
| map(select(.values | length > 1) | "\(.title) (\(.values | map(told) | join(" and ")))")
| join(", ")
