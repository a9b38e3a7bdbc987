#!/bin/sh
# Files that are read and written are what NumPy reads and writes.
here=$(dirname "$0")
# shellcheck source=tests/blocks/python.sh
. "$here/python.sh"
with_modules numpy "$here/files_test.py"
