#!/bin/bash
# `castell run` and `castell submit` on a real SLURM cluster of four nodes, and on
# a list of hosts: in a batch script, in salloc by hand, submitted; deaths,
# scancel, and that nothing is left.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
need_slurm
cluster_up 4
# The processes of a node are its own only in namespaces of its own.
mode=ports
[ "$("$mini" exec node2 hostname)" != node2 ] || mode=netns
live_in_work

no_job() {
    [ -z "$(squeue -h)" ]
}

# batch NODES SCRIPT_TEXT: run it as a job, its output in $work/out.
batch() {
    printf '#!/bin/sh\n%s\n' "$2" >job.sh
    rm -f out
    sbatch -Q --no-requeue -k -N "$1" -o "$work/out" job.sh || return
    until_true no_job
}

no_directory() {
    [ -z "$(find "$HOME/.castell" "$work/runs" -mindepth 1)" ]
}

clean() {
    until_true no_directory && until_true no_process
}

no_process() {
    [ -z "$(processes_of_runs)" ]
}

# process_of NUMBER: as the outside of the node's namespaces sees it.
process_of() {
    local pid
    for pid in $(processes_of_runs); do
        case $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") in
        "$member "*) ;;
        *) continue ;;
        esac
        if tr '\0' '\n' <"/proc/$pid/environ" | grep -qx "SLURM_PROCID=$1"; then
            echo "$pid"
            return 0
        fi
    done
    return 1
}

test_batch() {
    batch 3 "'$castell' run '$member' show"
    ok "in a batch script, a process on each node" same \
        "$(sed 's/ .*//' out | sort | paste -s -d ,)" "role=master,role=worker,role=worker"
    ok "who are told how many they are" same "$(grep -c workers=2 out)" 3
    [ $mode = ports ] || {
        ok "the master on the first" same "$(sed -n 's/role=master.*host=//p' out)" "node1 rank=-"
        ok "the workers on the others" same \
            "$(sed -n 's/role=worker.*host=\(.*\) .*/\1/p' out | sort | paste -s -d ,)" node2,node3
    }
    batch 2 "'$castell' run '$member' exit 7; echo status \$?"
    ok "its exit status is the run's" same "$(cat out)" "status 7"
    batch 2 "echo word | '$castell' run '$member' cat"
    ok "its input is the master's" same "$(cat out)" word
    batch 2 "'$castell' run --carrier tcp -n 5 '$member' show"
    ok "more processes than nodes" same "$(grep -c workers=5 out)" 6
    ok "share the cores" same "$(grep -c cores=1 out)" 6
    batch 2 "'$castell' run '$member' show; '$castell' run -n 0 '$member' show"
    ok "two runs in one job" same "$(grep -c role=master out)" 2
    ok "nothing is left" clean
}

test_salloc() {
    salloc -Q -N 3 "$castell" run --label "$member" talk >out 2>err
    ok "in salloc by hand, everybody is heard" same "$(grep -c 'out 2' out)" 3
    [ $mode = ports ] || ok "with names" same "$(grep 'out 1' out | sort | paste -s -d ,)" \
        "[node node2] out 1,[node node3] out 1,out 1"
    ok "salloc gets the exit status" gives 5 salloc -Q -N 2 "$castell" run "$member" exit 5
    ok "GPUs are the processes'" same \
        "$(salloc -Q -N 1 --gres=gpu:2 "$castell" run sh -c 'echo $CUDA_VISIBLE_DEVICES')" 0,1
    salloc -Q -N 2 env --default-signal=INT "$castell" run "$member" wait >out 2>err &
    until_true grep -q ready out
    kill -INT "$(pgrep -f "^$castell run $member wait")"
    wait $!
    ok "a signal finds a master that is elsewhere" same $? 42
    ok "nothing is left" clean
}

test_submit() {
    "$castell" submit -N 4 -t 30 -p main --gpus fake:2 -J stones --dry-run --run="--label" \
        -- --mem-per-cpu=1G -A project "--comment=a b" -- "$member" "it's" 'a b' >script
    cat >wanted <<END
#SBATCH --job-name=stones
#SBATCH --output=castell-stones.%j.out
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --gres=gpu:fake:2
#SBATCH --time=30
#SBATCH --partition=main
#SBATCH --no-kill
#SBATCH --mem-per-cpu=1G
#SBATCH -A project
#SBATCH "--comment=a b"
exec $castell run --label $member 'it'\\''s' 'a b'
END
    ok "a dry run prints the script" same "$(grep -v -e '^# ' -e '^#!' -e '^$' script)" "$(cat wanted)"
    ok "which is one" sh -n script
    ok "and says why it is so" [ "$(grep -c '^# ' script)" -gt 4 ]
    ok "and submits nothing" no_job
    ok "and writes nothing" fails ls castell-stones.sh
    "$castell" submit -N 3 -t 5 -- "--comment=a b" -- "$member" show >said
    ok "it submits" grep -q '^job [0-9]*, script castell-member.sh, output castell-member.[0-9]*.out$' said
    until_true no_job
    ok "and the job runs" same "$(grep -c 'role=.* workers=2' castell-member.*.out)" 3
    "$castell" submit -t 5 "$member" show >said
    ok "another script does not replace the first" grep -q 'script castell-member-2.sh' said
    until_true no_job
    "$castell" submit -o mine.sh -t 5 "$member" show >said
    ok "the script has the name that it is given" grep -q '^#SBATCH --nodes=1' mine.sh
    until_true no_job
    ok "sbatch's own words when it refuses" says "invalid partition" \
        "$castell" submit -p nowhere "$member" show
    ok "and the exit status" gives 1 "$castell" submit -p nowhere "$member" show
    ok "no such program" gives 127 "$castell" submit ./nowhere
    ok "a bad time" gives 2 "$castell" submit -t soon "$member"
    ok "two lines where one is meant" gives 2 "$castell" submit -p $'main\n#SBATCH -A x' "$member"
    ok "no program" says "which program?" "$castell" submit -N 4
    ok "nothing is left" clean
}

test_library() {
    echo 'int castell_of_ours(void) { return 1; }' >ours.c
    echo 'int castell_of_ours(void); int main(void) { return castell_of_ours(); }' >needs.c
    cc -shared -fPIC ours.c -o libours.so && cc needs.c -L. -lours -o needs || return
    ok "a library that the loader does not find" says \
        "./needs needs libours.so, which the loader does not find" "$castell" submit ./needs
    ok "and one that it does" env LD_LIBRARY_PATH="$work" "$castell" submit --dry-run ./needs
}

test_deaths() {
    salloc -Q -k -N 3 "$castell" run "$member" stay 1500 >out 2>err &
    until_true process_of 1 >/dev/null && kill -KILL "$(process_of 1)"
    wait $!
    ok "a worker's death is not the run's" same $? 0
    ok "and srun says nothing of it" same "$(cat err)" ""
    salloc -Q -k -N 3 "$castell" run "$member" hang 100000 >out 2>err &
    until_true process_of 1 >/dev/null && until_true process_of 0 >/dev/null
    kill -KILL "$(process_of 0)"
    wait $!
    ok "the master's is" same $? 137
    printf '#!/bin/sh\nexec "%s" run "%s" hang 100000\n' "$castell" "$member" >job.sh
    sbatch -Q -N 2 -o out job.sh
    until_true process_of 1 >/dev/null
    scancel --me
    ok "scancel ends the job" until_true no_job
    ok "nothing is left" clean
    [ $mode = netns ] || { skip "a node crashes" "in ports mode it cannot" && return; }
    salloc -Q -k -N 3 "$castell" run "$member" stay 2500 >out 2>err &
    launcher=$!
    until_true process_of 2 >/dev/null
    "$mini" crash node2
    wait $launcher
    ok "a node crashes, the run does not" same $? 0
    ok "nothing is left" clean
}

test_hosts() {
    local carriers=tcp carrier
    [ $mode = netns ] || { skip "hosts" "in ports mode there is one host" && return; }
    ! has_mpi || carriers="tcp mpi"
    export CASTELL_SSH="$mini -d $work/cluster rsh"
    for carrier in $carriers; do
        run --hosts node1,node3,node4 --carrier "$carrier" --label "$member" show "it's" >out 2>err
        ok "$carrier: a list of hosts" same \
            "$(sed 's/ workers.*//' out | sort | paste -s -d ,)" \
            "[node node3] role=worker,[node node4] role=worker,role=master"
        ok "$carrier: the exit status" gives 9 run --hosts node1,node3 --carrier "$carrier" "$member" exit 9
        run --hosts node1,node3 --carrier "$carrier" -n 3 "$member" show >out
        ok "$carrier: hosts in turn" same \
            "$(sed -n 's/.*cores=\(.*\) dir.*host=\(node.\).*/\1 \2/p' out | sort | paste -s -d ,)" \
            "1 node1,1 node1,1 node3,1 node3"
        ok "$carrier: a host that is not there" fails run --hosts node1,nowhere \
            --carrier "$carrier" "$member" die 15
    done
    ok "nothing is left" clean
}

test_batch
test_salloc
test_submit
test_library
test_hosts
test_deaths
tap_done
