#!/bin/bash
# What castell report and castell explain make of real runs: each format is what
# it has to be, and all tell the same.
set -u
srcdir=$(readlink -f "${srcdir:-.}")
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
trap 'rm -rf "$work"' EXIT
tests=$srcdir/tests/report

# run_story DIR: a run with something of everything.
run_story() {
    CASTELL_CORES=3 CASTELL_TRACE=$1 tests/report/story 2>/dev/null
}

# run_nodes DIR: one on three nodes.
run_nodes() {
    run -n 2 --carrier=tcp --cores-per-worker=1 --master-cores=1 --trace="$1" \
        apps/sparselu/sparselu --blocks 12 --block 16 >/dev/null
}

check_formats() {
    local dir=$1 tasks=$2 format
    for format in json csv chrome paraver dot html; do
        ok "$format is written" "$castell" report --format=$format "$dir"
    done
    [ "$tasks" = 0 ] || ok "they tell the same" python3 "$tests/check_tables.py" "$dir" "$tasks"
    ok "the Chrome trace is one" python3 "$tests/check_chrome.py" "$dir/trace.json"
    ok "the Paraver trace is one" python3 "$tests/check_paraver.py" "$dir/trace"
    if have dot; then
        ok "Graphviz draws the graph" dot -Tsvg "$dir/graph.dot" -o "$dir/graph.svg"
    else
        skip "Graphviz draws the graph" "dot is not installed"
    fi
    ok "nothing is left of writing" same "$(find "$dir" -name '*.part')" ""
}

test_story() {
    run_story "$work/story" >"$work/said"
    ok "a run with everything" grep -q 'tasks, sum' "$work/said"
    ok "did what it had to" tests/replay/replay "$work/story"
    check_formats "$work/story" 0
    ok "explain a kind" says "Bodies of fill ran" "$castell" explain "$work/story" fill
    ok "marks are told" grep -q 'it begins' "$work/story/report.html"
    ok "a text cannot end the page's script" same \
        "$(grep -c '</script>' "$work/story/report.html")" 4
    ok "explain why it failed" says "It failed: its body returned 3" \
        "$castell" explain "$work/story" "$(failed_task)"
}

# The one task that failed for good.
failed_task() {
    python3 -c '
import json, sys
print([t["task"] for t in json.load(open(sys.argv[1]))["tasks"] if t["failed"]][0])
' "$work/story/history.json"
}

test_nodes() {
    local tasks
    run_nodes "$work/nodes"
    ok "a run on three nodes did what it had to" tests/replay/replay "$work/nodes"
    tasks=$("$castell" report --format=json -o - "$work/nodes" |
        python3 -c 'import json, sys; print(len(json.load(sys.stdin)["tasks"]))')
    ok "it had tasks" [ "$tasks" -gt 50 ]
    check_formats "$work/nodes" "$tasks"
    ok "there were transfers" grep -q '^[0-9]*,0,[12],' "$work/nodes/transfers.csv"
    ok "a task is explained" says "The master sent it to node" "$castell" explain \
        "$work/nodes" "$(sed -n '60s/,.*//p' "$work/nodes/tasks.csv")"
}

test_errors() {
    mkdir "$work/empty"
    ok "no traces" says "has no traces" "$castell" report "$work/empty"
    ok "and the status says so" gives 1 "$castell" report "$work/empty"
    ok "no directory" says "cannot read the directory" "$castell" report "$work/none"
    ok "no such format" says 'there is no format "pdf"' "$castell" report --format=pdf "$work/story"
    ok "no such task" says 'no task and no kind of task "nothing"' \
        "$castell" explain "$work/story" nothing
    ok "which directory" gives 2 "$castell" report
    ok "which task" gives 2 "$castell" explain "$work/story"
    ok "several files are no stream" says "has several files" \
        "$castell" report --format=csv -o - "$work/story"
    ok "a place that cannot be written" says "cannot write /proc/none" \
        "$castell" report -o /proc/none "$work/story"
    cp "$work"/nodes/events-* "$work/story/"
    ok "of two runs the latest" says "files of other runs are left out" \
        "$castell" report --format=json -o - "$work/story"
    head -c 3000 "$(find "$work/nodes" -name 'events-*' | head -1)" >"$work/empty/events-x-1.bin"
    ok "a trace cut short is told as far as it goes" "$castell" report "$work/empty"
}

test_story
test_nodes
test_errors
tap_done
