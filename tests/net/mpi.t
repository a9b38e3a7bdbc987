#!/bin/sh
# Messages over MPI: three processes of one real MPI world, in peace, while their
# connections are cut, while the MPI of one falls silent, and when one is killed.
set -u
. "${srcdir:-.}/tests/harness/tap.sh"
program=$PWD/tests/net/traffic.t
CASTELL_TEST_MODULES=$PWD/.libs
OMPI_ALLOW_RUN_AS_ROOT=1
OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export CASTELL_TEST_MODULES OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM

skip_all() {
    skip "messages over MPI" "$1"
    tap_done
}
command -v mpirun >/dev/null || skip_all "mpirun is not there"
[ -z "${SANITIZER_CFLAGS-}" ] || skip_all "MPI is not for sanitizers"
[ -f "$CASTELL_TEST_MODULES/castell_mpi.so" ] || skip_all "built without MPI"

directory=$(mktemp -d "${TMPDIR:-/tmp}/castell-mpi.XXXXXX")
trap 'rm -rf "$directory"' EXIT

# One run of all three; what they say lies in $directory/MODE.log.
world() {
    rm -rf "$directory/run"
    mkdir -m 700 "$directory/run"
    head -c 32 /dev/urandom >"$directory/run/secret"
    chmod 600 "$directory/run/secret"
    timeout 60 mpirun --oversubscribe --enable-recovery -n 3 \
        --mca mpi_yield_when_idle 1 "$@" >"$directory/$mode.log" 2>&1
}

ucx="--mca pml ucx --mca osc ucx --mca pml_ucx_tls any --mca pml_ucx_devices any
    -x UCX_WARN_UNUSED_ENV_VARS=n"

# all_fine COUNT: did as many processes see what they should?
all_fine() {
    if [ "$(grep -c '^rank [0-9]: fine' "$directory/$mode.log")" = "$1" ]; then
        return 0
    fi
    cat "$directory/$mode.log"
    return 1
}

has() {
    grep -q "$1" "$directory/$mode.log" || {
        cat "$directory/$mode.log"
        return 1
    }
}

for mode in peace near cuts silent kill; do
    # shellcheck disable=SC2086
    world $ucx "$program" "$directory/run" $mode
    case $mode in
    peace)
        ok "three processes exchange 9,000 messages over MPI" all_fine 3
        ok "all of them over MPI" fails has "mode peace: tcp to"
        ok "and they leave as MPI wants" fails has "exits hard"
        ;;
    near)
        ok "on one machine they share memory" all_fine 3
        ok "and need no MPI" fails has "mode near: mpi to"
        ;;
    cuts)
        ok "their connections are cut: they go on" all_fine 3
        ok "by TCP" has "mode cuts: tcp to"
        ;;
    silent)
        ok "the MPI of one falls silent: they go on" all_fine 3
        ok "its links by TCP" has "nothing came through"
        ok "the others over MPI" has "mode silent: mpi to"
        ;;
    kill)
        ok "one is killed: the others go on" all_fine 2
        ok "and know that MPI must not be finalized" has "exits hard"
        ;;
    esac
done
tap_done
