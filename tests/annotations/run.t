#!/bin/sh
# Programs with annotations: compiled by castellcc, on one executor and on three,
# each prints what it prints when compiled sequentially by a plain compiler, or
# what its first line says: /* expected: ... */.
set -u
srcdir=$(cd "${srcdir:-.}" && pwd)
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
castellcc=$PWD/annotations/castellcc-build
programs=$srcdir/tests/annotations/run
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99

# Whatever is said at all is too much.
# shellcheck disable=SC2086
translated() {
    "$castellcc" ${SANITIZER_CFLAGS-} -O1 -g -Wall -Wextra -Wno-castell-globals -Werror \
        -o "$1" "$programs/$1.c" -lm >said 2>&1 && [ ! -s said ] && return
    cat said
    return 1
}
# shellcheck disable=SC2086
sequential() {
    ${CC:-cc} ${SANITIZER_CFLAGS-} -O1 -g -w -DCASTELL_SEQUENTIAL -I"$srcdir/include" \
        -o "$1-sequential" "$programs/$1.c" -lm
}
expect() {
    sed -n '1s|^/\* expected: \(.*\) \*/$|\1|p' "$programs/$1.c" >expected
    [ -s expected ] || "./$1-sequential" >expected
}
prints() {
    CASTELL_CORES=$2 "./$1" >got 2>err || { echo "status $?"; cat err; return 1; }
    diff -u expected got
}

for source in "$programs"/*.c; do
    name=${source##*/}
    name=${name%.c}
    ok "$name: translated" translated "$name" || continue
    ok "$name: compiled sequentially" sequential "$name" || continue
    ok "$name: what it should print" expect "$name"
    ok "$name: on one executor" prints "$name" 1
    ok "$name: on three" prints "$name" 3
done
tap_done
