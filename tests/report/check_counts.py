"""What the report of a run in which a node was killed tells is what the engine
has counted.

usage: check_counts.py HISTORY PAGE COUNTERS: the JSON and the page of the
report, and what castell_counters() said in the program.
"""
import json
import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    history = json.load(file)
with open(sys.argv[2], encoding="utf-8") as file:
    page = json.loads(re.search(
        r'<script id="data"[^>]*>(.*?)</script>', file.read(), re.S)[1])
with open(sys.argv[3], encoding="utf-8") as file:
    said = json.load(file)
failures = []


def same(what, counted, seen, least=0):
    print(f"# {what}: counted {counted}, seen {seen}")
    if counted != seen or (least and seen < least):
        failures.append(what)


nodes, tasks = history["nodes"], history["tasks"]
engine = nodes[0]["counters"]
for name, value in said.items():
    same("castell_counters() and the trace: " + name, value, engine[name])
own = [t for t in tasks if t["submitted_by"] == 0]
failed = [t for t in own if t["failed"]]
cancelled = [t for t in own if t["cancelled"] and not t["failed"]]
done = [t for t in own if t["done_ns"] is not None and not t["failed"]]
why = [a["why"] for a in history["assignments"]]
same("submitted", engine["submitted"], len(own), 50)
same("failed", engine["failed"], len(failed), 1)
same("cancelled", engine["cancelled"], len(cancelled), 3)
same("finished", engine["finished"],
     len(done) + len(failed) + len(cancelled), 50)
same("retried", engine["retried"], why.count("retried"), 1)
same("computed again", engine["recomputed"], why.count("recomputed"), 1)
for node in nodes:
    if not node.get("counters"):
        continue
    came = [t for t in history["transfers"] if t["to"] == node["node"]]
    same(f"transfers to node {node['node']}", node["counters"]["came"],
         len(came), 1)
    same(f"bytes to node {node['node']}", node["counters"]["came_bytes"],
         sum(t["bytes"] for t in came), 1)
same("nodes with counters", 2, sum("counters" in n for n in nodes))
same("nodes that died", 1, sum(n["gone_ns"] is not None for n in nodes))

# The page: its sentence, its matrix, its table, its line of nodes.
numbers = [s for s in page["summary"] if "failed for good" in s]
same("the sentence about failures",
     [len(failed), len(cancelled), engine["retried"], 1, engine["recomputed"]],
     [int(n) for n in re.findall(r"\d+", numbers[0])] if numbers else None)
same("the sum of the matrix", len(history["transfers"]),
     sum(n for row in page["moves"] for n, _ in row))
same("the bytes of the matrix", sum(t["bytes"] for t in history["transfers"]),
     sum(n for row in page["moves"] for _, n in row))
same("the bytes over time", sum(t["bytes"] for t in history["transfers"]),
     sum(map(sum, page["came"])))
same("bodies of the kinds", sum(len(t["attempts"]) for t in tasks),
     sum(k["count"] for k in page["kinds"]))
same("tasks of the graph", len(tasks), page["graph"]["tasks"])
same("deaths", 1, sum(n["gone"] == 3 for n in page["nodes"]))
same("failures with a reason",
     ["its body returned 3", "its body returned 7"],
     sorted({t["text"] for t in page["texts"] if "task" in t}))
for failure in failures:
    print("# differs:", failure)
sys.exit(1 if failures else 0)
