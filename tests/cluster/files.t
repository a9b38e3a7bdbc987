#!/bin/bash
# Files and directories as data: in one process, on nodes that share a file
# system, on nodes that do not (mounts of their own), and when nodes are lost.
set -u
srcdir=$(cd "${srcdir:-.}" && pwd)
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
castellcc=$PWD/annotations/castellcc-build
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
mkdir scratch
export TMPDIR=$work/scratch

# shellcheck disable=SC2086
translated() {
    "$castellcc" ${SANITIZER_CFLAGS-} -O1 -g -Wall -Wextra -Wno-castell-globals -Werror \
        -o files "$srcdir/tests/cluster/programs/files.c"
}
ok "translated" translated

# What all ways to run it have to come to: content, names and permissions.
listing() {
    find data -mindepth 1 -printf '%P %y %m %l\n' | sort
    find data -type f | sort | xargs -d '\n' cat
}
nothing_left() {
    [ -z "$(ls -A scratch)" ] || { ls -A scratch && false; }
}
# comes_to COMMAND...: run in an empty directory it says and leaves the same.
comes_to() {
    local status=0
    rm -rf data
    mkdir data
    "$@" >out 2>said || status=$?
    listing >left
    same "$status" 0 && diff "$mode.out" out && diff "$mode.left" left && return
    cat said
    return 1
}
first() {
    rm -rf data
    mkdir data
    ./files "$mode" data >"$mode.out" || return
    listing >"$mode.left"
}
mode=mix
ok "one process" first
ok "waited for, read once more, changed by main" same "$(sed -n '1p;$p' mix.out)" "waited 377
then 55"
ok "a writer did not wait for readers, and they read the old file" same \
    "$(cut -d ' ' -f 1 mix.out | sed -n 2,6p | tr '\n' ' ')" "45 66 90 117 105 "
ok "once more" comes_to ./files mix data
ok "on one core" comes_to env CASTELL_CORES=1 ./files mix data
ok "three workers, which see the files" comes_to run -n 3 --carrier tcp --no-master-tasks ./files mix data
ok "the master too" comes_to run -n 3 --carrier tcp ./files mix data
ok "none of them sees any" comes_to env CASTELL_SHARED=no "$castell" run --dir "$work/runs" -n 3 \
    --carrier tcp ./files mix data
ok "nothing is left in scratch" nothing_left

# ---- Mounts of their own -----------------------------------------------------
# A worker with a disk of its own in place of the data, of a size.
cat >apart <<'END'
#!/bin/sh
[ "$CASTELL_ROLE" = worker ] || exec ./files "$@"
exec unshare -m sh -c 'mount -t tmpfs -o "size=${SIZE:-64m}" none "$WHERE" && exec ./files "$@"' sh "$@"
END
# Only one of the nodes sees the data.
cat >one_apart <<'END'
#!/bin/sh
if [ "${OMPI_COMM_WORLD_RANK:-1}" = 1 ]; then exec ./apart "$@"; fi
exec ./files "$@"
END
chmod +x apart one_apart
export WHERE=data
mounts=
mkdir data.try
if unshare -m mount -t tmpfs none data.try 2>mount.said; then mounts=yes; fi
if [ "$mounts" ]; then
    ok "three workers with other disks" comes_to run -n 3 --carrier tcp --no-master-tasks ./apart mix data
    ok "the master too" comes_to run -n 3 --carrier tcp ./apart mix data
    ok "one of them" comes_to run -n 3 --carrier tcp --no-master-tasks ./one_apart mix data
    ok "nothing is left in scratch" nothing_left
else
    skip "three workers with other disks" "mounting: $(cat mount.said)"
fi

# ---- A worker is killed --------------------------------------------------------
mode=slow
ok "slow ones" first
is_there() {
    [ -n "$(process "$1")" ]
}
# killed_in SECONDS PROGRAM
killed_in() {
    run -n 3 --carrier tcp --no-master-tasks "$2" slow data &
    launcher=$!
    until_true is_there 2 >&2 || return
    sleep "$1"
    kill -KILL "$(process 2)"
    wait "$launcher"
}
killed_unseen() {
    CASTELL_SHARED=no killed_in "$@"
}
ok "a worker is killed" comes_to killed_in 0.3 ./files
ok "which was heard" grep -q "is lost" said
ok "later" comes_to killed_in 0.7 ./files
ok "who sees no files" comes_to killed_unseen 0.5 ./files
if [ "$mounts" ]; then
    ok "who has another disk" comes_to killed_in 0.5 ./apart
fi
rm -rf scratch/*
# Where it had written half of a file.
dies_with_half() {
    rm -rf data
    mkdir data
    CASTELL_SHARED=no "$castell" run --dir "$work/runs" -n 2 --carrier tcp --no-master-tasks \
        ./files die data >out 2>said || return
    same "$(cat out)" "scratch 45" && grep -q "is lost" said
}
ok "who has written half of a file" dies_with_half
ok "nothing is left in its scratch" nothing_left

# ---- The master is killed -------------------------------------------------------
old_or_nothing() {
    [ "$(cat "data/chain 0")" = old ] && [ ! -e "data/chain 1" ]
}
rm -rf data
mkdir data
echo old >"data/chain 0"
run -n 2 --carrier tcp --no-master-tasks ./files slow data >out 2>said &
launcher=$!
left_one() {
    ls -d data/.castell-* >/dev/null 2>&1
}
until_true left_one >&2
kill -KILL "$(process 0)"
wait "$launcher"
ok "when the master is killed files are as they were" old_or_nothing
ok "private ones are left" left_one
touch -d '2 minutes ago' data/.castell-*
cleans() {
    ./files slow data >out && same "$(ls -A data)" "$(printf 'chain %d\n' 0 1 2 3)"
}
ok "the next run removes them" cleans
# An old place of a run that goes on is locked.
two_at_once() {
    rm -rf data
    mkdir data
    ./files slow data >one.out &
    until_true left_one >&2
    touch -d '2 minutes ago' data/.castell-*
    ./files mix data >two.out || return
    wait $! && diff slow.out one.out && diff mix.out two.out &&
        [ -z "$(ls -d data/.castell-* 2>/dev/null)" ]
}
ok "but not those of a run that goes on" two_at_once

# ---- What cannot be done ----------------------------------------------------------
# says_no WORDS COMMAND...: status 1, and one line that has the words.
says_no() {
    local words=$1 status=0
    shift
    "$@" >out 2>said || status=$?
    # A worker may come when all is over.
    sed -i '/^castell: cannot start: the run is over$/d' said
    same "$status" 1 && same "$(wc -l <said)" 1 && grep -qF -- "$words" said && return
    cat said
    return 1
}
rm -rf data
mkdir -p data/dir data/small data/closed
echo 1 >data/file
few="run -n 2 --carrier tcp --no-master-tasks"
for how in "" "$few" "env CASTELL_SHARED=no $castell run --dir $work/runs -n 2 --no-master-tasks --carrier tcp"; do
    # shellcheck disable=SC2086
    {
        ok "no such file ($how)" says_no "cannot read $work/data/none: No such file" $how ./files bad read data/none
        ok "a directory in place of a file" says_no "cannot use $work/data/dir: Is a directory" $how ./files bad read data/dir
        ok "to be written too" says_no "cannot write $work/data/dir: it is a directory" $how ./files bad make data/dir
        ok "a file in place of a directory" says_no "cannot use $work/data/file: Not a directory" $how ./files bad list data/file
        ok "a body that makes a directory" says_no "cannot use $work/data/new: Is a directory" $how ./files bad directory data/new
        ok "in no directory" says_no "cannot write $work/data/no/new: No such file" $how ./files bad make data/no/new
        ok "in a file" says_no "file data/file/new: Not a directory" $how ./files bad make data/file/new
        ok "a name that is too long" says_no "File name too long" $how ./files bad make "data/$(printf '%0300d' 1)"
    }
done
ok "nothing has come of it" same "$(ls -A data)" "$(printf '%s\n' closed dir file small)"
if [ "$(id -u)" = 0 ] && have setpriv && setpriv --reuid 65534 --clear-groups true 2>/dev/null; then
    chmod 755 "$work"
    chmod 700 data/closed
    touch data/closed/file
    # Nobody else may see the build directory, nor what the sanitizer is told.
    mkdir lib
    cp "$(ldd files | sed -n 's/.*libcastell.so.0 => \([^ ]*\).*/\1/p')" lib/
    chmod -R a+rX lib
    nobody="setpriv --reuid 65534 --clear-groups env -u TSAN_OPTIONS LD_LIBRARY_PATH=$work/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    # shellcheck disable=SC2086
    ok "no permission to write there" says_no "cannot write $work/data/file: Permission denied" $nobody ./files bad make data/file
    chmod 600 data/file
    # shellcheck disable=SC2086
    ok "no permission to read it" says_no "cannot read $work/data/file: Permission denied" $nobody ./files bad read data/file
else
    skip "no permission" "not root, or no setpriv"
fi
truncate -s 4M data/large
ok "more than there is room for" says_no "more than CASTELL_STORAGE" env CASTELL_STORAGE=1MiB CASTELL_SHARED=no \
    "$castell" run --dir "$work/runs" -n 2 --carrier tcp --no-master-tasks ./files bad large data/new
ok "also of what comes from elsewhere" says_no "more than CASTELL_STORAGE" env CASTELL_STORAGE=1MiB CASTELL_SHARED=no \
    "$castell" run --dir "$work/runs" -n 2 --carrier tcp --no-master-tasks ./files bad read data/large
if [ "$mounts" ]; then
    full() {
        # shellcheck disable=SC2016
        SIZE=2m WHERE=data/small CASTELL_SCRATCH=$work/data/small CASTELL_SHARED=no \
            run -n 2 --carrier tcp --no-master-tasks ./apart bad "$@"
    }
    ok "a disk that is full when a file comes" says_no "cannot write $work/data/large: No space left" full read data/large
    ok "when a body writes" says_no "its body returned" full large data/new
fi
ok "nothing is left" nothing_left
ok "nor beside the files" same "$(ls -A data)" "$(printf '%s\n' closed dir file large small)"
tap_done
