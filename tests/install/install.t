#!/bin/sh
# An installation is complete: a program outside the tree builds against it, with
# castellcc and with pkg-config's flags, in C and C++, and runs; one of the library
# of blocks too, on two nodes; the manual and the module file are sound; the
# README's program does what it says; uninstalling leaves nothing.
set -u
srcdir=$(cd "${srcdir:-.}" && pwd)
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL
stage=$(mktemp -d) || exit 99
trap 'rm -rf "$stage"' EXIT
mkdir "$stage/outside"

ok "make install" make -s install DESTDIR="$stage" || tap_done
pc=$(find "$stage" -name castell.pc)
prefix=$(pkg-config --variable=prefix "$pc")
libdir=$stage$(pkg-config --variable=libdir "$pc")
PATH=$stage$prefix/bin:$PATH
PKG_CONFIG_PATH=${pc%/*}
PKG_CONFIG_SYSROOT_DIR=$stage
LD_LIBRARY_PATH=$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PATH PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR LD_LIBRARY_PATH
for file in include/castell.h include/castell_checkpoint.h \
    include/castell_sequential.h lib/libcastell.so \
    bin/castell bin/castellcc share/man/man1/castell.1 share/man/man1/castellcc.1 share/man/man7/castell.7; do
    ok "$file is installed" test -f "$stage$prefix/$file"
done

cd "$stage/outside" || exit 99
# The first C program of the README, as it stands there.
sed -n '/^```c$/,/^```$/p' "$srcdir/README.md" | sed '/^```/d' >multiply.c
cat >by_hand.c <<'HAND'
#include <castell.h>
#include <stdio.h>
#include <stdlib.h>

static int add(void *const *buffers, const void *argument)
{
    *(int *)buffers[0] += *(const int *)argument;
    return 0;
}

int main(void)
{
    static struct castell_kind kind;
    static int sum;

    kind.name = "add";
    kind.body = add;
    castell_start(NULL, NULL);
    for (int i = 1; i <= 10; i++) {
        struct castell_access access = {};
        struct castell_submission submission = {};

        access.base = &sum;
        access.size = sizeof(sum);
        access.mode = CASTELL_INOUT;
        submission.kind = &kind;
        submission.accesses = &access;
        submission.accesses_count = 1;
        submission.argument = &i;
        submission.argument_size = sizeof(i);
        castell_must(castell_task_submit(&submission, NULL), NULL);
    }
    castell_must(castell_barrier(), NULL);
    printf("%d\n", sum);
    exit(castell_stop());
}
HAND
cp by_hand.c by_hand_cxx.cc

# shellcheck disable=SC2046,SC2086
build_by_hand() {
    ${CC:-cc} ${SANITIZER_CFLAGS-} -o by_hand by_hand.c $(pkg-config --cflags --libs castell)
}
# shellcheck disable=SC2046,SC2086
build_by_hand_cxx() {
    g++ ${SANITIZER_CFLAGS-} -o by_hand_cxx by_hand_cxx.cc $(pkg-config --cflags --libs castell)
}
# shellcheck disable=SC2046,SC2086
build_sequential() {
    ${CC:-cc} -DCASTELL_SEQUENTIAL -Wno-unknown-pragmas -o multiply_sequential multiply.c \
        -I"$stage$prefix/include" $(pkg-config --cflags --libs openblas)
}
# shellcheck disable=SC2046,SC2086
build_annotated() {
    castellcc ${SANITIZER_CFLAGS-} -O2 -o multiply multiply.c $(pkg-config --cflags --libs openblas)
}
ok "a program by hand builds with pkg-config's flags" build_by_hand &&
    ok "and runs" says 55 ./by_hand
if command -v g++ >/dev/null; then
    ok "a C++ one too" build_by_hand_cxx && ok "and runs" says 55 ./by_hand_cxx
else
    skip "a C++ program" "no g++"
fi
if PKG_CONFIG_SYSROOT_DIR='' pkg-config --exists openblas; then
    PKG_CONFIG_SYSROOT_DIR=
    ok "the README's program builds with castellcc" build_annotated &&
        ok "and says what the README says" says 2048 ./multiply
    ok "on one core too" says 2048 env CASTELL_CORES=1 ./multiply
    ok "and builds sequentially with a plain compiler" build_sequential &&
        ok "and says the same" says 2048 ./multiply_sequential
    PKG_CONFIG_SYSROOT_DIR=$stage
else
    skip "the README's program" "no OpenBLAS"
fi

# The program of blocks(1), as it stands there, and what its commands are called.
# shellcheck disable=SC2046,SC2086
build_blocks() {
    castellcc ${SANITIZER_CFLAGS-} -Werror -O2 -o squares squares.c \
        $(pkg-config --cflags --libs castell-blocks)
}
blocks_manual=$stage$prefix/share/man/man1/blocks.1
if [ -f "$stage$prefix/bin/blocks" ]; then
    for file in include/castell/blocks.h include/castell/forest.h \
        lib/libcastell_blocks.so share/man/man1/blocks.1; do
        ok "$file is installed" test -f "$stage$prefix/$file"
    done
    sed -n '/^#include <castell.h>$/,/^\.RE$/p' "$blocks_manual" |
        sed -e '/^\.RE$/d' -e 's/\\e/\\/g' >squares.c
    ok "the manual's program of blocks builds with castell-blocks.pc" build_blocks &&
        ok "and says what it computes" says 250000 ./squares &&
        ok "on two nodes too" says 250000 castell run -n 2 --dir "$stage" ./squares
    blocks --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' >commands
    sed -n '/^\.SH COMMANDS$/,/^\.SH OPTIONS/p' "$blocks_manual" |
        sed -n 's/^\.B \([a-z]*\)$/\1/p' >in_manual
    sort -o commands commands
    sort -o in_manual in_manual
    ok "the manual has each command of blocks" cmp commands in_manual
    ok "and there are some" test -s commands
    printf '1,2\n3,4\n' >two.csv
    ok "blocks runs" says 2.5 blocks info --input two.csv
else
    skip "the library of blocks" "it is not built"
fi

if command -v man >/dev/null; then
    for page in "$stage$prefix"/share/man/man*/*; do
        manual_says=$(man --warnings -E UTF-8 -l -Tutf8 "$page" 2>&1 >/dev/null)
        ok "${page##*/} is formatted without a warning" test -z "$manual_says"
    done
else
    skip "the manual" "no man"
fi

modules=$stage$(dirname "$(dirname "$(find "$stage" -path '*/modulefiles/*' -type f | sed "s|^$stage||")")")
if [ -r /usr/share/modules/init/sh ]; then
    ok "the module loads" says "PATH=$prefix/bin:" env PATH=/usr/bin:/bin sh -c '
        . /usr/share/modules/init/sh
        module use "$1"
        module load castell
        echo "PATH=$PATH"' - "$modules"
    ok "and says what it is" says "task-based" sh -c '
        . /usr/share/modules/init/sh
        module use "$1"
        module whatis castell' - "$modules"
else
    skip "the module file" "no environment modules"
fi

cd "$OLDPWD" || exit 99
ok "make uninstall" make -s uninstall DESTDIR="$stage"
rm -rf "$stage/outside"
left=$(find "$stage" ! -type d)
ok "leaves nothing ($left)" test -z "$left"
tap_done
