#!/bin/sh
# Every application explains itself and refuses what it does not understand in
# one sentence.
set -u
# shellcheck source=tests/harness/tap.sh
. "${srcdir:-.}/tests/harness/tap.sh"
# shellcheck source=tests/apps/apps.sh
. "${srcdir:-.}/tests/apps/apps.sh"

for app in matmul cholesky sparselu heat kmeans wordcount train; do
    program=apps/$app/$app
    if [ ! -x $program ]; then
        skip "$app" "it is not built"
        continue
    fi
    ok "$app --help" $program --help
    ok "$app --help tells the usage" says "Usage: $app [OPTION]..." $program --help
    ok "an option that is none" refuses "$app: no option '--colour'" $program --colour
    ok "a number that is none" refuses "not 'many'" $program --cores many
    ok "a number out of range" refuses "not '0'" $program --cores 0
    ok "a part of a number" refuses "not '1.5'" $program --cores=1.5
    ok "a number that is left out" refuses "--cores needs a value" $program --cores
    ok "a switch with a value" refuses "no option '--verify=1'" $program --verify=1
done
for app in matmul cholesky sparselu heat kmeans train; do
    program=apps/$app/$app
    [ ! -x $program ] || ok "$app takes no files" refuses "'x' is no option" $program x
done
ok "CASTELL_CORES that makes no sense" fails env CASTELL_CORES=many apps/heat/heat
ok "is named" says CASTELL_CORES env CASTELL_CORES=many apps/heat/heat
tap_done
