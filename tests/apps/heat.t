#!/bin/sh
# The wave fronts of several sweeps give exactly what one loop gives.
set -u
# shellcheck source=tests/harness/tap.sh
. "${srcdir:-.}/tests/harness/tap.sh"
# shellcheck source=tests/apps/apps.sh
. "${srcdir:-.}/tests/apps/apps.sh"
need heat

everywhere heat --n 256 --block 32 --sweeps 10
everywhere heat --n 100 --block 7 --sweeps 5
everywhere heat --n 30 --block 1 --sweeps 3
everywhere heat --n 5 --block 100 --sweeps 3
everywhere heat --n 1 --block 1 --sweeps 2
replayable apps/heat/heat --n 256 --block 32 --sweeps 10
tap_done
