#!/bin/sh
# Tiles give what dpotrf gives, for tiles that fit and that do not.
set -u
# shellcheck source=tests/harness/tap.sh
. "${srcdir:-.}/tests/harness/tap.sh"
# shellcheck source=tests/apps/apps.sh
. "${srcdir:-.}/tests/apps/apps.sh"
need cholesky

everywhere cholesky --n 512 --tile 64
everywhere cholesky --n 333 --tile 40 --repeat 3
everywhere cholesky --n 20 --tile 64
everywhere cholesky --n 1 --tile 1
ok "comparing prints the ratio" says "; ratio " apps/cholesky/cholesky --n 40 --tile 10 --compare --repeat 2
replayable apps/cholesky/cholesky --n 333 --tile 40 --repeat 3
on_opencl cholesky --n 200 --tile 48
tap_done
