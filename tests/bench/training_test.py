"""The script that measures training: what it makes of a page and of programs
that print what this test says."""

import json
import os
import stat
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
BENCH = sys.argv[1]
SCRIPT = os.path.join(BENCH, "training")

count = 0
failed = 0


def ok(condition, name):
    global count, failed
    count += 1
    failed += not condition
    print(f"{'ok' if condition else 'not ok'} {count} - {name}")


LAUNCHER = """#!/usr/bin/env python3
import json, os, sys
if sys.argv[1] == "report":
    with open(os.path.join(sys.argv[2], "report.html"), "w") as page:
        uses = {"bodies of tasks": 20, "a task was ready": 1,
                "data had not come": 3, "other nodes had the tasks": 6}
        page.write('{"x":1,\\n"uses":' + json.dumps(
            [{"name": name, "ns": ns} for name, ns in uses.items()]) + ',\\n"y":[]}')
    sys.exit()
options = dict(zip(sys.argv, sys.argv[1:]))
samples = int(options["--samples"])
assert options["-n"] == "2" and options["--cores-per-worker"] == "1"
with open(options["--metrics"], "w") as file:
    print(json.dumps({"event": "start"}), file=file)
    for epoch in range(3):
        print(json.dumps({"event": "epoch", "seconds": 5 + epoch}), file=file)
"""

PLAIN = """#!/bin/sh
[ "$6" = 2 ] || exit 1
echo "speed $(($3 * 2)) samples/s"
"""


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, stat.S_IRWXU)


def test_whole():
    with tempfile.TemporaryDirectory() as directory:
        launcher = os.path.join(directory, "castell")
        out = os.path.join(directory, "out.json")
        python = os.path.join(directory, "python")
        write(launcher, LAUNCHER)
        write(os.path.join(directory, "train_plain"), PLAIN)
        # A Python that says it has PyTorch, and trains at once.
        write(python, '#!/bin/sh\ncase $1 in -c) echo 0;; *) echo "speed 10 x";; esac\n')
        done = subprocess.run(
            [sys.executable, SCRIPT, "--quick", "--programs", directory]
            + ["--castell", launcher, "--train", "train", "--python", python]
            + ["--json", out],
            capture_output=True,
            text=True,
            check=False,
        )
        ok(done.returncode == 0, "a run with what there is ends well")
        with open(out, encoding="ascii") as file:
            rows = json.load(file)
    ok(
        rows["mlp"]["values"]
        == {"2 workers": [20000], "plain": [40000], "pytorch": [10]},
        "speeds are those of the epochs after the first",
    )
    ok(
        rows["cnn overhead"]["values"]["2 workers"] == [5]
        and rows["cnn data"]["values"]["2 workers"] == [15],
        "the overhead is a share of the workers' time",
    )
    ok(
        ">= 0.9 x plain: MISSED (0.50)" in done.stdout
        and ">= 1.0 x pytorch: met (2,000)" in done.stdout
        and "<= 5: met (5.00)" in done.stdout,
        "goals are judged",
    )


test_whole()
print(f"1..{count}")
sys.exit(failed > 0)
