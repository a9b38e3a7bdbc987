#!/bin/sh
# Each check of scripts/ passes on a sound small tree and finds the fault that is
# planted in it.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
tree=$(mktemp -d) || exit 99
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/runtime/base" "$tree/runtime/graph" "$tree/apps" "$tree/include"
cp -R "$srcdir/scripts" "$tree/"
chmod -R u+w "$tree"
cp "$srcdir/.clang-format" "$srcdir/.clang-tidy" "$tree/"
cp "$srcdir"/include/castell*.h "$tree/include/"
printf 'base:\ngraph: base\n' >"$tree/runtime/LAYERS"
printf '#ifndef A_H\n#define A_H\nint a(void);\n#endif\n' >"$tree/runtime/base/a.h"
printf '#include "base/a.h"\n\nint a(void)\n{\n    return 1;\n}\n' >"$tree/runtime/base/a.c"

# plant FILE TEXT; unplant FILE
plant() { printf '%b' "$2" >"$tree/$1"; }
unplant() { rm -f "$tree/$1"; }

ok "the sound tree's layers" "$tree/scripts/check-layers"
plant runtime/base/b.c '#include "graph/graph.h"\n'
ok "a room may not include a higher one" \
    says 'runtime/base/b.c:1: room base may not include room graph' "$tree/scripts/check-layers"
ok "and the check fails" fails "$tree/scripts/check-layers"
plant runtime/base/b.c '#include "base/a_internal.h"\n'
ok "a private header is its own room's" "$tree/scripts/check-layers"
unplant runtime/base/b.c
plant runtime/graph/b.c '#include "base/a_internal.h"\n'
ok "and nobody else's" says 'is private to room base' "$tree/scripts/check-layers"
plant runtime/graph/b.c '#include <pthread.h>\n'
ok "a pure room starts no threads" says 'is pure and may not include' "$tree/scripts/check-layers"
plant runtime/graph/b.c 'void f(void)\n{\n    fprintf(stderr, "x");\n}\n'
ok "a pure room prints nothing" says 'may not print' "$tree/scripts/check-layers"
unplant runtime/graph/b.c
plant apps/b.c '#include "base/a.h"\n'
ok "an application sees nothing of runtime/" says 'apps/ may include' "$tree/scripts/check-layers"
unplant apps/b.c
printf 'base: graph\ngraph: base\n' >"$tree/runtime/LAYERS"
ok "the layers have no cycle" says 'is not above it' "$tree/scripts/check-layers"
printf 'base:\ngraph: base\n' >"$tree/runtime/LAYERS"

ok "the sound tree's sizes" "$tree/scripts/check-size"
plant apps/b.c "$(printf 'x\\n%.0s' $(seq 501))"
ok "501 lines are too many" says 'apps/b.c: 501 lines' "$tree/scripts/check-size"
echo 'apps/b.c 600 a test' >>"$tree/scripts/size-exceptions"
ok "unless there is a reason" "$tree/scripts/check-size"
plant apps/b.c "void f(void)\\n{\\n$(printf 'x\\n%.0s' $(seq 71))}\\n"
ok "71 lines are too many for a function" says 'function of 71 lines' "$tree/scripts/check-size"
unplant apps/b.c

ok "the sound tree's headers" "$tree/scripts/check-headers"
plant runtime/graph/b.h 'size_t b(void);\n'
ok "a header includes what it needs" fails "$tree/scripts/check-headers"
unplant runtime/graph/b.h

if command -v clang-format-14 >/dev/null; then
    plant apps/b.c 'int  f(void) {\n  return 1; }\n'
    ok "bad format is found" fails "$tree/scripts/check-format"
    ok "and mended" "$tree/scripts/check-format" -i
    ok "so that it is good" says '    return 1;' cat "$tree/apps/b.c"
    unplant apps/b.c
else
    skip "format" "no clang-format 14"
fi

if command -v clang-tidy-14 >/dev/null && command -v cppcheck >/dev/null; then
    plant apps/b.c '#include <stdlib.h>\nint f(const char *text);\nint f(const char *text)\n{\n    return atoi(text);\n}\n'
    ok "clang-tidy finds a fault" says 'cert-err34-c' "$tree/scripts/check-tidy" -a
    plant apps/b.c 'int f(void);\nint f(void)\n{\n    int x[2] = {0};\n    return x[2];\n}\n'
    ok "cppcheck finds a fault" says 'arrayIndexOutOfBounds' "$tree/scripts/check-tidy" -a
    unplant apps/b.c
else
    skip "clang-tidy and cppcheck" "not installed"
fi

commit() {
    git -C "$tree" -c user.name=a -c user.email=a@b.c commit -q --allow-empty -m "$1"
}
judged() {
    commit "$2"
    says "$1" "$tree/scripts/check-commits" HEAD~1
}
if command -v git >/dev/null; then
    git init -q "$tree"
    commit "$(printf 'base: begin\n\nProblem: there is nothing.\n')"
    ok "a good commit" "$tree/scripts/check-commits"
    ok "a commit says what the problem was" judged 'no "Problem:"' "$(printf 'base: go on\n\nMore.\n')"
    ok "and which room" judged 'subject is not' "$(printf 'Go on\n\nProblem: x.\n')"
    ok "and is short" judged 'subject of 7' \
        "$(printf 'base: %065d\n\nProblem: x.\n' 1 | sed 's/0/o/g')"
    ok "the check fails" fails "$tree/scripts/check-commits"
else
    skip "commits" "no git"
fi

if command -v shellcheck >/dev/null; then
    plant scripts/bad '#!/bin/sh\ncd $1\n'
    ok "shellcheck finds a fault" says 'SC2086' "$tree/scripts/check-scripts"
    unplant scripts/bad
else
    skip "scripts" "no shellcheck"
fi

ok "packages: a section that is not there" \
    says 'has no section sauce' "$tree/scripts/install-packages" sauce
printf '[product]\nno-such-package-castell # to miss it\n' >"$tree/scripts/packages"
ok "packages: one that is missing is named" \
    says 'no-such-package-castell' "$tree/scripts/install-packages" -n product
ok "packages: and the status says so" fails "$tree/scripts/install-packages" -n product
printf '[product]\nlibc6:no-such # of an architecture\n' >"$tree/scripts/packages"
ok "packages: one of another architecture is one of its own" \
    says 'libc6:no-such' "$tree/scripts/install-packages" -n product
printf '[product]\nlibc6 # there\n' >"$tree/scripts/packages"
ok "packages: nothing to do when all are there" "$tree/scripts/install-packages" product
tap_done
