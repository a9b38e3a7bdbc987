#!/bin/bash
# A worker is killed, bodies fail: what the report tells of it is true.
set -u
srcdir=$(readlink -f "${srcdir:-.}")
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
trap 'rm -rf "$work"' EXIT

# has_written NUMBER: process NUMBER runs, and has written some of its trace.
has_written() {
    local file
    file=$(find "$work/trace" -name "events-*-$(process "$1" || echo none).bin" -size +40k 2>/dev/null)
    [ -n "$file" ]
}

run -n 2 --carrier=tcp --cores-per-worker=1 --master-cores=1 --trace="$work/trace" \
    tests/report/trouble "$work/stop" >"$work/said" 2>"$work/err" &
ok "a worker writes its trace" until_true has_written 1
kill -KILL "$(process 1)"
ok "it is lost" until_true grep -q 'is lost' "$work/err"
sleep 0.2
touch "$work/stop"
wait $!
ok "the run goes on to its end" same $? 0
ok "and did what it had to" tests/replay/replay "$work/trace"
ok "the report is made" "$castell" report "$work/trace"
ok "it says that a node was lost" grep -q '1 node was lost' "$work/trace/report.html"
ok "and that its trace has no end" grep -q 'the traces of 1 node are' "$work/trace/report.html"
"$castell" report --format=json -o - "$work/trace" >"$work/json"
ok "it counts as the engine does" python3 "$srcdir/tests/report/check_counts.py" \
    "$work/json" "$work/trace/report.html" "$work/said"
sed 's/"recomputed":[1-9][0-9]*/"recomputed":0/' "$work/json" >"$work/wrong"
ok "which is no matter of course" fails python3 "$srcdir/tests/report/check_counts.py" \
    "$work/wrong" "$work/trace/report.html" "$work/said"
tap_done
