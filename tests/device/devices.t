#!/bin/bash
# `castell devices` on a recorded machine, with a driver of GPUs that are none.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
trap 'rm -rf "$work"' EXIT
unset CUDA_VISIBLE_DEVICES

# devices VARIABLE=VALUE...: what is listed with GPUs that are none.
devices() {
    env LD_LIBRARY_PATH="$PWD/tests/device/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" \
        CASTELL_DEVICES=cuda "$@" "$castell" devices
}

# lists PATTERN: is a line of standard input such?
lists() {
    tee "$work/list" | grep -qx -- "$1" || { cat "$work/list" && false; }
}

recorded=HWLOC_XMLFILE=$srcdir/tests/golden/topo/gpu8.xml
if grep -q 'CST_WITHOUT_HWLOC' config.h Makefile; then
    skip "a recorded machine" "built without hwloc"
else
    devices "$recorded" FAKE_CUDA_DEVICES=3 >"$work/three"
    ok "the node comes first" lists '.*: cores: 8, CPUs 0-7, NUMA nodes: 2, memory: 65536 MiB' \
        <"$work/three"
    ok "a GPU is near its socket" lists \
        'device 0: cuda 9.0, Fake 0, copies: .* of 64 MiB, bus: 0000:3a:00.0, near: NUMA node 0, CPUs 0,2,4,6' \
        <"$work/three"
    ok "another near its own" lists \
        'device 1: .*, bus: 0000:3b:00.0, near: NUMA node 1, CPUs 1,3,5,7' <"$work/three"
    ok "one that is on no socket's bus near none" lists \
        'device 2: .*, bus: 0000:3c:00.0, near: no NUMA node that is known' <"$work/three"
fi
ok "other devices are left out, and why" lists 'no opencl: CASTELL_DEVICES leaves them out' \
    < <(devices)
ok "no device, and why" lists 'no cuda: the driver is there and finds no device' \
    < <(devices FAKE_CUDA_DEVICES=0)
ok "a list that is none is refused" says 'CASTELL_DEVICES="gpu"' devices CASTELL_DEVICES=gpu
ok "there is help" says "usage: castell devices" "$castell" devices --help
ok "and no argument" gives 2 "$castell" devices all

# names: those of the GPUs, in their order.
names() {
    devices "$@" | sed -n 's/.*, Fake \([0-9]*\), .*, bus: \([^ ]*\),.*/\1 \2/p' | paste -s -d ,
}

ok "all are seen" same "$(names FAKE_CUDA_DEVICES=3)" "0 0000:3a:00.0,1 0000:3b:00.0,2 0000:3c:00.0"
ok "CUDA_VISIBLE_DEVICES says which, and in which order" same \
    "$(names FAKE_CUDA_DEVICES=3 CUDA_VISIBLE_DEVICES=2,0)" "2 0000:3c:00.0,0 0000:3a:00.0"
ok "or that none is" same "$(names CUDA_VISIBLE_DEVICES=)" ""

# parts OPTION...: what the processes of a run are told, with those told nothing.
parts() {
    # shellcheck disable=SC2016
    run --carrier tcp "$@" sh -c 'echo "part ${CASTELL_DEVICE_PART-all}"' 2>/dev/null |
        sed -n 's/.*part //p' | sort | paste -s -d ' '
}

export CASTELL_DEVICE_PART=7/9 # of a run in which this one is
ok "processes on one machine share out its devices" same "$(parts -n 2)" "0/3 1/3 2/3"
ok "a master without tasks has none of them" same "$(parts -n 2 --no-master-tasks)" "0/2 1/2 all"
ok "one alone has all" same "$(parts -n 0)" "all"
ok "who got GPUs of its own keeps them all" same \
    "$(CUDA_VISIBLE_DEVICES=1 SLURM_STEP_GPUS=0,1 parts -n 1)" "all all"
ok "but not when all see all" same \
    "$(CUDA_VISIBLE_DEVICES=0,1 SLURM_STEP_GPUS=0,1 parts -n 1)" "0/2 1/2"
unset CASTELL_DEVICE_PART

# PoCL's are processors, which are on no bus.
if CASTELL_DEVICES=opencl "$castell" devices | grep -q '^device 0: opencl .*(pocl\|^device 0: .* pthread'; then
    ok "what is on no bus is near nothing" lists \
        'device 0: opencl .*, bus: not told, near: no NUMA node that is known' \
        < <(CASTELL_DEVICES=opencl "$castell" devices)
else
    skip "what is on no bus" "no PoCL here"
fi
tap_done
