#!/bin/bash
# Many workers on this machine: a run of 64 is right, and leaves nothing; and so
# are runs one after another in one directory.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
trap 'rm -rf "$work"' EXIT
grid=$PWD/tests/cluster/grid
workers=64
# The sanitizers make each process slow and large.
[ -z "${SANITIZER_CFLAGS-}" ] || workers=16

right() {
    same "$(run --carrier "$1" --cores-per-worker=1 -n "$2" "$grid" steps 20 2>&1)" right
}

for carrier in tcp auto; do
    ok "$workers workers by --carrier=$carrier" right $carrier $workers
    ok "nothing is left" until_true nothing_left
done
ok "and they run all tasks" same "$(run --carrier tcp --cores-per-worker=1 --no-master-tasks \
    -n $workers "$grid" steps 20 2>&1)" right
for workers in 1 2 3 4 5 6 7 8; do
    ok "then $workers" right tcp $workers
done
ok "nothing is left of them" until_true nothing_left
tap_done
