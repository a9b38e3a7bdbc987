# Part of scripts/minicluster: one node.
# shellcheck shell=bash
# shellcheck disable=SC2154 # dir, self, and what cluster_plan sets

# node_world NAME: inside of the new namespaces, make them a machine.
node_world() {
    local i=${1#node} k
    hostname "$1"
    ip link set lo up
    for ((k = 0; k < 100; k++)); do
        ip link show eth0 >/dev/null 2>&1 && break
        sleep 0.02
    done
    ip addr add "$net.$i/24" dev eth0
    ip link set eth0 up
    ip route add default via "$controller" 2>/dev/null
    mount --make-rprivate /
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    mount --bind "$dir/etc/hosts" /etc/hosts
    mount --bind "$dir/etc/resolv.conf" /etc/resolv.conf
}

# node_main NAME: the node's first process. It lives on when slurmd dies, and
# starts it again when a line comes through the fifo. An init gets no signal that
# it does not catch, so it takes SIGKILL from outside to end it.
node_main() {
    local name=$1
    cluster_load
    node_world "$name"
    exec 3<>"$dir/node/$name/control" || exit 1
    while :; do
        : >"$dir/node/$name/up"
        "$slurmd" -D -N "$name" -f "$SLURM_CONF" </dev/null \
            >>"$dir/log/slurmd.$name.out" 2>&1 3<&- &
        wait $!
        rm -f "$dir/node/$name/up"
        read -r _ <&3 || exit 1
    done
}

# node_boot NAME: netns mode: namespaces, a cable, the first process.
node_boot() {
    local name=$1 i=${1#node} unshare pid='' k
    rm -f "$dir/node/$name/up" "$dir/node/$name/control"
    mkfifo "$dir/node/$name/control"
    ip link del "$cable$i" 2>/dev/null
    setsid unshare --net --uts --ipc --mount --pid --fork --mount-proc --kill-child \
        env MINI_DIR="$dir" bash "$self" __node "$name" </dev/null \
        >>"$dir/log/node.$name.out" 2>&1 3>&- &
    unshare=$!
    for ((k = 0; k < 200; k++)); do
        pid=$(cat "/proc/$unshare/task/$unshare/children" 2>/dev/null)
        pid=${pid%% *}
        [ -z "$pid" ] || break
        sleep 0.02
    done
    [ -n "$pid" ] || die "$name has no process; see $dir/log/node.$name.out"
    process_save "$name" "$pid"
    process_save "$name.unshare" "$unshare"
    # Our end is on the bridge before the node sees its own, so that the first
    # packet of slurmd gets out.
    if ! ip link add "$cable$i" type veth peer name "${cable}${i}p" ||
        ! ip link set "$cable$i" master "$bridge" up ||
        ! ip link set "${cable}${i}p" netns "$pid" name eth0; then
        die "$name has no cable"
    fi
}

# node_start NAME: boot it, or only start its slurmd again.
node_start() {
    local name=$1
    mkdir -p "$dir/node/$name/spool" "$dir/node/$name/tmp"
    chmod 755 "$dir/node/$name" "$dir/node/$name/spool"
    chmod 1777 "$dir/node/$name/tmp"
    if [ "$mode" = netns ]; then
        if ! process_id "$name" >/dev/null; then
            node_boot "$name"
        elif [ ! -e "$dir/node/$name/up" ]; then
            echo start >"$dir/node/$name/control"
        fi
    elif ! process_id "$name" >/dev/null; then
        setsid "$slurmd" -D -N "$name" -f "$SLURM_CONF" </dev/null \
            >>"$dir/log/slurmd.$name.out" 2>&1 &
        process_save "$name" $!
    fi
}

# node_stop NAME: power off.
node_stop() {
    if [ "$mode" = netns ]; then
        process_stop "$1" KILL 20
        process_stop "$1.unshare" TERM 10
        ip link del "$cable${1#node}" 2>/dev/null
    else
        process_stop "$1" "${2-KILL}" 30
    fi
    return 0
}

# node_slurmd NAME: the pid of its daemon, as the outside sees it.
node_slurmd() {
    local init children child
    init=$(process_id "$1") || return 1
    if [ "$mode" != netns ]; then
        echo "$init"
        return 0
    fi
    { read -ra children <"/proc/$init/task/$init/children"; } 2>/dev/null
    for child in "${children[@]}"; do
        case $(cat "/proc/$child/comm" 2>/dev/null) in
        slurmd*)
            echo "$child"
            return 0
            ;;
        esac
    done
    return 1
}
