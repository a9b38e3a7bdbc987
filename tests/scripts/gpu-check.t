#!/bin/sh
# scripts/gpu-check where there is no GPU: one sentence, and no success. What it
# builds is built by scripts/check.
set -u
srcdir=$(cd "${srcdir:-.}" && pwd)
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

says() {
    "$srcdir/scripts/gpu-check" "$@" >"$work/out" 2>&1
    status=$?
}
if ls /dev/nvidia[0-9]* >/dev/null 2>&1 || command -v nvidia-smi >/dev/null; then
    skip "no GPU" "there may be one"
else
    says
    ok "no GPU: no success" [ $status = 2 ]
    ok "and a sentence" grep -qx \
        "gpu-check: this machine has no NVIDIA GPU: there is nothing to measure" "$work/out"
    ok "and nothing else" [ "$(wc -l <"$work/out")" = 1 ]
fi
says --gem=1
ok "an unknown option: how it is used" grep -q "^usage: scripts/gpu-check" "$work/out"
ok "and no success" [ $status = 2 ]
CC=$work/none
export CC
says -b
ok "no compiler" grep -qx "gpu-check: there is no C compiler $work/none" "$work/out"
tap_done
