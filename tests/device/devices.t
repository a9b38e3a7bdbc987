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

# PoCL's are processors, which are on no bus.
if CASTELL_DEVICES=opencl "$castell" devices | grep -q '^device 0: opencl .*(pocl\|^device 0: .* pthread'; then
    ok "what is on no bus is near nothing" lists \
        'device 0: opencl .*, bus: not told, near: no NUMA node that is known' \
        < <(CASTELL_DEVICES=opencl "$castell" devices)
else
    skip "what is on no bus" "no PoCL here"
fi
tap_done
