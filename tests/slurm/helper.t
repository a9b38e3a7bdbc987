#!/bin/bash
# The helper process against commands that say what SLURM's were seen to say, and
# worse: late, twice, by half, nothing. It never blocks its master, loses no job,
# and leaves none behind, whoever is killed.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
fake=$(readlink -f "$srcdir/tests/slurm/fake")
asker=$PWD/tests/slurm/asker
trap 'stop_all; rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/fake" "$work/fake/jobs"
for name in sbatch squeue scancel; do
    ln -s "$fake" "$work/bin/$name"
done
export FAKE_SLURM=$work/fake PATH=$work/bin:$PATH
run=$work/castell.0a1b2c.1.here
mkdir -m 700 "$run"

stop_all() {
    local pid
    for pid in $(helpers) ${master_pid-}; do
        kill -KILL "$pid" 2>/dev/null
    done
}

# helpers: the pids of the helpers of this test.
helpers() {
    local pid
    grep -lsaF "FAKE_SLURM=$work/" /proc/[0-9]*/environ | cut -d / -f 3 | while read -r pid; do
        case $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") in
        *" helper ") echo "$pid" ;;
        esac
    done
}

kill_helper() {
    until_true fails no_helper
    kill -KILL "$(helpers)"
}

# helped TIMES: so many helpers were killed, and followed by others.
helped() {
    [ "$(grep -c '^0 HELPED' "$work/said")" -ge "$1" ]
}

no_helper() {
    [ -z "$(helpers)" ]
}

# start_master [LOOK_MS COMMAND_MS]: an asker, whose input is descriptor 7 and
# whose output is $work/said.
start_master() {
    rm -f "$work/orders"
    mkfifo "$work/orders"
    "$asker" "$run" "$castell" "${1:-50}" "${2:-5000}" <"$work/orders" >"$work/said" 2>&1 &
    master_pid=$!
    exec 7>"$work/orders"
}

order() {
    echo "$*" >&7
}

end_master() {
    order end
    exec 7>&-
    wait "$master_pid"
    master_pid=
}

# told PATTERN: has the master heard that?
told() {
    grep -q -- "$1" "$work/said" || [ -n "${quiet-}" ] || tail -n 20 "$work/said" >&2
    grep -q -- "$1" "$work/said"
}

is_told() {
    quiet=yes until_true told "$1" || told "$1"
}

# state JOB STATE LEFT NODE REASON
state() {
    local name
    name=$(cut -d '|' -f 1 "$work/fake/jobs/$1")
    echo "$name|$2|${3-}|${4-}|${5-}" >"$work/fake/jobs/.new"
    mv "$work/fake/jobs/.new" "$work/fake/jobs/$1"
}

jobs_left() {
    grep -lvsE '\|(CANCELLED|COMPLETED|FAILED|NODE_FAIL|TIMEOUT)\|' "$work"/fake/jobs/*
}

no_job() {
    [ -z "$(jobs_left)" ] || { cat "$work"/fake/jobs/* && false; }
}

fresh() {
    rm -rf "$work/fake"
    mkdir "$work/fake" "$work/fake/jobs"
}

# ---- What must be there
ok "without a worker in the run's directory there is no growth" \
    says "castell run makes it" "$asker" "$run" "$castell"
printf '#!/bin/sh\necho "$*" >>"%s/came"\nexec sleep 100\n' "$work" >"$run/worker"
chmod 700 "$run/worker"
ok "without sbatch neither" says "there is no sbatch in PATH" \
    env PATH=/nowhere "$asker" "$run" "$castell"
ok "nor without the helper" says "cannot start $work/none helper" \
    "$asker" "$run" "$work/none"
ok "a person who calls the helper is told" says "it is for runs" "$castell" helper
ok "nothing runs that should not" no_helper

# ---- A plain life
export SLURM_JOB_ID=7 SLURM_MEM_PER_NODE=1 SBATCH_PARTITION=x PMIX_RANK=0 CASTELL_ROLE=master
export SLURM_CONF=/etc/x.conf KEEP=me
echo "outer|RUNNING|10:00|node1|None" >"$work/fake/jobs/7"
start_master
unset SLURM_JOB_ID SLURM_MEM_PER_NODE SBATCH_PARTITION PMIX_RANK CASTELL_ROLE SLURM_CONF
ok "our own job's limit is told" is_told '^0 OWN_JOB 600|'
order ask 1 30 '-p main -C "a&b" --comment "c d"'
ok "a node is asked for" is_told '^1 PENDING .*|100||Resources$'
job=$work/fake/job.100
ok "by one job with all of a node" says exclusive grep 'argument --exclusive' "$job"
ok "with the time, and the options as they were quoted" test \
    "$(grep -cxE 'argument (--time=30|-p|main|-C|a&b|c d|--nodes=1|--no-requeue|--mem=0)' "$job")" = 9
ok "with a name of its own" grep -qx 'argument --job-name=castell-0a1b2c-1' "$job"
ok "without what SLURM, MPI and the run told the master" fails \
    grep -E '^(SLURM_JOB_ID|SLURM_MEM|SBATCH_|PMIX_|CASTELL_)' "$job"
ok "but with the rest" test "$(grep -cxE 'KEEP=me|SLURM_CONF=/etc/x.conf' "$job")" = 2
state 100 PENDING UNLIMITED "" PartitionTimeLimit
ok "a reason that stays is told as that" is_told '^1 PENDING hopeless .*PartitionTimeLimit$'
state 100 RUNNING 29:59 node3 None
ok "it runs" is_told '^1 RUNNING 1799|100|node3|$'
state 100 SUSPENDED 29:00 node3 None
ok "it is suspended" is_told '^1 SUSPENDED'
state 100 RUNNING 28:00 node3 None
ok "it is resumed" is_told '^1 RESUMED'
state 100 NODE_FAIL 28:00 node3 None
ok "its node fails" is_told '^1 ENDED .*its node failed$'
order ask 3 0 ''
ok "three are an array" is_told '^4 PENDING .*|101_2|'
ok "without a time of ours" fails grep 'argument --time' "$work/fake/job.101"
order cancel 3
ok "one of it is cancelled" is_told '^3 ENDED cancelled'
ok "alone" test "$(jobs_left | wc -l)" = 3
state 101_0 RUNNING 1:00 node4 None
ok "another runs" is_told '^2 RUNNING'
state 101_0 PENDING 1:00 "" BeginTime
ok "one that is put back is told" is_told '^2 REQUEUED'
ok "and cancelled" is_told '^2 ENDED'
order ask 1 0 -N 2
ok "options that are ours are refused at once" is_told 'refused: -N is not for you'
end_master
rm "$work/fake/jobs/7"
ok "at the end of the run no job is left" no_job
ok "nor a helper" until_true no_helper

# ---- The job's script
sed -n '/^#!/,$p' "$job" >"$work/script"
(SLURM_RESTART_COUNT=1 timeout 10 sh "$work/script")
ok "a job that SLURM starts again ends at once" test ! -e "$work/came"
(SLURM_ARRAY_TASK_ID=4 exec sh "$work/script") &
job_pid=$!
ok "an element starts the worker with its ticket" until_true grep -q '^5 ' "$work/came"
ok "... and what its options promise of the node" grep -qx '5 a,b' "$work/came"
ok "and is that process, for SLURM's signals" \
    says "100" cat "/proc/$job_pid/cmdline"
kill "$job_pid" && wait "$job_pid" 2>/dev/null
mv "$run" "$run.gone"
ok "a job that starts after the run ends at once" timeout 10 sh "$work/script"
mv "$run.gone" "$run"

# ---- Trouble
fresh
start_master 50 1000
echo 'echo "sbatch: error: Batch job submission failed: Invalid feature specification" >&2; exit 1' >"$work/fake/sbatch.sh"
order ask 2 0 -C x
ok "a refusal is told with SLURM's sentence" is_told '^2 REFUSED .*|Invalid feature specification$'
# It submits, and does not say so.
cat >"$work/fake/sbatch.sh" <<'END'
eval "$(sed -n '/^option() {/,/^}/p; /^submit() {/,/^}/p' "$0")"
submit "$@" >/dev/null
sleep 100
END
order ask 1 0 -C late
ok "an answer that does not come is told" is_told '^0 SILENT .*no answer in time'
ok "its job is found by its name" is_told '^3 PENDING .*|100|'
ok "SLURM answers again" is_told '^0 ANSWERS'
ok "it was asked for once" test "$(grep -c -- '-C late' "$work/fake/calls")" = 1
rm "$work/fake/sbatch.sh"
# Garbage, half lines, everything twice; then nothing at all, with success.
cat >"$work/fake/squeue.sh" <<'END'
printf 'slurm\001|||||\n100|castell-0a1b2c-3|RUN'
printf '\n100|castell-0a1b2c-3|RUNNING|5:00|node1|None\n%.0s' 1 2
exit 0
END
ok "garbage around an answer is not minded" is_told '^3 RUNNING'
echo 'echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1' >"$work/fake/squeue.sh"
ok "a controller that is away is told" until_true grep -q 'SILENT .*slurm' "$work/said"
order ask 1 0 -C patience
state 100 RUNNING 5:00 node1 None
rm "$work/fake/squeue.sh"
ok "the run goes on, and it is asked later" is_told '^4 PENDING'
ok "a ticket that runs was not given up" fails told '^3 ENDED'
rm "$work/fake/jobs/100"
ok "a job that SLURM knows no more has ended" is_told '^3 ENDED .*knows of it no more'
end_master
ok "no job is left behind the trouble" no_job

# ---- Deaths
for who in master "master while sbatch hangs"; do
    fresh
    start_master 50 3000
    order ask 2 0 ''
    ok "$who: jobs are there" is_told '^2 PENDING'
    state 100_0 RUNNING 5:00 node1 None
    ok "$who: and one runs" is_told '^1 RUNNING'
    if [ "$who" = "master while sbatch hangs" ]; then
        cat >"$work/fake/sbatch.sh" <<'END'
eval "$(sed -n '/^option() {/,/^}/p; /^submit() {/,/^}/p' "$0")"
submit "$@" >/dev/null
sleep 100
END
        order ask 1 0 ''
        ok "$who: it hangs" until_true test -e "$work/fake/jobs/101"
    fi
    kill -KILL "$master_pid"
    exec 7>&-
    { wait "$master_pid"; } 2>/dev/null
    master_pid=
    ok "after kill -9 of the $who no job is left" until_true no_job
    ok "nor a helper" until_true no_helper
done
fresh
start_master
order ask 1 0 ''
ok "the run's directory is removed while a job waits" is_told '^1 PENDING'
mv "$run" "$run.gone"
ok "so no job is left" until_true no_job
mv "$run.gone" "$run"
end_master
fresh
start_master
order ask 1 0 ''
ok "the helper is killed while a job waits" is_told '^1 PENDING'
state 100 RUNNING 5:00 node1 None
ok "... and runs" is_told '^1 RUNNING'
order ask 3 0 '--hold'
ok "... and an array waits" is_told '^4 PENDING'
order cancel 3
ok "... and one of it was cancelled" is_told '^3 ENDED cancelled'
kill_helper
ok "its master hears of it, and starts another one" is_told '^0 HELPED .*was killed'
state 101_0 RUNNING 5:00 node2 None
ok "which finds the jobs" is_told '^2 RUNNING'
state 100 COMPLETED 0:00 node1 None
ok "... all of them" is_told '^1 ENDED .*its worker has ended'
ok "... and does not ask for them again" test "$(grep -c '^sbatch' "$work/fake/calls")" = 2
order cancel 4
ok "... and takes orders" is_told '^4 ENDED cancelled'
order ask 1 0 ''
ok "... new ones too" is_told '^5 PENDING'
# It has to be told before the jobs are.
echo 'sleep 100' >"$work/fake/sbatch.sh"
order ask 1 0 ''
ok "one that dies while sbatch hangs" until_true grep -q '^sbatch.*castell-0a1b2c-6' "$work/fake/calls"
kill_helper
ok "... is followed by another one too" until_true helped 2
rm "$work/fake/sbatch.sh"
# On a slow machine one of them has lived long, and counts as the first.
over() {
    grep -q '^5 ENDED' "$work/said"
}
over_or_helped() {
    over || helped "$1"
}
for times in 3 4 5 6 7 8; do
    over || kill_helper
    until_true over_or_helped $times
    over && break
done
ok "when they are killed again and again, all that is left is over" \
    is_told '^5 ENDED .*helper .* was killed'
ok "... also what was only asked for" is_told '^6 REFUSED .*helper .* was killed'
order ask 1 0 ''
ok "... and no more can be asked for" is_told 'refused: the helper'
end_master
for file in "$work"/fake/jobs/*; do
    rm "$file"
done
tap_done
