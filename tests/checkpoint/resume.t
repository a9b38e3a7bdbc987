#!/bin/bash
# A run that is asked to stop, or killed, goes on where it was on another number
# of nodes, and ends with the bits of one that was not; and the script of
# `castell submit --requeue` starts it again.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
trap 'rm -rf "$work"' EXIT
steps=$PWD/tests/checkpoint/steps

# result FILE: what it has printed at the end.
result() {
    sed -n 's/^result //p' "$1"
}

# background WORKERS NAME: start it; it has saved something when this returns.
background() {
    "$castell" run -n "$1" --carrier tcp --dir "$work/runs" \
        "$steps" 60 "$work/$2" 5 >"$work/out" 2>"$work/err" &
    launcher=$!
    until_true test -e "$work/$2/000002/manifest"
}

goes_on() {
    run -n "$1" --carrier tcp "$steps" 60 "$work/$2" >"$work/out" || return
    ! grep -qx 'from 0' "$work/out"
}

run -n 0 "$steps" 60 "$work/whole" >"$work/out"
ok "a run that is not interrupted" same $? 0
right=$(result "$work/out")
ok "has a result" [ -n "$right" ]
ok "and begins at the start" grep -qx 'from 0' "$work/out"

background 3 asked
kill -USR1 $launcher
wait $launcher
ok "SIGUSR1: the status says that it has not finished" same $? 75
ok "and it says where" grep -q '^stopped at ' "$work/out"
stopped=$(sed -n 's/^stopped at //p' "$work/out")
ok "it goes on with one worker" goes_on 1 asked
ok "from there" grep -qx "from $stopped" "$work/out"
ok "to the same bits" same "$(result "$work/out")" "$right"

background 2 term
kill -TERM $launcher
wait $launcher
ok "SIGTERM: the same status" same $? 75
ok "it goes on without any worker" goes_on 0 term
ok "to the same bits" same "$(result "$work/out")" "$right"

background 3 killed
# shellcheck disable=SC2046
kill -KILL $launcher $(processes_of_runs) 2>/dev/null
wait $launcher 2>/dev/null
ok "SIGKILL of all: it goes on with two workers" goes_on 2 killed
ok "to the same bits" same "$(result "$work/out")" "$right"
ok "and nothing is left of what was being written" fails ls "$work"/killed/*.tmp

# ---- The script, with a batch system that only notes what it is told

mkdir "$work/bin"
printf '#!/bin/sh\necho "$@" >>"%s/told"\n' "$work" >"$work/bin/scontrol"
chmod +x "$work/bin/scontrol"
PATH=$work/bin:$PATH

# script SIGNAL: run the script, and send it that when something was saved.
script() {
    local status=0
    env SLURM_JOB_ID=17 CASTELL_RUN_DIR= sh "$work/script" >"$work/out" 2>"$work/err" &
    launcher=$!
    [ -z "$1" ] || {
        until_true test -e "$work/job/000002/manifest"
        kill "-$1" $launcher
    }
    wait $launcher || status=$?
    echo "$status" >"$work/status"
}

"$castell" submit --requeue --dry-run --run="-n 1 --carrier tcp --dir $work/runs" \
    "$steps" 60 "$work/job" 5 >"$work/script"
ok "submit --requeue writes a script" sh -n "$work/script"
for line in --requeue --open-mode=append --signal=B:USR1@120; do
    ok "that asks for $line" grep -qx -e "#SBATCH $line" "$work/script"
done

sed -i 's/^\(.*castell run\)/env -u SLURM_JOB_ID \1/' "$work/script"
script USR1
ok "which passes the signal on, and asks to be started again" \
    same "$(cat "$work/told" 2>/dev/null)" "requeue 17"
ok "when the program has stopped" grep -q '^stopped at ' "$work/out"
script ''
ok "started again it ends" same "$(cat "$work/status")" 0
ok "with the same bits" same "$(result "$work/out")" "$right"
ok "and asks no more" same "$(wc -l <"$work/told")" 1
sed -i "s|$steps .*|sh -c 'exit 3' \&|" "$work/script"
script ''
ok "another status is the job's" same "$(cat "$work/status")" 3
ok "and asks nothing" same "$(wc -l <"$work/told")" 1
ok "nothing is left" until_true nothing_left
tap_done
