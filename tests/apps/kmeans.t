#!/bin/sh
# Reductions give what plain loops give, and the same bits on any number of
# executors.
set -u
# shellcheck source=tests/harness/tap.sh
. "${srcdir:-.}/tests/harness/tap.sh"
# shellcheck source=tests/apps/apps.sh
. "${srcdir:-.}/tests/apps/apps.sh"
need kmeans
need_images

everywhere kmeans --images 1000 --part 100 --iterations 4
everywhere kmeans --images 301 --part 7 --iterations 3 --clusters 25 --seed 3
everywhere kmeans --images 3 --part 1 --iterations 2 --clusters 3
ok "more clusters than images" refuses "5 clusters are too many for 4 images" \
    apps/kmeans/kmeans --images 4 --clusters 5
ok "no such directory" refuses "cannot read $work/none/train-images" \
    apps/kmeans/kmeans --data "$work/none"
tap_done
