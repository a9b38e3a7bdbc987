"""Read trace.json as Perfetto would, and check what must hold of any trace.

usage: check_trace.py FILE [CHECK...]; a CHECK is a Python expression over
spans, instants, counters, threads (lists of elements) and other (a dict).
"""
import collections
import json
import sys

with open(sys.argv[1], encoding="utf-8", errors="strict") as file:
    trace = json.load(file)

other = trace["otherData"]
elements = trace["traceEvents"]
spans = [e for e in elements if e["ph"] == "X"]
instants = [e for e in elements if e["ph"] == "i"]
counters = [e for e in elements if e["ph"] == "C"]
threads = [e for e in elements if e["name"] == "thread_name"]
tasks = [e for e in spans if e["cat"] == "task"]
failures = []


def ns(us):
    return round(us * 1000)


if any(not 0 <= e["pid"] < other["nodes"] for e in elements):
    failures.append("an element of no node")
if any(e["args"].get("tasks", 0) < 0 for e in counters):
    failures.append("a counter below 0")

# On a track spans are nested: each lies within those that are open.
tracks = collections.defaultdict(list)
for span in spans:
    if span["cat"] != "transfer":
        tracks[span["pid"], span["tid"]].append(span)
for tid, track in tracks.items():
    track.sort(key=lambda e: (e["ts"], -e["dur"]))
    stack = []
    for span in track:
        begin, end = ns(span["ts"]), ns(span["ts"]) + ns(span["dur"])
        while stack and stack[-1] <= begin:
            stack.pop()
        if stack and end > stack[-1]:
            failures.append(f"spans of track {tid} cross at {span['ts']}")
            break
        stack.append(end)

for check in sys.argv[2:]:
    if not eval(check):  # the checks are the test's own
        failures.append("not true: " + check)
for failure in failures:
    print("#", failure)
sys.exit(1 if failures else 0)
