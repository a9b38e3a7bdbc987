"""Check that all formats of one run tell the same.

usage: check_tables.py DIR TASKS: DIR has history.json, tasks.csv, transfers.csv
and trace.json; the run had that many tasks, and none failed.
"""
import csv
import json
import sys

directory, tasks_count = sys.argv[1], int(sys.argv[2])
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)


def load(name):
    with open(f"{directory}/{name}", encoding="utf-8") as file:
        return json.load(file) if name.endswith("json") else list(
            csv.DictReader(file))


history, chrome = load("history.json"), load("trace.json")
tasks, transfers = load("tasks.csv"), load("transfers.csv")
attempts = [a for t in history["tasks"] for a in t["attempts"]]
check(len(history["tasks"]) == tasks_count, "tasks of the JSON")
check(len({t["task"] for t in history["tasks"]}) == tasks_count, "numbers")
check(len(attempts) == len(tasks), "attempts of the CSV")
check({int(t["task"]) for t in tasks} == {t["task"] for t in history["tasks"]},
      "tasks of the CSV")
check(all(t["outcome"] == "done" for t in tasks), "outcomes")
check(abs(sum(float(t["body_s"]) for t in tasks) * 1e9 -
          sum(a["body_ns"] for a in attempts)) < 1000, "durations")
check(all(float(t["submitted_s"]) <= float(t["started_s"]) <=
          float(t["ended_s"]) for t in tasks), "the order of times")
check(len(transfers) == len(history["transfers"]), "transfers")
check(sum(int(t["bytes"]) for t in transfers) ==
      sum(t["bytes"] for t in history["transfers"]), "bytes")
spans = [e for e in chrome["traceEvents"]
         if e["ph"] == "X" and e["cat"] == "task"]
check(sum(e["args"]["task"] < 1 << 63 for e in spans) == len(attempts),
      "tasks of the Chrome trace")
known = {t["task"] for t in history["tasks"]}
for task in history["tasks"]:
    check(all(after in known and after != task["task"]
              for after, _ in task["after"]), "dependences")
check(history["nodes"][0]["counters"]["submitted"] == tasks_count, "counters")
for failure in failures:
    print("#", failure)
sys.exit(1 if failures else 0)
