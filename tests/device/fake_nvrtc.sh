#!/bin/sh
# usage: fake_nvrtc.sh BASE
# Make BASE.so of the kernels in BASE.cu; see fake_nvrtc.c.
set -eu
here=$(dirname "$0")
c++ -E -P -x c++ "$1.cu" >"$1.ii"
{
    cat "$1.ii"
    grep -o '__global__ *void *[A-Za-z_0-9]*' "$1.ii" |
        sed 's/__global__ *void */FAKE_KERNEL(/; s/$/)/'
} >"$1.cpp"
exec c++ -std=c++17 -O1 -fPIC -shared -ffp-contract=off -include "$here/fake_kernels.hpp" -o "$1.so" "$1.cpp"
