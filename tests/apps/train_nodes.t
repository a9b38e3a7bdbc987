#!/bin/bash
# Training on several nodes gives the bits that it gives on one: with 1, 2, 3 and
# 7 workers, and when one of them is killed in the middle of an epoch.
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

# replays: each task ran once an attempt, when and where it might, by the trace.
replays() {
    tests/replay/replay "$work/trace" >"$work/replayed" 2>&1 || { cat "$work/replayed" && return 1; }
}

# on WORKERS OPTION...: train on so many; leave the checksums in $work/sum.
on() {
    local workers=$1
    shift
    rm -rf "$work/trace"
    run --carrier tcp --cores-per-worker=1 --no-master-tasks -n "$workers" \
        --trace="$work/trace" "$train" "$@" \
        >"$work/out" 2>"$work/err" || { cat "$work/out" "$work/err" && return 1; }
    replays || return 1
    sed -n 's/^train: .*%, //p' "$work/out" >"$work/sum"
    [ -s "$work/sum" ]
}

# everywhere OPTION...: one process, and several workers, give the same.
everywhere() {
    local workers
    ok "one process: $*" "$train" "$@" --model "$work/model" --metrics "$work/metrics"
    sed -n 's/.*"curve":"\(.*\)","model":"\(.*\)"}/loss curve \1, model \2/p' \
        "$work/metrics" >"$work/right"
    for workers in 1 2 3 7; do
        ok "with $workers workers" on $workers "$@" --model "$work/other"
        ok "the loss curve and the model are the same bits" cmp "$work/right" "$work/sum"
        ok "and so is the file" cmp "$work/model" "$work/other"
    done
}

everywhere --samples 700 --epochs 2 --shape 24 --batch 128 --shard 16
everywhere --net cnn --shape 3,4,10 --samples 200 --epochs 1 --batch 64 --shard 8
everywhere --net transformer --shape 16,2,1 --context 16 --samples 200 --epochs 1
ok "files that tasks read: with 2 workers" \
    on 2 --samples 300 --epochs 1 --shape 8 --stream "$work" --model "$work/other"
ok "the same bits as from memory" \
    "$train" --samples 300 --epochs 1 --shape 8 --model "$work/model"
ok "are in the model" cmp "$work/model" "$work/other"
parts="--net cnn --shape 3,4,400 --samples 400 --epochs 1 --batch 200 --shard 100"
# shellcheck disable=SC2086
ok "gradients in two parts: with 2 workers" on 2 $parts --overlap --model "$work/other"
# shellcheck disable=SC2086
ok "and all at once, in one process" "$train" $parts --model "$work/model"
ok "are the same bits" cmp "$work/model" "$work/other"
# large_to_main: versions that were sent to main()'s process, but for pieces of sums.
large_to_main() {
    "$castell" report --format=csv -o "$work/parts." "$work/trace" >/dev/null
    awk -F , 'NR > 1 && $3 == 0 && $4 > 262144' "$work/parts.transfers.csv" | wc -l
}
# shellcheck disable=SC2086
ok "in two parts, of 60 shards" on 2 $parts --samples 6000 --overlap --model "$work/other"
sent=$(large_to_main)
ok "what is between them is not main's: $sent were sent there" test "$sent" -lt 30
ok "nothing is left" until_true nothing_left

# ---- A worker that is killed

# epochs COUNT: so many are in the metrics of the run.
epochs() {
    [ "$(grep -c '"event":"epoch"' "$work/metrics" 2>/dev/null)" -ge "$1" ]
}

long="--samples 3000 --epochs 12 --shape 64 --batch 128 --shard 16"
# shellcheck disable=SC2086
"$train" $long --model "$work/model" >"$work/out" || cat "$work/out"
rm -rf "$work/metrics" "$work/trace"
# shellcheck disable=SC2086
"$castell" run --carrier tcp --cores-per-worker=1 --no-master-tasks -n 3 --dir "$work/runs" \
    --trace="$work/trace" "$train" $long --model "$work/other" --metrics "$work/metrics" \
    >"$work/out" 2>"$work/err" &
launcher=$!
ok "a run of three workers" until_true epochs 1
kill -KILL "$(process 2)"
ok "one is killed when the epochs have not ended" fails epochs 12
wait $launcher
ok "the run ends well" same $? 0 || sed 's/^/# /' "$work/err"
ok "it says who was lost" grep -q 'is lost' "$work/err"
ok "each epoch is told once" same "$(grep -o '"epoch":[0-9]*' "$work/metrics" | cut -d : -f 2 |
    paste -s -d ' ')" "1 2 3 4 5 6 7 8 9 10 11 12"
ok "the model is the same bits" cmp "$work/model" "$work/other"
ok "and its trace tells nothing else" replays
ok "nothing is left of it" until_true nothing_left

# ---- Memory

# Gradients of some 200 steps, 10 MB each, would be 2 GB.
test_memory() {
    local i most=0
    "$castell" run --carrier tcp --cores-per-worker=1 --no-master-tasks -n 2 --dir "$work/runs" \
        "$train" --samples 2000 --epochs 100 --shape 512,512 --batch 128 --shard 32 \
        --model "$work/other" --metrics "$work/metrics" >"$work/out" 2>"$work/err" &
    launcher=$!
    ok "a run of many steps" until_true epochs 12
    for i in 1 2; do
        most=$(awk -v most="$most" '/^VmHWM/ { if ($2 > most) most = $2 } END { print most }' \
            "/proc/$(process $i)/status")
    done
    ok "does not hold what it did long ago: $most KB" test "$most" -lt 1000000 -a "$most" -gt 20000
    kill "$launcher"
    wait $launcher
    ok "nothing is left of it either" until_true nothing_left
}
rm -f "$work/metrics"

# each_has_read: on each of three workers tasks have read samples from the files.
each_has_read() {
    "$castell" report --format=csv -o "$work/streamed." "$work/trace" || return
    awk -F , '$2 == "fetch" && $4 == "done" { count[$6]++ }
        END { print count[1], count[2], count[3]; exit !(count[1] && count[2] && count[3]) }' \
        "$work/streamed.tasks.csv"
}

# The images four times: 188 MB. Three workers of 48 MiB each, 151 MB in all, could
# not keep them. Each process has besides the program itself, its network and what
# the steps under way need.
test_stream() {
    local i peak from=/usr/share/datasets/fashion-mnist
    mkdir "$work/large"
    {
        printf '\0\0\10\3\0\3\251\200\0\0\0\34\0\0\0\34'
        for i in 1 2 3 4; do zcat $from/train-images-idx3-ubyte.gz | tail -c +17; done
    } >"$work/large/train-images-idx3-ubyte"
    {
        printf '\0\0\10\1\0\3\251\200'
        for i in 1 2 3 4; do zcat $from/train-labels-idx1-ubyte.gz | tail -c +9; done
    } >"$work/large/train-labels-idx1-ubyte"
    cp $from/t10k* "$work/large"
    rm -rf "$work/metrics" "$work/trace"
    CASTELL_MEMORY=48MiB "$castell" run --carrier tcp --cores-per-worker=1 \
        --no-master-tasks -n 3 --dir "$work/runs" --trace="$work/trace" \
        "$train" --data "$work/large" --stream "$work" --epochs 100 \
        --shape 8 --batch 4096 --shard 1024 --model "$work/other" --metrics "$work/metrics" >"$work/out" 2>"$work/err" &
    launcher=$!
    ok "training from files larger than the memory of three workers" until_true epochs 1
    for i in 0 1 2 3; do
        peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$(process $i)/status")
        ok "process $i takes less memory than the files: at most ${peak:=0} KB" \
            test "$peak" -lt 120000 -a "$peak" -gt 5000
    done
    kill "$launcher"
    wait $launcher
    ok "tasks on each worker have read a part of them" each_has_read
    rm -r "$work/large"
}

if [ -z "${SANITIZER_CFLAGS-}" ]; then
    test_memory
    test_stream
fi
tap_done
