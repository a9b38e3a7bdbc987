#!/bin/bash
# A job of `castell submit --requeue` on a real SLURM cluster: it is told that its
# time ends, saves, goes back to the queue, and goes on to the same bits.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
need_slurm
steps=$PWD/tests/checkpoint/steps
run -n 0 "$steps" 400 "$work/whole" >"$work/out"
right=$(sed -n 's/^result //p' "$work/out")
cluster_up 2
live_in_work

no_job() {
    [ -z "$(squeue -h)" ]
}

# It waits for two minutes, after the end of its first part has been seen to on all
# nodes: a late end would be taken for that of its next part.
is_back() {
    [ "$(squeue -h -j "$job" -o '%T %r')" = "PENDING BeginTime" ] &&
        [ "$(sinfo -h -N -o %T | sort -u)" = idle ]
}

# begins COUNT: the program has been started so often.
begins() {
    [ "$(grep -c '^from ' "castell-steps.$job.out" 2>/dev/null)" = "$1" ]
}
# The controller may set its time once more meanwhile.
begins_now() {
    begins "$1" && return
    scontrol update "JobId=$job" StartTime=now 2>/dev/null
    return 1
}

"$castell" submit --requeue -N 2 -t 30 "$steps" 400 "$work/state" 20 >said
ok "a job is submitted" grep -q '^job [0-9]*,' said
job=$(sed 's/^job \([0-9]*\),.*/\1/' said)
ok "the program begins" until_true begins 1
ok "it has saved something" until_true test -e state/000003/manifest
scancel --batch -s USR1 "$job"
ok "it is sent back to the queue" until_true is_back
ok "as it has stopped" grep -q '^stopped at ' "castell-steps.$job.out"
# A node takes a credential of the second in which it revoked the job's last one for
# that one: "Killing non-startable batch JobId=1: Job credential revoked".
sleep 2
ok "it need not wait here" scontrol update "JobId=$job" StartTime=now
ok "it begins again" until_true begins_now 2 || {
    grep "JobId=$job" "$work/cluster/log/slurmctld.log"
    cat "castell-steps.$job.out"
} | sed 's/^/# /'
ok "where it was" same "$(sed -n 's/^stopped at //p' "castell-steps.$job.out")" \
    "$(sed -n 's/^from //p' "castell-steps.$job.out" | tail -n 1)"
ok "the job ends" until_true no_job
ok "with the same bits" same "$(sed -n 's/^result //p' "castell-steps.$job.out")" "$right"
ok "once" begins 2
tap_done
