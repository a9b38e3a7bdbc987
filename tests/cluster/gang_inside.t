#!/bin/bash
# Tasks that several nodes run together in the processes of the run, which share
# an MPI world: who runs them, what they get and give, many of them, bodies that
# fail, nodes that are killed.
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
    run -n "$workers" --no-master-tasks --gangs=inside "$@"
}
sums() {
    local nodes=$1
    shift
    "$@" >out 2>said || return
    same "$(head -n 6 out | sort | uniq -c | sed 's/^ *//')" "6 right $nodes elsewhere"
}
# members COUNT: of all gangs.
members() {
    head -n 12 out | sort -u | wc -l
}
nobody_lost() {
    ! grep -q "lost" said
}
ok "translated" translated
ok "two of three workers" sums 2 several 3 ./gang sums 2
ok "all three" sums 3 several 3 ./gang sums 3
ok "with the master's node they are fresh processes" sums 3 run -n 2 --gangs=inside ./gang sums 3
pids() {
    several 3 ./gang sequence 6 >out 2>said
}
ok "six gangs" pids
ok "of the three workers" test "$(members)" -le 3
fresh() {
    run -n 3 --no-master-tasks --carrier mpi ./gang sequence 6 >out 2>said
}
ok "six gangs of fresh processes" fresh
ok "which are twelve" same "$(members)" 12
many() {
    several 4 ./gang sequence 200 >out 2>said
}
ok "two hundred gangs, two at once" many
ok "all went well" test "$(members)" -le 4
echo 1000 >number
blocks() {
    several 2 ./gang blocks "$work/number" >out
}
ok "blocks and files" blocks
ok "come and go" same "$(sed -n 3,6p out)" "20 1042 1044 1046 24 25
30 1062 1064 1066 34 35
40 41 42 1086 1088 1090
50 51 52 1106 1108 1110"

# ---- Bodies that fail -----------------------------------------------------------
# stumble HOW: with nodes enough for fresh processes when two are lost.
stumble() {
    rm -f mark
    several 4 ./gang stumble "$work/mark" "$1" >out 2>said || return
    same "$(cat mark) $(cat out)" "2 42 0"
}
ok "all members return non-zero: once more, with what was there" stumble 4
ok "which costs no worker" nobody_lost
ok "one returns non-zero while the other waits for it: once more" stumble 1
ok "the other's process had to end" grep -q "its body here does not come back" said
ok "one is killed" stumble 2
ok "one calls exit()" stumble 3
dawdle() {
    gives 1 several 2 ./gang dawdle 2>said
}
ok "what has a timeout is run by fresh processes, and ended" dawdle
ok "which is said" grep -q "it took longer than its timeout of 1500 ms" said
ok "and costs no worker" nobody_lost

# ---- Nodes that are killed --------------------------------------------------------
# begin: four workers, one gang that runs and waits for the file `go`.
begin() {
    rm -f go here
    "$castell" run --dir "$work/runs" -n 4 --no-master-tasks --gangs=inside \
        ./gang hold "$work/go" "$work/here" >out 2>said &
    launcher=$!
    until_true test -s here >&2 || return
    lead=$(awk '{ print $2; exit }' here)
    sleep 0.2
}
leads() {
    pgrep -f "^./gang hold" | grep -qx "$lead"
}
runs_again() {
    [ "$(wc -l <here)" = 2 ]
}
none_left() {
    [ -z "$(pgrep -f "^./gang hold")" ]
}
begin
ok "a worker leads" leads
kill -KILL "$lead"
ok "when it is killed others run it" until_true runs_again
touch go
finish
ok "and its result is right" ends 0 "41 0"
begin
kill -KILL "$(process 0)"
finish
ok "when the master is killed" ends 137 ""
ok "nothing is left" until_true none_left

# ---- Options ----------------------------------------------------------------------
tcp() {
    gives 2 several 2 --carrier tcp ./gang sums 2 2>said
}
ok "by TCP there is no world" tcp
ok "which is said" grep -q -e "--gangs=inside needs --carrier=mpi" said
unknown() {
    gives 2 run -n 2 --gangs=some ./gang sums 2 2>said
}
ok "what is unknown is refused" unknown
ok "in a sentence" grep -q 'gangs is fresh or inside, not "some"' said
tap_done
