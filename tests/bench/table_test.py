"""The script of the benchmarks: METG on runtimes whose cost is known, ratios
and goals, and a whole run on programs that print what this test says."""

import json
import os
import stat
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
BENCH = sys.argv[1]
sys.path.insert(0, BENCH)
# pylint: disable=wrong-import-position
import measure
import metg
import plan

count = 0
failed = 0


def ok(condition, name):
    global count, failed
    count += 1
    failed += not condition
    print(f"{'ok' if condition else 'not ok'} {count} - {name}")


CORES = 2
TASKS = 32000
FLOPS = 96  # of an iteration
PEAK = 80e9  # of both cores
ITERATION_US = FLOPS / (PEAK / CORES) * 1e6


def swept(overhead_us, start, give_up_us=1000):
    """A runtime that adds overhead_us to each task."""
    sweep = metg.Sweep(PEAK, CORES, start, give_up_us)
    asked = []
    while (iterations := sweep.next()) is not None and len(asked) < 50:
        asked.append(iterations)
        granularity_us = iterations * ITERATION_US + overhead_us
        elapsed = granularity_us * 1e-6 * TASKS / CORES
        sweep.add(iterations, elapsed, TASKS, iterations * FLOPS * TASKS)
    return sweep, asked


def test_metg():
    # Half of the time is the kernel's when the overhead is as long: a task of
    # twice the overhead.
    for overhead in (0.3, 1.7, 5, 22, 60):
        for start in (300, 13333, 1000000):
            sweep, asked = swept(overhead, start)
            off = abs(sweep.result() / (2 * overhead) - 1)
            ok(
                off < 0.02,
                f"overhead {overhead} us from {start}: METG is "
                f"{sweep.result():.2f} us after {len(asked)} points",
            )
    sweep, asked = swept(1.7, 13333)
    ok(asked[:3] == [13333, 3333, 833], "a sweep goes down by 4")
    low, high = sweep.bracket()
    ok(
        1.38 < high / low < 1.45 and len(asked) == len(set(asked)),
        f"the bracket was halved twice: {low} to {high}",
    )


def test_interpolation():
    sweep = metg.Sweep(PEAK, CORES, 1000, 1000)
    for iterations, granularity_us, efficiency in (
        (1000, 40, 0.9),
        (500, 10, 0.6),
        (400, 8, 0.45),
        (100, 7, 0.2),
    ):
        elapsed = granularity_us * 1e-6 * TASKS / CORES
        sweep.add(iterations, elapsed, TASKS, efficiency * PEAK * elapsed)
    expected = 8 + 2 * 0.05 / 0.15
    ok(abs(sweep.result() - expected) < 1e-6, "linear between the two nearest")


def test_giving_up():
    sweep, asked = swept(5000, 1000, 150)
    ok(sweep.result() is None, "a runtime that is too slow has no METG")
    ok(sweep.beyond() > 150 and len(asked) == 1, "and is not asked again")
    sweep, asked = swept(0.0001, 4)
    ok(
        sweep.result() is None and asked[-1] == 1,
        "nor has one that is efficient with one iteration",
    )


def test_parse():
    found = measure.parse("a 1.5 ns\nsome noise\na.b -2 bytes\nin-1 3 ns\n")
    ok(
        found == {"a": (1.5, "ns"), "a.b": (-2, "bytes"), "in-1": (3, "ns")},
        "lines are read, others passed over",
    )


def test_goals():
    results = measure.Results()
    for runtime, values in (("castell", [30, 50, 40]), ("libomp", [100])):
        for value in values:
            results.add("in-1", runtime, value, "ns")
    ok(
        plan.judge(plan.at_most("in-1", 0.4, "libomp"), results)
        == (0.4, True),
        "the median's ratio is at its limit: met",
    )
    ok(
        plan.judge(plan.at_most("in-1", 0.39, "libomp"), results)[1] is False,
        "above its limit: missed",
    )
    ok(
        plan.judge(plan.at_least("in-1", 41), results)[1] is False,
        "below the least: missed",
    )
    ok(
        plan.judge(plan.at_most("in-1", 1, "starpu"), results) is None
        and plan.judge(plan.at_most("none", 1), results) is None,
        "what was not measured is not judged",
    )


def test_disturbed():
    results = measure.Results()
    results.add("in-1", "castell", 90, "ns", True)
    results.add("in-2", "castell", 70, "ns", True)
    results.add("in-1", "castell", 30, "ns")
    ok(
        results.median("in-1", "castell") == 30
        and results.median("in-2", "castell") == 70,
        "disturbed runs count only where there is no other",
    )


MICRO = """#!/bin/sh
echo "$1.cold 9 ns"
case $2 in
1000) echo "$1 %(ns)d ns"; echo "$1.bytes 300 bytes" ;;
1000000) echo "$1 $((%(ns)d * 2)) ns"; echo "$1.bytes 400 bytes" ;;
*) echo "$1 %(ns)d ns" ;;
esac
"""

# A runtime that adds so many us to each task.
TASKBENCH = """#!/bin/sh
awk -v i="$2" 'BEGIN {
    printf "elapsed %%.9f s\\n", 16000 * (%(us)d + i * 0.0024) * 1e-6
    print "tasks 32000 tasks"
    printf "flops %%.0f flop\\n", i * 96 * 32000
}'
"""


def write_programs(directory):
    """Ours is twice as fast as the yardstick."""
    programs = {
        "castell_micro": MICRO % {"ns": 100},
        "libomp_micro": MICRO % {"ns": 200},
        "libgomp_micro": "#!/bin/sh\necho broken >&2\nexit 3\n",
        "castell_taskbench": TASKBENCH % {"us": 2},
        "libomp_taskbench": TASKBENCH % {"us": 4},
        "kernel_peak": "#!/bin/sh\necho peak 80.0 Gflop/s\n",
    }
    for name, text in programs.items():
        path = os.path.join(directory, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, stat.S_IRWXU)


def test_whole():
    with tempfile.TemporaryDirectory() as directory:
        write_programs(directory)
        out = os.path.join(directory, "out.json")
        done = subprocess.run(
            [sys.executable, os.path.join(BENCH, "table"), "--quick"]
            + ["--programs", directory, "--apps", directory, "--json", out]
            + ["--markdown", os.path.join(directory, "out.md")],
            capture_output=True,
            text=True,
            check=False,
        )
        ok(done.returncode == 0, "a run with what there is ends well")
        with open(out, encoding="ascii") as file:
            found = json.load(file)
        with open(out.replace("json", "md"), encoding="ascii") as file:
            markdown = file.read()
    rows = found["rows"]
    ok(
        rows["inout-8"]["median"] == {"castell": 100, "libomp": 200},
        "times are the programs'",
    )
    ok(
        rows["flight growth"]["median"]["castell"] == 2
        and rows["bytes a task"]["median"]["castell"] == 400,
        "growth and memory are derived",
    )
    metgs = rows["metg fft"]["median"]
    ok(
        abs(metgs["castell"] / 4 - 1) < 0.02
        and abs(metgs["libomp"] / 8 - 1) < 0.02,
        f"METG of the programs: {metgs}",
    )
    goals = {(g["row"], g["over"]): g["met"] for g in found["goals"]}
    ok(
        goals["in-1", "libomp"] is True
        and goals["flight growth", None] is False
        and goals["metg fft", None] is False
        and goals["matmul best", "openblas"] is None,
        "goals are met, missed, or not measured",
    )
    ok(
        set(found["left_out"]) >= {"starpu", "libgomp in in-1", "castellcc"},
        "what is not there or fails is left out, and said",
    )
    ok(
        "| in-1 | ns | 100 | 200 | failed | - | - | 0.50 |" in markdown
        and "<= 0.5 x libomp: met (0.50)" in done.stdout,
        "the table shows it",
    )


test_metg()
test_interpolation()
test_giving_up()
test_parse()
test_goals()
test_disturbed()
test_whole()
print(f"1..{count}")
sys.exit(failed > 0)
