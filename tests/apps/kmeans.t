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
for cores in 1 2 7; do
    CASTELL_CORES=$cores apps/kmeans/kmeans --images 2000 --part 61 --iterations 5 |
        sed -n 's/.*checksum//p' >"$work/sum.$cores"
done
ok "there is a checksum" grep -q . "$work/sum.1"
ok "of 2 executors it is that of 1" cmp "$work/sum.1" "$work/sum.2"
ok "and of 7" cmp "$work/sum.1" "$work/sum.7"

ok "more clusters than images" refuses "5 clusters are too many for 4 images" \
    apps/kmeans/kmeans --images 4 --clusters 5
ok "no such directory" refuses "cannot read $work/none/train-images" \
    apps/kmeans/kmeans --data "$work/none"
replayable apps/kmeans/kmeans --images 1000 --part 100 --iterations 4
on_opencl kmeans --images 900 --part 100 --iterations 5 --clusters 17
on_cuda kmeans --images 900 --part 100 --iterations 5 --clusters 17
tap_done
