#!/bin/sh
# Training gives the same bits on any number of executors, and the model is that
# of the sequential twin; it can be saved and used; data may stay in files; what
# is not what it should be is refused.
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
    echo "$train_said" | sed -n 's/^train: .*%, //p' >"$work/sum.$train_cores"
    [ -s "$work/sum.$train_cores" ]
}

# bits OPTION...: one training, three numbers of executors, the same bits.
bits() {
    for cores in 1 2 7; do
        ok "train $* with $cores executors" train_with $cores --model "$work/model.$cores" "$@"
    done
    ok "train-sequential $*" verified $train-sequential --model "$work/model.0" "$@"
    for cores in 2 7; do
        ok "the loss curve and the model of $cores executors are those of 1" \
            cmp "$work/sum.1" "$work/sum.$cores"
        ok "and so are the files" cmp "$work/model.1" "$work/model.$cores"
    done
}

# twin OPTION...: without tasks the same bits, where a step has one task: several
# are added up in a tree.
twin() {
    ok "train $*, a task a step" train_with 2 --model "$work/model.1" "$@"
    ok "train-sequential $*" verified $train-sequential --model "$work/model.0" "$@"
    ok "its model is the same" cmp "$work/model.0" "$work/model.1"
}

twin --samples 500 --epochs 2 --shape 30 --batch 64 --shard 64
twin --net cnn --shape 3,4,10 --samples 200 --epochs 1 --batch 32 --shard 32 --lr 0.01
twin --net transformer --shape 16,2,1 --context 16 --samples 100 --epochs 1 --shard 32
bits --net cnn --shape 3,4,10 --samples 300 --epochs 1 --batch 64 --shard 16 --lr 0.01
bits --net transformer --shape 16,2,1 --context 16 --samples 200 --epochs 2 --schedule step
bits --samples 1500 --epochs 2 --shape 48,32 --target 50
# A last batch and a last shard that are smaller; shards that are no power of 2.
small="--samples 333 --epochs 3 --shape 20 --batch 100 --shard 15"
# shellcheck disable=SC2086
{
    bits $small
    ok "from files that tasks read" train_with 2 $small --stream "$work" --model "$work/other"
    ok "the loss curve and the model are the same" cmp "$work/sum.1" "$work/sum.2"
    ok "and so is the file" cmp "$work/model.1" "$work/other"
    ok "another seed" $train $small --seed 2 --model "$work/other"
    ok "gives another model" fails cmp -s "$work/model.1" "$work/other"
    for other in "--optimiser adam" "--warmup 0" "--schedule constant" "--momentum 0.5"; do
        ok "$other" $train $small $other --model "$work/other"
        ok "does too" fails cmp -s "$work/model.1" "$work/other"
    done
}
cat /usr/share/common-licenses/GPL-* >"$work/text"
text="--net transformer --shape 16,2,1 --context 16 --samples 200 --epochs 1"
# shellcheck disable=SC2086
{
    ok "text of a file" train_with 1 $text --data "$work/text" --model ''
    ok "that tasks read" train_with 2 $text --data "$work/text" --stream "$work" --model ''
    ok "is the same" cmp "$work/sum.1" "$work/sum.2"
    ok "a directory is not streamed" refuses "reads text from one file" \
        $train $text --stream "$work"
}

# learns OPTION...: the loss of the last epoch is at most 3/4 of that of the first.
learns() {
    "$train" "$@" --metrics "$work/metrics" --model '' &&
        sed -n 's/.*"event":"epoch".*"loss":\([0-9.]*\),"test_loss.*/\1/p' "$work/metrics" |
        awk 'NR == 1 { first = $1 } END { print first, $1; exit !($1 > 0 && $1 < 0.75 * first) }'
}
if ! checks_threads; then
    ok "a transformer learns" learns --net transformer --shape 32,2,1 --context 32 \
        --samples 1500 --epochs 4 --lr 0.005 --warmup 0
    ok "a network of convolutions learns" learns --net cnn --shape 4,8,32 --samples 1000 --epochs 4
fi

# ---- What it tells

# Two shards in the last step of an epoch, seven in the others.
# shellcheck disable=SC2086
ok "one process is one worker" says "  1 worker  0 s left" $train $small --model ''
# shellcheck disable=SC2086
ok "and never more" fails says "workers" $train $small --model ''

# ---- What it leaves

ok "metrics" $train --samples 333 --epochs 3 --shape 20 --metrics "$work/metrics" \
    --model "$work/model"
ok "of three epochs, begin and end" sh -c "[ \$(wc -l <'$work/metrics') = 5 ]"
if command -v python3 >/dev/null; then
    ok "are JSON" python3 -c "
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert [line['event'] for line in lines] == ['start'] + 3 * ['epoch'] + ['end']
for line in lines[1:-1]:
    cells = line['confusion']
    assert sum(map(sum, cells)) == lines[0]['test_samples'] == 10000
    right = sum(cells[i][i] for i in range(10))
    assert abs(right / 10000 - line['test_accuracy']) < 1e-9
assert lines[-1]['test_accuracy'] == lines[-2]['test_accuracy']
" "$work/metrics"
    ok "the model is an archive of arrays" python3 -c "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as file:
    assert file.testzip() is None
    assert file.read('network.npy')[128:] == b'mlp 20 784 10\n'
    weights = file.read('01_dense_weights.npy')
    assert weights.startswith(b'\x93NUMPY\x01\x00v\x00') and len(weights) == 128 + 4 * 784 * 20
    assert b\"'shape': (784, 20)\" in weights[:128]
" "$work/model"
fi
score=$($train --samples 333 --epochs 3 --shape 20 --model "$work/model" |
    sed -n 's/^train: .*s, \(test .*%\),.*/\1/p')
ok "a score" test -n "$score"
ok "the model that was saved has it" says "evaluate: $score" $train --evaluate "$work/model"
ok "so it has by tasks that read files" says "evaluate: $score" \
    $train --evaluate "$work/model" --stream "$work"
ok "its answers are one a line" sh -c "
    $train --predict '$work/model' --samples 100 | awk 'NF == 3 && \$1 == NR - 1' | wc -l |
        grep -qx 100"
ok "training goes on from it" says "$score" \
    $train --epochs 0 --load "$work/model" --model '' --samples 333

ok "a target that is not reached" fails \
    $train --samples 100 --epochs 1 --shape 4 --target 99.9 --model ''
ok "is told" says "below the target" \
    $train --samples 100 --epochs 1 --shape 4 --target 99.9 --model ''

replayable $train --samples 333 --epochs 3 --shape 20 --batch 100 --shard 30 --model ''
! checks_threads || tap_done

# ---- Input that is refused

refuse() {
    refuse_name=$1
    refuse_text=$2
    shift 2
    ok "$refuse_name" refuses "$refuse_text" $train --samples 100 --epochs 1 "$@"
}
refuse "a network that is none" "--net is mlp, cnn or transformer, not 'rnn'" --net rnn
refuse "an optimiser that is none" "--optimiser is sgd or adam, not 'x'" --optimiser x
refuse "a schedule that is none" "--schedule is cosine, step or constant, not ''" --schedule ''
head -c 1000 "$work/model" >"$work/short"
refuse "a model cut short" "is damaged" --load "$work/short"
{ head -c 50000 "$work/model" && printf x && tail -c +50002 "$work/model"; } >"$work/short"
refuse "a model with a wrong byte" "is damaged" --load "$work/short"
refuse "something else" "is no model" --load "$train"
refuse "no model" "cannot read $work/none" --load "$work/none"
refuse "no list of layers" "--shape takes sizes of hidden layers" --shape 12,
refuse "a layer of nothing" "--shape takes sizes of hidden layers" --shape 12,0
refuse "too few for convolutions" "--shape takes channels" --net cnn --shape 12
refuse "heads that do not fit" "--shape takes a width that is a multiple" \
    --net transformer --shape 10,3,1
refuse "no text" "cannot read $work/none" --net transformer --data "$work/none"
printf 'short' >"$work/text"
refuse "too little text" "has no ten pieces" --net transformer --data "$work/text"
refuse "no data" "cannot read $work/none/train-images-idx3-ubyte" --data "$work/none"
ok "a place for files that is none" says "cannot write $work/none" \
    $train --samples 100 --epochs 1 --stream "$work/none" --model ''
ok "a rate that is too high" says "a smaller --lr may help" \
    $train --samples 1000 --epochs 3 --lr 100 --model ''

data=$work/data
mkdir "$data"
cp "$images"/* "$data/"
zcat "$images/train-images-idx3-ubyte.gz" | head -c 100000 >"$work/images"
ok "data that are not compressed" sh -c "
    rm '$data/train-labels-idx1-ubyte.gz' &&
    zcat '$images/train-labels-idx1-ubyte.gz' >'$data/train-labels-idx1-ubyte' &&
    $train --samples 100 --epochs 1 --shape 4 --data '$data' --model ''"
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
    $train --samples 100 --epochs 0 --shape 4 --model "$work/none/model"
tap_done
