#!/bin/sh
# Networks learn on devices of OpenCL and CUDA what they learn on cores, to
# rounding: the same bits on one worker and on two, and from a checkpoint. What there
# are no bodies for is refused, and so is a device that is not there.
set -u
# shellcheck source=tests/harness/tap.sh
. "${srcdir:-.}/tests/harness/tap.sh"
# shellcheck source=tests/apps/apps.sh
. "${srcdir:-.}/tests/apps/apps.sh"
need train
need_images
train=apps/train/train-gpu
# A last batch and a last shard that are smaller; shards that are no power of 2.
small="--samples 1333 --epochs 2 --shape 48,32 --batch 200 --shard 30"
# Pixels beyond the last whole 2 x 2 of them; blocks with attention.
images_net="--net cnn --shape 4,6,20 --samples 300 --epochs 2 --batch 60 --shard 17 --seed 3"
text_net="--net transformer --shape 16,2,2 --context 12 --samples 150 --epochs 2 --batch 20 --shard 7"

ok "a program without bodies for devices says so" refuses "is for train-gpu" \
    apps/train/train --device opencl
ok "a device that does not exist" refuses "--device is cpu, cuda or opencl, not 'abacus'" \
    $train --device abacus
for other in --overlap "--stream $work"; do
    # shellcheck disable=SC2086
    ok "opencl with $other" refuses "takes neither --stream nor" $train --device opencl $other
done

mkdir -p "$work/cache"
CASTELL_CACHE=$work/cache
export CASTELL_CACHE

# learn NAME COMMAND...: leave the last line's checksums in $work/NAME and the
# losses of epochs in $work/NAME.loss; the gradient is the slope of the loss.
learn() {
    learn_name=$1
    shift
    learn_said=$(verified timeout -k 5 300 "$@" --metrics "$work/metrics" --model '')
    learn_status=$?
    echo "$learn_said"
    [ "$learn_status" = 0 ] || return 1
    echo "$learn_said" | sed -n 's/^train: .*%, //p' >"$work/$learn_name"
    sed -n 's/.*"loss": *\([0-9.eE+-]*\).*/\1/p' "$work/metrics" >"$work/$learn_name.loss"
    [ -s "$work/$learn_name" ] && [ -s "$work/$learn_name.loss" ]
}

# near A B: as many losses, each to 1e-3 of the other's.
near() {
    paste "$work/$1.loss" "$work/$2.loss" | awk '
        { print; d = $1 - $2; if (NF != 2 || d > 1e-3 * $1 || -d > 1e-3 * $1) wrong = 1 }
        END { exit wrong || NR < 2 }'
}

# shellcheck disable=SC2086
{
    ok "on cores" learn cpu $train $small
    ok "on cores by Adam" learn cpu_adam $train $small --optimiser adam
    ok "a convolutional one" learn cpu_cnn $train $images_net
    ok "a transformer" learn cpu_text $train $text_net
    offer_cuda
    ok "on two devices of CUDA" learn two_cuda "$work/by_cuda" $train --device cuda $small
    ok "losses are near" near cpu two_cuda
    ok "its kernels were built" test -n "$(ls "$work/kernels")"
    ok "on one" learn one_cuda "$work/by_cuda" env FAKE_CUDA_DEVICES=1 $train --device cuda $small
    ok "the same bits" cmp "$work/one_cuda" "$work/two_cuda"
    ok "by Adam" learn cuda_adam "$work/by_cuda" $train --device cuda $small --optimiser adam
    ok "losses are near" near cpu_adam cuda_adam
    ok "a convolutional one" learn cuda_cnn "$work/by_cuda" $train --device cuda $images_net
    ok "losses are near" near cpu_cnn cuda_cnn
    ok "a transformer" learn cuda_text "$work/by_cuda" $train --device cuda $text_net
    ok "losses are near" near cpu_text cuda_text
}

# without_device: that there is none is said, and it ends.
without_device() {
    said=$(env OCL_ICD_VENDORS=/nonexistent timeout -k 5 120 "$train" --device opencl 2>&1) &&
        status=0 || status=$?
    echo "status $status: $said"
    [ "$status" != 0 ] && [ "$status" -lt 124 ] || return 1
    case $said in
    *"needs a device of CUDA or OpenCL"*"OpenCL: the"*) return 0 ;;
    esac
    return 1
}
if [ -n "${SANITIZER_CFLAGS-}" ]; then
    skip "train on OpenCL" "drivers are not for sanitizers"
    tap_done
    exit 0
fi
ok "no device" without_device
if ! ls /etc/OpenCL/vendors/*.icd >/dev/null 2>&1; then
    skip "train on OpenCL" "there is no driver of OpenCL"
    tap_done
    exit 0
fi
# shellcheck disable=SC2086
{
    ok "on a device of OpenCL" learn one $train --device opencl $small
    ok "losses are near" near cpu one
    ok "by Adam" learn one_adam $train --device opencl $small --optimiser adam
    ok "losses are near" near cpu_adam one_adam
    ok "a convolutional one" learn one_cnn $train --device opencl $images_net
    ok "losses are near" near cpu_cnn one_cnn
    ok "a transformer" learn one_text $train --device opencl $text_net
    ok "losses are near" near cpu_text one_text
    ok "bits are others: it was the device" fails cmp -s "$work/cpu" "$work/one"
    ok "its kernels were built" test -n "$(ls "$work/cache")"
    ok "on two executors" learn cores env CASTELL_CORES=2 $train --device opencl $small
    ok "the same bits" cmp "$work/one" "$work/cores"
    ok "on two workers" learn two runtime/launch/castell run -n 2 --carrier=tcp \
        $train --device opencl $small
    ok "the same bits" cmp "$work/one" "$work/two"
    ok "with checkpoints" learn saved $train --device opencl $small --checkpoint "$work/state" --every 3
    ok "the same bits" cmp "$work/one" "$work/saved"
    ok "cores do not go on from what a device began" fails learn other $train $small \
        --checkpoint "$work/state" --resume
}
tap_done
