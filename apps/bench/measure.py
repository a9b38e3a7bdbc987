"""Running the programs: their environment, whether the machine was quiet
meanwhile, and what they printed."""

import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

QUIET_LOAD = 0.25  # CPUs that others may use when a run begins
QUIET_WAIT_S = 60  # no longer is quiet waited for
DISTURBED = 0.04  # share of all CPUs that others may use during a run
REPEATS = 3  # of a run that was disturbed
JIFFIES = 3  # less than that, the kernel's counters cannot tell


class Missing(Exception):
    """The program is not there."""


class Failed(Exception):
    """The program is there and did not do it."""


def busy_seconds():
    """CPU seconds that the machine has spent on anything."""
    with open("/proc/stat", encoding="ascii") as stat:
        fields = [int(field) for field in stat.readline().split()[1:]]
    idle = fields[3] + fields[4]
    guest = sum(fields[8:10])  # counted in user time, too
    return (sum(fields) - idle - guest) / os.sysconf("SC_CLK_TCK")


def children_seconds():
    """CPU seconds of this process and its children that are over."""
    total = 0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


def parse(text):
    """The lines "name value unit" as {name: (value, unit)}."""
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(\S+) (-?[0-9.]+) (\S+)", line.strip())
        if match:
            found[match[1]] = (float(match[2]), match[3])
    return found


class Machine:
    """Where programs run: so many cores, and what to do about others."""

    def __init__(self, programs, cores, quiet):
        self.programs = programs
        self.cores = cores
        self.quiet = quiet
        self.runs = 0
        self.disturbed = 0
        self.last_disturbed = False  # the last run was
        self.home = tempfile.TemporaryDirectory(prefix="castell-bench-")

    def environment(self, more):
        """Nothing of the user's that changes how a runtime behaves. In
        particular OMP_PROC_BIND, which StarPU does not survive: libgomp binds
        the first thread before StarPU asks which cores it may use."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(
                ("OMP_", "GOMP_", "KMP_", "STARPU_", "OPENBLAS_", "CASTELL_")
            )
        }
        kept.update(
            CASTELL_CORES=str(self.cores),
            OMP_NUM_THREADS=str(self.cores),
            STARPU_NCPU=str(self.cores),
            STARPU_NCUDA="0",
            STARPU_NOPENCL="0",
            STARPU_SCHED="lws",
            STARPU_SILENT="1",
            STARPU_HOME=self.home.name,
        )
        kept.update(more)
        return kept

    def wait_until_quiet(self):
        """Give others time to end, but not for ever."""
        until = time.monotonic() + QUIET_WAIT_S
        while time.monotonic() < until:
            before = busy_seconds()
            time.sleep(0.4)
            if (busy_seconds() - before) / 0.4 < QUIET_LOAD:
                return

    def once(self, command, environment, timeout):
        """Run; return what it printed, the seconds it took, and whether
        others used the machine."""
        busy, own, began = busy_seconds(), children_seconds(), time.monotonic()
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError as error:
            raise Missing(command[0]) from error
        except subprocess.TimeoutExpired as error:
            raise Failed(f"no end in {timeout} s") from error
        seconds = time.monotonic() - began
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise Failed(f"status {done.returncode}: {said[-1] if said else ''}")
        others = busy_seconds() - busy - (children_seconds() - own)
        allowed = DISTURBED * os.cpu_count() * seconds
        allowed = max(allowed, JIFFIES / os.sysconf("SC_CLK_TCK"))
        return done.stdout, seconds, others > allowed

    def run(self, program, *args, timeout=120, **more):
        """Run a program of the directory of programs (or elsewhere, when its
        name has a slash); return its output and the seconds it took."""
        path = program
        if "/" not in program:
            path = os.path.join(self.programs, program)
        if not os.access(path, os.X_OK):
            raise Missing(program)
        command = [path, *map(str, args)]
        environment = self.environment(more)
        for attempt in range(REPEATS if self.quiet else 1):
            if self.quiet:
                self.wait_until_quiet()
            text, seconds, disturbed = self.once(command, environment, timeout)
            if not disturbed:
                break
        self.runs += 1
        self.disturbed += disturbed
        self.last_disturbed = disturbed
        return text, seconds


class Results:
    """What was measured: for each row and runtime, its values."""

    def __init__(self):
        self.values = {}  # row: {runtime: [value]}, of runs left alone
        self.disturbed = {}  # the same, of those that others disturbed
        self.units = {}
        self.notes = {}  # row: {runtime: text}, where there is no value
        self.left_out = {}  # runtime or part: why
        self.sweeps = {}  # row: {runtime: points of its metg.Sweep}

    def add(self, row, runtime, value, unit, disturbed=False):
        self.units[row] = unit
        into = self.disturbed if disturbed else self.values
        self.values.setdefault(row, {})
        into.setdefault(row, {}).setdefault(runtime, []).append(value)

    def of(self, row, runtime):
        """The values of runs left alone; of all when there is none."""
        values = self.values.get(row, {}).get(runtime)
        return values or self.disturbed.get(row, {}).get(runtime, [])

    def note(self, row, runtime, text, unit=""):
        self.units.setdefault(row, unit)
        self.values.setdefault(row, {})
        self.notes.setdefault(row, {})[runtime] = text

    def median(self, row, runtime):
        """None where there is none."""
        values = self.of(row, runtime)
        return statistics.median(values) if values else None

    def leave_out(self, what, why):
        if what not in self.left_out:
            self.left_out[what] = why
            print(f"left out: {what}: {why}", file=sys.stderr)
