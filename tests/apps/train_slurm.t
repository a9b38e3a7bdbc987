#!/bin/bash
# Training on a real SLURM cluster, by sbatch: a worker is killed in mid-epoch and
# another node comes: no epoch is told twice, and the bits are those of one process.
# Comments tell how long the training stood still and how soon the node took part.
# Then what README.md and apps/train/README.md tell a new user, word for word.
set -u
srcdir=$(cd "${srcdir:-.}" && pwd)
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
need_slurm
have python3 || {
    echo "1..0 # SKIP python3 is not installed"
    exit 0
}
train=$PWD/apps/train/train build=$PWD
replay=$PWD/tests/replay/replay
if [ ! -x "$train" ] || [ ! -d /usr/share/datasets/fashion-mnist ]; then
    echo "1..0 # SKIP apps/train is not built, or there are no images"
    exit 0
fi
# So many that another node comes before they are over; slow under a sanitizer.
epochs=120
[ -z "${SANITIZER_CFLAGS-}" ] || epochs=40
! checks_threads || epochs=20
what="--samples 10000 --epochs $epochs --shape 64,32 --batch 500 --shard 50 --model ''"
sums() {
    sed -n 's/^train: .*%, //p' "$1"
}
# shellcheck disable=SC2086
eval "$train" $what >"$work/right"
ok "in one process" test -n "$(sums "$work/right")"
MINI_CPUS=1 cluster_up 4
[ "$("$mini" exec node2 hostname)" = node2 ] || {
    echo "1..0 # SKIP nodes have no namespaces of their own here"
    exit 0
}
export HOME=$work/home CASTELL_MODULES=$PWD/.libs CASTELL_CORES=1
mkdir "$HOME"
cd "$work" || exit 99

# worker NODE: the process there.
worker() {
    local pid
    for pid in $(pgrep -f "^$train"); do
        tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qx CASTELL_ROLE=worker &&
            tr '\0' '\n' <"/proc/$pid/environ" | grep -qx "SLURMD_NODENAME=$1" &&
            grep -qzxF "HOME=$HOME" "/proc/$pid/environ" && echo "$pid"
    done
}
epochs() {
    [ "$(grep -c '"event":"epoch"' metrics 2>/dev/null)" -ge "$1" ]
}
no_job() {
    [ -z "$(squeue -h)" ]
}
# took_part FROM: more workers than in the epoch that was told as number FROM.
took_part() {
    grep '"event":"epoch"' metrics | sed 's/.*"workers":\([0-9]*\).*/\1/' |
        awk -v from="$1" 'NR == from { few = $1 } NR > from && $1 > few { more = 1 } END { exit !more }'
}

cat >job.sh <<END
#!/bin/sh
exec $castell run --no-master-tasks --trace=traces $train $what --metrics metrics
END
sbatch -Q -N 3 -o job.out -e job.err job.sh
ok "a job of three nodes learns" until_true epochs 2
# What a worker is told, for one that comes later; SLURM's are those of its own job.
tr '\0' '\n' <"/proc/$(worker node3)/environ" | grep '^CASTELL_' | sed "s/=/='/; s/\$/'/; s/^/export /" >join.sh
printf '#!/bin/sh\n%s\nexec %s %s\n' "$(cat join.sh)" "$train" "$what" >join.sh
ok "a worker is killed in mid-epoch" kill -9 "$(worker node2)"
seen=$(grep -c '"event":"epoch"' metrics)
ok "the others go on" until_true epochs $((seen + 3))
sbatch -Q -N 1 -w node4 -o join.out -e join.err join.sh
ok "another node takes part" until_true took_part $((seen + 3))
# job_ends: slow under a sanitizer: three minutes.
job_ends() {
    for _ in $(seq 11); do ! until_true no_job || return 0; done
    return 1
}
ok "the job ends" job_ends
ok "with the bits of one process" same "$(sums job.out)" "$(sums right)"
ok "each epoch is told once" same \
    "$(grep -o '"epoch":[0-9]*' metrics | cut -d : -f 2 | paste -s -d ' ')" "$(seq -s ' ' $epochs)"
ok "by its trace each task ran once an attempt, when and where it might" "$replay" traces
"$castell" report --format=json -o trace.json traces >said 2>&1
python3 - trace.json >timing.txt <<'END'
import json, sys
trace = json.load(open(sys.argv[1], encoding="utf-8"))
learns = [(t["done_ns"], t["attempts"][-1]) for t in trace["tasks"]
          if t["kind"] == "learn" and t["attempts"]]
ends = sorted(done for done, _ in learns)
gone = [n for n in trace["nodes"] if n["node"] and n["gone_ns"] and n["gone_ns"] < ends[-1]]
came = [n for n in trace["nodes"] if n["joined_ns"] and n["joined_ns"] > ends[0]]
for node in gone:
    at = node["gone_ns"]
    stall = max(b - a for a, b in zip(ends, ends[1:]) if b > at - 10**9 and a < at + 5 * 10**9)
    print(f"# killed: the longest time without a gradient is {stall / 1e6:.0f} ms")
for node in came:
    starts = [a["started_ns"] for _, a in learns if a["node"] == node["node"]]
    first = min(starts)
    steps = sum(node["joined_ns"] < end < first for end in ends) / 10
    print(f"# joined: computes after {(first - node['joined_ns']) / 1e6:.0f} ms, {steps:.1f} steps")
END
ok "the trace tells of the node that was killed" grep -q '^# killed' timing.txt
ok "and of the one that has come" grep -q '^# joined' timing.txt
cat timing.txt

# ---- What README.md says, with fewer samples

# told FILE START: the line that begins so, without its blanks and comment.
told() {
    sed -n "s|^ *\\($2.*\\)|\\1|p" "$srcdir/$1" | sed 's/ *# .*//' | head -n 1
}

# by_hand LINE: the shell makes of it what a user's does.
by_hand() {
    echo "# $1"
    eval "$1"
}

export PATH=$build/runtime/launch:$PATH
rm -rf traces
cp "$train" ~/train
cd ~ || exit 99
line=$(told README.md 'sbatch .*/train')
ok "README.md has a line for sbatch" test -n "$line"
ok "it is a job" by_hand "${line%\"} --samples 500 --epochs 1\""
ok "that ends" job_ends
ok "and trains" grep -q '^train: .* % *, loss curve' slurm-*.out
ok "and tells of it" grep -q '"event":"epoch","epoch":1,' metrics.jsonl
ok "the line for a page is right" by_hand "$(told README.md 'castell report traces  .*it has ended')"
ok "and makes it" test -s traces/report.html

# main_process: that of the job.
main_process() {
    local pid
    for pid in $(pgrep -f "^./train"); do
        grep -qzxF "HOME=$HOME" "/proc/$pid/environ" &&
            ! grep -qzx CASTELL_ROLE=worker "/proc/$pid/environ" && echo "$pid"
    done
}
few="--samples 2000 --epochs 24 --shape 24 --every 10"
line="$(told apps/train/README.md 'castell submit --requeue') $few"
ok "a job that saves" by_hand "$line"
ok "has saved" until_true test -e state/000001/manifest
# shellcheck disable=SC2046
ok "it is killed" kill -9 $(main_process)
ok "and has ended" job_ends
ok "without a result" fails grep -q '^train: .*loss curve' castell-train.*.out
ok "the same line again" by_hand "$line"
ok "is a job that ends" job_ends
ok "goes on from a step" grep -q '^train: goes on from step [1-9]' castell-train.*.out
# shellcheck disable=SC2086
"$train" $few >"$work/right"
ok "to the same bits" same "$(sums <(cat castell-train.*.out))" "$(sums "$work/right")"
tap_done
