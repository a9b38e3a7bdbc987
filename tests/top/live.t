#!/bin/bash
# `castell top` and `castell ctl`: what they tell of a run is the truth, nobody
# else may look, and nobody can harm it.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
slow=$PWD/tests/top/slow
garbage=$srcdir/tests/top/garbage.py
# Sockets have short names.
XDG_RUNTIME_DIR=$(mktemp -d /tmp/castell-top.XXXXXX) || exit 99
export XDG_RUNTIME_DIR
pid=
trap 'kill -9 $pid 2>/dev/null; rm -rf "$work" "$XDG_RUNTIME_DIR"' EXIT

# start COUNT [COMMAND...]: a program with 3 * COUNT tasks, by that command.
start() {
    local count=$1
    shift
    rm -f "$work/go" "$work/end" "$work/submitted"
    "$@" "$slow" "$work" "$count" >"$work/out" 2>"$work/err" &
    pid=$!
    until_true test -e "$work/submitted"
}

# finish NAME: let it go on; the check passes when it ends well.
finish() {
    local status=0
    touch "$work/go" "$work/end"
    wait "$pid" || status=$?
    pid=
    ok "$1" same "$status" 0
}

ctl() {
    timeout 30 "$castell" ctl "$@"
}

top() {
    timeout 60 "$castell" top "$@"
}

# state EXPRESSION: of `s`, the state, and k["KIND"].
state() {
    ctl slow state | python3 -c '
import json, sys
try:
    s = json.load(sys.stdin)
except ValueError:
    sys.exit("no state")
t = s["tasks"]
k = {x["name"]: x for x in s["kinds"]}
n = s["nodes"]
for x in [t] + s["kinds"]:
    assert x["submitted"] == sum(x[y] for y in ("waiting", "running", "done", "failed", "cancelled")), x
print(s)
sys.exit(not eval(sys.argv[1]))' "$1"
}

socket() {
    ls "$XDG_RUNTIME_DIR"/castell/slow.*
}

test_truth() {
    CASTELL_CORES=2 start 10 env
    ok "it is listed" says "slow.$pid" top --list
    ok "two bodies run" until_true state 't["running"] == 2 and n[0]["busy"] == 2'
    ok "all tasks are counted" state 't["submitted"] == 30 and t["done"] == 0'
    ok "of each kind" state '[k[x]["waiting"] for x in ("hold", "then", "spare")] == [8, 10, 10]'
    ok "those that wait for a core are ready" state 't["ready"] == 8 and n[0]["queued"] == 8'
    ok "the node is this one" state 'n[0]["cores"] == 2 and n[0]["memory_used"] > 100000'
    ok "it is a run on one node" state 'len(n) == 1 and n[0]["state"] == "there"'
    ok "a person sees the same" says "0/30 tasks, 2 running, 0/s" top --once slow
    ok "kinds too" says "hold                                   8        2         0" top --once slow
    ok "found by its number" says "process $pid" top --once "$pid"
    ok "found by both" says "process $pid" top --once "slow.$pid"
    ok "a group is cancelled" ctl slow cancel-group spare
    ok "no other one is" says 'no task has been in a group "other"' ctl slow cancel-group other
    touch "$work/go"
    ok "all else is done" until_true state 't["done"] == 20 and k["spare"]["cancelled"] == 10'
    ok "bodies were timed" state 'k["hold"]["mean_ns"] > 2000000 and k["then"]["mean_ns"] < k["hold"]["mean_ns"]'
    ok "a person sees the same" says "30/30 tasks, 10 cancelled, 0 running" top --once slow
    finish "it ends well"
    ok "its result is right" grep -qx "10 are right" "$work/out"
    ok "it is gone" gives 1 ctl slow state
    ok "and so is its socket" same "$(ls -A "$XDG_RUNTIME_DIR/castell")" ""
}

test_end() {
    local watcher status=0
    CASTELL_CORES=2 start 3 env
    top --interval 0.05 slow >"$work/pictures" 2>"$work/said" &
    watcher=$!
    until_true grep -q "2 running" "$work/pictures"
    finish "a run ends that is looked at"
    wait "$watcher" || status=$?
    ok "who looks is told" same "$status" 0
    ok "in a sentence" grep -qx "castell: the run slow.[0-9]* has ended" "$work/said"
    ok "without any colours in a file" fails grep -q $'\033' "$work/pictures"
}

test_wrong() {
    start 3 env
    ok "no such run" says 'no run "fast" of yours goes on here; there is ' top --once fast
    ok "and that fails" gives 1 ctl fast state
    ok "no such order" says 'there is no order "stat"' ctl slow stat
    ok "no order" gives 2 ctl slow
    ok "no group named" gives 2 ctl slow cancel-group
    ok "too many words" gives 2 top slow fast
    ok "no such interval" says "is no number of seconds" top --interval=soon
    finish "it goes on"
    ok "no run at all" says "castell: no run" top slow
    ok "one that must not be seen has no socket" says "castell: no run" hidden
    ok "CASTELL_WATCH makes sense" says 'CASTELL_WATCH is "2": give 0 or 1' \
        env CASTELL_WATCH=2 "$slow" "$work" 1
}

hidden() {
    CASTELL_WATCH=0 start 1 env
    top --once slow
    touch "$work/go" "$work/end"
    wait "$pid"
}

test_two() {
    local first=
    CASTELL_CORES=1 start 2 env
    first=$pid
    CASTELL_CORES=1 start 2 env
    ok "of two, one must be named" says "which run? There are slow." top --once slow
    ok "by its number" says "process $first" top --once "$first"
    kill -9 "$first"
    wait "$first" 2>/dev/null
    ok "one that was killed is forgotten" says "slow, process $pid" top --once slow
    finish "the other goes on"
    ok "no socket is left" same "$(ls -A "$XDG_RUNTIME_DIR/castell")" ""
}

# with COUNT COMMAND...: so many at once, all of which succeed.
with() {
    local count=$1 i pids=()
    shift
    for ((i = 0; i < count; i++)); do
        "$@" >"$work/with.$i" &
        pids+=($!)
    done
    for i in "${pids[@]}"; do
        wait "$i" || return 1
    done
}

open_files() {
    find "/proc/$pid/fd" -type l | wc -l
}

# has_open COUNT: just so many files are open in the run.
has_open() {
    [ "$(open_files)" = "$1" ]
}

test_harm() {
    local files
    CASTELL_CORES=2 start 20 env
    files=$(open_files)
    ok "40 who look at once all see it" with 40 ctl slow state
    ok "each of them the whole" same "$(cat "$work"/with.* | grep -c '"name":"hold","submitted":20')" 40
    ok "nonsense is refused" python3 "$garbage" "$(socket)" wrong
    ok "garbage does no harm" python3 "$garbage" "$(socket)" random 1
    ok "nor who does not listen" python3 "$garbage" "$(socket)" deaf
    ok "who says nothing is hung up on" python3 "$garbage" "$(socket)" silent
    ok "no file stays open" until_true has_open "$files"
    ok "it still answers" state 't["submitted"] == 60'
    test_strangers
    finish "and ends well"
}

test_strangers() {
    if [ "$(id -u)" != 0 ] || ! have setpriv; then
        skip "another user is refused" "only root can be another user"
        return
    fi
    ok "the directory is closed" same "$(stat -c %a "$XDG_RUNTIME_DIR/castell")" 700
    ok "another user does not see it" fails setpriv --reuid=65534 --regid=65534 --clear-groups \
        timeout 10 python3 "$garbage" "$(socket)" wrong
    # Even if the doors were open:
    chmod 755 "$XDG_RUNTIME_DIR" "$XDG_RUNTIME_DIR/castell"
    chmod 777 "$(socket)"
    cp "$garbage" "$XDG_RUNTIME_DIR/garbage.py"
    ok "nor is answered" setpriv --reuid=65534 --regid=65534 --clear-groups \
        timeout 10 python3 "$XDG_RUNTIME_DIR/garbage.py" "$(socket)" stranger
    ok "and open doors are not trusted" says "castell: no run" top --once slow
    chmod 700 "$XDG_RUNTIME_DIR" "$XDG_RUNTIME_DIR/castell"
}

# worker NUMBER: the pid of that worker.
worker() {
    local one
    for one in $(processes_of_runs); do
        ! grep -qzx "CASTELL_ROLE=worker" "/proc/$one/environ" ||
            [ "$(readlink -f "/proc/$one/exe")" != "$(readlink -f "$slow")" ] || echo "$one"
    done | sed -n "$1p"
}

test_nodes() {
    local victim
    start 12 "$castell" run --dir "$work/runs" -n 2 --cores-per-worker 1 --master-cores 2
    ok "three nodes run bodies" until_true state '[x["running"] for x in n] == [2, 1, 1]'
    ok "they are all that run" state 't["running"] == 4 and k["hold"]["running"] == 4'
    ok "of all tasks" state 't["submitted"] == 36 and t["done"] == 0 and t["waiting"] == 32'
    ok "each has its cores" state '[(x["node"], x["cores"], x["busy"]) for x in n] == [(0, 2, 2), (1, 1, 1), (2, 1, 1)]'
    ok "those that wait are on nodes, or nowhere yet" \
        state '0 < sum(x["queued"] for x in n) <= 32 and k["hold"]["waiting"] == 8'
    ok "the nodes have told now" until_true state 'max(x["heard_ns"] for x in n) < 10**9'
    victim=$(worker 2)
    kill -STOP "$victim"
    ok "a node that hangs is silent" state 'sorted(x["state"] for x in n) == ["silent", "there", "there"]'
    ok "and a person sees that" says " silent" top --once slow
    kill -CONT "$victim"
    ok "until it goes on" until_true state '{x["state"] for x in n} == {"there"}'
    kill -9 "$victim"
    ok "one that is killed is lost" until_true state 'sorted(x["state"] for x in n) == ["lost", "there", "there"]'
    ok "others run what it had" until_true state 't["running"] == 3 and t["submitted"] == 36'
    touch "$work/go"
    ok "in the end all are done" until_true state 't["done"] == 36'
    ok "of each kind" state '{x["done"] for x in s["kinds"]} == {12} and t["waiting"] + t["running"] == 0'
    ok "data have moved" state 'sum(x["came_bytes"] for x in n) > 0 and sum(x["went"] for x in n) > 0'
    ok "each node has done some" state 'sum(x["done"] for x in n) >= 36 and min(x["done"] for x in n if x["state"] == "there") > 0'
    finish "the run ends well"
    ok "and is right" grep -qx "12 are right" "$work/out"
    ok "no socket is left of it" same "$(ls -A "$XDG_RUNTIME_DIR/castell")" ""
}

# A node is told to leave while it has tasks, and what only it has.
test_drain() {
    start 12 "$castell" run --dir "$work/runs" -n 2 --cores-per-worker 1 --master-cores 1
    ok "three nodes run bodies" until_true state '[x["running"] for x in n] == [1, 1, 1]'
    ok "main's node stays" says "node 0 runs main()" ctl slow drain 0
    ok "a node is drained that is there" says 'no worker of the run is called "9"' ctl slow drain 9
    ok "several of one name must be told apart" says "2 workers of the run are on" ctl slow drain "$(hostname)"
    ok "... also in short" says 'no worker of the run is called "9"' "$castell" drain 9 slow
    ok "... and which one is said" says "which node" "$castell" drain
    ok "a node drains" timeout 30 "$castell" drain 2 slow
    ok "it says so" until_true state 'n[2]["state"] == "drains" and n[2]["queued"] == 0 and n[2]["running"] == 1'
    ok "others have its tasks" state 't["submitted"] == 36 and t["running"] == 3 and n[0]["queued"] + n[1]["queued"] > 20'
    touch "$work/go"
    ok "then it leaves" until_true state 'n[2]["state"] == "left" and n[2]["done"] == 1'
    ok "all is done" until_true state 't["done"] == 36'
    ok "nothing twice" state 't["recomputed"] == 0 and sum(x["done"] for x in n) == 36'
    ok "not all can leave" ctl slow drain 1
    ok "that is, workers can" until_true state 'n[1]["state"] == "left"'
    finish "the run ends well"
    ok "and is right" grep -qx "12 are right" "$work/out"
    ok "and nobody was lost" fails grep -q "lost" "$work/err"
    start 2 "$castell" run --dir "$work/runs" -n 1 --cores-per-worker 1 --no-master-tasks
    ok "the last one that runs tasks stays" says "node 1 is the last one that runs tasks" ctl slow drain 1
    finish "which ends well"
    start 1 env
    ok "a run on one node has none to drain" says "the run has one node" ctl slow drain 0
    finish "and ends well"
}

test_truth
test_nodes
test_drain
test_end
test_wrong
test_two
test_harm
tap_done
