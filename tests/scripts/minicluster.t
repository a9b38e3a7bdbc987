#!/bin/bash
# scripts/minicluster: a cluster comes up, runs jobs, loses a node and gets it
# back, and leaves nothing; several are up at once.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
for tool in slurmctld slurmd munged ip unshare nsenter; do
    PATH=$PATH:/usr/sbin:/sbin command -v $tool >/dev/null || {
        echo "1..0 # SKIP $tool is not installed"
        exit 0
    }
done
mini=$(readlink -f "$srcdir/scripts/minicluster")
export MINI_OWNER=$$ MINI_QUIET=1
work=$(mktemp -d) || exit 99
trap '"$mini" -d "$work/a" down; "$mini" -d "$work/b" down; rm -rf "$work"' EXIT

# on CLUSTER COMMAND...: run it with the cluster's environment.
on() (
    eval "$("$mini" -d "$work/$1" env)"
    shift
    "$@"
)

# nodes_of CLUSTER NODES: the nodes on which tasks really are, in one line.
nodes_of() {
    on "$1" srun -N "$2" sh -c 'echo $SLURMD_NODENAME' | sort | tr '\n' ' '
}

same() {
    [ "$1" = "$2" ] || { echo "$1 is not $2" && false; }
}

comes_back() {
    for _ in $(seq 100); do
        ! on a srun -N 2 --immediate=2 true 2>/dev/null || return 0
        sleep 0.1
    done
    on a sinfo
    return 1
}

left() {
    grep -la "${work%?}[${work: -1}]" /proc/[0-9]*/cmdline 2>/dev/null
}

ok "two nodes are up" says "$work/a" "$mini" -d "$work/a" up 2
ok "up again is no harm" says "$work/a" "$mini" -d "$work/a" up 2
ok "its nodes run tasks" same "$(nodes_of a 2)" "node1 node2 "
ok "a second cluster beside it" \
    says "$work/b" env MINI_MODE=ports "$mini" -d "$work/b" up 3
ok "runs tasks" same "$(nodes_of b 3)" "node1 node2 node3 "
ok "and has the fake GPUs" says gpu:fake:2 on b sinfo -h -n node3 -o %G
if [ "$(on a "$mini" exec node2 hostname)" = node2 ]; then
    ok "a node crashes" "$mini" -d "$work/a" crash node2
    ok "and is dead" says "node2 dead" "$mini" -d "$work/a" status
    ok "and boots" "$mini" -d "$work/a" start node2
    ok "and serves" comes_back
fi
ok "no node has the number 3" fails "$mini" -d "$work/a" crash node3
ok "an unknown command is refused" fails "$mini" -d "$work/a" climb
mkdir "$work/full" && touch "$work/full/mine"
ok "a directory of others is refused" fails "$mini" -d "$work/full" up 1
ok "down" "$mini" -d "$work/a" down
ok "down again" "$mini" -d "$work/a" down
ok "the other down" "$mini" -d "$work/b" down
ok "no directory is left" fails test -e "$work/a" -o -e "$work/b"
ok "no process is left" fails left
tap_done
