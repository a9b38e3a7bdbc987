# python.sh - run a test that is Python with modules: read with `.`, then
#     with_modules MODULE,MODULE TEST.py ARGUMENT...
# shellcheck shell=sh
# What the programs are compared with has one thread: more of them wait for one
# another, spinning, and longest on a machine that has other work.
unset CASTELL_CORES
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
with_modules() {
    with_modules_list=$1
    shift
    if [ ! -x apps/blocks/blocks ]; then
        echo "1..0 # SKIP apps/blocks is not built: its libraries were not found"
        exit 0
    fi
    for python in python3 /usr/bin/python3; do
        if "$python" -c "import $with_modules_list" 2>/dev/null; then
            exec "$python" "$@"
        fi
    done
    echo "1..0 # SKIP no python3 with $with_modules_list"
    exit 0
}
