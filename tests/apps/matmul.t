#!/bin/sh
# Tiles and sections give what dgemm gives, for blocks that fit and that do not.
set -u
# shellcheck source=tests/harness/tap.sh
. "${srcdir:-.}/tests/harness/tap.sh"
# shellcheck source=tests/apps/apps.sh
. "${srcdir:-.}/tests/apps/apps.sh"
need matmul

for layout in tiles sections; do
    everywhere matmul --layout $layout --n 256 --tile 64
    everywhere matmul --layout $layout --n 250 --tile 33 --repeat 3
    everywhere matmul --layout $layout --n 20 --tile 64
    everywhere matmul --layout $layout --n 1 --tile 1
done
ok "comparing prints the ratio" says "; ratio " apps/matmul/matmul --n 40 --tile 10 --compare --repeat 2
ok "a layout that does not exist" refuses "--layout is tiles or sections, not 'rows'" \
    apps/matmul/matmul --layout rows
replayable apps/matmul/matmul --layout sections --n 250 --tile 33 --repeat 3
on_opencl matmul --n 100 --tile 32
tap_done
