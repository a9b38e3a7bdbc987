#!/bin/bash
# `castell run --max-nodes` on a real SLURM cluster: a run of one node gets others
# while work waits, and loses nothing; whoever of it is killed, no job is left; with
# --grow=expand they become a part of its own job. That nodes are given back is measured by apps/bench/elastic.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
need_slurm
burst=$PWD/apps/bench/castell_elastic
export CASTELL_MODULES=$PWD/.libs
MINI_CPUS=2 cluster_up 4
live_in_work

# start ARGUMENT...: the run, as a job of one node; its output in $work/out.
start() {
    printf '#!/bin/sh\nexec %s run --dir %s --max-nodes 4 --grow=%s %s %s\n' "$castell" \
        "$work/runs" "${way:-jobs}" "$burst" "$*" >job.sh
    rm -f out
    sbatch -Q -N 1 "${shape:---exclusive}" --no-requeue -k -J run -o "$work/out" job.sh
}

# extra STATES: how many jobs of extra nodes are in these states
extra() {
    squeue -h -r -t "$1" -o %j | grep -c '^castell-'
}

has_extra() {
    [ "$(extra R)" -ge "$1" ]
}

no_job() {
    [ -z "$(squeue -h)" ]
}

no_process() {
    [ -z "$(processes "^$castell |^$burst ")" ]
}

# In 30 s, as is promised.
soon() {
    until_true "$@" >/dev/null || until_true "$@" || { squeue -r && false; }
}

# processes PATTERN: the pids of this test's processes of that command line; other
# tests of the same build may run beside it.
processes() {
    local pid
    for pid in $(pgrep -f "$1"); do
        grep -qzxF "HOME=$HOME" "/proc/$pid/environ" 2>/dev/null && echo "$pid"
    done
}

# process_of ROLE: the pid of that process of the run: master, launcher, helper
process_of() {
    local pid words
    for pid in $(processes "^$castell |^$burst "); do
        words=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")
        case $1:$words in
        launcher:*"castell run "* | helper:*" helper "*) echo "$pid" ;;
        master:"$burst "*) grep -qzx "CASTELL_ROLE=master" "/proc/$pid/environ" && echo "$pid" ;;
        esac
    done
}

start 1200 50
ok "a run of one node gets others" soon has_extra 3
ok "and ends" soon no_job
ok "no result is lost" grep -qx 'elastic.lost 0' out
ok "all nodes did something" test "$(sed -n 's/elastic.nodes //p' out)" -ge 4
for who in master launcher "helper master"; do
    start 100000 50
    ok "$who: other nodes come" soon has_extra 2
    for one in $who; do
        for pid in $(process_of "$one"); do
            kill -KILL "$pid"
        done
    done
    ok "after kill -9 of $who no job is left" soon no_job
done
ok "nor a process" soon no_process

# The run's own job is made larger: extra nodes are steps of it.
parts() {
    squeue -h -s -o %j | grep -c '^castell-.*-part-'
}

has_parts() {
    [ "$(parts)" -ge "$1" ]
}

way=expand shape=-n2
start 1200 50
ok "expand: nodes become a part of the run's job" soon has_parts 2
ok "... and no job is beside it" test "$(extra R,PD)" = 0
ok "... it ends" soon no_job
ok "... no result is lost" grep -qx 'elastic.lost 0' out
ok "... they did something" test "$(sed -n 's/elastic.nodes //p' out)" -ge 3
start 100000 50
ok "expand: nodes come" soon has_parts 2
for one in helper master; do
    for pid in $(process_of "$one"); do
        kill -KILL "$pid"
    done
done
ok "after kill -9 of helper and master no job is left" soon no_job
ok "nor a process" soon no_process
way='expand --min-nodes 2' shape=--exclusive
start 100 50
ok "expand: a job that cannot be made larger says why" \
    soon grep -q "each node is a job of its own: SLURM makes no job larger that is --excl" out
ok "... and gets its nodes all the same" soon has_extra 1
ok "... it ends" soon no_job
ok "... no result is lost" grep -qx 'elastic.lost 0' out
sed 's/^/# /' out
tap_done
