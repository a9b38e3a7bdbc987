#!/bin/bash
# Runs that grow: a program, `castell run` and a SLURM whose nodes are processes
# here. What waits brings nodes, what is idle is given back, nothing is lost, and
# no job stays behind, however the run ends.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
local=$(readlink -f "$srcdir/tests/grow/local")
burst=$PWD/tests/grow/burst
trap 'stop_all; rm -rf "$work" 2>/dev/null || { sleep 1; rm -rf "$work"; }' EXIT
mkdir "$work/bin"
for name in sbatch squeue scancel; do
    ln -s "$local" "$work/bin/$name"
done
export LOCAL_SLURM=$work/slurm PATH=$work/bin:$PATH

stop_all() {
    local pid
    for pid in $(processes_of_runs); do
        kill -KILL "$pid" 2>/dev/null
    done
}

# fresh [DELAY]: a SLURM without jobs.
fresh() {
    rm -rf "$LOCAL_SLURM"
    mkdir "$LOCAL_SLURM" "$LOCAL_SLURM/jobs" "$LOCAL_SLURM/pids"
    echo "${1:-0}" >"$LOCAL_SLURM/delay"
    : >"$LOCAL_SLURM/calls"
}

# grow OPTION...: a run that grows; what it says is in $work/said.
grow() {
    local status=0
    run -n 0 --master-cores 2 --cores-per-worker 2 "$@" >"$work/said" 2>&1 || status=$?
    cat "$work/said"
    return "$status"
}

no_job() {
    ! grep -lsE '\|(PENDING|RUNNING)\|' "$LOCAL_SLURM"/jobs/*
}

# told TEXT: has the last run said that?
told() {
    grep -qF -- "$1" "$work/said" || { cat "$work/said" && false; }
}

asked() {
    same "$(grep -c '^sbatch' "$LOCAL_SLURM/calls")" "$1"
}

# ---- Work waits
fresh
ok "a burst of work brings nodes" grow --max-nodes 4 "$burst" 1 1000 50 1500
ok "... all its tasks are done, once" told "1000 of 1000 right"
ok "... the run says what it asks for, and why" told "asks SLURM for"
ok "... and who comes" told "has come"
ok "... and leaves when there is nothing to do" told "leaves: it is idle"
ok "... with the limits that were given" \
    test "$(find "$LOCAL_SLURM/jobs" -type f -name '1*' | wc -l)" -le 3
ok "no job is left" until_true no_job

fresh
ok "work that is soon done brings none" grow --max-nodes 4 "$burst" 1 100 5 0
ok "... nothing is asked for" asked 0

fresh
ok "no more is asked for than the node-hours pay" \
    grow --max-nodes 4 --max-node-hours 0.001 "$burst" 1 400 50 0
ok "... nothing is asked for" asked 0

# ---- Classes
fresh
ok "tasks that only a class can run wait for a node of it" \
    grow --max-nodes 3 --elastic "big: --constraint=big; max 1" "$burst" 1 20 20 0 big
ok "... and run there" told "20 of 20 right"
ok "... it is asked for with its options" grep -q -- "--constraint=big" "$LOCAL_SLURM/calls"
ok "no job is left" until_true no_job

fresh
ok "where a node has not what was promised they fail" \
    gives 1 grow --max-nodes 3 --elastic "big: --partition=x; max 1" --elastic "b: -C 'big|huge'; max 1" \
    "$burst" 1 5 20 0 big
ok "... with a sentence" told "no node that is left has what it needs"
ok "no job is left" until_true no_job

fresh
echo "sbatch: error: Invalid feature specification" >"$LOCAL_SLURM/refuse"
ok "where SLURM refuses they fail" \
    gives 1 grow --max-nodes 3 --elastic "big: --constraint=big" "$burst" 1 5 20 0 big
ok "... and the run says what SLURM said" told "class big: Invalid feature"
fresh
echo "sbatch: error: Invalid feature specification" >"$LOCAL_SLURM/refuse"
ok "the others run without" grow --min-nodes 2 --max-nodes 3 "$burst" 1 20 20 500
ok "... all of them" told "20 of 20 right"
ok "... and it says why" told "SLURM refuses a node"

# ---- The end
fresh 60
ok "a run that ends takes back what it has asked for" \
    grow --min-nodes 2 --max-nodes 3 "$burst" 1 10 20 1000
ok "... which it had, for so many are always wanted" asked 1
ok "no job is left" until_true no_job

fresh
run -n 0 --min-nodes 2 --max-nodes 3 "$burst" 1 10000 50 0 >"$work/said" 2>&1 &
launcher=$!
ok "a run grows" until_true grep -q "has come" "$work/said"
master=$(cut -d ' ' -f 2 "$work"/runs/*/process.0)
kill -KILL "$master"
wait "$launcher"
ok "when its master is killed no job is left" until_true no_job

fresh
run -n 0 --min-nodes 2 --max-nodes 2 "$burst" 1 200 50 0 >"$work/said" 2>&1 &
launcher=$!
ok "a node comes" until_true grep -q "has come" "$work/said"
job=$(basename "$LOCAL_SLURM"/pids/*)
PATH=$work/bin:$PATH scancel "$job"
wait "$launcher"
ok "its job is cancelled by somebody: the run goes on" told "200 of 200 right"
ok "... it leaves in good order" told "leaves: its job is about to end"
ok "... so nothing is computed again" fails grep -q "were lost" "$work/said"
ok "no job is left" until_true no_job

fresh
echo "outer|RUNNING|0:05|node1|None" >"$LOCAL_SLURM/jobs/7"
ok "a run whose own job is about to end ends before" \
    gives 1 grow --max-nodes 2 env SLURM_JOB_ID=7 "$burst" 1 2000 50 0
ok "... it says so early" told "the time limit of the run's job is in"
ok "... and in the end what was left" \
    grep -q "the time limit of the run's job is near; [1-9][0-9]* tasks were left" "$work/said"
ok "... asks for no nodes that would be of no use" asked 0
rm "$LOCAL_SLURM/jobs/7"
ok "no job is left" until_true no_job

# ---- What is seen of it
# report EXPRESSION: of h, the history that the report writes; r: its requests.
report() {
    "$castell" report --format=json -o - "$work/trace" | python3 -c '
import json, sys
h = json.load(sys.stdin)
r = h["requests"]
print(r, h["notices"])
sys.exit(not eval(sys.argv[1]))' "$1"
}

fresh 1
mkdir "$work/trace"
ok "a run that grows writes what it does" \
    grow --trace="$work/trace" --min-nodes 2 --max-nodes 3 "$burst" 1 200 50 1000
ok "each job that SLURM has had is a request in the trace" \
    report "len(r) == $(find "$LOCAL_SLURM/jobs" -type f -name '1*' | wc -l) > 0"
ok "... each node that joined has come by one" \
    report 'sorted(x["node"] for x in r if x["came_ns"]) == sorted(n["node"] for n in h["nodes"] if n["joined_ns"]) != []'
ok "... it waited, started, came, in that order" report \
    'all(x["asked_ns"] < x["started_ns"] <= x["came_ns"] and x["came_ns"] - x["asked_ns"] > 5e8 for x in r if x["came_ns"])'
ok "... with SLURM's reason, and the policy's" report \
    'all(n["text"] for x in r for n in x["notices"] if n["what"] in ("asked", "waits", "leaves"))'
ok "... what the user read is in it" \
    report "sum(n['text'].startswith('asks SLURM') for n in h['notices']) == $(grep -c 'asks SLURM' "$work/said")"
ok "... and how many came" \
    report "sum('has come' in n['text'] for n in h['notices']) == $(grep -c 'has come' "$work/said") == sum(x['came_ns'] is not None for x in r)"
ok "the run did what it had to" tests/replay/replay "$work/trace"
ok "a page is made of it" "$castell" report "$work/trace"
ok "... which says how long the run waited for nodes" \
    grep -q 'asked for while it ran: [1-9][0-9]* came' "$work/trace/report.html"
task=$(report '[print("task", t["task"]) for t in h["tasks"] for a in t["attempts"] if a["node"] != 0]' |
    sed -n '/^task /{s///p;q}')
ok "a task that ran there says why its node was there" \
    says "was asked for" "$castell" explain "$work/trace" "$task"
rm -r "$work/trace"

fresh
echo "sbatch: error: Invalid feature specification" >"$LOCAL_SLURM/refuse"
ok "a run that is refused nodes goes on" \
    grow --trace="$work/trace" --min-nodes 2 --max-nodes 3 "$burst" 1 20 20 500
ok "... what SLURM says is in its trace" \
    report '[n["text"] for x in r for n in x["notices"] if n["what"] == "refused"] == ["Invalid feature specification"] * len(r) != []'
ok "... and nobody came" report 'all(x["came_ns"] is None for x in r)'
rm -r "$work/trace"

# ---- By hand
export XDG_RUNTIME_DIR=$work
fresh
run -n 0 --max-nodes 3 "$burst" 1 10 20 4000 >"$work/said" 2>&1 &
launcher=$!
ok "the run is seen" until_true "$castell" ctl burst state
ok "a user wants a node more" "$castell" ctl burst grow 2
ok "... it comes" until_true grep -q "has come" "$work/said"
ok "... more than the run may have is refused" gives 1 "$castell" ctl burst grow 4
wait "$launcher"

# state EXPRESSION: of r, the requests that `castell ctl state` tells.
state() {
    "$castell" ctl burst state | python3 -c '
import json, sys
r = json.load(sys.stdin)["requests"]
print(r)
sys.exit(not eval(sys.argv[1]))' "$1"
}

fresh 60
CASTELL_PROGRESS=1 run -n 0 --min-nodes 3 --max-nodes 3 --elastic "plain: ; max 3" \
    "$burst" 1 400 50 4000 >"$work/said" 2>&1 &
launcher=$!
ok "who looks sees what was asked for" until_true state \
    '[(x["class"], x["state"], x["pending"]) for x in r] == 2 * [("plain", "waits", "Resources")]'
ok "... why, since when, and as which job" \
    state 'all("always wanted" in x["reason"] and x["age_ns"] > 0 and x["job"] for x in r)'
ok "a person sees it too" says "plain            waits" "$castell" top --once burst
ok "... on the line of progress as well" until_true grep -q "1 node, 2 asked for (Resources)" "$work/said"
ok "... where sentences begin a line of their own" grep -q "^.\[Kcastell: \|^castell: asks SLURM" "$work/said"
kill -TERM "$(cut -d ' ' -f 2 "$work"/runs/*/process.0)"
wait "$launcher"
ok "no job is left" until_true no_job

# ---- What makes no sense
ok "a least number alone" says "give --max-nodes" grow --min-nodes 2 "$burst"
ok "least above most" says "is more than" grow --min-nodes 3 --max-nodes 2 "$burst"
ok "most below what there is" says "begins with" run -n 3 --max-nodes 2 "$burst"
ok "a class without a name" says "has no name" grow --max-nodes 2 --elastic "-C big" "$burst"
ok "a class with a wrong most" says "is not" grow --max-nodes 2 --elastic "a: -C b; 4" "$burst"
ok "hours that are none" says "number of hours" grow --max-nodes 2 --max-node-hours x "$burst"
ok "no way to grow" says 'is "larger": it is jobs or expand' grow --max-nodes 2 --grow larger "$burst"
ok "a job to be made larger, and there is none" \
    says "and it is in none" grow --max-nodes 2 --grow expand "$burst"
for name in salloc scontrol srun; do
    ln -s /bin/false "$work/bin/$name"
done
export SLURM_JOB_ID=7
ok "a class by which no job is made larger" says "such a class needs --grow=jobs" \
    grow --max-nodes 2 --elastic "gpu: --gres=gpu:1" --grow expand "$burst"
ok "a way to grow, and no growth" says "give --max-nodes" run -n 0 --grow expand "$burst"
unset SLURM_JOB_ID
PATH=/usr/bin:/bin
have sbatch ||
    ok "no SLURM" says "no sbatch in PATH" run -n 0 --max-nodes 2 "$burst"
tap_done
