#!/bin/bash
# `castell run` on this machine, by mpirun and without: what the processes are
# told, exit status, output, labels, input, signals, and that nothing is left,
# whoever is killed.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
trap 'rm -rf "$work"' EXIT

# background ARGUMENT...: run in the background; $launcher is the launcher.
background() {
    # What a shell starts in the background ignores SIGINT.
    env --default-signal=INT "$castell" run --dir "$work/runs" "$@" >"$work/out" 2>"$work/err" &
    launcher=$!
}

# ends NAME STATUS: the background run ends with it.
ends() {
    local status=0
    wait "$launcher" || status=$?
    ok "$1" same "$status" "$2"
}

# The programs; not mpirun, which may wait for ever when its children are gone.
none_of_ours() {
    local pid
    for pid in $(processes_of_runs); do
        [ "$(readlink "/proc/$pid/exe")" != "$(readlink -f "$member")" ] || return 1
    done
}

on_line() {
    grep -qx "$1" "$work/out"
}

test_told() {
    run -n 2 --carrier "$1" "$member" show >"$work/out"
    ok "$1: three processes" same "$(wc -l <"$work/out")" 3
    ok "$1: one is the master" same "$(grep -c role=master "$work/out")" 1
    ok "$1: two are workers" same "$(grep -c role=worker "$work/out")" 2
    ok "$1: who know how many, and the carrier, and that the master works" \
        same "$(grep -c "workers=2 carrier=$1 tasks=1" "$work/out")" 3
    ok "$1: who have a directory, and a secret in it, and another in memory" \
        same "$(grep -c 'dir=700 secret=600:32 node_dir=there' "$work/out")" 3
    ok "$1: cores as asked" says "role=master workers=1 carrier=$1 tasks=1 cores=5" \
        run -n 1 --carrier "$1" --master-cores 5 --cores-per-worker 7 "$member" show
    ok "$1: of workers too" says "role=worker workers=1 carrier=$1 tasks=0 cores=7" \
        run -n 1 --carrier "$1" --no-master-tasks --cores-per-worker 7 "$member" show
}

test_status() {
    local status
    for status in 0 1 7 255; do
        ok "$1: exit status $status" gives $status run -n 1 --carrier "$1" "$member" exit $status
    done
    ok "$1: killed by SIGKILL" gives 137 run -n 1 --carrier "$1" "$member" die 9
    ok "$1: and told so" says "the master was killed by signal 12 (User defined signal 2)" \
        run -n 0 --carrier "$1" "$member" die 12
}

test_streams() {
    local host
    # mpirun itself may lose the end of a longer one on a busy machine.
    local bytes=300000
    [ "$1" != mpi ] || bytes=20000
    head -c $bytes /dev/urandom | base64 >"$work/input"
    run -n 1 --carrier "$1" "$member" cat <"$work/input" >"$work/output"
    ok "$1: input goes to the master" cmp "$work/input" "$work/output"
    run -n 2 --carrier "$1" "$member" talk >"$work/out" 2>"$work/err" </dev/null
    ok "$1: output of all passes through" same "$(grep -c 'out 2' "$work/out")" 3
    ok "$1: errors too" same "$(grep -c 'err 2' "$work/err")" 3
    host=$(hostname)
    run -n 2 --carrier "$1" --label "$member" talk >"$work/out" 2>"$work/err" </dev/null
    ok "$1: lines of workers are labelled" same \
        "$(grep '\[node' "$work/out" | sort | paste -s -d ,)" \
        "[node $host:1] half,[node $host:1] out 0,[node $host:1] out 1,[node $host:1] out 2,[node $host:2] half,[node $host:2] out 0,[node $host:2] out 1,[node $host:2] out 2"
    ok "$1: of their errors too" same "$(grep -c "^\[node $host:[12]\] err [012]\$" "$work/err")" 6
    ok "$1: the master's are as they are" same "$(grep -c '^out [012]$' "$work/out")" 3
    ok "$1: what workers say last is heard" same \
        "$(run -n 2 --carrier "$1" "$member" slow 3 | grep -c late)" 2
}

test_signals() {
    background -n 1 --carrier "$1" "$member" wait
    ok "$1: a run goes on" until_true on_line ready
    kill -USR1 "$launcher"
    ok "$1: a signal goes to the master" until_true on_line usr1
    kill -INT "$launcher"
    ends "$1: an interrupt too, and what it makes of it is the status" 42
    background -n 1 --carrier "$1" "$member" stay 100000
    ok "$1: another goes on" until_true starts 1
    kill -TERM "$launcher"
    ends "$1: and is asked to end" 143
    background -n 1 --carrier "$1" sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
    until_true grep -q ready "$work/out"
    kill -TERM "$launcher"
    sleep 0.5
    kill -TERM "$launcher"
    ends "$1: a second signal ends who does not hear the first" 143
    ok "$1: nothing is left" until_true nothing_left
}

test_kills() {
    local memory
    background -n 2 --carrier "$1" "$member" stay 1500
    starts 2 && starts 0
    kill -KILL "$(process 2)"
    ends "$1: a worker's death is not the run's" 0
    ok "$1: and mpirun says nothing of it" fails grep -qi mpirun "$work/err"

    background -n 2 --carrier "$1" "$member" hang 100000
    starts 2 && starts 0
    kill -KILL "$(parent_of "$(process 0)")"
    wait "$launcher"
    ok "$1: nothing is left when who attends to the master is killed" until_true nothing_left

    background -n 2 --carrier "$1" "$member" hang 100000
    starts 2 && starts 0
    memory=/dev/shm/$(basename "$work"/runs/castell.* | cut -d . -f 1,2)
    kill -KILL "$launcher"
    wait "$launcher" 2>/dev/null
    no_process() { [ -z "$(processes_of_runs)" ]; }
    ok "$1: no process is left when the launcher is killed" until_true no_process
    run -n 0 "$member" exit 0
    ok "$1: and the next run removes its directory" nothing_left
    ok "$1: in memory too" fails test -e "$memory"

    background -n 2 --carrier "$1" "$member" hang 100000
    starts 2 && starts 0
    kill -STOP "$launcher"
    rm -rf "$work"/runs/castell.*
    ok "$1: who finds the directory gone ends, launcher or not" until_true none_of_ours
    kill -CONT "$launcher"
    wait "$launcher"
    ok "$1: and that is no success" [ $? != 0 ]

    run -n 2 --carrier "$1" "$member" mess >"$work/out" 2>/dev/null
    ok "$1: all die" same $? 137
    ok "$1: what they had in memory" same "$(grep -c /segment "$work/out")" 3
    ok "$1: is gone" fails test -e "$(head -n 1 "$work/out" | xargs dirname)"
}

carriers=tcp
! has_mpi || carriers="tcp mpi"
for carrier in $carriers; do
    test_told "$carrier"
    test_status "$carrier"
    test_streams "$carrier"
    test_signals "$carrier"
    test_kills "$carrier"
done
[ "$carriers" != tcp ] || skip "by mpirun" "there is no mpirun, or no MPI in this build"
tap_done
