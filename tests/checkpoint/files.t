#!/bin/bash
# Files that tasks write are in no checkpoint: a run that was killed leaves what main
# had waited for, and the one that goes on makes the rest again, as
# castell_checkpoint.h says.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
trap 'rm -rf "$work"' EXIT
journal=$PWD/tests/checkpoint/journal

# killed WORKERS TOLD: ten steps, of which 7 are submitted when it is killed.
killed() {
    rm -rf "$work/it"
    mkdir "$work/it"
    ! run -n "$1" --carrier tcp "$journal" 10 "$work/it" "$2" 7 >"$work/out" 2>"$work/err"
}

goes_on() {
    run -n "$1" --carrier tcp "$journal" 10 "$work/it" "$2" >"$work/out" || return
    same "$(paste -s -d ' ' "$work/out")" "from 5 count 10"
}

# there: the files, without private versions, which are hidden.
there() {
    (cd "$work/it" && echo *) | sed 's/ saved$//'
}

lines() {
    paste -s -d ' ' "$work/it/$1"
}

for workers in 0 2; do
    ok "$workers workers: a run is killed, and waited for no file" killed $workers not
    ok "its checkpoint is valid" test -e "$work/it/saved/000001/manifest"
    ok "no file has come" same "$(there)" saved
    ok "another run goes on" goes_on $workers not
    ok "with the files that it writes" same "$(there)" "last log out.5 out.6 out.7 out.8 out.9"
    ok "the last is right" same "$(lines last)" 9
    ok "of the log, the end" same "$(lines log)" "5 6 7 8 9"

    ok "$workers workers: a run is killed, and waited for files" killed $workers waits
    ok "they are what it waited for" same "$(there)" "last log out.0 out.1 out.2 out.3 out.4"
    ok "whole" same "$(lines last) $(lines out.3)" "4 3"
    ok "one that it waited for later is later than the checkpoint" \
        same "$(lines log)" "0 1 2 3 4 5 6"
    ok "another run goes on, on more nodes" goes_on $((workers + 1)) waits
    ok "all files are there" same "$(there)" \
        "last log out.0 out.1 out.2 out.3 out.4 out.5 out.6 out.7 out.8 out.9"
    ok "what is overwritten is right" same "$(lines last) $(lines out.6)" "9 6"
    ok "what is changed has the steps twice that were made twice" \
        same "$(lines log)" "0 1 2 3 4 5 6 5 6 7 8 9"
done
ok "nothing is left" until_true nothing_left
tap_done
