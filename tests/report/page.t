#!/bin/bash
# The page of castell report in a real browser: it opens, draws, zooms, finds.
set -u
srcdir=$(readlink -f "${srcdir:-.}")
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
trap 'rm -rf "$work"' EXIT
tests=$srcdir/tests/report
have chromium || {
    echo "1..0 # SKIP chromium is not installed"
    exit 0
}

# browse OPTION... URL
browse() {
    timeout -k 5 120 chromium --headless --no-sandbox --disable-gpu \
        --user-data-dir="$work/profile" --window-size=1200,1600 "$@" 2>/dev/null
}

# value NAME HASH: what the page says of itself.
value() {
    browse --dump-dom "file://$work/story/report.html#$2" |
        sed -n "s/.*<html[^>]* data-$1=\"\\([^\"]*\\)\".*/\\1/p"
}

browse --dump-dom about:blank >/dev/null || {
    echo "1..0 # SKIP chromium does not run here"
    exit 0
}
CASTELL_CORES=3 CASTELL_TRACE=$work/story tests/report/story >"$work/said" 2>&1
ok "a run" grep -q 'tasks, sum' "$work/said"
ok "its page" "$castell" report "$work/story"
tasks=$(sed -n 's/ tasks.*//p' "$work/said")

all=$(value drawn '')
ok "all $tasks tasks are drawn: $all" [ "$all" -ge "$tasks" ]
total=$(value to '')
some=$(value drawn "from=$((total / 2))&to=$((total / 2 + total / 1000))")
ok "zoomed, fewer are: $some" [ "${some:-$all}" -lt "$all" ]
ok "and the view is what was asked for" same \
    "$(value from "from=$((total / 2))&to=$((total / 2 + 10000))")" $((total / 2))
ok "a kind is found" same "$(value hits 'find=look')" 6
ok "and a number" same "$(value hits "find=$(
    "$castell" report --format=csv -o "$work/" "$work/story" >/dev/null
    sed -n '3s/,.*//p' "$work/tasks.csv"
)")" 1
ok "and nothing that is not there" same "$(value hits 'find=nowhere')" 0
for theme in light dark; do
    browse --screenshot="$work/$theme.png" \
        "file://$work/story/report.html#theme=$theme" >/dev/null
    ok "the $theme page is not empty" python3 "$tests/check_png.py" "$work/$theme.png" 20
done
ok "they differ" fails cmp -s "$work/light.png" "$work/dark.png"
browse --dump-dom "file://$work/story/report.html" >"$work/dom"
for text in 'tasks of 6 kinds ran on 3 cores' 'critical path' '"never", &lt;it&gt;' 'its body returned 3' 'now it fails'; do
    ok "it says: $text" grep -qF "$text" "$work/dom"
done
tap_done
