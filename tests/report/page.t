#!/bin/bash
# The page of castell report in a real browser: see page.py.
set -u
srcdir=$(readlink -f "${srcdir:-.}")
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
trap 'rm -rf "$work"' EXIT
have chromium || {
    echo "1..0 # SKIP chromium is not installed"
    exit 0
}
timeout -k 5 60 chromium --headless --no-sandbox --disable-gpu \
    --user-data-dir="$work/none" --dump-dom about:blank >/dev/null 2>&1 || {
    echo "1..0 # SKIP chromium does not run here"
    exit 0
}

fail() {
    echo "Bail out! $*"
    exit 99
}

CASTELL_CORES=3 CASTELL_TRACE=$work/one tests/report/story >"$work/said" 2>&1
CASTELL_CORES=2 CASTELL_TRACE=$work/many apps/cholesky/cholesky --n 1024 --tile 32 \
    --no-compare >/dev/null || fail "no run with many tasks"
run -n 2 --carrier=tcp --cores-per-worker=1 --master-cores=1 --trace="$work/nodes" \
    apps/sparselu/sparselu --blocks 24 --block 24 >/dev/null || fail "no run on nodes"
mkdir "$work/beside"
tests/report/beside "$work/beside" || fail "no run with devices"
for dir in one many nodes beside; do
    "$castell" report "$work/$dir" >/dev/null || fail "no page of $dir"
done
tests/report/bound "$work/many" 1000 >"$work/bound.html" || fail "no page of a large run"
timeout -k 5 300 python3 "$srcdir/tests/report/page.py" "$work" "$work/one/report.html" \
    "$work/many/report.html" "$work/nodes/report.html" \
    "$work/bound.html" "$work/beside/report.html" "$(sed -n 's/ tasks.*//p' "$work/said")"
