#!/bin/sh
# Blocks give what a plain loop over the dense matrix gives, however sparse.
set -u
# shellcheck source=tests/harness/tap.sh
. "${srcdir:-.}/tests/harness/tap.sh"
# shellcheck source=tests/apps/apps.sh
. "${srcdir:-.}/tests/apps/apps.sh"
need sparselu

everywhere sparselu --blocks 16 --block 16
everywhere sparselu --blocks 12 --block 7 --density 0 --seed 5
everywhere sparselu --blocks 9 --block 10 --density 1 --seed 6
everywhere sparselu --blocks 30 --block 5 --density 0.3 --seed 7
everywhere sparselu --blocks 1 --block 1
replayable apps/sparselu/sparselu --blocks 16 --block 16
tap_done
