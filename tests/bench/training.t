#!/bin/sh
# The script that measures training: training_test.py, where there is a Python.
here=$(cd "$(dirname "$0")" && pwd)
command -v python3 >/dev/null || { echo "1..0 # SKIP no python3"; exit 0; }
exec python3 "$here/training_test.py" "$here/../../apps/bench"
