#!/bin/sh
# Each file of tests/golden/annotations: NAME.err is what castellcc says of
# NAME.c, NAME.out (for emit_*) what it makes of the file's own lines.
# UPDATE=1 writes them anew.
set -u
srcdir=$(cd "${srcdir:-.}" && pwd)
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
castellcc=$PWD/annotations/castellcc-build
golden=$srcdir/tests/golden/annotations
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
LC_ALL=C
export LC_ALL

# own_lines FILE: what stands in FILE itself, of a translation, without blanks
# at the ends of lines and empty lines, which differ between compilers, and
# without the functions that every translation starts with.
own_lines() {
    awk -v file="\"$1\"" '
        /^# [0-9]+ "/ { own = $3 == file; line = $0; next }
        !own || !NF || /^static .* __castell_leave\(/ { next }
        { if (line != "") print line; line = ""; sub(/ +$/, ""); print }
    '
}

# same GOT EXPECTED
same() {
    if [ "${UPDATE-}" ]; then
        cp "$1" "$2"
    fi
    diff -u "$2" "$1"
}

compiles() {
    "$castellcc" -c -o "$work/object" "$1"
}

cd "$golden" || exit 99
for source in *.c; do
    name=${source%.c}
    case $name in
    emit_*)
        "$castellcc" --castell-translate "$source" 2>&1 >"$work/all" |
            cat >"$work/err"
        own_lines "$source" <"$work/all" >"$work/out"
        ok "$name: the translation" same "$work/out" "$name.out"
        ok "$name: without a word" test ! -s "$work/err"
        ok "$name: it compiles" compiles "$source"
        ;;
    *)
        compiles "$source" 2>"$work/err"
        status=$?
        ok "$name: the message" same "$work/err" "$name.err"
        expected=0
        ! grep -q ' error: ' "$name.err" || expected=1
        ok "$name: exit status $expected" test "$status" = "$expected"
        ;;
    esac
done
tap_done
