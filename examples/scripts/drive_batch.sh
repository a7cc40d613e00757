#!/usr/bin/env bash
# Downloads every source of a list and says what came of each: `ok PATH` or `bad CODE SOURCE`, then a sum.
# Knows nothing but exit codes and the events of --json. Needs jq.
set -u

list=$1 dir=$2
events=$(mktemp)
trap 'rm -f "$events"' EXIT

"${RTORRENT_CLI:-rtorrent-cli}" get --quiet --json --input-file "$list" --dir "$dir" > "$events" 2> /dev/null
code=$?

jq -r '
  if .event == "complete" then "ok \(.path)"
  elif .event == "error" then "bad \(.code) \(.source)"
  else empty end' "$events"
jq -r --arg code "$code" 'select(.event == "summary") | "total \(.complete) of \(.items), exit \($code)"' "$events"
exit "$code"
