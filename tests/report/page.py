"""The page of castell report, in a real browser: it opens and draws, and does
what a person does with it. Prints TAP.

usage: page.py DIR ONE MANY NODES BOUND BESIDE TASKS: a directory for the browser's files,
the pages of a small run on one node with something of everything, of one with
thousands of tasks, of one on several nodes, and of MANY's run as if it had more
tasks than a page can have, of one with devices and nodes that were asked for (see
beside.c); TASKS: of the small one.
"""
import shutil
import sys

from browser import Browser
from picture import look

directory, one, many_tasks, nodes, bound, beside, tasks = sys.argv[1:]
count = failed = 0


def ok(good, what):
    global count, failed
    count += 1
    failed += not good
    print("ok" if good else "not ok", count, "-", what, flush=True)


browser = Browser(f"{directory}/profile")


def number(name):
    return float(browser.data(name))


def view():
    return number("from"), number("to")


# ---- It opens --------------------------------------------------------------

browser.open("file://" + one)
ok(number("drawn") >= int(tasks), f"all {tasks} tasks are drawn")
ok(number("graphboxes") > 40, "and the graph")
text = browser.evaluate("document.body.innerText")
for words in ("tasks of 6 kinds ran on 3 cores", "critical path",
              '"never", <it>', "its body returned 3", "now it fails",
              "an attempt failed"):
    ok(words in text, "it says: " + words)

ok(number("curves") == 2, "marks that tell numbers are points of a curve")
ok("loss = none" in text and "loss = 0.75" not in text,
   "and only those that do not are in the table")

# ---- Each core over time ----------------------------------------------------

total = view()
all_drawn = number("drawn")
browser.wheel("gantt", 600, 40, -200)
ok(view()[1] - view()[0] < total[1], "the wheel zooms in")
for _ in range(8):
    browser.key("+")
near = view()
ok(near[1] - near[0] < total[1] / 100, "and so does a key")
ok(number("drawn") < all_drawn, "then fewer are drawn")
browser.key("ArrowRight")
ok(view()[0] > near[0], "an arrow moves it")
before = view()
browser.drag("gantt", 700, 40, 200)
ok(view()[0] < before[0], "and so does the mouse")
browser.key("0")
ok(view() == total, "a key shows all")
browser.wheel("memory", 600, 40, -200)
ok(view() != total, "memory has the same times, and zooms too")
browser.key("0")

# ---- Finding and filtering ----------------------------------------------------

browser.key("/")
browser.type("look")
ok(number("hits") == 6, "a kind is found")
browser.key("Enter")
chosen = browser.data("chosen")
ok(chosen != "", "Enter goes to the first")
ok(browser.data("graphchosen") == chosen, "and shows it in the graph")
ok(view() != total, "nearer")
browser.key("Escape")
browser.key("0")
browser.key("/")
browser.type(chosen)
ok(number("hits") == 1, "a number is found")
browser.key("Escape")
browser.key("/")
browser.type("nowhere")
ok(number("hits") == 0, "and nothing that is not there")
browser.key("Escape")
bodies = browser.evaluate("D.kinds.reduce((s, k) => s + k.count, 0)")
browser.evaluate("document.querySelector('#legend button').click()")
browser.settle()
hidden = browser.evaluate("D.kinds[0].count")
ok(number("hits") == bodies - hidden, "a kind can be hidden")
browser.evaluate("document.querySelector('#legend button').click()")
browser.settle()
browser.key("c")
ok(0 < number("hits") < bodies / 2, "the critical path alone can be shown")
browser.key("c")

# ---- Over time and in the graph -------------------------------------------------

where = browser.evaluate("""(() => {
    const kind = D.kinds.findIndex(k => k.name === "look");
    for (let i = 0; i < D.spans; i++) {
        if (kindOf(i) !== kind || typeOf(i) !== 0) continue;
        lookAt(i); choose(-1);
        const track = S.first.findIndex(f => f > i) - 1;
        return { x: xOf(S.begin[i] + S.length[i] / 2, gantt.clientWidth),
                 y: AXIS + track * LANE + 8, task: taskOf(i) };
    }
})()""")
browser.settle()
browser.click("gantt", where["x"], where["y"])
ok(browser.data("chosen") == where["task"], "a click on a body chooses it")
ok(browser.data("graphchosen") == where["task"], "and its task in the graph")
ok("look" in browser.evaluate("$('detail').textContent"), "and tells of it")
where = browser.evaluate("""(() => {
    const b = boxes.find(b => b.task !== undefined && b.task !== chosenTask &&
        b.x > 50 && b.y > 60 && spanOf(G.high[b.task], G.low[b.task]) >= 0);
    return { x: b.x + b.w / 2, y: b.y + b.h / 2,
             task: nameOf(G.high[b.task], G.low[b.task]) };
})()""")
browser.click("graph", where["x"], where["y"])
ok(browser.data("graphchosen") == where["task"], "a click in the graph")
ok(browser.data("chosen") == where["task"], "chooses the body")
ok("follow" in browser.evaluate("$('detail').textContent"), "and tells of it")

# ---- The graph of many -----------------------------------------------------------

browser.open("file://" + many_tasks)
ok(browser.evaluate("D.graph.tasks") > 4000, "a run with thousands of tasks")
ok(browser.data("graphsingle") == "false", "they are drawn together")
shown = browser.evaluate("boxes.reduce((s, b) => s + b.count, 0)")
ok(shown == browser.evaluate("D.graph.tasks"), "all of them")
box = browser.evaluate("""(() => {
    const b = boxes.find(b => b.path && b.w > 8 && b.h > 8 && b.y > 60);
    return { x: b.x + b.w / 2, y: b.y + b.h / 2 };
})()""")
browser.click("graph", box["x"], box["y"])
ok("on the critical path" in browser.evaluate("$('detail').textContent"),
   "a click tells what is in a box")
browser.click("graph", box["x"], box["y"], 2)
ok(number("graphto") - number("graphfrom") <
   browser.evaluate("D.graph.depths"), "a double click goes into it")
for _ in range(30):
    browser.wheel("graph", 400, 250, -100)
    if browser.data("graphsingle") == "true":
        break
ok(browser.data("graphsingle") == "true", "the wheel, down to single tasks")
browser.evaluate("showTask(G.at[G.level[20]]); graph.focus()")
browser.settle()
before = number("graphfrom")
browser.key("ArrowRight")
ok(number("graphfrom") > before, "an arrow moves it")
browser.key("0")
ok(number("graphfrom") == 0 and number("graphto") ==
   browser.evaluate("D.graph.depths"), "a key shows all")

# ---- The graph of too many -------------------------------------------------------

SUMS = """JSON.stringify(["count", "path", "bad"].map(what =>
    boxes.reduce((sum, b) => sum + b[what], 0)))"""
SPENT = """[...countEdges(findBoxes(graph.clientWidth)).values()].reduce(
    (sum, n) => sum + n, 0)"""
of_each = browser.evaluate(SUMS)
between = browser.evaluate(SPENT)
browser.open("file://" + bound)
ok(browser.evaluate("D.graph.merged > 0 && D.graph.tasks < 1000"),
   "a run that is too large has tasks together in the page")
ok(browser.evaluate(SUMS) == of_each, "they count what they are: " + of_each)
ok(0 < browser.evaluate(SPENT) <= between, "and so do what they wait for")
for _ in range(6):
    browser.wheel("graph", 400, 250, -200)
ok(browser.data("graphsingle") == "false" and number("graphboxes") > 0,
   "zoomed, they stay together")
browser.click("gantt", 600, 30)
ok(browser.failures == [], "a click on a body finds none of them")

# ---- Devices, and nodes that were asked for ----------------------------------------

browser.open("file://" + beside + "#theme=light")
names = browser.evaluate("D.tracks.map(t => t.name)")
rows = [f"node {n} device {d}{what}" for n in (0, 1) for d in (0, 1)
        for what in ("", " kernels", " in", " out")]
ok(set(rows) <= set(names), "each device has rows: " + ", ".join(rows[:4]))


def spans(row):
    return browser.evaluate(f"""(() => {{
        const t = D.tracks.findIndex(t => t.name === {row!r});
        return [S.first[t + 1] - S.first[t], [...new Set(
            Array.from(S.what.slice(S.first[t], S.first[t + 1])))].sort()];
    }})()""")


ok(spans("node 0 device 1 kernels") == [20, [6]], "as many kernels as ran")
ok(spans("node 1 device 0 out") == [20, [14]], "as many copies back")
ok(spans("node 1 device 1 in")[1] == [10, 18], "copies to it, from another too")
ok(browser.evaluate("D.tracks.filter(t => t.core).length") == 4,
   "a device is no core")
where = browser.evaluate("""(() => {
    const t = D.tracks.findIndex(t => t.name === "node 0 device 0 in");
    lookAt(S.first[t]); choose(-1);
    return { x: xOf(S.begin[S.first[t]] + 1e5, gantt.clientWidth),
             y: AXIS + t * LANE + 8 };
})()""")
browser.settle()
browser.click("gantt", where["x"], where["y"])
ok("a copy to the device of 64 B: 1 ms" in
   browser.evaluate("$('detail').textContent"), "a click tells of a copy")
browser.evaluate("clampView(0, D.total_ns); drawTimes()")
browser.settle()
moves = browser.evaluate("[...$('moves').rows].map(r => [...r.cells]"
                         ".map(c => c.textContent))")
ok(moves[0][1:] == ["node 0", "node 1"] + [r for r in rows if r[-1] in "01"],
   "the matrix has nodes and devices")
ok(moves[1][3:] == ["1.28 kB in 20", "1.28 kB in 20", "", ""] and
   moves[3][1] == "1.28 kB in 20" and moves[3][2] == "",
   "what went to devices of a node, and back")
ok(moves[3][4] == "640 B in 10" and moves[4][3] == moves[3][3] == "",
   "and from one to the other")
ok(browser.evaluate("[...$('devices').rows].length") == 5 and
   'Model "T" <1>' in browser.evaluate("$('devices').innerText"),
   "the devices have a table")
ok(browser.evaluate("D.memory.filter(m => m.device !== null).length") == 4,
   "memory of devices")
ok(number("requests") == 5, "each request has a bar")
where = browser.evaluate("""({ x: xOf(3e7, $("nodeline").clientWidth),
    y: requestsTop + 1.5 * requestLane })""")
browser.click("nodeline", where["x"], where["y"])
said = browser.evaluate("$('detail').textContent")
ok("Request 2, a node of class plain" in said and "12 tasks wait <there>" in
   said and "refused: Invalid feature" in said, "a click tells why: " +
   said.split("\n")[0])
browser.hover("nodeline", where["x"],
              where["y"] - browser.evaluate("requestLane"))
ok("Request 1, a node of class gpu: node 1" in
   browser.evaluate("$('nodeline').title") and
   "leaves: it is idle" in browser.evaluate("$('nodeline').title"),
   "and so does the mouse above it")
ok(browser.evaluate("JSON.stringify(D.requests.map(r => phases(r).length))") ==
   "[4,1,1,2,1]", "waits, starts, is a node, leaves")
failures = browser.evaluate("$('failures').innerText")
ok("a node of class plain was refused" in failures and
   "Invalid feature" in failures, "a refusal is in the table of failures")
ok("not needed" not in failures, "what nobody wanted any more is not")
ok(browser.evaluate("$('growth').rows.length") == 1 +
   browser.evaluate("D.notices.length") > 15, "all that was said has a table")
ok("left: it is idle" in browser.evaluate("$('nodes').innerText"),
   "why a node left")
text = browser.evaluate("document.body.innerText")
ok("5 nodes were asked for while it ran: 1 came, 1 was cancelled, 1 was "
   "refused or did not come" in text, "it is summed up")
ok("80 bodies ran on 4 devices" in text, "so are devices")


with_bars = browser.picture("nodeline")
browser.evaluate("D.requests.length = 0; drawNodes()")
ok(browser.picture("nodeline") != with_bars and number("requests") == 0,
   "without them there are no bars")
ok(browser.failures == [], "no error")

# ---- Each view has something in it, and a test that looks -------------------------

EMPTY = {
    "use": "$('use').replaceChildren()",
    "gantt": "S.first.fill(0); drawGantt()",
    "graph": "G.level.fill(0); drawGraph()",
    "nodeline": "S.first.fill(0); drawNodes()",
    "memory": "D.memory = []; drawMemory()",
    "rates": "D.came = D.came.map(() => [0]); drawRates()",
    "moves": "$('moves').replaceChildren()",
    "kinds": "$('kinds').replaceChildren()",
}


def is_filled(element):
    picture = browser.picture(element)
    coloured, colours, light = look(picture) if picture else (0, 0, 0)
    return coloured >= 100 and colours >= 1, light


lightness = {}
for theme in ("light", "dark"):
    browser.open(f"file://{nodes}#theme={theme}")
    for element in EMPTY:
        filled, lightness[element, theme] = is_filled(element)
        ok(filled, f"there is something in {element}, {theme}")
for element in EMPTY:
    ok(lightness[element, "light"] > lightness[element, "dark"],
       f"{element} is darker where that was asked for")
for element, mutation in EMPTY.items():
    browser.open(f"file://{nodes}#theme=light")
    browser.evaluate(mutation)
    ok(not is_filled(element)[0], f"without its data {element} is empty")
ok(browser.failures == [], "no error, and nothing was fetched")
for failure in browser.failures:
    print("#", failure)
print(f"1..{count}")
browser.close()
shutil.rmtree(f"{directory}/profile", ignore_errors=True)
sys.exit(failed > 0)
