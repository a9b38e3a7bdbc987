#!/bin/bash
# What can be wrong around a run, or happen to it: the bad thing is told in one
# sentence and ends badly, or the run goes on and its result is right.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
trap 'rm -rf "$work"' EXIT
grid=$PWD/tests/cluster/grid
stop=$work/stop

# background NAME ARGUMENT...: a run of grid until $stop is there, by TCP.
background() {
    local name=$1
    shift
    rm -f "$stop"
    "$castell" run --carrier tcp --cores-per-worker=1 --dir "$work/runs" "$@" \
        "$grid" steps 1000000 "$stop" >"$work/$name.out" 2>"$work/$name.err" &
    launcher=$!
}

run_directory() {
    echo "$work"/runs/castell.*
}

# by_hand DIRECTORY COMMAND...: a worker of that run that nobody has started.
by_hand() {
    local directory=$1
    shift
    CASTELL_ROLE=worker CASTELL_RUN_DIR=$directory CASTELL_CORES=1 timeout 60 "$@"
}

# refused SENTENCE DIRECTORY COMMAND...: such a worker says so and ends with 2.
refused() {
    local sentence=$1
    shift
    gives 2 by_hand "$@" 2>"$work/refused"
    same "$(grep -c "^castell: cannot start: .*$sentence" "$work/refused")" 1 ||
        { cat "$work/refused" && false; }
}

goes_on() {
    kill -0 "$launcher" && [ -n "$(process 1)" ] && [ -n "$(process 2)" ]
}

# ends_right CHECK NAME: the background run does.
ends_right() {
    local status=0
    wait "$launcher" || status=$?
    ok "$1" same "$status $(cat "$work/$2.out")" "0 right" || sed 's/^/# /' "$work/$2.err"
}

# ---- Who is not of the run ------------------------------------------------------

test_strangers() {
    local other=$work/other
    background strangers -n 2
    ok "a run goes on" until_true joined 3
    mkdir -m 700 "$other"
    cp "$(run_directory)/master" "$other"
    ok "no secret" refused 'secret cannot be opened' "$other" "$grid"
    (umask 077 && head -c 32 /dev/urandom >"$other/secret")
    ok "another secret" refused "does not know this run's secret" "$other" "$grid"
    cp "$(run_directory)/secret" "$other"
    chmod 644 "$other/secret"
    ok "a secret that others can read" refused 'lets others in' "$other" "$grid"
    ok "another version of the program" refused 'its program has other tasks' \
        "$(run_directory)" env GRID_VERSION=2 "$grid"
    ok "no run" refused 'cannot be opened' "$work/none" "$grid"
    if have python3; then
        # Two workers and the master listen.
        ok "garbage at every port" says '3 ports, 120 connections' \
            python3 "$srcdir/tests/cluster/garbage.py" 40 "${SEED:-1}" \
            "$(process 0)" "$(process 1)" "$(process 2)"
    else
        skip "garbage at every port" "there is no python3"
    fi
    by_hand "$(run_directory)" "$grid" >"$work/late" 2>&1 &
    late=$!
    ok "another worker comes by himself" until_true joined 4
    ok "the run goes on" goes_on
    touch "$stop"
    ends_right "to the right end" strangers
    ok "nobody was lost" same "$(grep "is lost" "$work/strangers.err")" ""
    wait $late
    ok "and ends with it" same "$? $(cat "$work/late")" "0 "
    ok "nothing is left" until_true nothing_left
}

# ---- Two at once, and no master -------------------------------------------------

test_two() {
    local first
    background first -n 2
    first=$launcher
    background second -n 2
    ok "two runs at once" until_true joined 6
    touch "$stop"
    ends_right "the second is right" second
    launcher=$first
    ends_right "the first too" first
    ok "nothing of them is left" until_true nothing_left
}

# Where the processes of the one run that goes on have their segments.
in_memory() {
    echo "/dev/shm/$(basename "$(run_directory)" | cut -d . -f 1,2)"
}

test_no_master() {
    local memory status=0 began
    background lost -n 3
    until_true joined 4
    memory=$(in_memory)
    kill -KILL "$(process 0)"
    began=$SECONDS
    wait "$launcher" || status=$?
    ok "a master that is killed is the end of the run" same $status 137
    ok "which says so" grep -q 'the master was killed by signal 9' "$work/lost.err"
    ok "no worker is left, nor a directory" until_true nothing_left
    ok "nor a segment in memory" fails test -e "$memory"
    echo "# that took $((SECONDS - began)) s"

    background lost -n 2
    until_true joined 3
    memory=$(in_memory)
    began=$SECONDS
    # Nobody who attends to anybody is left.
    # shellcheck disable=SC2046
    kill -KILL "$launcher" $(parent_of "$(process 0)") $(parent_of "$(process 1)") \
        $(parent_of "$(process 2)")
    wait "$launcher" 2>/dev/null
    no_process() { [ -z "$(processes_of_runs)" ]; }
    ok "nor when all who attend to processes are killed with it" until_true no_process
    echo "# that took $((SECONDS - began)) s"
    rm -rf "$work"/runs/castell.*
    # What was in memory goes when the next run begins.
    run -n 0 "$grid" steps 1 >"$work/out" 2>&1
    ok "and no segment after the next run" fails test -e "$memory"
}

test_no_worker() {
    local status=0
    background alone -n 1 --no-master-tasks
    until_true joined 2
    kill -KILL "$(process 1)"
    wait "$launcher" || status=$?
    ok "the death of the last who may run tasks ends the run" test "$status" != 0
    ok "which says so" grep -q 'no node that is left has what it needs' "$work/alone.err"
    ok "nothing is left of it" until_true nothing_left
}

# ---- No room ---------------------------------------------------------------------

# A short run in directory $1: right, or it says why not. It must end.
right_or_told() {
    local status=0
    timeout -k 5 60 "$castell" run --carrier tcp --cores-per-worker=1 -n 2 --dir "$1" "$grid" \
        steps 20 >"$work/room.out" 2>"$work/room.err" || status=$?
    case "$status $(cat "$work/room.out")" in
    "0 right") echo right ;;
    0* | 124* | 137*) echo "status $status" && cat "$work/room.out" "$work/room.err" && return 1 ;;
    *) grep -m 1 '^castell: ' "$work/room.err" || { echo "status $status, and not a word" && return 1; } ;;
    esac
}

# with_room OPTIONS: such a run on a file system of its own that has so much room.
with_room() {
    mount -t tmpfs -o "mode=700,$1" none "$work/full" || return
    right_or_told "$work/full"
    local status=$?
    umount "$work/full"
    return "$status"
}

# with_ports COUNT: such a run in a network of its own with so many ports, the
# first of which is taken.
with_ports() {
    ip link set lo up &&
        echo "50000 $((50000 + $1 - 1))" >/proc/sys/net/ipv4/ip_local_port_range || return
    python3 -c "
import socket, time
taken = socket.create_server(('::', 50000), family=socket.AF_INET6, dualstack_ipv6=True)
print('taken', flush=True)
time.sleep(100)" >"$work/taken" &
    until [ -s "$work/taken" ]; do sleep 0.05; done
    right_or_told "$work/runs"
    local status=$?
    kill $!
    return "$status"
}

# alone NAMESPACE FUNCTION ARGUMENT: in a namespace of its own.
alone() {
    unshare -r "$1" bash -c "$(declare -f right_or_told with_room with_ports); $2 $3"
}

test_no_room() {
    local room
    export grid
    mkdir "$work/full"
    if unshare -rm mount -t tmpfs none "$work/full" 2>/dev/null; then
        for room in nr_inodes=1 nr_inodes=3 nr_inodes=5 size=4k size=12k size=24k; do
            ok "a disk with $room" alone -m with_room "$room"
            echo "# $tap_said"
        done
        ok "is told when it is full" says 'No space left' alone -m with_room nr_inodes=2
        ok "and is enough when it is not" says right alone -m with_room size=1m
    else
        skip "full disks" "nothing can be mounted here"
    fi
    if have python3 && unshare -rn ip link set lo up 2>/dev/null; then
        ok "the only port is taken" says 'cannot listen on any address: Address already in use' \
            alone -n with_ports 1
        ok "one of many ports is taken" says right alone -n with_ports 100
    else
        skip "ports that are taken" "there are no namespaces for networks here"
    fi
}

test_strangers
test_two
test_no_master
test_no_worker
test_no_room
tap_done
