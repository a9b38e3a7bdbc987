#!/bin/sh
# Training gives the same bits on any number of executors, and the model is that
# of the sequential twin (whose loss is summed in another order); it can be saved
# and loaded; data that are not what they should be are refused.
set -u
# shellcheck source=tests/harness/tap.sh
. "${srcdir:-.}/tests/harness/tap.sh"
# shellcheck source=tests/apps/apps.sh
. "${srcdir:-.}/tests/apps/apps.sh"
need train
need_images
train=apps/train/train

# train_with CORES OPTION...: leave the two checksums in $work/sum.CORES.
train_with() {
    train_cores=$1
    shift
    train_said=$(verified env CASTELL_CORES="$train_cores" "$train" "$@")
    train_status=$?
    echo "$train_said"
    [ "$train_status" = 0 ] || return 1
    echo "$train_said" | sed -n 's/^train .*images\/s, //p' >"$work/sum.$train_cores"
    [ -s "$work/sum.$train_cores" ]
}

# bits OPTION...: one training, three numbers of executors, the same bits.
bits() {
    for cores in 1 2 7; do
        ok "train $* with $cores executors" train_with $cores --save "$work/model.$cores" "$@"
    done
    ok "train-sequential $*" env OPENBLAS_NUM_THREADS=1 $train-sequential --save "$work/model.0" "$@"
    ok "its model is the same" cmp "$work/model.0" "$work/model.1"
    for cores in 2 7; do
        ok "the loss curve and the model of $cores executors are those of 1" \
            cmp "$work/sum.1" "$work/sum.$cores"
        ok "and so are the files" cmp "$work/model.1" "$work/model.$cores"
    done
}

bits --images 1500 --epochs 2 --hidden 48,32 --target 50
# A last batch and a last shard that are smaller.
bits --images 333 --epochs 3 --hidden 20 --batch 100 --shard 30
ok "another seed" $train --images 333 --epochs 3 --hidden 20 --batch 100 --shard 30 \
    --seed 2 --save "$work/other"
ok "gives another model" fails cmp -s "$work/model.1" "$work/other"

sum=$(sed 's/.*model //' "$work/sum.1")
ok "a model that was saved is loaded" says "model $sum" \
    $train --images 333 --epochs 0 --hidden 20 --load "$work/model.1" --save ''
ok "a target that is not reached" fails \
    $train --images 100 --epochs 1 --hidden 4 --target 99.9 --save ''
ok "is told" says "below the target" \
    $train --images 100 --epochs 1 --hidden 4 --target 99.9 --save ''

# ---- Input that is refused

refuse() {
    refuse_name=$1
    refuse_text=$2
    shift 2
    ok "$refuse_name" refuses "$refuse_text" $train --images 100 --epochs 1 "$@"
}
refuse "a model of another shape" "is no model of this shape" --hidden 21 --load "$work/model.1"
head -c 1000 "$work/model.1" >"$work/short"
refuse "a model cut short" "is damaged" --hidden 20 --load "$work/short"
refuse "no model" "cannot read $work/none" --load "$work/none"
refuse "no list of layers" "--hidden takes sizes of layers" --hidden 12,
refuse "a layer of nothing" "--hidden takes sizes of layers" --hidden 12,0
refuse "too many layers" "--hidden takes sizes of layers" --hidden 1,1,1,1,1,1,1,1
refuse "no data" "cannot read $work/none/train-images-idx3-ubyte" --data "$work/none"

data=$work/data
mkdir "$data"
cp "$images"/* "$data/"
zcat "$images/train-images-idx3-ubyte.gz" | head -c 100000 >"$work/images"
ok "data that are not compressed" sh -c "
    rm '$data/train-labels-idx1-ubyte.gz' &&
    zcat '$images/train-labels-idx1-ubyte.gz' >'$data/train-labels-idx1-ubyte' &&
    $train --images 100 --epochs 1 --hidden 4 --data '$data' --save ''"
rm "$data/train-images-idx3-ubyte.gz"
refuse "images that are not there" "cannot read $data/train-images-idx3-ubyte: No such" --data "$data"
cp "$work/images" "$data/train-images-idx3-ubyte"
ok "as many images as there are" refuses "ends too early" $train --data "$data"
cp "$data/train-labels-idx1-ubyte" "$data/train-images-idx3-ubyte"
refuse "labels in place of images" "is no IDX file of bytes in 3 dimensions" --data "$data"
printf '\0\0\10\3\0\0\0\0\0\0\0\34\0\0\0\34' >"$data/train-images-idx3-ubyte"
refuse "a file of 0 images" "0 is no sensible number" --data "$data"
printf 'not compressed' >"$data/train-images-idx3-ubyte.gz"
refuse "something else" "is no IDX file" --data "$data"
head -c 30000 "$images/train-images-idx3-ubyte.gz" >"$data/train-images-idx3-ubyte.gz"
ok "a compressed file cut short" refuses "ends too early or is damaged" $train --data "$data"
ok "a model that cannot be written" says "cannot write $work/none/model" \
    $train --images 100 --epochs 0 --hidden 4 --save "$work/none/model"
replayable $train --images 333 --epochs 3 --hidden 20 --batch 100 --shard 30 --save ''
tap_done
