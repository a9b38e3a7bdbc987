#!/bin/bash
# The benchmark programs of ours work at tiny sizes, and Task Bench's tasks find
# the inputs that they are to find.
cd apps/bench || exit 99
CASTELL_CORES=2
export CASTELL_CORES
count=0

# check NAME COMMAND...: it succeeds.
check() {
    local name=$1 status said
    shift
    count=$((count + 1))
    said=$("$@" 2>&1)
    status=$?
    if [ $status = 0 ]; then
        echo "ok $count - $name"
        return
    fi
    echo "not ok $count - $name"
    printf 'status %s\n%s\n' $status "$said" | sed 's/^/# /'
}

# measures NAME TASKS: the program prints a time of that name.
measures() {
    ./castell_micro "$@" 1 | grep -E "^$1 [0-9]+\.[0-9] ns$"
}

# refuses COMMAND...: with exit status 2 and a sentence.
refuses() {
    local text status
    text=$("$@" 2>&1 >/dev/null)
    status=$?
    [ $status = 2 ] && [ -n "$text" ]
}

starts() {
    ./castell_micro start | grep -E '^start [0-9]+\.[0-9]+ ms$'
}

# flight_bytes: what is in flight takes memory, and not much.
flight_bytes() {
    ./castell_micro flight 20000 1 | awk '
        $1 == "flight.bytes" { good = $2 > 16 && $2 < 4096; print }
        END { exit !good }'
}

check "start" starts
for name in independent chains-1 chains-16 in-1 in-8 inout-1 inout-8 flight fan; do
    check "$name" measures $name 5000
done
# A sanitizer's memory is not the runtime's.
if ! grep -q 'fsanitize' ../../config.status; then
    check "bytes of a task in flight" flight_bytes
fi
for name in chains chains-0 in-9 in-x out start-1 ''; do
    check "refuses '$name'" refuses ./castell_micro "$name"
done
check "refuses no tasks" refuses ./castell_micro in-1 0

for pattern in trivial stencil_1d nearest fft random_nearest; do
    for width in 1 7 32; do
        check "$pattern, width $width: every input is right" \
            ./castell_taskbench $pattern 30 -w $width -s 200 -c
    done
done
check "refuses a pattern that is none" refuses ./castell_taskbench dom 1
check "refuses too large a radius" refuses ./castell_taskbench nearest 1 -r 8

# cluster NAME COUNT LINE...: the program prints these lines.
cluster() {
    local name=$1 count=$2 said line
    shift 2
    said=$(./castell_cluster "$name" "$count") || return 1
    for line; do
        grep -qE "^$line -?[0-9]+\.[0-9]+ " <<<"$said" || return 1
    done
}

check "round trips" cluster round 50 round 'round\.p90' 'round\.cold'
check "idle processes" cluster idle 1 idle 'idle\.master'
check "memory of tasks" cluster memory 500 'memory\.ready' 'memory\.queued'
check "refuses a measure that is none" refuses ./castell_cluster dom

check "the kernel's peak" ./kernel_peak 2 1000
echo "1..$count"
