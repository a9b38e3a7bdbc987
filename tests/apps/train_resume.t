#!/bin/bash
# Training that is asked to stop, or killed, goes on from its last checkpoint on
# another number of nodes, to the same bits.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
trap 'rm -rf "$work"' EXIT
train=$PWD/apps/train/train
if [ ! -x "$train" ] || [ ! -d /usr/share/datasets/fashion-mnist ]; then
    echo "1..0 # SKIP apps/train is not built, or there are no images"
    exit 0
fi

# What is trained: 900 steps, the most of them after two checkpoints; fewer where
# they take longer.
epochs=36
! checks_threads || epochs=9
what="--samples 3200 --epochs $epochs --shape 24 --batch 128 --shard 16 --every 20"

# begin WORKERS NAME: in the background; it has saved something when this returns.
begin() {
    # shellcheck disable=SC2086
    "$castell" run --carrier tcp --cores-per-worker=1 --no-master-tasks -n "$1" \
        --dir "$work/runs" "$train" $what --model "$work/model.$2" --checkpoint "$work/$2" \
        --metrics "$work/metrics.$2" >"$work/out" 2>"$work/err" &
    launcher=$!
    until_true test -e "$work/$2/000002/manifest"
}

# resume WORKERS NAME OPTION...
resume() {
    local workers=$1 name=$2
    shift 2
    rm -rf "$work/trace"
    # shellcheck disable=SC2086
    run --carrier tcp --cores-per-worker=1 -n "$workers" --trace="$work/trace" "$train" $what \
        --model "$work/model.$name" --checkpoint "$work/$name" --resume \
        --metrics "$work/metrics.$name" "$@" >"$work/out" 2>"$work/err" || return
    tests/replay/replay "$work/trace" >"$work/replayed" 2>&1 || { cat "$work/replayed" && return 1; }
}

# shellcheck disable=SC2086
"$train" $what --model "$work/model" --metrics "$work/metrics" >"$work/right"
ok "training that is not interrupted" same $? 0
sums() {
    sed -n 's/^train: .*%, //p' "$1"
}

begin 2 asked
kill -USR1 $launcher
wait $launcher
ok "SIGUSR1: the status says that it has not finished" same $? 75
ok "there is no model yet" fails test -e "$work/model.asked"
ok "it goes on in one process" resume 0 asked
ok "from a step" grep -q '^train: goes on from step [1-9]' "$work/out"
ok "to the same loss curve and model" same "$(sums "$work/out")" "$(sums "$work/right")"
ok "and the same file" cmp "$work/model" "$work/model.asked"
ok "each epoch is told once" same \
    "$(grep -o '"epoch":[0-9]*' "$work/metrics.asked" | cut -d : -f 2 | paste -s -d ' ')" \
    "$(seq -s ' ' $epochs)"

begin 3 killed
# shellcheck disable=SC2046
kill -KILL $launcher $(processes_of_runs) 2>/dev/null
wait $launcher 2>/dev/null
ok "SIGKILL of all: there is no model" fails test -e "$work/model.killed"
ok "it goes on with two workers" resume 2 killed
ok "from a step" grep -q '^train: goes on from step [1-9]' "$work/out"
ok "to the same bits" same "$(sums "$work/out")" "$(sums "$work/right")"

ok "training by other rules does not go on from it" fails resume 0 killed --lr 0.2
ok "and says why" grep -q 'it is of another program' "$work/err"
ok "nothing there: it begins" resume 0 nowhere
ok "to the same bits" same "$(sums "$work/out")" "$(sums "$work/right")"
ok "a directory is needed" says "needs --checkpoint" "$train" --resume
tap_done
