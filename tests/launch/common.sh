# What the tests of `castell run` share; read with `.` from the build directory,
# after tests/harness/tap.sh. Sets work (removed at the end), castell, member.
# shellcheck shell=bash
forget_environment_of_runs() {
    local name
    for name in $(env | sed -n 's/^\(\(CASTELL\|SLURM\|OMPI\|PMIX\|UCX\)_[A-Za-z_0-9]*\)=.*/\1/p'); do
        unset "$name"
    done
}
forget_environment_of_runs
export LC_ALL=C
# Many processes share two cores here: five seconds without a sign say little.
export CASTELL_DEAD_MS=20000
work=$(mktemp -d) || exit 99
mkdir "$work/runs"
castell=$PWD/runtime/launch/castell
member=$PWD/tests/launch/member
export work castell member
# The sanitizers' own leak check takes long, and needs ptrace.
export ASAN_OPTIONS="detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

have() {
    command -v "$1" >/dev/null
}

# has_mpi: is there Open MPI, and in this build?
has_mpi() {
    have mpirun && ! "$castell" run --carrier mpi 2>&1 | grep -q "built without MPI"
}

# run OPTION...: as `castell run`, with its directory where we see it.
run() {
    timeout -k 5 200 "$castell" run --dir "$work/runs" "$@"
}

same() {
    [ "$1" = "$2" ] || { printf '%s\nis not\n%s\n' "$1" "$2" && false; }
}

# gives STATUS COMMAND...
gives() {
    local wanted=$1 status=0
    shift
    "$@" || status=$?
    same "$status" "$wanted"
}

# until_true COMMAND...: wait until it succeeds, but not for ever.
until_true() {
    local i
    for ((i = 0; i < 1200; i++)); do
        ! "$@" || return 0
        sleep 0.05
    done
    echo "in vain: $*"
    return 1
}

# processes_of_runs: pids of all who were told a run directory in $work.
processes_of_runs() {
    grep -lsaF "CASTELL_RUN_DIR=$work/" /proc/[0-9]*/environ | cut -d / -f 3
}

# process NUMBER: the pid of that process of the one run that goes on.
process() {
    sed 's/.* //' "$work"/runs/castell.*/process."$1" 2>/dev/null
}

starts() {
    until_true process "$1" >/dev/null
}

# joined COUNT: so many processes of the one run that goes on are in it: they
# have a thread that listens to the others.
joined() {
    local pid count=0
    for pid in $(processes_of_runs); do
        ! cat "/proc/$pid"/task/*/comm 2>/dev/null | grep -qx castell-net || count=$((count + 1))
    done
    [ "$count" = "$1" ]
}

nothing_left() {
    [ -z "$(ls -A "$work/runs")" ] || { ls -R "$work/runs" && return 1; }
    [ -z "$(processes_of_runs)" ] || { ps -f -p "$(processes_of_runs | tr '\n' ,)0" && return 1; }
}

parent_of() {
    sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$1/stat"
}

# sorted FILE: its lines in one, sorted, with commas between.
sorted() {
    LC_ALL=C sort "$1" | paste -s -d ,
}

# need_slurm: skip the whole test where there can be no cluster. Sets mini; what
# cluster_up makes is removed at the end.
need_slurm() {
    local tool
    for tool in slurmctld slurmd munged ip unshare nsenter; do
        PATH=$PATH:/usr/sbin:/sbin have "$tool" || {
            echo "1..0 # SKIP $tool is not installed"
            exit 0
        }
    done
    # shellcheck disable=SC2154 # of the test that reads this
    mini=$(readlink -f "$srcdir/scripts/minicluster")
    trap 'MINI_QUIET=1 "$mini" -d "$work/cluster" down; rm -rf "$work"' EXIT
    chmod 755 "$work"
}

# cluster_up NODES: a real SLURM, to which our commands go from now on.
cluster_up() {
    if ! MINI_OWNER=$$ MINI_QUIET=1 "$mini" -d "$work/cluster" up "$1" >/dev/null; then
        echo "Bail out! the cluster does not come up"
        exit 99
    fi
    eval "$("$mini" -d "$work/cluster" env)"
}

# live_in_work: HOME is in $work, which is the directory from now on.
live_in_work() {
    export HOME=$work/home
    mkdir "$HOME"
    cd "$work" || exit 99
}
