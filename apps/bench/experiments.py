"""The experiments of the table: each runs the programs of the runtimes in turn
and leaves what it measured in a Results."""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import metg
import plan
from measure import Failed, Missing, parse

HOW_TO_GET = {
    "libomp": "configure found no clang-14 with libomp-14-dev",
    "libgomp": "configure found no gcc",
    "starpu": "configure found no libstarpu-dev",
    "openblas": "configure found no libopenblas-dev",
}
PATIENCE_S = 4  # a row is not repeated for a peer that took so long for it
FIRST_TASK_S = 32e-6  # where a sweep begins: most runtimes are efficient there
GIVE_UP_US = 150  # above, METG is not looked for; but of the two that matter
GIVE_UP_LAST_US = 5000


def compile_once(command, source):
    """Seconds; None, with what the compiler said, when it failed."""
    began = time.monotonic()
    done = subprocess.run(
        [*command, "-c", source, "-o", source + ".o"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print(f"{command[0]}: {done.stderr[:400]}", file=sys.stderr)
        return None
    return time.monotonic() - began


class Experiments:
    """One run of everything: options (of the command line), machine, results."""

    def __init__(self, options, machine, results):
        self.options = options
        self.machine = machine
        self.results = results
        self.again = options.repetitions or (3 if options.quick else 5)

    def wanted(self, row):
        return not self.options.only or re.search(self.options.only, row)

    def try_run(self, runtime, row, program, *args, **more):
        """What the program printed and the seconds it took; None, with a note,
        when it is not there or failed."""
        try:
            return self.machine.run(program, *args, **more)
        except Missing:
            if runtime in HOW_TO_GET:
                self.results.leave_out(runtime, HOW_TO_GET[runtime])
            else:
                self.results.leave_out(program, "it is not built")
        except Failed as error:
            self.results.note(row, runtime, "failed")
            self.results.leave_out(f"{runtime} in {row}", str(error))
        return None

    def in_turn(self, row, runtimes, once):
        """Call once(runtime), which tells whether it went well, for each in
        turn, again and again. Who fails is not called again, nor is a peer
        that took long."""
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\033[K{row} ")
            sys.stderr.flush()
        spent = dict.fromkeys(runtimes, 0.0)
        for _ in range(self.again):
            for runtime in list(spent):
                began = time.monotonic()
                went_well = once(runtime)
                spent[runtime] += time.monotonic() - began
                slow = spent[runtime] > PATIENCE_S and runtime != "castell"
                if slow or not went_well:
                    del spent[runtime]

    def add(self, row, runtime, value, unit):
        """A value of the last run."""
        disturbed = self.machine.last_disturbed
        self.results.add(row, runtime, value, unit, disturbed)

    def start(self):
        """A program with no tasks, from its start to its end: what its user
        waits for."""

        def once(runtime):
            done = self.try_run(runtime, "start", f"{runtime}_micro", "start")
            if done:
                self.add("start", runtime, done[1] * 1e3, "ms")
            return bool(done)

        if self.wanted("start"):
            self.in_turn("start", plan.RUNTIMES, once)

    def micro(self, micro):
        """One micro-benchmark, and what its program tells beside the time."""
        tasks = micro.quick_tasks if self.options.quick else micro.tasks
        name = micro.name
        rounds = [1] if self.options.quick and micro.slow else []

        def once(runtime):
            done = self.try_run(
                runtime, micro.row, f"{runtime}_micro", name, tasks, *rounds
            )
            if not done:
                return False
            found = parse(done[0])
            self.add(micro.row, runtime, *found.pop(name))
            for part, (value, unit) in found.items():
                row = micro.row + part[len(name) :].replace(".", " ")
                self.add(row, runtime, value, unit)
            return True

        runtimes = [
            runtime
            for runtime in plan.RUNTIMES
            if runtime != "starpu" or tasks <= plan.STARPU_TASKS_MAX
        ]
        self.in_turn(micro.row, runtimes, once)

    def micros(self):
        for micro in plan.MICROS:
            if self.wanted(micro.row):
                if micro.quick or not self.options.quick:
                    self.micro(micro)

    def growth(self):
        """How the time of a task grows with their number; its memory."""
        median = self.results.median
        for runtime in plan.RUNTIMES:
            for row, few, many in plan.GROWTHS:
                for name, part in ((row, ""), (f"cold {row}", " cold")):
                    small = median(few + part, runtime)
                    large = median(many + part, runtime)
                    if small and large:
                        self.results.add(name, runtime, large / small, "x")
            used = [
                median(f"{row} bytes", runtime) for row in plan.MEMORY_ROWS
            ]
            used = [value for value in used if value is not None]
            if used:
                self.results.add("bytes a task", runtime, used[0], "bytes")

    def compile(self):
        """What castellcc adds to the compiler on a file of 1,000 lines."""
        castellcc = self.options.castellcc
        if not any(self.wanted(row) for row in plan.SOURCES):
            return
        if not castellcc or not shutil.which(castellcc):
            self.results.leave_out("castellcc", "there is none")
            return
        flags = self.options.cflags.split()
        commands = [
            [castellcc, *flags],
            [self.options.cc, *flags, "-Wno-unknown-pragmas"],
        ]
        with tempfile.TemporaryDirectory() as directory:
            source = os.path.join(directory, "steps.c")
            for row, tasks in plan.SOURCES.items():
                with open(source, "w", encoding="ascii") as file:
                    file.write(plan.annotated_source(tasks))
                for _ in range(self.again + 2):
                    ours, plain = (compile_once(c, source) for c in commands)
                    if ours is None or plain is None:
                        self.results.leave_out("castellcc", "it failed")
                        return
                    self.results.add(row, "castell", ours - plain, "s")

    # Task Bench

    def peak(self):
        """flop/s of the kernel on all cores: the most that was seen."""
        for _ in range(self.again):
            done = self.try_run(
                "peak", "peak", "kernel_peak", self.options.cores
            )
            if done:
                self.results.add("peak", "kernel", *parse(done[0])["peak"])
        return max(self.results.of("peak", "kernel")) * 1e9

    def points(self, row, pattern, asked):
        """asked: {runtime: iterations}. Run these points in turn; for each
        runtime the run with the median time, of those left alone when there
        are any: (elapsed, tasks, flops)."""
        width = plan.WIDTH_PER_CORE * self.options.cores
        runs = {runtime: [] for runtime in asked}

        def once(runtime):
            done = self.try_run(
                runtime,
                row,
                f"{runtime}_taskbench",
                *(pattern, asked[runtime], "-w", width, "-s", plan.STEPS),
            )
            if done:
                found = parse(done[0])
                runs[runtime].append(
                    [self.machine.last_disturbed]
                    + [found[name][0] for name in ("elapsed", "tasks", "flops")]
                )
            return bool(done)

        self.in_turn(f"{row} {asked}", asked, once)
        medians = {}
        for runtime, points in runs.items():
            alone = [point for point in points if not point[0]] or points
            if alone:
                alone.sort()
                medians[runtime] = alone[len(alone) // 2][1:]
        return medians

    def metg(self, pattern):
        row = f"metg {pattern}"
        peak = self.peak()
        first = FIRST_TASK_S * peak / self.options.cores / plan.KERNEL_FLOPS
        runtimes = plan.RUNTIMES
        if self.options.quick:
            runtimes = ["castell", plan.YARDSTICK]
        sweeps = {
            runtime: metg.Sweep(
                peak,
                self.options.cores,
                first,
                GIVE_UP_LAST_US
                if runtime in ("castell", plan.YARDSTICK)
                else GIVE_UP_US,
            )
            for runtime in runtimes
        }
        active = list(sweeps)
        while active:
            asked = {name: sweeps[name].next() for name in active}
            asked = {name: count for name, count in asked.items() if count}
            active = []
            for name, point in self.points(row, pattern, asked).items():
                sweeps[name].add(asked[name], *point)
                active.append(name)
        for name, sweep in sweeps.items():
            self.results.sweeps.setdefault(row, {})[name] = sweep.points
            if sweep.result() is not None:
                self.results.add(row, name, sweep.result(), "us")
            elif sweep.points:
                self.results.note(row, name, f"> {sweep.beyond():.0f}", "us")

    def taskbench(self):
        for pattern in plan.PATTERNS:
            left = self.options.quick and pattern == "trivial"
            if self.wanted(f"metg {pattern}") and not left:
                self.metg(pattern)

    # Linear algebra

    def linear(self, name, plain, sizes):
        """An application of ours (`name`), OpenBLAS alone (`plain`) and, where
        there are such programs, the same tiles as OpenMP tasks."""
        n, tiles = sizes["quick" if self.options.quick else "full"]
        ours = os.path.join(self.options.apps, name, name)
        for tile in tiles:
            row = f"{name} {n}/{tile}"
            commands = {
                "castell": (ours, "--n", n, "--tile", tile, "--repeat", 4),
                "openblas": ("openblas_plain", plain, n, self.options.cores),
            }
            if name == "cholesky":
                for runtime in ("libomp", "libgomp"):
                    commands[runtime] = (f"{runtime}_{name}", n, tile)

            def once(runtime, row=row, commands=commands):
                done = self.try_run(
                    runtime, row, *commands[runtime], **plan.LINEAR_ENVIRONMENT
                )
                if done:
                    found = re.search(r"([0-9.]+) Gflop/s", done[0])
                    value = float(found[1])
                    self.add(row, runtime, value, "Gflop/s")
                return bool(done)

            if self.wanted(row):
                self.in_turn(row, commands, once)
        self.best(name, [f"{name} {n}/{tile}" for tile in tiles])

    def best(self, name, rows):
        """Each runtime with the tile that suits it. OpenBLAS has no tile: all
        its runs are runs of the same."""
        for runtime in [*plan.RUNTIMES, "openblas"]:
            runs = [self.results.of(row, runtime) for row in rows]
            if runtime == "openblas":
                runs = [sum(runs, [])]
            medians = [statistics.median(values) for values in runs if values]
            if medians:
                self.results.add(
                    f"{name} best", runtime, max(medians), "Gflop/s"
                )

    def all(self):
        self.start()
        self.micros()
        self.growth()
        self.taskbench()
        self.linear("cholesky", "dpotrf", plan.CHOLESKY)
        self.linear("matmul", "dgemm", plan.MATMUL)
        self.compile()
