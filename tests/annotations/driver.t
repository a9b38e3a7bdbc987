#!/bin/sh
# castellcc as a compiler: in every mode, in make, in autoconf and in CMake.
# Compilers and options are words, to be split.
# shellcheck disable=SC2086
set -u
srcdir=$(cd "${srcdir:-.}" && pwd)
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
castellcc=$PWD/annotations/castellcc-build
# With gcc, whatever built the tree: it says what the tests compare. clang has a
# case of its own below.
CC=gcc
CASTELL_CC=gcc
export CC CASTELL_CC
# All programs are linked with a library that may need it.
plain="$castellcc"
castellcc="$castellcc ${SANITIZER_CFLAGS-}"
include=-I$srcdir/include
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
LC_ALL=C
TMPDIR=$work/tmp
export LC_ALL TMPDIR
mkdir tmp sub
unset MAKEFLAGS MFLAGS MAKELEVEL

cat >task.h <<'END'
#ifndef TASK_H
#define TASK_H
#include <castell.h>
#define COUNT 4
#pragma castell task inout(x[0:n])
void add(int n, int *x, int by);
void both(int *x);
#endif
END
cat >task.c <<'END'
#include "task.h"
static int local;
#pragma castell task inout(*x)
static void once(int *x)
{
    *x += 1;
}
void add(int n, int *x, int by)
{
    for (int i = 0; i < n; i++)
        x[i] += by;
}
void both(int *x)
{
    (void)local;
    add(COUNT, x, 1);
    once(x);
}
END
cat >main.c <<'END'
#include "task.h"
#include <stdio.h>
#pragma castell task inout(*x)
static void once(int *x)
{
    *x += 100;
}
int main(int argc, char **argv)
{
    int x[COUNT] = {1, 2, 3, 4};
    castell_start(&argc, &argv);
    both(x);
    add(COUNT, x, 10); once(x);
#pragma castell wait_on(x)
    printf("%d %d %d %d\n", x[0], x[1], x[2], x[3]);
    return castell_stop();
}
END
cat >plain.c <<'END'
#include <stdio.h>
int plain(void)
{
    return printf("plain\n");
}
END
answer="113 13 14 15"

# same A B: two commands, as words of a shell, print the same and end the same.
same() {
    eval "$1" >a.out.txt 2>&1
    a=$?
    eval "$2" >b.out.txt 2>&1
    b=$?
    diff -u b.out.txt a.out.txt && [ "$a" = "$b" ]
}
# runs PROGRAM: it is there, gives the answer, and is gone.
runs() {
    says "$answer" "./$1" && rm -f "$1"
}
# builds COMMAND...: it does what is asked in silence.
builds() {
    eval "$*" >said 2>&1 && [ ! -s said ] && return
    head -n 40 said
    return 1
}

# ---- One at a time --------------------------------------------------------------
ok "-o with two files" builds "$castellcc -o prog main.c task.c" && ok "runs" runs prog
ok "a.out" builds "$castellcc main.c task.c" && ok "runs" runs a.out
ok "no temporary file is left" test -z "$(ls tmp)"
ok "-c" builds "$castellcc -c main.c" && ok "main.o" test -s main.o
ok "-c -o" builds "$castellcc -c task.c -o sub/t.o" && ok "linking objects" \
    builds "$castellcc main.o sub/t.o -o prog" && ok "runs" runs prog
rm -f ./*.o
ok "-c with several files" builds "$castellcc -c main.c task.c plain.c" &&
    ok "an object each" test -s main.o -a -s task.o -a -s plain.o
ok "objects and sources" builds "$castellcc -o prog main.c task.o plain.o" &&
    ok "runs" runs prog
ok "-S" builds "$castellcc -S main.c" && ok "main.s" grep -q castell_task_submit main.s
ok "an assembler file" builds "$castellcc -o prog main.s task.o" && ok "runs" runs prog
ok "-fsyntax-only" builds "$castellcc -fsyntax-only main.c"
cp main.c main.txt
ok "-x c" builds "$castellcc -o prog -x c main.txt task.c" && ok "runs" runs prog
ok "-x none" builds "$castellcc -o prog -xc main.txt -x none task.o" && ok "runs" runs prog
ok "standard input" builds "$castellcc -o prog -x c - -x none task.o <main.c" && ok "runs" runs prog
ok "standard input with -c" builds "$castellcc -c -o stdin.o -x c - <plain.c" &&
    ok "stdin.o" test -s stdin.o
printf '%s\n' '-o prog "main.c"' '-DNAME="a b"' 'task.c' >args
ok "@file" builds "$castellcc -O1 @args" && ok "runs" runs prog
ok "a shared library" builds "$castellcc -shared -fPIC -o libtask.so task.c" &&
    ok "a program that uses it" builds "$castellcc -o prog main.c -L. -ltask -Wl,-rpath,$work" &&
    ok "runs" runs prog
ar cr libtask.a task.o
ok "a static library" builds "$castellcc -o prog main.c -L. -l:libtask.a" && ok "runs" runs prog
ok "-r" builds "$castellcc -r -nostdlib -o both.o main.o task.o" &&
    ok "a program of it" builds "$castellcc -o prog both.o" && ok "runs" runs prog
$CC -E $include main.c >main.i
ok "a preprocessed file" fails "$plain" -c main.i
$CC -E -dD $include task.c >task.i
ok "with its macros" builds "$castellcc -o prog main.c task.i" && ok "runs" runs prog
ok "-DCASTELL_SEQUENTIAL" builds "$castellcc -DCASTELL_SEQUENTIAL -Wall -Wextra -o prog main.c task.c" &&
    ok "runs" runs prog
ok "with debug information, optimisation and strict ISO C" builds "$castellcc -std=c11 -pedantic \
    -g -O2 -Wall -Wextra -Wshadow -Wconversion -Wredundant-decls -Wmissing-prototypes \
    -Wstrict-prototypes -Wundef -Wcast-qual -Werror -Wno-castell-globals -o prog main.c task.c" &&
    ok "runs" runs prog
ok "C99 with what is pedantic as an error" builds "$castellcc -std=c99 -pedantic-errors -c main.c"

# ---- As the compiler ------------------------------------------------------------
for option in --version -dumpmachine -dumpversion -print-prog-name=ld --help -v \
    -print-search-dirs '-E -dM -x c /dev/null' "-E $include main.c" "-M $include task.c" \
    "-MM $include task.c" nonexistent.c '-c -o x.o nonexistent.c' ''; do
    # -I of the installation comes last: it changes what is listed, not read.
    ok "the compiler's own: $option" same "$plain $option 2>&1 | grep -v '^ .*include$'" \
        "$CC $option 2>&1 | grep -v '^ .*include$'"
done
ok "CASTELL_CC" env CASTELL_CC=false sh -c '! "$@"' - "$plain" -c plain.c
if command -v clang >/dev/null; then
    ok "clang" builds "CASTELL_CC=clang $plain -Wall -Wextra -g -c main.c" &&
        ok "main.o by clang" test -s main.o
else
    skip "clang" "not installed"
fi

# ---- Dependencies -----------------------------------------------------------------
# depends OPTIONS: the same file of dependencies as the compiler makes, but that
# headers may be named differently.
depends() {
    rm -f sub/*.d ./*.d
    $plain "$@" || return
    find . -name '*.d' | sort >names
    xargs sed 's|[^ ]*/castell.h|castell.h|g' <names >ours
    rm -f sub/*.d ./*.d
    $CC $include "$@" -Wno-unknown-pragmas || return
    find . -name '*.d' | sort | diff -u - names || return
    xargs sed 's|[^ ]*/castell.h|castell.h|g' <names | diff -u - ours
    [ -s ours ]
}
ok "-MMD" depends -MMD -c task.c
ok "-MD with -o" depends -MMD -c task.c -o sub/x.y.o
ok "-MF -MT -MP" depends -MMD -MF sub/z.d -MT 'one two' -MP -c task.c
ok "-MQ" depends -MMD -MQ 'a$b' -c task.c
ok "-MD and -S" depends -MD -S task.c -o sub/task.s
ok "-Wp,-MMD" depends -Wp,-MMD,sub/wp.d -c task.c -o sub/wp.o
ok "of a file without tasks" depends -MMD -c plain.c

# ---- Messages ---------------------------------------------------------------------
sed -e 's/x\[0\], x\[1\]/y[0],   x[1]/' -e 's/add(COUNT, x, 10)/add(COUNT, x, 10, 5)/' main.c >wrong.c
ok "an error stands where the compiler has it" says "wrong.c:15:29: error:" "$plain" -c wrong.c
ok "and all is as the compiler says it" same "$plain -c wrong.c" "$CC -fsyntax-only $include wrong.c"
cat >warn.c <<'END'
#include "task.h"
#include <string.h>
#define MACRO(x) ((x) + 1)
int warn(int n, int *x)
{
	int     unused;	/* a tab, and */   unsigned u = 0;
    const char *s = "two  blanks";   if (u < n) n = MACRO( 2 );
    add(n, x, 10); if (u <   n)    return s[0];
    return MACRO(n);
}
END
ok "warnings are the compiler's" same "$plain -Wall -Wextra -c warn.c" \
    "$CC -Wall -Wextra -Wno-unknown-pragmas -c $include warn.c"
cat >clause.c <<'END'
#include <castell.h>
struct s { int a; };
struct s value;
#pragma castell task inout(x[0:value]) \
    priority(n +)
void f(int n, double *x)
{
    x[0] = n;
}
void g(double *x)
{
    f(1, x);
}
END
ok "an error in a clause stands in the clause" says "clause.c:4:" "$plain" -c clause.c
ok "on its own line" says "clause.c:5:" "$plain" -c clause.c
ok "a file that fails leaves no object" test ! -e clause.o
ok "a wrong pragma is status 1" sh -c '"$1" -c "$2" 2>/dev/null; [ $? = 1 ]' - \
    "$plain" "$srcdir/tests/golden/annotations/unknown_clause.c"
cat >gnu.c <<'END'
#include <castell.h>
#include <complex.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif
#pragma castell task
void nothing(void)
{
}
int gnu(int n)
{
    int twice(int m) { return 2 * m; }
    return twice(n);
}
void call(void)
{
#ifdef INSIDE
    int nested(int m) { nothing(); return m; }
    nested(3);
#endif
    nothing();
}
END
if $CC --version | grep -q clang; then
    skip "what libclang does not know" "nor does this compiler"
else
    ok "what libclang does not know is fine" builds "$castellcc -Wno-castell-globals -O2 -c gnu.c"
    ok "but not around a task" says "cannot follow this use of task 'nothing'" \
        "$plain" -DINSIDE -c gnu.c
fi

# ---- Debug information --------------------------------------------------------------
if command -v gdb >/dev/null && builds "$castellcc -g -O0 -o prog main.c task.c"; then
    gdb_says() {
        says "$1" gdb -nx -batch -ex "$2" -ex run -ex "info source" -ex bt ./prog
    }
    ok "gdb stops in a task" gdb_says "at task.c:11" "break task.c:11"
    ok "and in main, and shows its line" gdb_says "13	    add(COUNT, x, 10); once(x);" \
        "break main.c:13"
    # What a sanitizer calls in each function is stepped into.
    [ -n "${SANITIZER_CFLAGS-}" ] ||
        ok "and steps over what all calls share" says "__castell_submit_once (" \
            gdb -nx -batch -ex "break main.c:13" -ex run -ex step -ex step -ex step ./prog
    ok "the unit has the user's name" gdb_says "Current source file is main.c" "break main.c:12"
    rm -f prog
else
    skip "gdb" "not installed"
fi

# ---- In builds -----------------------------------------------------------------------
mkdir make
cp main.c task.c task.h make
cat >make/Makefile <<'END'
CFLAGS = -O1 -g -MMD
prog: main.o task.o
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
-include main.d task.d
END
ok "make CC=castellcc" builds "make -s -C make CC='$castellcc'" && ok "runs" runs make/prog
sed 's/COUNT 4/COUNT 3/' task.h >make/task.h.new
sleep 1
mv make/task.h.new make/task.h
touch make/task.h
ok "a header that changes is seen" says "-c -o main.o main.c" make -C make CC="$castellcc"

if command -v cmake >/dev/null; then
    mkdir cmake
    cp main.c task.c task.h cmake
    cat >cmake/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.13)
project(prog C)
include(CheckFunctionExists)
check_function_exists(printf HAVE_PRINTF)
check_function_exists(no_such_function HAVE_NOTHING)
add_library(tasks STATIC task.c)
add_executable(prog main.c)
target_link_libraries(prog tasks)
if(NOT HAVE_PRINTF OR HAVE_NOTHING)
    message(FATAL_ERROR "functions are not found as they should be")
endif()
END
    ok "cmake -DCMAKE_C_COMPILER=castellcc" cmake -S cmake -B cmake/build \
        -DCMAKE_C_COMPILER="$plain" -DCMAKE_C_FLAGS="${SANITIZER_CFLAGS-}" \
        -DCMAKE_BUILD_TYPE=Release &&
        ok "builds" cmake --build cmake/build && ok "runs" runs cmake/build/prog
else
    skip "cmake" "not installed"
fi

if command -v autoconf >/dev/null; then
    mkdir autoconf
    cp main.c task.c task.h make/Makefile autoconf
    cat >autoconf/configure.ac <<'END'
AC_INIT([prog], [1])
AC_PROG_CC
AC_CHECK_FUNCS([printf no_such_function])
AC_CHECK_HEADERS([castell.h no_such_header.h])
AC_CHECK_SIZEOF([long])
AS_IF([test "$ac_cv_func_printf$ac_cv_func_no_such_function" != yesno], [AC_MSG_ERROR([functions])])
AS_IF([test "$ac_cv_header_castell_h$ac_cv_header_no_such_header_h" != yesno], [AC_MSG_ERROR([headers])])
AC_OUTPUT
END
    configured() {
        (cd autoconf && autoconf && ./configure CC="$castellcc" && make -s CC="$castellcc")
    }
    ok "./configure CC=castellcc" configured && ok "runs" runs autoconf/prog
else
    skip "autoconf" "not installed"
fi

# .cu files: with a compiler that says how it was called, and with nvcc.
mkdir cuda
cat >cuda/nvcc <<'END'
#!/bin/sh
echo "$@" >>called
while [ "$1" != -o ]; do shift; done
echo 'int add_one(int x); int add_one(int x) { return x + 1; }' | gcc -c -x c -o "$2" -
END
chmod +x cuda/nvcc
echo 'extern "C" int add_one(int x) { return x + 1; }' >cuda/add.cu
cat >cuda/main.c <<'END'
int add_one(int x);
int main(void) { return add_one(41); }
END
calls() {
    rm -f called
    CASTELL_NVCC="$work/cuda/nvcc -arch=sm_90" "$@" && grep -q -e "$wanted" called
}
wanted='^-arch=sm_90 .*-O2 -g -Xcompiler=-fPIC -DX=1 -I[^ ]* -c -o add.o cuda/add.cu$'
ok "a .cu file to an object, with the options that nvcc understands" \
    calls $castellcc -O2 -g -std=c11 -Wall -fPIC -DX=1 -c cuda/add.cu
mixed() {
    CASTELL_NVCC="$work/cuda/nvcc" $castellcc -v -o prog cuda/main.c cuda/add.cu 2>said
    grep -q -e '-lcudart_static .*-lstdc++' said
}
ok "a program with one is linked with CUDA's runtime" mixed
none() {
    PATH=/usr/bin:/bin $castellcc -S cuda/add.cu 2>said
    [ $? = 1 ] && grep -q "castellcc: cuda/add.cu: of a .cu file there are only objects" said
}
ok "no assembler of one" none
if [ -x /usr/local/cuda/bin/nvcc ] && [ -z "${SANITIZER_CFLAGS-}" ]; then
    real() {
        $castellcc -O2 -o prog cuda/main.c cuda/add.cu && {
            ./prog
            [ $? = 42 ]
        }
    }
    ok "by nvcc itself" real
else
    skip "by nvcc itself" "there is no nvcc"
fi
tap_done
