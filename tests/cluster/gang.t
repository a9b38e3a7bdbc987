#!/bin/bash
# Tasks that several nodes run together: what the members get and give, several
# at once, one that does not fit, members that fail, nodes that are killed.
set -u
srcdir=$(cd "${srcdir:-.}" && pwd)
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
# shellcheck source=tests/cluster/gang_common.sh
. "$srcdir/tests/cluster/gang_common.sh"

# several WORKERS ARGUMENT...: on so many, not on the master.
several() {
    local workers=$1
    shift
    run -n "$workers" --no-master-tasks "$@"
}
sequential() {
    # shellcheck disable=SC2046
    "${CC%% *}" -O1 -w -DCASTELL_SEQUENTIAL -I"$srcdir/include" -o gang-sequential \
        "$srcdir/tests/cluster/programs/gang.c" $(pkg-config --cflags --libs ompi-c)
}
# sums NODES COMMAND...: six tasks, each right and by so many.
sums() {
    local nodes=$1
    shift
    "$@" >out || return
    same "$(head -n 6 out | sort | uniq -c | sed 's/^ *//')" "6 right $nodes elsewhere"
}
ok "translated" translated
CC=${CC:-cc}
ok "compiled sequentially" sequential
alone() {
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 ./gang-sequential "$@"
}
ok "sequentially a gang is one" same "$(alone sums 1 2>/dev/null | sort | uniq -c | sed 's/^ *//')" \
    "1 40 0
6 right 1 here"
ok "without castell run, a gang of one" sums 1 ./gang sums 1
ok "which cannot be one of two" says "needs nodes=2; the nearest node" ./gang sums 2
ok "two of three workers" sums 2 several 3 --carrier tcp ./gang sums 2
ok "all three" sums 3 several 3 --carrier tcp ./gang sums 3
ok "the master's node too" sums 3 run -n 2 --carrier tcp ./gang sums 3
ok "beside data by MPI" sums 2 several 2 --carrier mpi ./gang sums 2
too_many() {
    gives 1 several 3 --carrier tcp ./gang sums 4 2>said
}
ok "one that does not fit is refused" too_many
ok "in a sentence" grep -q "needs nodes=4; of the 3 nodes that run tasks 3 can be among them" said
echo 1000 >number
blocks() {
    several 2 --carrier tcp ./gang blocks "$work/number" >out
}
ok "blocks and files" blocks
ok "come and go" same "$(sed -n 3,6p out)" "20 1042 1044 1046 24 25
30 1062 1064 1066 34 35
40 41 42 1086 1088 1090
50 51 52 1106 1108 1110"

# ---- Members that fail ----------------------------------------------------------
stumble() {
    rm -f mark
    several 2 --carrier tcp ./gang stumble "$work/mark" "$1" >out 2>said || return
    same "$(cat mark) $(cat out)" "2 42 0"
}
ok "a member that returns non-zero while others wait for it: once more" stumble 1
ok "one that is killed" stumble 2
ok "one that calls exit()" stumble 3
dawdle() {
    gives 1 several 2 --carrier tcp ./gang dawdle 2>said
}
ok "one that takes too long is ended" dawdle
ok "which is said" grep -q "it took longer than its timeout of 1500 ms" said
wrong() {
    PATH=$work/none gives 1 "$castell" run --dir "$work/runs" -n 1 --carrier tcp \
        "$work/gang" sums 2 2>said
}
mkdir none
ok "without mpirun the task fails" wrong
ok "and it is said what to do" grep -q "there is no mpirun in PATH: install Open MPI" said

# ---- Nodes that are killed --------------------------------------------------------
lead=''
others=()
# begin FILE...: three workers, one gang that runs and waits for the file `go`.
begin() {
    local number pid ranks
    rm -f go here there
    "$castell" run --dir "$work/runs" -n 3 --no-master-tasks --carrier tcp \
        ./gang hold "$work/go" "$work/here" "$@" >out 2>said &
    launcher=$!
    until_true test -s here >&2 || return
    others=()
    lead=''
    sleep 0.2
    for number in 1 2 3; do
        pid=$(process "$number")
        ranks=$(pgrep -c -P "$pid" -x mpirun)
        if [ "$ranks" != 0 ]; then lead=$pid; else others+=("$pid"); fi
    done
}
began() {
    [ -n "$lead" ] && [ "${#others[@]}" = 2 ]
}
runs_again() {
    [ "$(wc -l <here)" = 2 ]
}
none_left() {
    [ -z "$(pgrep -f "^$work/gang")" ]
}
begin
ok "a gang runs" began
kill -KILL "$lead"
ok "when its lead is killed it runs once more" until_true runs_again
touch go
finish
ok "and its result is right" ends 0 "41 0"
begin
ok "another one runs" began
# One of the two is not a member; then nothing happens but that it is gone.
kill -KILL "${others[@]:0:1}"
sleep 1
touch go
finish
ok "when a worker is killed that may be a member its result is right" ends 0 "41 0"
begin
ok "a third one runs" began
kill -KILL "${others[@]}"
finish
ok "when too few are left the run fails" ends 1 ""
ok "which is said" grep -q "it needs nodes=2; 1 that can run it are left" said
begin
ok "a fourth one runs" began
kill -KILL "$(process 0)"
finish
ok "when the master is killed it ends" ends 137 ""
ok "nothing is left" until_true none_left
begin "$work/there"
ok "two that want two of three workers take turns" began
ok "the second one waits" test ! -e there
touch go
finish
ok "and both are right" ends 0 "41 1"
tap_done
