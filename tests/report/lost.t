#!/bin/bash
# A worker is killed: what the report tells of it is true.
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
    file=$(find "$work/trace" -name "events-*-$(process "$1" || echo none).bin" -size +40k)
    [ -n "$file" ]
}

run -n 2 --carrier=tcp --cores-per-worker=1 --master-cores=1 --trace="$work/trace" \
    apps/sparselu/sparselu --blocks 64 --block 20 >"$work/out" 2>"$work/err" &
ok "a worker writes its trace" until_true has_written 1
kill -KILL "$(process 1)"
wait $!
ok "the run goes on to its end" same $? 0
ok "it lost a node" grep -q 'is lost' "$work/err"
ok "and did what it had to" tests/replay/replay "$work/trace"
ok "the report is made" "$castell" report "$work/trace"
ok "it says that a node was lost" grep -q '1 node was lost' "$work/trace/report.html"
ok "and that its trace has no end" grep -q 'the traces of 1 node are' "$work/trace/report.html"
"$castell" report --format=json -o - "$work/trace" >"$work/json"
ok "as the engine counts" python3 -c '
import json, sys
history = json.load(open(sys.argv[1]))
counters = history["nodes"][0]["counters"]
assert counters["submitted"] == len(history["tasks"]), counters
assert [n["gone_ns"] is None for n in history["nodes"]].count(False) == 1
assert sum(n["whole"] for n in history["nodes"]) == 2
page = open(sys.argv[2]).read()
assert "and %d task" % counters["recomputed"] in page, counters
' "$work/json" "$work/trace/report.html"
tap_done
