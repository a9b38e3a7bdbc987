#!/bin/bash
# A real SLURM cluster that takes nodes away from a run that has grown: other jobs
# are more important, by both ways of preemption; a job is suspended, and resumed.
# Workers leave in good order, so that nothing is computed again.
#
# Without GraceTime: SLURM 22.05 tells a job without steps nothing when that
# begins, only when it is over; then there are KillWait seconds, as here.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
need_slurm
burst=$PWD/apps/bench/castell_elastic
export CASTELL_MODULES=$PWD/.libs
export MINI_CONF='PreemptType=preempt/partition_prio;PreemptMode=REQUEUE;KillWait=10'
nodes='Nodes=node[1-4] State=UP'
export MINI_PARTS="PartitionName=low Default=YES $nodes PreemptMode=CANCEL;PartitionName=again $nodes PreemptMode=REQUEUE;PartitionName=high $nodes PriorityTier=10 PreemptMode=OFF"
MINI_CPUS=2 cluster_up 4
live_in_work

# job PARTITION: the jobs that run there, with their nodes
job() {
    squeue -h -r -t "${2:-R}" -p "$1" -o '%i %N'
}

# runs PARTITION [STATE]: is there one?
runs() {
    [ -n "$(job "$@")" ]
}

come() {
    [ "$(grep -c 'has come' out 2>/dev/null)" -ge "$1" ]
}

leave() {
    [ "$(grep -c 'leaves: its job is about to end' out)" -ge "$1" ]
}

ended() {
    [ -z "$(squeue -h -n run,urgent)" ]
}

no_job() {
    [ -z "$(squeue -h)" ]
}

printf '#!/bin/sh\nexec %s run --dir %s --min-nodes 3 --max-nodes 3 --elastic "%s" --elastic "%s" %s 1500 40\n' \
    "$castell" "$work/runs" "a: -p low; max 1" "b: -p again; max 1" "$burst" >run.sh
printf '#!/bin/sh\nexec sleep 6\n' >urgent.sh
sbatch -Q -p high -w node1 -N1 --exclusive --no-requeue -k -J run -o "$work/out" run.sh
ok "a run has nodes that may be taken away" until_true come 2
for part in low again; do
    node=$(job $part | cut -d ' ' -f 2)
    sbatch -Q -p high -w "$node" -N1 --exclusive -J urgent -o /dev/null urgent.sh
done
ok "others are more important: its workers leave, of both partitions" until_true leave 2
ok "... they come again elsewhere" until_true come 3
one=$(job low,again | head -n 1 | cut -d ' ' -f 1)
scontrol suspend "$one"
ok "another one is suspended" until_true runs low,again S
sleep 1
scontrol resume "$one"
until_true ended || until_true ended
ok "the run ends" ended
ok "no result is lost" grep -qx 'elastic.lost 0' out
ok "those who left lost nothing that had to be computed again" fails grep "were lost" out
ok "no job is left" until_true no_job
sed 's/^/# /' out
tap_done
