#!/bin/bash
# The helper process on a real SLURM cluster: nodes come, are given back, stop,
# fail, are put back by somebody, wait for ever, reach their time limit; the
# controller hangs and comes back; and no job is left.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
need_slurm
asker=$PWD/tests/slurm/asker
trap 'kill -CONT $(controller) 2>/dev/null; MINI_QUIET=1 "$mini" -d "$work/cluster" down; rm -rf "$work"' EXIT
cluster_up 4
mode=ports
[ "$("$mini" exec node2 hostname)" != node2 ] || mode=netns
cd "$work" || exit 99
run=$work/castell.0a1b2c.1.here
mkdir -m 700 "$run" "$work/castell.1b2c3d.1.here"
# A worker that notes where it is, and what it is told.
cat >"$run/worker" <<'END'
#!/bin/bash
trap 'echo "$1 told" >>came; exit 0' TERM
echo "$1 $(hostname) $SLURM_JOB_ID" >>came
for ((i = 0; i < 1000; i++)); do
    [ ! -e "end.$1" ] || exit 3
    sleep 0.1
done
END
chmod 700 "$run/worker"
cp -p "$run/worker" "$work/castell.1b2c3d.1.here"

controller() {
    sed -n 's/^slurmctld //p' <<<"$("$mini" -d "$work/cluster" status)" | grep -x '[0-9]*'
}

start_master() {
    rm -f orders
    mkfifo orders
    "$asker" "$run" "$castell" 50 "${1:-20000}" <orders >said 2>&1 &
    master_pid=$!
    exec 7>orders
}

order() {
    echo "$*" >&7
}

told() {
    grep -q -- "$1" said || [ -n "${quiet-}" ] || tail -n 20 said >&2
    grep -q -- "$1" said
}

is_told() {
    quiet=yes until_true told "$1" || told "$1"
}

# job TICKET: its number
job() {
    sed -n "s/^$1 [A-Z]* .*[0-9]*|\([0-9_]\+\)|[^|]*|[^|]*$/\1/p" said | tail -n 1
}

no_job() {
    [ -z "$(squeue -h)" ] || { squeue && false; }
}

start_master
order ask 2 10 -c1
ok "two nodes come at once" is_told '^2 RUNNING'
ok "both of them" is_told '^1 RUNNING'
came() {
    [ "$(wc -l <"$run/came")" = "$1" ]
}
ok "with their workers" until_true came 2
ok "and their time limit" grep -q '^1 RUNNING [56][0-9][0-9]|' said
ok "options are obeyed" says 'CPUs=1' scontrol -o show job "$(job 1)"
order cancel 1
ok "one is given back" is_told '^1 ENDED cancelled'
ok "after its worker was told" until_true grep -qx '1 told' "$run/came"
: >"$run/end.2"
ok "the other's worker ends, and so does its job" is_told '^2 ENDED .*worker'

order ask 1 0 -C arm
ok "a node of another kind" is_told '^3 RUNNING .*|node3|'
scontrol suspend "$(job 3)"
ok "it is suspended" is_told '^3 SUSPENDED'
scontrol resume "$(job 3)"
ok "and resumed" is_told '^3 RESUMED'
scontrol update JobId="$(job 3)" TimeLimit=2
ok "somebody shortens its time" is_told '^3 RUNNING 1\?[0-9]\?[0-9]|'
ok "nobody can put it back into the queue" fails scontrol requeue "$(job 3)"
order cancel 3
ok "it is given back" is_told '^3 ENDED cancelled'
order ask 1 0 -C none
ok "there is no such kind" is_told '^4 REFUSED .*|Invalid feature specification'
order ask 1 0 --hold
ok "held, it would wait for ever" is_told '^5 PENDING hopeless .*JobHeldUser'
scancel "$(job 5)"
ok "somebody cancels it" is_told '^5 ENDED .*somebody cancelled it'
if [ $mode = netns ]; then
    order ask 1 0 -w node2
    ok "on node2" is_told '^6 RUNNING .*|node2|'
    scontrol update nodename=node2 state=down reason=test
    ok "its node fails" is_told '^6 ENDED .*its node failed'
    scontrol update nodename=node2 state=resume 2>/dev/null
else
    order ask 1 0
    skip "on node2" "nodes are no machines here"
    skip "its node fails" "nodes are no machines here"
fi
# A controller that hangs: what it was asked meanwhile it does later.
start=$(controller)
kill -STOP "$start"
order ask 1 0 -c1
order cancel 6
sleep 1
kill -CONT "$start"
ok "a controller that hung a while" is_told '^7 RUNNING'
order ask 3 0
ok "three more" is_told '^8 RUNNING'
kill -KILL "$master_pid"
exec 7>&-
{ wait "$master_pid"; } 2>/dev/null
ok "after kill -9 of the master no job is left" until_true no_job

run=$work/castell.1b2c3d.1.here
start_master 1000
kill -STOP "$(controller)"
order ask 2 0 -c1
ok "a controller that does not answer" is_told '^0 SILENT'
kill -CONT "$start"
ok "its answer was lost, the jobs were not" is_told '^2 RUNNING'
ok "there are no others" test "$(squeue -h -r | wc -l)" = 2
order end
exec 7>&-
wait "$master_pid"
ok "no job is left at the end" until_true no_job
tap_done
