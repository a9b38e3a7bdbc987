# apps.sh - what the tests of applications share; read with `.` after tap.sh,
# from the top of the build tree.
# shellcheck shell=sh

work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
unset CASTELL_CORES OPENBLAS_NUM_THREADS OMP_NUM_THREADS
images=/usr/share/datasets/fashion-mnist

# need APP: skip the whole test when this build has it not.
need() {
    if [ ! -x "apps/$1/$1" ]; then
        echo "1..0 # SKIP apps/$1 is not built: its libraries were not found"
        exit 0
    fi
}

need_images() {
    if [ ! -d "$images" ]; then
        echo "1..0 # SKIP dataset-fashion-mnist is not installed"
        exit 0
    fi
}

# verified COMMAND...: it exits with 0 and says that its result was verified.
verified() {
    verified_said=$("$@" 2>&1) && verified_status=0 || verified_status=$?
    echo "$verified_said"
    case $verified_said in
    *WRONG*) return 1 ;;
    *verified*) return "$verified_status" ;;
    esac
    return 1
}

# everywhere APP OPTION...: its result is right by its sequential twin, and with
# one executor, two, and more than there are cores. Nobody gives OpenBLAS in the
# twin one thread only, and ThreadSanitizer does not know how its threads wait.
everywhere() {
    app=$1
    shift
    ok "$app-sequential $*" \
        verified env OPENBLAS_NUM_THREADS=1 "apps/$app/$app-sequential" "$@"
    for cores in 1 2 7; do
        ok "$app $* with $cores executors" \
            verified env CASTELL_CORES=$cores "apps/$app/$app" "$@"
    done
}

# replayed COMMAND...: from its trace, each task ran once, after what it reads was
# written, and within the cores.
replayed() {
    rm -rf "$work/trace"
    verified env CASTELL_CORES=3 CASTELL_TRACE="$work/trace" "$@" &&
        tests/replay/replay "$work/trace"
}

# replayed_on_nodes COMMAND...: the same, with two workers.
replayed_on_nodes() {
    rm -rf "$work/trace"
    verified timeout -k 5 120 runtime/launch/castell run -n 2 --carrier=tcp \
        --cores-per-worker=2 --master-cores=1 --trace="$work/trace" "$@" &&
        tests/replay/replay "$work/trace"
}

# replayable COMMAND...: both.
replayable() {
    ok "replay $*" replayed "$@"
    ok "replay $* on three nodes" replayed_on_nodes "$@"
}

# refuses TEXT COMMAND...: it exits with 2 and says one line, the text in it.
refuses() {
    refuses_text=$1
    shift
    refuses_said=$("$@" 2>&1 >/dev/null) && refuses_status=0 || refuses_status=$?
    echo "status $refuses_status: $refuses_said"
    [ "$refuses_status" = 2 ] || return 1
    [ "$(printf '%s\n' "$refuses_said" | wc -l)" = 1 ] || return 1
    case $refuses_said in
    *"$refuses_text"*) return 0 ;;
    esac
    return 1
}

# on_opencl APP OPTION...: its twin with bodies for GPUs is right on OpenCL's
# devices, has used them, and is right without any.
on_opencl() {
    app=$1
    shift
    if [ -n "${SANITIZER_CFLAGS-}" ]; then
        skip "$app on OpenCL" "drivers are not for sanitizers"
        return
    fi
    ok "$app-gpu $* without a GPU" verified env CASTELL_DEVICES=none "apps/$app/$app-gpu" "$@" --verify
    if ! ls /etc/OpenCL/vendors/*.icd >/dev/null 2>&1; then
        skip "$app on OpenCL" "there is no driver of OpenCL"
        return
    fi
    mkdir -p "$work/cache"
    ok "$app-gpu $* on OpenCL" verified env CASTELL_DEVICES=opencl CASTELL_CACHE="$work/cache" \
        "apps/$app/$app-gpu" "$@" --verify
    ok "its kernels were built" test -n "$(ls "$work/cache")"
    mkdir -p "$work/fresh" # what was learnt may send all to cores
    ok "its trace has what devices did, as they counted" traced_on_opencl "$app" "$@"
}

# traced_on_opencl APP OPTION...: its trace is right, and has copies and kernels.
traced_on_opencl() {
    checked=$(
        export CASTELL_DEVICES=opencl CASTELL_CACHE="$work/fresh"
        app=$1
        shift
        replayed "apps/$app/$app-gpu" "$@" --verify
    ) || { echo "$checked" && return 1; }
    echo "$checked"
    case $checked in
    *" 0 copies"* | *" 0 kernels"*) return 1 ;;
    esac
}

# "$work/by_cuda" COMMAND...: on two GPUs that are none: their driver, cuBLAS and
# compiler of kernels are those of tests/device, which compute on the host. What is
# kept of kernels and speeds is in $work/kernels. (The library by which hwloc lists PCI
# devices loses memory, which AddressSanitizer minds.)
offer_cuda() {
    mkdir -p "$work/kernels"
    cat >"$work/by_cuda" <<-END
	#!/bin/sh
	exec env LD_LIBRARY_PATH='$PWD/tests/device/.libs' FAKE_CUDA_MEMORY=$((256 << 20)) \\
	    FAKE_NVRTC='$work/kernels' CASTELL_CACHE='$work/kernels' CASTELL_DEVICES=cuda \\
	    srcdir='${srcdir:-.}' ${SANITIZER_CFLAGS:+HWLOC_COMPONENTS=-pci} "\$@"
	END
    chmod +x "$work/by_cuda"
}

# on_cuda APP OPTION...: its twin with bodies for GPUs is right on them.
on_cuda() {
    app=$1
    shift
    rm -rf "$work/kernels"
    offer_cuda
    ok "$app-gpu $* on CUDA" verified "$work/by_cuda" "apps/$app/$app-gpu" "$@" --verify
    ok "its kernels were built" test -n "$(ls "$work/kernels")"
}
