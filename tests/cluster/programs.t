#!/bin/bash
# Bodies that are other programs, on one node and on several: device(binary) and
# device(container).
set -u
srcdir=$(cd "${srcdir:-.}" && pwd)
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
castellcc=$PWD/annotations/castellcc-build
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99

# several ARGUMENT...: on two workers, not on the master.
several() {
    run -n 2 --carrier tcp --no-master-tasks "$@"
}

# shellcheck disable=SC2086
translated() {
    "$castellcc" ${SANITIZER_CFLAGS-} -O1 -g -Wall -Wextra -Wno-castell-globals -Werror \
        -o "$1" "$srcdir/tests/cluster/programs/$1.c"
}

# ---- binary ----------------------------------------------------------------
ok "binary: translated" translated binary
mkdir one two
ok "it runs on one node" says "0 on other nodes, all on one" ./binary "$work/one"
ok "and on workers" says "6 on other nodes, several" several ./binary "$work/two"
cat one/to* >one.txt
cat two/to* >two.txt
ok "with the same result" cmp one.txt two.txt
fails_with() {
    gives 1 several ./binary "$work/two" "$@" 2>said
}
ok "a status that is not 0 fails the task" fails_with fail 7
ok "which is said with the status" grep -q "task leave.*7" said
ok "what comes after it has run all the same" test -e "two/left 0"
ok "what comes before it fails the task too" fails_with never 8
ok "which is said as well" grep -q "task never.*8" said
ok "and it does not run" fails test -e "two/never 0"

# ---- several regions that are one array -------------------------------------
ok "sections: translated" translated sections
ok "planes of one array are one on other nodes" says "0 wrong" several ./sections

# ---- reductions, large ones in parts -----------------------------------------
ok "reduction: translated" translated reduction
./reduction >one.txt
ok "it runs on one node" test -s one.txt
ok "and to the same bits on workers" says "$(cat one.txt)" several ./reduction
ok "and on three and the master" says "$(cat one.txt)" \
    run -n 3 --carrier tcp ./reduction

# ---- container, by an engine that writes down how it was called --------------
ok "container: translated" translated container
mkdir -p tools fake "data here"
for tool in sh sort wc cat ls env basename; do ln -s "$(command -v $tool)" tools/; done
for name in apptainer podman docker; do
    cat >fake/$name <<'END'
#!/bin/sh
printf '[%s]' "$(basename "$0")" "$@" >>"$CALLS"
echo >>"$CALLS"
while [ "$#" -gt 0 ] && [ "$1" != sort ] && [ "$1" != wc ]; do shift; done
exec "$@"
END
    chmod +x fake/$name
done
printf 'x 2\ny 1\nz 3\n' >"data here/input"
export CALLS=$work/calls
PATH_BEFORE=$PATH
host_uid=$(id -u):$(id -g)

# with ENGINE COMMAND...: with that one on the path and no other.
with() {
    rm -rf engine
    mkdir engine
    [ "$1" = none ] || cp "fake/$1" engine/
    : >"$CALLS"
    shift
    PATH=$work/engine:$work/tools "$@"
}
# sorts ENGINE IMAGE: what the container makes is right.
sorts() {
    rm -f out
    with "$1" ./container "$2" "$work/data here/input" out || return 1
    same "$(tr '\n' , <out)" "y 1,x 2,z 3,"
}
ok "podman runs it" sorts podman debian:12
ok "the command line of podman" grep -qF "[--rm][--network=host][--security-opt=label=disable][--volume=$work:$work][--workdir=$work][debian:12][sort][-k][2][$work/data here/input]" "$CALLS"
ok "with the user's number" grep -qF "[--user=$host_uid]" "$CALLS"
ok "docker runs it" sorts docker docker://debian:12
ok "the command line of docker" grep -qF "[docker][run][--user=$host_uid][--rm][--network=host][--security-opt=label=disable][--volume=$work:$work][--workdir=$work][debian:12][sort][-k][2][$work/data here/input]" "$CALLS"
ok "apptainer runs it" sorts apptainer debian:12
ok "the command line of apptainer" grep -qxF "[apptainer][exec][--pwd][$work][--bind][$work][docker://debian:12][sort][-k][2][$work/data here/input]" "$CALLS"
touch image.sif
ok "an image that is a file" sorts apptainer image.sif
ok "is used as it is" grep -qF "[--bind][$work][image.sif][sort]" "$CALLS"
ok "standard input is bound" with podman ./container "data here/input" out
ok "and told to podman" grep -qF "[--interactive]" "$CALLS"
ok "it is read" same "$(cat out)" 3
elsewhere=$(mktemp -d)
echo 5 >"$elsewhere/input"
mkdir "$elsewhere/deep"
ok "files elsewhere" with podman ./container debian:12 "$elsewhere/input" "$elsewhere/deep/out"
ok "are shown under their own names, each directory once" grep -qF "[--volume=$work:$work][--volume=$elsewhere:$elsewhere][--workdir=$work]" "$CALLS"
rm -rf "$elsewhere"
cp fake/docker tools/podman
ok "CASTELL_CONTAINER chooses" env CASTELL_CONTAINER="$work/tools/podman" "$BASH" -c \
    'PATH=$PWD/tools ./container x "data here/input" out'
rm tools/podman
no_engine() {
    with none gives 1 ./container debian:12 "data here/input" out 2>said
}
ok "without any the task fails" no_engine
ok "and it is said what to do" grep -q \
    "install apptainer, podman or docker, put its directory in PATH, or name the program in CASTELL_CONTAINER" said
unknown() {
    CASTELL_CONTAINER=lxc gives 1 ./container debian:12 "data here/input" out 2>said
}
ok "an engine that is not known is refused" unknown
ok "by name" grep -q 'CASTELL_CONTAINER is "lxc": apptainer' said
PATH=$PATH_BEFORE

# ---- container, for real -----------------------------------------------------
# An image of one static program.
make_image() {
    local tool
    mkdir -p root/bin
    cp "$(command -v busybox)" root/bin/ && ldd root/bin/busybox >/dev/null 2>&1 && return 1
    for tool in sh sort wc; do ln -sf busybox root/bin/$tool; done
    tar -C root -c . | podman import - localhost/castell-test
}
real_podman() {
    if ! have podman || ! have busybox; then
        echo "podman or busybox is not installed"
        return 1
    fi
    # crun insists on limits that not every machine lets us set.
    export CONTAINERS_CONF=$work/containers.conf
    ! have runc || printf '[engine]\nruntime = "runc"\n' >"$CONTAINERS_CONF"
    # Its state is ours alone, and goes with us.
    export CONTAINERS_STORAGE_CONF=$work/storage.conf
    printf '[storage]\ndriver = "vfs"\nrunroot = "%s"\ngraphroot = "%s"\n' \
        "$work/run" "$work/graph" >"$CONTAINERS_STORAGE_CONF"
    make_image >image.log 2>&1 && CASTELL_CONTAINER=podman timeout 60 ./container \
        localhost/castell-test "data here/input" out >image.log 2>&1 && return
    echo "podman does not run here: $(tail -n 1 image.log)"
    return 1
}
if why=$(real_podman); then
    real_podman >/dev/null
    export CASTELL_CONTAINER=podman
    rm -f out
    ok "a real container" ./container localhost/castell-test "$work/data here/input" out
    ok "sorts" same "$(tr '\n' , <out)" "y 1,x 2,z 3,"
    ok "on a worker as well, through its streams" several ./container "data here/input" out
    ok "and counts" same "$(cat out)" 3
    ok "its status is the task's" gives 1 several ./container localhost/castell-test "$work/data here/none" out
else
    skip "a real container" "$why"
fi
tap_done
