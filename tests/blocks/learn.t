#!/bin/sh
# What is learnt from real data is what scikit-learn learns from them.
here=$(dirname "$0")
# shellcheck source=tests/blocks/python.sh
. "$here/python.sh"
with_modules numpy,scipy,sklearn "$here/learn_test.py"
