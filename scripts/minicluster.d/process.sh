# Part of scripts/minicluster: processes, free ports, what this machine allows.
# shellcheck shell=bash
# shellcheck disable=SC2154 # dir: set by scripts/minicluster

die() {
    echo "minicluster: $*" >&2
    exit 1
}

note() {
    [ -n "${MINI_QUIET-}" ] || echo "minicluster: $*" >&2
}

# A process is remembered as "PID START": a number that the system gave to
# somebody else since then has another start time, and is left alone.

# process_start PID: its start time: field 22 of stat, of which the second, the
# name, may have blanks in it.
process_start() {
    local stat fields
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -ra fields <<<"${stat##*) }"
    [ "${fields[0]}" != Z ] || return 1
    echo "${fields[19]}"
}

# process_save NAME PID
process_save() {
    echo "$2 $(process_start "$2")" >"$dir/pids/$1"
}

# process_id NAME: its pid, only while it is the process that was saved.
process_id() {
    local pid start
    { read -r pid start <"$dir/pids/$1"; } 2>/dev/null || return 1
    [ -n "$start" ] && [ "$(process_start "$pid")" = "$start" ] || return 1
    echo "$pid"
}

# process_stop NAME SIGNAL TENTHS: end it; with SIGKILL after that long.
process_stop() {
    local pid i
    if pid=$(process_id "$1"); then
        kill -"$2" "$pid" 2>/dev/null
        for ((i = 0; i < $3; i++)); do
            process_id "$1" >/dev/null || break
            sleep 0.1
        done
        if pid=$(process_id "$1"); then
            kill -KILL "$pid" 2>/dev/null
            sleep 0.1
        fi
    fi
    rm -f "$dir/pids/$1"
}

# kill_jobs: in ports mode slurmstepd and the tasks outlive slurmd. Ours have
# this cluster's SLURM_CONF in their environment, and tasks a job's number.
kill_jobs() {
    local process mark
    for process in /proc/[0-9]*; do
        if [ ! -O "$process" ] || [ "${process#/proc/}" = $$ ]; then
            continue
        fi
        mark=SLURM_JOB_ID=
        [ "$(cat "$process/comm" 2>/dev/null)" != slurmstepd ] || mark=SLURM_CONF=
        { tr '\0' '\n' <"$process/environ" |
            awk -v conf="SLURM_CONF=$SLURM_CONF" -v mark="^$mark" \
                '$0 == conf { a = 1 } $0 ~ mark { b = 1 } END { exit !(a && b) }'; } \
            2>/dev/null && kill -KILL "${process#/proc/}" 2>/dev/null
    done
}

# free_port: a TCP port on which nobody listens, below those that the system
# gives to whoever asks for any.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 10000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo $port
}

# free_subnet: "10.A.B", a /24 that no route of this machine knows.
free_subnet() {
    local i net
    for ((i = 0; i < 50; i++)); do
        net=10.$((64 + RANDOM % 128)).$((RANDOM % 250))
        if ! ip -4 route show table all 2>/dev/null | grep -qF "$net."; then
            echo "$net"
            return 0
        fi
    done
    return 1
}

# can_netns: may we make namespaces, and virtual cables between them? In a user
# namespace of one's own slurmctld may not drop its groups and does not start.
can_netns() {
    [ "$(id -u)" = 0 ] && [ "$(cat /proc/self/setgroups 2>/dev/null)" != deny ] &&
        unshare -n -u -m -i -p -f --mount-proc true 2>/dev/null &&
        unshare -n sh -c 'ip link add probe0 type veth peer name probe1 &&
            ip link add probe2 type bridge' 2>/dev/null
}
