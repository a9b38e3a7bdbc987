#!/bin/sh
# Tasks on files count what sorting all words counts; what cannot be read is
# refused or fails the run; no file is left behind.
set -u
# shellcheck source=tests/harness/tap.sh
. "${srcdir:-.}/tests/harness/tap.sh"
# shellcheck source=tests/apps/apps.sh
. "${srcdir:-.}/tests/apps/apps.sh"
need wordcount
TMPDIR=$work/tmp
export TMPDIR
mkdir "$TMPDIR"

printf 'One two, TWO\nthree-three three' >"$work/a"
printf 'two\0gr\303\274n\n' >"$work/b"
: >"$work/empty"
everywhere wordcount "$work/a" "$work/b" "$work/empty" "$work/a" "$work/b"
everywhere wordcount "$work/a"
everywhere wordcount "$work/empty"
everywhere wordcount "${srcdir:-.}"/apps/*/*.c "${srcdir:-.}"/apps/*/*.md
replayable apps/wordcount/wordcount "$work/a" "$work/b" "$work/empty"
ok "what is met most comes first" says "$(printf '%8d %s\n%8d %s' 3 three 3 two)" \
    apps/wordcount/wordcount --top 2 "$work/a" "$work/b"

# Reading it fails only once a task has opened it.
bad=/proc/self/mem
if [ -r "$bad" ]; then
    ok "a file that a task cannot read is named" says "wordcount: cannot read /proc/" \
        apps/wordcount/wordcount "$work/a" "$bad" "$work/b"
    ok "and the run fails" fails apps/wordcount/wordcount "$work/a" "$bad" "$work/b"
    ok "in the sequential twin too" fails \
        apps/wordcount/wordcount-sequential "$work/a" "$bad" "$work/b"
else
    skip "a file that a task cannot read is named" "no $bad"
fi
ok "no file" refuses "no file is named" apps/wordcount/wordcount
ok "a file that is missing" refuses "cannot read $work/none: No such file" \
    apps/wordcount/wordcount "$work/a" "$work/none"
ok "a directory" refuses "$work is a directory" apps/wordcount/wordcount "$work"
ok "nothing is left behind" rmdir "$TMPDIR"
tap_done
