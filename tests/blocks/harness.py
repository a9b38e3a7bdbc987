"""What the tests of apps/blocks in Python share: TAP, and the program."""

import os
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

BLOCKS = os.path.abspath("apps/blocks/blocks")
CASTELL = os.path.abspath("runtime/launch/castell")


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, passed, name, said=""):
        self.count += 1
        self.failed += not passed
        print("ok" if passed else "not ok", self.count, "-", name)
        if not passed and said:
            print("#", str(said).replace("\n", "\n# "))
        sys.stdout.flush()
        return passed

    def close(self, got, right, tolerance, name):
        """Of the same shape, and nowhere further apart, relative to the
        greatest of what is right."""
        import numpy as np

        got, right = np.asarray(got), np.asarray(right)
        if got.shape != right.shape:
            return self.ok(False, name, f"{got.shape} is not {right.shape}")
        scale = np.abs(right).max() or 1
        off = np.abs(got - right).max() / scale
        return self.ok(off <= tolerance, f"{name}: off by {off:.1e}")

    def done(self):
        print(f"1..{self.count}")
        sys.exit(self.failed > 0)


def environment_with(**more):
    """Ours, but what says how many threads NumPy has."""
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    return {name: value for name, value in os.environ.items()
            if name not in threads} | more


def run(*arguments, cores="2", workers=0, status=0, directory=None):
    """What the program says; on that many workers when there are any."""
    command = [BLOCKS, *map(str, arguments)]
    if workers:
        command = [CASTELL, "run", "--carrier", "tcp", "--cores-per-worker=1",
                   "--dir", directory, "-n", str(workers), *command]
    environment = environment_with(CASTELL_CORES=cores, LC_ALL="C")
    if status != 0:
        # A program that is ended in the middle has tasks that are not done, in
        # memory where LeakSanitizer does not look for what they point to.
        environment["ASAN_OPTIONS"] = ":".join(
            filter(None, [environment.get("ASAN_OPTIONS"), "detect_leaks=0"]))
    if workers:
        del environment["CASTELL_CORES"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120,
                         env=environment, check=False)
    if ran.returncode != status:
        raise AssertionError(
            f"{command}: status {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran.stdout if status == 0 else ran.stderr


def worker_in(directory):
    """A worker of the run in that directory, when it has computed for a while;
    None: there is none such."""
    run_in = f"CASTELL_RUN_DIR={directory}/".encode()
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8") as file:
                stat = file.read().rpartition(")")[2].split()
            with open(f"/proc/{entry}/environ", "rb") as file:
                told = file.read().split(b"\0")
        except OSError:
            continue
        if (b"CASTELL_ROLE=worker" in told and int(stat[11]) >= 5
                and any(word.startswith(run_in) for word in told)):
            return int(entry)
    return None


def run_and_kill(*arguments, workers, directory):
    """The same as run(), but one of the workers is killed. What is said on
    standard error."""
    command = [CASTELL, "run", "--carrier", "tcp", "--cores-per-worker=1",
               "--no-master-tasks", "--dir", directory, "-n", str(workers),
               BLOCKS, *map(str, arguments)]
    environment = environment_with(LC_ALL="C")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment,
                          stderr=subprocess.PIPE, text=True) as launcher:
        victim = None
        while not victim and launcher.poll() is None:
            time.sleep(0.01)
            victim = worker_in(directory)
        if victim:
            os.kill(victim, signal.SIGKILL)
        said = launcher.communicate(timeout=120)[1]
        if launcher.returncode:
            raise AssertionError(f"status {launcher.returncode}\n{said}")
    return said


def scratch():
    return tempfile.TemporaryDirectory(prefix="blocks.")
