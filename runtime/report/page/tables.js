
/* ---- Sentences and tables --------------------------------------------------- */
function table(id, head, rows, sorted) {
  const t = $(id), line = el("tr", undefined, el("thead", undefined, t)), body = el("tbody", undefined, t);
  const fill = () => {
    body.replaceChildren();
    for (const row of rows) {
      const tr = el("tr", undefined, body);
      row.forEach(cell => {
        const td = el("td", cell.text === undefined ? cell : cell.text, tr);
        if (cell.colour) { const s = el("span"); s.className = "swatch"; s.style.background = cell.colour; td.prepend(s); }
        if (cell.heat) td.style.background = "color-mix(in srgb, " + USES[0] + " " + Math.round(50 * cell.heat) + "%, transparent)";
        if (cell.bad) td.className = "bad";
      });
    }
  };
  head.forEach((name, i) => {
    const th = el("th", sorted ? undefined : name, line);
    if (sorted) el("button", name, th).addEventListener("click", () => {
      const key = c => c.key === undefined ? (c.text === undefined ? c : c.text) : c.key;
      rows.sort((a, b) => typeof key(a[i]) === "number" ? key(b[i]) - key(a[i]) : String(key(a[i])).localeCompare(String(key(b[i]))));
      fill();
    });
  });
  fill();
}
const ns = v => ({ text: time(v), key: v });
function uses() {
  const all = D.uses.reduce((s, u) => s + u.ns, 0) || 1;
  D.uses.forEach((u, i) => {
    const part = el("div", undefined, $("use")), share = 100 * u.ns / all;
    part.style.cssText = "background:" + USES[i] + ";width:" + share + "%";
    part.title = u.name + ": " + share.toFixed(1) + " %";
    if (share < 0.05) return;
    const line = el("span", undefined, $("uses")), s = el("span", undefined, line);
    line.className = "part"; s.className = "swatch"; s.style.background = USES[i];
    line.append(u.name + " " + share.toFixed(1) + " %");
  });
  $("use").setAttribute("aria-label", D.uses.map(u => u.name + " " + (100 * u.ns / all).toFixed(0) + " %").join(", "));
}
function legend() {
  D.kinds.forEach((k, i) => {
    if (!k.count) return;
    const button = el("button", k.name, $("legend")), s = el("span");
    button.setAttribute("aria-pressed", true); button.title = "show, or hide, tasks of this kind";
    s.className = "swatch"; s.style.background = colour(i); button.prepend(s);
    button.addEventListener("click", () => toggleKind(i, button));
  });
}
function moves() {
  if (D.nodes.length < 2) $("rates").remove();
  if (D.nodes.length < 2 && !D.devices.length) { el("p", "There was one node.", $("moves").parentNode); return; }
  const places = [...D.nodes.map((n, i) => ({ name: "node " + n.node, i })), ...D.devices.map((d, k) => ({ name: deviceName(d), node: d.node, k }))];
  const all = D.devices.length + 1, copied = (from, to) => D.copies[from * all + to];
  const moved = (a, b) => a.k === undefined && b.k === undefined ? D.moves[a.i][b.i] :
    a.k !== undefined && b.k !== undefined ? copied(a.k, b.k) :
    a.k === undefined ? (D.nodes[a.i].node === b.node ? copied(all - 1, b.k) : [0, 0]) : (D.nodes[b.i].node === a.node ? copied(a.k, all - 1) : [0, 0]);
  const most = Math.max(1, ...D.moves.flat().map(m => m[1]), ...D.copies.map(m => m[1]));
  table("moves", ["from, to", ...places.map(p => p.name)],
    places.map(a => [a.name, ...places.map(b => { const m = moved(a, b); return m[0] ? { text: bytes(m[1]) + " in " + number(m[0]), heat: m[1] / most } : ""; })]));
}
/* Nodes that were asked for and never came, though nobody had changed their mind. */
function refused() {
  return D.notices.filter(n => n.request !== null && (n.what === "refused" || n.what === "over") && D.requests[n.request].came === null && !D.requests[n.request].cancelled)
    .map(n => ({ ns: n.ns, node: "", what: "a node of class " + D.requests[n.request].class + (n.what === "refused" ? " was refused" : " did not come"), text: n.text }));
}
/* What was said of growing. */
function growth() {
  if (!D.notices.length) { $("growthis").remove(); return; }
  $("growths").textContent = many(D.requests.length, "node") + " asked for while the run went on, " + number(D.requests.filter(r => r.came !== null).length) + " came";
  const of = n => n.request === null ? {} : D.requests[n.request];
  table("growth", ["at", "request", "class", "node", "what", "why"],
    D.notices.map(n => [time(n.ns), of(n).ticket || "", of(n).class || "", of(n).node === undefined || of(n).node === null ? "" : of(n).node,
      { text: n.what, bad: n.what === "refused" }, n.text]));
}
/* What was said alike of tasks of one kind is one row; each one is below. */
function failures() {
  const groups = new Map(), parent = $("failures").parentNode, kind = t => t.kind === undefined ? "" : short(t.kind), said = D.texts.filter(t => !pointOf(t)).concat(refused());
  if (!said.length) { el("p", "None.", parent); return; }
  for (const t of said) {
    const key = [t.what, kind(t), t.text].join("\0"), group = groups.get(key) || { text: t, count: 0, nodes: new Set() };
    group.count++; group.nodes.add(t.node); group.last = t.ns;
    groups.set(key, group);
  }
  const what = t => ({ text: t.what, bad: t.what !== "mark" });
  table("failures", ["what", "kind", "why", "so often", "first at", "last at", "nodes"],
    [...groups.values()].map(g => [what(g.text), kind(g.text), g.text.text, number(g.count), time(g.text.ns), time(g.last), [...g.nodes].join(", ")]));
  if (D.texts_more) el("p", "and " + number(D.texts_more) + " more that are not in this page", parent);
  if (groups.size === said.length && said.every(t => !t.task)) return;
  const details = el("details", undefined, parent);
  el("summary", "Each of them", details);
  const box = el("div", undefined, details);
  box.className = "long"; el("table", undefined, box).id = "each";
  details.addEventListener("toggle", () => {
    if ($("each").rows.length) return;
    table("each", ["at", "node", "task", "kind", "what", "why"], said.map(t => [time(t.ns), t.node, t.task || "", kind(t), what(t), t.text]));
    for (const row of $("each").rows) if (row.cells[2].textContent) { row.className = "task"; row.title = "find it"; row.addEventListener("click", () => { $("find").value = row.cells[2].textContent; search($("find").value); next(); gantt.scrollIntoView({ block: "center" }); }); }
  });
}
function tables() {
  for (const sentence of D.summary) el("p", sentence, $("summary"));
  uses(); legend(); moves(); growth(); failures();
  table("kinds", ["kind", "bodies", "in all", "median", "99 of 100", "longest", ...D.nodes.map(n => "node " + n.node)],
    D.kinds.map((k, i) => [{ text: k.name, colour: colour(i) }, k.count, ns(k.total), ns(k.median), ns(k.p99), ns(k.most), ...k.nodes]).filter(r => r[1]), true);
  table("nodes", ["node", "host", "cores", "in bodies", "joined", "gone", "clock off by at most", "events lost", "trace"],
    D.nodes.map(n => ["node " + n.node, n.host, n.cores, (100 * n.busy).toFixed(1) + " %", n.joined_ns ? time(n.joined_ns) : "at the start",
      n.gone_ns === null ? "" : { text: time(n.gone_ns) + ": " + GONE[n.gone] + (n.why ? ": " + n.why : ""), bad: n.gone > 1 },
      time(n.clock_error_ns), n.lost, n.trace ? (n.whole ? "whole" : "without an end") : "none"]));
  if (!D.devices.length) { $("devicesare").remove(); return; }
  const of = (k, a, b) => D.copies[a * (D.devices.length + 1) + b][k], main = D.devices.length;
  table("devices", ["device", "name", "memory", "kernels ran", "copied to it", "copied back"],
    D.devices.map((d, k) => [deviceName(d), d.name, bytes(d.memory), time(d.busy_ns), bytes(of(1, main, k)) + " in " + number(of(0, main, k)), bytes(of(1, k, main)) + " in " + number(of(0, k, main))]));
}
