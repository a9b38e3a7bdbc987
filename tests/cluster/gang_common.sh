# What the tests of tasks of several nodes share; read with `.` after
# tests/launch/common.sh. Goes to `work`.
# shellcheck shell=bash
# shellcheck disable=SC2154 # srcdir and work are of who reads this
castellcc=$PWD/annotations/castellcc-build
modules=$PWD/.libs
if [ -n "${SANITIZER_CFLAGS-}" ]; then
    echo "1..0 # SKIP MPI is not for sanitizers"
    exit 0
fi
if [ ! -f "$modules/castell_mpi.so" ] || ! have mpirun; then
    echo "1..0 # SKIP built without MPI"
    exit 0
fi
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
export CASTELL_MODULES=$modules

translated() {
    # shellcheck disable=SC2046
    "$castellcc" -O1 -g -Wall -Wextra -Wno-castell-globals -Werror -o gang \
        "$srcdir/tests/cluster/programs/gang.c" $(pkg-config --cflags --libs ompi-c)
}
# finish: see how what was started as $launcher ends.
launcher=''
ended=''
finish() {
    local status=0
    wait "$launcher" || status=$?
    ended="$status $(cat out)"
}
# ends STATUS OUTPUT
ends() {
    same "$ended" "$1 $2" && return
    cat said
    return 1
}
