#!/bin/bash
# tests/harness/run-test: what passes, what fails, and what is run once more alone.
set -u
srcdir=$(readlink -f "${srcdir:-.}")
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
unset TEST_ALONE
run_test=$srcdir/tests/harness/run-test

# a_test NAME: a test whose commands come by standard input.
a_test() {
    { echo '#!/bin/bash' && cat; } >"$work/$1"
    chmod +x "$work/$1"
}
# gives STATUS TEXT SECONDS NAME: it ends so, and its output has a line that is TEXT.
gives() {
    local status=0
    "$run_test" "$3" "$work/$4" >"$work/out" 2>&1 || status=$?
    [ "$status" = "$1" ] && grep -qFx -- "$2" "$work/out" && return
    echo "status $status"
    cat "$work/out"
    return 1
}
lines() {
    [ "$(grep -cFx -- "$2" "$work/$1")" = "$3" ]
}
unsteady() {
    [ "$(cat "$work/alone/unsteady" 2>/dev/null)" = "$1" ]
}

a_test passes <<<'echo ok 1; echo err >&2'
a_test fails <<<'echo not ok 1; exit 1'
a_test hides <<<'echo not ok 1'
a_test hangs <<<'echo ok 1; sleep 100'
a_test asserts <<<"echo run >>$work/runs; echo castell: bug at a.c:1: x; exit 1"
a_test draws <<<"echo run >>$work/runs; echo '# the program of seed 7 is wrong'; echo not ok 1"
a_test crashes <<<"echo run >>$work/runs; kill -SEGV \$\$"
a_test stumbles <<END
echo run >>$work/runs
if [ -e $work/stumbled ]; then echo ok 1; exit; fi
touch $work/stumbled
echo not ok 1 - late
echo why >&2
exit 1
END

ok "a test passes" gives 0 "ok 1" 9 passes
ok "and says what it says" lines out err 1
ok "one fails" gives 1 "not ok 1" 9 fails
ok "one hangs" gives 124 "ok 1" 2 hangs
ok "one stumbles: nothing is run again" gives 1 "not ok 1 - late" 9 stumbles

mkdir "$work/alone"
export TEST_ALONE=$work/alone
ok "beside others: a test passes" gives 0 "ok 1" 9 passes
ok "once" lines out "ok 1" 1
ok "and says what it says" lines out err 1
rm -f "$work/stumbled" "$work/runs"
ok "one stumbles: alone it passes" gives 0 "ok 1" 9 stumbles
ok "at its second run" lines runs run 2
ok "the first one's output is told" lines out "# not ok 1 - late" 1
ok "all of it" lines out "# why" 1
ok "but is no result" lines out "not ok 1 - late" 0
ok "its name is noted" unsteady "$work/stumbles"
rm "$work/alone/unsteady"
ok "one fails twice" gives 1 "not ok 1" 9 fails
ok "also with status 0" gives 0 "not ok 1" 9 hides
ok "one hangs twice" gives 124 "ok 1" 2 hangs
rm -f "$work/runs"
ok "an assertion stands" gives 1 "castell: bug at a.c:1: x" 9 asserts
ok "a random program stands" gives 0 "not ok 1" 9 draws
ok "a crash stands" fails "$run_test" 9 "$work/crashes"
ok "none of them is run again" lines runs run 3
ok "nor noted" unsteady ""

# Others run meanwhile: who is run once more waits for them, and they for it.
a_test long <<<"touch $work/long-began; sleep 1; touch $work/long-ended; echo ok 1"
a_test late <<<"echo ok 1; touch $work/late-ran"
a_test waits <<END
if [ -e $work/waited ]; then
    [ -e $work/long-ended ] && [ ! -e $work/late-ran ] && echo ok 1 && exit
    echo not ok 1 - again
    exit 1
fi
touch $work/waited
until [ -e $work/long-began ]; do sleep 0.01; done
echo not ok 1
exit 1
END
"$run_test" 9 "$work/long" >/dev/null &
"$run_test" 9 "$work/waits" >"$work/out" &
until grep -q '^# not ok 1$' "$work/out"; do sleep 0.01; done
sleep 0.2
"$run_test" 9 "$work/late" >/dev/null
wait
ok "alone is alone" lines out "ok 1" 1
ok "who came later has run then" test -e "$work/late-ran"
tap_done
