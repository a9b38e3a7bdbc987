#!/bin/sh
# Neighbours, mixtures and forests are those of scikit-learn.
here=$(dirname "$0")
# shellcheck source=tests/blocks/python.sh
. "$here/python.sh"
with_modules numpy,scipy,sklearn "$here/classify_test.py"
