# Part of scripts/minicluster: the commands.
# shellcheck shell=bash
# shellcheck disable=SC2154 # dir, self

# cluster_directory: make DIR, or die unless it may be used.
cluster_directory() {
    [ -n "$dir" ] || dir=$(mktemp -d "${TMPDIR:-/tmp}/minicluster.XXXXXX") || exit 1
    mkdir -p "$dir" || exit 1
    dir=$(readlink -f "$dir")
    [ -e "$dir/.minicluster" ] || [ -z "$(ls -A "$dir")" ] ||
        die "$dir is neither empty nor a minicluster's"
    chmod 755 "$dir"
    mkdir -p "$dir"/{etc,run,munge,ctld,log,pids,node}
    chmod 700 "$dir/munge"
    : >"$dir/.minicluster"
}

# cluster_plan N: decide on mode, addresses and ports, and write them to DIR/state.
cluster_plan() {
    local i id
    nodes=$1 mode=${MINI_MODE:-auto} net='' bridge='' cable='' controller=127.0.0.1
    if [ "$mode" = auto ]; then
        mode=ports
        ! can_netns || mode=netns
    fi
    slurmd=$(command -v slurmd)
    controller_port=$(free_port)
    ports=()
    if [ "$mode" = netns ]; then
        net=$(free_subnet) || die "no 10.x.y.0/24 is free"
        controller=$net.254
        id=$(printf %04x $((RANDOM * 2 % 65536)))
        bridge=mc${id}br cable=mc${id}n
    else
        for ((i = 1; i <= nodes; i++)); do
            ports[i]=$(free_port)
        done
    fi
    export SLURM_CONF=$dir/etc/slurm.conf
    declare -p nodes mode net bridge cable controller controller_port slurmd \
        ports SLURM_CONF | sed 's/^declare -[^ ]* //' >"$dir/state"
}

# cluster_load: what cluster_plan decided.
cluster_load() {
    [ -n "$dir" ] || die "-d DIR (or MINI_DIR) says which cluster"
    [ -e "$dir/state" ] || die "there is no cluster in $dir"
    dir=$(readlink -f "$dir")
    # shellcheck source=/dev/null
    . "$dir/state"
    export SLURM_CONF
}

# start_munged: one serves all nodes, as a network namespace hides no socket file.
start_munged() {
    local i
    (umask 077 && head -c 128 /dev/urandom >"$dir/munge/key")
    setsid munged --foreground --force --num-threads=2 --key-file="$dir/munge/key" \
        --socket="$dir/run/munge.sock" --pid-file="$dir/munge/pid" \
        --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" \
        </dev/null >>"$dir/log/munged.out" 2>&1 &
    process_save munged $!
    for ((i = 0; i < 100; i++)); do
        [ ! -S "$dir/run/munge.sock" ] || return 0
        sleep 0.05
    done
    cat "$dir/log/munged.out" "$dir/munge/log" >&2
    cluster_stop
    die "munged did not start"
}

# wait_idle: until every node is; or say why not, and stop.
wait_idle() {
    local idle=0 end=$((SECONDS + ${MINI_WAIT:-20}))
    while [ $SECONDS -lt $end ]; do
        idle=$(sinfo -h -N -o '%N %t' 2>/dev/null |
            awk '$2 == "idle" { print $1 }' | sort -u | wc -l)
        [ "$idle" -lt "$nodes" ] || return 0
        process_id slurmctld >/dev/null || break
        sleep 0.1
    done
    tail -n 5 "$dir/log/slurmctld.out" "$dir/log/slurmctld.log" >&2
    cluster_stop
    die "$idle of $nodes nodes were idle after ${MINI_WAIT:-20} s; logs are in $dir/log"
}

cluster_up() {
    local i tool count=${1:-4}
    case $count in
    *[!0-9]* | 0) die "up needs a number of nodes, not $count" ;;
    esac
    [ "$count" -le 250 ] || die "250 nodes are the most"
    for tool in munged slurmctld slurmd sinfo ip unshare; do
        command -v $tool >/dev/null || die "$tool is not installed: scripts/install-packages test"
    done
    cluster_directory
    if [ -e "$dir/state" ]; then
        cluster_load
        if process_id slurmctld >/dev/null; then
            note "already up in $dir"
            echo "$dir"
            return 0
        fi
        note "$dir holds a dead cluster, which is removed"
        cluster_down
        cluster_directory
    fi
    cluster_plan "$count"
    configure_names
    configure_slurm
    if [ "$mode" = netns ]; then
        if ! ip link add "$bridge" type bridge forward_delay 0 ||
            ! ip addr add "$controller/24" dev "$bridge" ||
            ! ip link set "$bridge" up; then
            die "no bridge"
        fi
    fi
    start_munged
    [ -z "${MINI_PRECTL-}" ] || DIR=$dir bash -c "$MINI_PRECTL" || die "MINI_PRECTL failed"
    setsid slurmctld -D -f "$SLURM_CONF" </dev/null >>"$dir/log/slurmctld.out" 2>&1 &
    process_save slurmctld $!
    for ((i = 1; i <= nodes; i++)); do
        node_start "node$i"
    done
    wait_idle
    if [ -n "${MINI_OWNER-}" ]; then
        setsid bash "$self" -d "$dir" __watch "$MINI_OWNER" </dev/null >/dev/null 2>&1 3>&- &
        process_save watch $!
    fi
    note "$nodes nodes are idle, mode $mode, in $dir"
    echo "$dir"
}

# cluster_watch PID: stop the cluster when that process is no more.
cluster_watch() {
    local start
    cluster_load
    start=$(process_start "$1")
    while [ -n "$start" ] && [ "$(process_start "$1")" = "$start" ]; do
        sleep 0.5
    done
    rm -f "$dir/pids/watch"
    cluster_down
}

# cluster_stop: end every process and every network device of the cluster.
cluster_stop() {
    local i jobs
    process_stop watch TERM 10
    process_stop slurmctld TERM 30 &
    jobs=($!)
    for ((i = 1; i <= nodes; i++)); do
        node_stop "node$i" TERM &
        jobs+=($!)
    done
    wait "${jobs[@]}"
    [ "$mode" != ports ] || kill_jobs
    process_stop munged TERM 20
    [ -z "$bridge" ] || ip link del "$bridge" 2>/dev/null
    rm -f "$dir/state"
}

cluster_down() {
    cluster_stop
    rm -rf "${dir:?}"/{etc,run,munge,ctld,log,pids,node,.minicluster}
    rmdir "$dir" 2>/dev/null
    return 0
}

cluster_down_if_there() {
    if [ -n "$dir" ] && [ ! -e "$dir/state" ]; then
        note "nothing to stop in $dir"
        return 0
    fi
    cluster_load
    cluster_down
}

# cluster_env: shell code. A shell that is itself in a SLURM job has variables
# that would go into ours. Open MPI would try every network of the login side;
# in ports mode all nodes have one host name, by which its shared memory tells
# nodes apart.
cluster_env() {
    cluster_load
    echo "export SLURM_CONF='$SLURM_CONF' MINI_DIR='$dir'"
    cat <<'END'
for v in $(env | sed -n 's/^\(S\(LURM\|BATCH\|ALLOC\|RUN\)_[A-Z_0-9]*\)=.*/\1/p'); do
    [ "$v" = SLURM_CONF ] || unset "$v"
done
unset v
END
    if [ "$mode" = netns ]; then
        echo "export OMPI_MCA_btl_tcp_if_include='$net.0/24'" \
            "OMPI_MCA_oob_tcp_if_include='$net.0/24'"
    else
        echo "export OMPI_MCA_btl='self,tcp'" \
            "OMPI_MCA_btl_tcp_if_include='127.0.0.0/8'" \
            "OMPI_MCA_oob_tcp_if_include='127.0.0.0/8'"
    fi
    [ "$(id -u)" != 0 ] ||
        echo "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
}

cluster_status() {
    local name i
    cluster_load
    for name in munged slurmctld; do
        echo "$name $(process_id $name || echo dead)"
    done
    for ((i = 1; i <= nodes; i++)); do
        echo "node$i $(process_id "node$i" || echo dead)" \
            "slurmd $(node_slurmd "node$i" || echo dead)"
    done
    sinfo -N -o '%N %T %c %f %G %E'
}

# enter NODE COMMAND...: become the command, on that node.
enter() {
    local pid name=$1
    shift
    pid=$(process_id "$name") || die "$name is not up"
    [ "$mode" = netns ] || exec "$@"
    exec nsenter -t "$pid" --net --uts --ipc --mount --pid --wd="$PWD" -- "$@"
}

cluster_exec() {
    cluster_load
    [ $# -ge 2 ] || die "exec needs a node and a command"
    enter "$@"
}

cluster_rsh() {
    local host
    cluster_load
    while [ "${1#-}" != "${1-}" ]; do
        case $1 in
        -o | -l | -p | -i) shift ;;
        esac
        shift
    done
    [ $# -ge 2 ] || die "rsh needs a host and a command"
    host=${1#*@}
    shift
    cd /tmp || exit 255
    enter "$host" env -i HOME="${HOME-/}" USER="$(id -un)" SHELL=/bin/sh \
        PATH=/usr/local/bin:/usr/bin:/bin sh -c "$*"
}

# cluster_break COMMAND NODE
cluster_break() {
    local pid name=$2
    cluster_load
    case $name in
    node[1-9]*) [ "${name#node}" -le "$nodes" ] || die "there is no $name" ;;
    *) die "$1 needs a node: node1 to node$nodes" ;;
    esac
    case $1 in
    crash) node_stop "$name" ;;
    kill-slurmd)
        pid=$(node_slurmd "$name") || die "$name has no slurmd"
        kill -KILL "$pid"
        ;;
    start) node_start "$name" ;;
    cut | heal)
        [ "$mode" = netns ] || die "in ports mode there is no cable"
        if [ "$1" = cut ]; then
            ip link set "$cable${name#node}" down
        else
            ip link set "$cable${name#node}" up
        fi
        ;;
    esac
}
