"""Check a Paraver trace by the published format: PREFIX.prv, .pcf and .row.

usage: check_paraver.py PREFIX. Prints how many records of each type there are;
exits with 1, and says what, when a rule is broken.
"""
import re
import sys

prefix = sys.argv[1]
with open(prefix + ".prv", encoding="utf-8") as file:
    lines = file.read().splitlines()
with open(prefix + ".pcf", encoding="utf-8") as file:
    pcf = file.read()
with open(prefix + ".row", encoding="utf-8") as file:
    row = file.read()
failures = []


def check(condition, what):
    if not condition and len(failures) < 20:
        failures.append(what)


# The header: date, duration, nodes with their processors, one application with
# its tasks, each of so many threads on a node.
head = re.fullmatch(
    r"#Paraver \(\d\d/\d\d/\d\d(?:\d\d)? at \d\d:\d\d\):(\d+)_ns:"
    r"(\d+)\(([\d,]+)\):1:(\d+)\(([\d:,]+)\)", lines[0])
if not head:
    sys.exit("no header: " + lines[0])
duration = int(head[1])
cpus = [int(c) for c in head[3].split(",")]
check(len(cpus) == int(head[2]), "nodes and their processors differ")
tasks = [tuple(map(int, t.split(":"))) for t in head[5].split(",")]
check(len(tasks) == int(head[4]), "tasks and their threads differ")
check(all(1 <= node <= len(cpus) for _, node in tasks), "a task on no node")

# What the numbers mean.
sections = re.split(r"^(STATES|STATES_COLOR|EVENT_TYPE)\n", pcf, flags=re.M)
states, types = set(), {}
for name, body in zip(sections[1::2], sections[2::2]):
    if name == "STATES":
        states = {int(n) for n in re.findall(r"^(\d+) +\S", body, re.M)}
    elif name == "EVENT_TYPE":
        number = int(re.match(r"\d+ +(\d+) +\S", body)[1])
        values = body.split("VALUES\n")
        types[number] = {int(n) for n in re.findall(
            r"^(\d+) +\S", values[1], re.M)} if len(values) > 1 else None

# Who there is.
rows = {}
for level, size, names in re.findall(
        r"LEVEL (CPU|NODE|THREAD) SIZE (\d+)\n((?:.+\n)*)", row):
    rows[level] = int(size)
    check(len(names.splitlines()) == int(size), "names of " + level)
check(rows == {"CPU": sum(cpus), "NODE": len(cpus),
               "THREAD": sum(t for t, _ in tasks)}, "sizes of rows")

ends = {}
counts = {1: 0, 2: 0, 3: 0}
last = 0


def check_object(cpu, application, task, thread, line):
    check(0 <= cpu <= sum(cpus), "no such processor: " + line)
    check(application == 1, "no such application: " + line)
    check(1 <= task <= len(tasks) and 1 <= thread <= tasks[task - 1][0],
          "no such thread: " + line)


for line in lines[1:]:
    check(re.fullmatch(r"[0-9:]+", line), "not a record: " + line)
    fields = [int(f) for f in line.split(":")]
    counts[fields[0]] += 1
    check_object(*fields[1:5], line)
    check(fields[5] >= last, "not in order of time: " + line)
    last = fields[5]
    check(last <= duration, "after the end: " + line)
    thread = tuple(fields[3:5])
    if fields[0] == 1:
        check(len(fields) == 8 and fields[5] < fields[6] <= duration,
              "a state of no time: " + line)
        check(fields[7] in states, "a state without name: " + line)
        check(fields[5] >= ends.get(thread, 0), "states overlap: " + line)
        ends[thread] = fields[6]
    elif fields[0] == 2:
        check(len(fields) >= 8 and len(fields) % 2 == 0, "an event: " + line)
        for number, value in zip(fields[6::2], fields[7::2]):
            check(number in types, "an event without name: " + line)
            check(types.get(number) is None or value in types[number],
                  "a value without name: " + line)
    else:
        check(len(fields) == 15, "a communication: " + line)
        check_object(*fields[7:11], line)
        check(fields[5] <= fields[6] and fields[11] <= fields[12] and
              fields[5] <= fields[12] <= duration, "it came early: " + line)
for failure in failures:
    print("#", failure)
print(f"states {counts[1]} events {counts[2]} communications {counts[3]}")
sys.exit(1 if failures else 0)
