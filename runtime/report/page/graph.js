
/* ---- The graph ------------------------------------------------------------
 * Each task stands at its depth, from left to right, among the others of that
 * depth, which are in the order of kinds. Where few are in view each is drawn;
 * else those of one kind in some depths are one box. Among four times as many a
 * task has half the room: so narrow parts can be seen beside wide ones.
 */
const SINGLE_MAX = 1500, GRAPH_HEIGHT = 460;
const graph = $("graph");
/* x in depths; y from the middle, in tasks of the widest depth */
const sight = { x0: 0, x1: 1, y0: -1, y1: 1 };
let G = null, chosenTask = -1, boxes = [], detailed = false;

function decodeGraph() {
  const { next, signed } = reader("edges");
  const n = D.graph.tasks, high = new Uint32Array(n), low = new Uint32Array(n), kind = new Uint32Array(n), flags = new Uint8Array(n),
    depth = new Uint32Array(n), all = D.graph.merged ? [] : null, often = D.graph.merged ? new Float64Array(D.graph.edges) : null, first = new Uint32Array(n + 1), from = new Uint32Array(D.graph.edges), why = new Uint8Array(D.graph.edges);
  let lastLow = 0, lastDepth = 0, e = 0;
  for (let i = 0; i < n; i++) {
    high[i] = next();
    lastLow = low[i] = lastLow + signed();
    const what = next();
    kind[i] = what >>> 2; flags[i] = what & 3;
    lastDepth = depth[i] = lastDepth + signed();
    if (all) all.push({ count: next(), path: next(), bad: next() });
    first[i] = e;
    for (let count = next(); count > 0; count--) { const edge = next(); from[e] = i - Math.floor(edge / 4); if (often) often[e] = next(); why[e++] = edge & 3; }
  }
  first[n] = e;
  G = { high, low, kind, flags, depth, all, often, first, from, why };
}
/* Where each task stands: at[] is all of them by depth, kind, and where those are that they follow. */
function layOut() {
  const n = D.graph.tasks, depths = D.graph.depths, level = new Uint32Array(depths + 1), row = new Float32Array(n), at = new Uint32Array(n);
  for (let i = 0; i < n; i++) level[G.depth[i] + 1]++;
  let widest = 1;
  for (let d = 0; d < depths; d++) { widest = Math.max(widest, level[d + 1]); level[d + 1] += level[d]; }
  const fill = level.slice();
  for (let i = 0; i < n; i++) at[fill[G.depth[i]]++] = i;
  const keys = new Float64Array(widest), members = new Uint32Array(widest);
  for (let d = 0; d < depths; d++) {
    const a = level[d], count = level[d + 1] - a;
    for (let j = 0; j < count; j++) {
      const i = at[a + j];
      let sum = 0, before = G.first[i + 1] - G.first[i];
      for (let e = G.first[i]; e < G.first[i + 1]; e++) sum += row[G.from[e]];
      /* A kind, a place among 2^20, and which one: together at most 53 bits. */
      const place = before ? Math.min(1, Math.max(0, sum / before / widest + 0.5)) : (j + 0.5) / count;
      keys[j] = (Math.min(G.kind[i], 4000) * 1048576 + Math.floor(place * 1048575)) * 2097152 + j;
      members[j] = i;
    }
    keys.subarray(0, count).sort();
    for (let j = 0; j < count; j++) { const i = members[keys[j] % 2097152]; at[a + j] = i; row[i] = (j + 0.5 - count / 2) * Math.sqrt(widest / count); }
  }
  /* How many tasks there are before each depth. */
  const before = G.all ? new Float64Array(depths + 1) : level;
  if (G.all) {
    for (let i = 0; i < n; i++) before[G.depth[i] + 1] += G.all[i].count;
    widest = 1;
    for (let d = 0; d < depths; d++) { widest = Math.max(widest, before[d + 1]); before[d + 1] += before[d]; }
  }
  Object.assign(G, { level, before, row, at, widest, critical: null, room: d => Math.sqrt(widest / Math.max(1, level[d + 1] - level[d])) });
}
/* What follows each task, for those that are near. */
function successors() {
  if (G.next) return;
  const n = D.graph.tasks, begin = new Uint32Array(n + 1), next = new Uint32Array(D.graph.edges);
  for (let e = 0; e < D.graph.edges; e++) begin[G.from[e] + 1]++;
  for (let i = 0; i < n; i++) begin[i + 1] += begin[i];
  const fill = begin.slice();
  for (let i = 0; i < n; i++) for (let e = G.first[i]; e < G.first[i + 1]; e++) next[fill[G.from[e]]++] = i;
  G.begin = begin; G.next = next;
}
const key = (high, low) => high * 4294967296 + low;
function isCritical(high, low) {
  if (!G || G.all) return false;
  if (!G.critical) { G.critical = new Set(); for (let i = 0; i < D.graph.tasks; i++) if (G.flags[i] & 1) G.critical.add(key(G.high[i], G.low[i])); }
  return G.critical.has(key(high, low));
}
function graphIndex(high, low) {
  if (G && !G.all) for (let i = 0; i < D.graph.tasks; i++) if (G.low[i] === low && G.high[i] === high) return i;
  return -1;
}
const dimTask = i => wanted.task !== null ? nameOf(G.high[i], G.low[i]) !== wanted.task : !shows(G.kind[i]) || (wanted.path && !(G.flags[i] & 1));

/* ---- Drawing */
function graphScale(width) {
  return { kx: width / (sight.x1 - sight.x0), ky: (GRAPH_HEIGHT - 70) / (sight.y1 - sight.y0),
    x(d) { return (d - sight.x0) * this.kx; }, y(r) { return 45 + (r - sight.y0) * this.ky; } };
}
/* The tasks in view; null: more than can be told apart. */
function inSight() {
  const some = [];
  if (G.all) return null;
  for (let d = Math.max(0, Math.floor(sight.x0)); d < Math.min(D.graph.depths, Math.ceil(sight.x1)); d++) {
    const a = G.level[d], count = G.level[d + 1] - a;
    const j0 = Math.max(0, Math.floor(sight.y0 / G.room(d) + count / 2)), j1 = Math.min(count, Math.ceil(sight.y1 / G.room(d) + count / 2));
    if (some.length + j1 - j0 > SINGLE_MAX) return null;
    for (let j = j0; j < j1; j++) some.push(G.at[a + j]);
  }
  return some;
}
function curve(to, x0, y0, x1, y1) {
  const bend = Math.max(12, Math.abs(x1 - x0) / 2);
  to.beginPath(); to.moveTo(x0, y0); to.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1, y1); to.stroke();
}
function drawSingles(to, width, tasks) {
  const s = graphScale(width), w = Math.max(3, Math.min(120, s.kx * 0.6)), high = i => Math.max(2, Math.min(22, s.ky * 0.75 * G.room(G.depth[i])));
  const middle = i => s.x(G.depth[i] + 0.5), seen = new Set(tasks), edges = new Map();
  successors();
  for (const i of tasks) {
    for (let e = G.first[i]; e < G.first[i + 1]; e++) edges.set(e, i);
    for (let k = G.begin[i]; k < G.begin[i + 1]; k++)
      if (!seen.has(G.next[k])) for (let e = G.first[G.next[k]]; e < G.first[G.next[k] + 1]; e++) if (G.from[e] === i) edges.set(e, G.next[k]);
  }
  const draw = (e, i) => curve(to, middle(G.from[e]) + w / 2, s.y(G.row[G.from[e]]), middle(i) - w / 2, s.y(G.row[i]));
  for (const [e, i] of edges) {
    const f = G.from[e], near = f === chosenTask || i === chosenTask, path = G.flags[f] & G.flags[i] & 1;
    to.setLineDash(G.why[e] === 0 ? [] : G.why[e] === 3 ? [2, 3] : [6, 3]);
    to.strokeStyle = near ? ink.fg : path ? ink.mark : ink.soft;
    to.lineWidth = near || path ? 2 : 1;
    to.globalAlpha = near ? 1 : dimTask(f) || dimTask(i) ? 0.08 : path ? 1 : edges.size > 3000 ? 0.25 : 0.5;
    draw(e, i);
  }
  to.setLineDash([]);
  for (const i of tasks) {
    const h = high(i), x = middle(i) - w / 2, y = s.y(G.row[i]) - h / 2;
    to.globalAlpha = dimTask(i) && i !== chosenTask ? 0.15 : 1;
    to.fillStyle = G.flags[i] & 2 ? ink.mark : colour(G.kind[i]);
    to.fillRect(x, y, w, h);
    if (patterned(G.kind[i])) { to.fillStyle = "#0004"; for (let p = x; p < x + w; p += 6) to.fillRect(p, y, 2, h); }
    if (w > 44 && h > 11) {
      to.fillStyle = G.flags[i] & 2 ? ink.bg : inkOn(G.kind[i]); to.textAlign = "center";
      to.fillText(short(G.kind[i]).slice(0, Math.floor(w / 7.5)), x + w / 2, y + h / 2 + 4);
    }
    if (G.flags[i] & 1 || i === chosenTask) {
      to.strokeStyle = i === chosenTask ? ink.fg : ink.mark; to.lineWidth = i === chosenTask ? 3 : 2;
      to.strokeRect(x, y, w, h);
    }
  }
  to.globalAlpha = 1; to.lineWidth = 1;
  boxes = tasks.map(i => ({ x: middle(i) - w / 2, y: s.y(G.row[i]) - high(i) / 2, w, h: high(i), task: i }));
}
/* The depths in view in columns; what is in one of a kind is a box. */
function findBoxes(width) {
  const s = graphScale(width), kinds = D.kinds.length, d0 = Math.max(0, Math.floor(sight.x0)), d1 = Math.min(D.graph.depths, Math.ceil(sight.x1));
  const each = Math.max(1, Math.ceil((d1 - d0) / Math.max(2, Math.min(48, Math.floor(width / 28))))), columns = Math.ceil((d1 - d0) / each);
  const found = new Array(columns * kinds);
  for (let c = 0; c < columns; c++) {
    const from = d0 + c * each, to = Math.min(from + each, d1), counts = new Float64Array(kinds), paths = new Uint32Array(kinds), bad = new Uint32Array(kinds);
    for (let p = G.level[from]; p < G.level[to]; p++) { const i = G.at[p], k = G.kind[i]; if (G.all) { counts[k] += G.all[i].count; paths[k] += G.all[i].path; bad[k] += G.all[i].bad; } else { counts[k]++; paths[k] += G.flags[i] & 1; bad[k] += G.flags[i] >> 1; } }
    /* A column is as high as its depths are wide in the mean, but never too low to be seen. */
    const sum = G.before[to] - G.before[from], column = Math.sqrt(sum / (to - from) * G.widest) * s.ky;
    const heights = [...counts].map(n => n ? Math.max(9, n / sum * column) : 0), all = heights.reduce((a, b) => a + b, 0);
    let y = s.y(0) - all / 2;
    const x = s.x(from) + (s.x(to) - s.x(from)) * 0.14, w = Math.max(4, (s.x(to) - s.x(from)) * 0.72);
    for (let k = 0; k < kinds; k++) {
      if (counts[k]) found[c * kinds + k] = { x, y, w, h: heights[k] - 2, kind: k, count: counts[k], path: paths[k], bad: bad[k], from, to };
      y += heights[k];
    }
  }
  return { found, columns, each, d0, d1 };
}
/* How many edges there are from box to box; from what is left of the view, none. */
function countEdges({ found, each, d0, d1 }) {
  const kinds = D.kinds.length, sums = new Map(), cells = found.length;
  const dense = cells * cells <= 4e6 ? new Uint32Array(cells * cells) : null;
  for (let p = G.level[d0]; p < G.level[d1]; p++) {
    const i = G.at[p], to = Math.floor((G.depth[i] - d0) / each) * kinds + G.kind[i];
    for (let e = G.first[i]; e < G.first[i + 1]; e++) {
      const f = G.from[e], d = G.depth[f];
      if (d < d0 || d >= d1) continue;
      const from = Math.floor((d - d0) / each) * kinds + G.kind[f];
      if (from === to) continue;
      const by = G.often ? G.often[e] : 1;
      if (dense) dense[from * cells + to] += by; else sums.set(from * cells + to, (sums.get(from * cells + to) || 0) + by);
    }
  }
  if (dense) for (let k = 0; k < dense.length; k++) if (dense[k]) sums.set(k, dense[k]);
  return sums;
}
function drawBoxes(to, width) {
  const all = findBoxes(width), { found } = all, cells = found.length, sums = countEdges(all);
  const dim = b => !shows(b.kind) || (wanted.path && !b.path) || wanted.task !== null;
  let most = 1;
  for (const n of sums.values()) most = Math.max(most, n);
  for (const [k, n] of sums) {
    const f = found[Math.floor(k / cells)], t = found[k % cells], path = f.path && t.path && f.to === t.from;
    to.strokeStyle = path ? ink.mark : ink.soft;
    to.globalAlpha = dim(f) || dim(t) ? 0.05 : 0.25 + 0.45 * Math.log(1 + n) / Math.log(1 + most);
    to.lineWidth = 0.7 + 3.5 * Math.log(1 + n) / Math.log(2 + most);
    if (f.x === t.x) { to.beginPath(); to.arc(f.x + f.w, (f.y + f.h / 2 + t.y + t.h / 2) / 2, Math.min(10, Math.abs(f.y - t.y) / 2), -Math.PI / 2, Math.PI / 2); to.stroke(); }
    else curve(to, f.x + f.w, f.y + f.h / 2, t.x, t.y + t.h / 2);
  }
  boxes = found.filter(b => b);
  for (const b of boxes) {
    to.globalAlpha = dim(b) ? 0.15 : 1;
    to.fillStyle = colour(b.kind);
    to.fillRect(b.x, b.y, b.w, b.h);
    if (patterned(b.kind)) { to.fillStyle = "#0004"; for (let p = b.x; p < b.x + b.w; p += 6) to.fillRect(p, b.y, 2, b.h); }
    if (b.bad) { to.fillStyle = ink.mark; to.fillRect(b.x, b.y + b.h - 4, b.w, 4); }
    if (b.path) { to.strokeStyle = ink.mark; to.lineWidth = 2; to.strokeRect(b.x, b.y, b.w, b.h); }
    if (b.w > 50 && b.h > 26) {
      to.fillStyle = inkOn(b.kind); to.textAlign = "center";
      const y = Math.min(Math.max(b.y + b.h / 2, 60), GRAPH_HEIGHT - 30);
      if (y > b.y + 12 && y < b.y + b.h - 12) { to.fillText(short(b.kind).slice(0, Math.floor(b.w / 7.5)), b.x + b.w / 2, y - 1); to.fillText("\u00d7 " + number(b.count), b.x + b.w / 2, y + 13); }
    } else if (b.w > 26 && b.h > 12 && String(b.count).length * 7 < b.w) {
      to.fillStyle = inkOn(b.kind); to.textAlign = "center"; to.fillText(b.count, b.x + b.w / 2, b.y + b.h / 2 + 4);
    }
  }
  to.globalAlpha = 1; to.lineWidth = 1;
}
/* Above: how many tasks are how deep, and what of that is in view. */
function drawProfile(to, width) {
  const depths = D.graph.depths, h = 30;
  to.fillStyle = ink.line;
  for (let x = 0; x < width; x++) {
    const a = Math.floor(x / width * depths), b = Math.max(a + 1, Math.floor((x + 1) / width * depths));
    let most = 0;
    for (let d = a; d < b && d < depths; d++) most = Math.max(most, G.before[d + 1] - G.before[d]);
    const bar = Math.max(1, most / G.widest * (h - 4));
    to.fillRect(x, h - bar, 1, bar);
  }
  to.strokeStyle = ink.fg; to.lineWidth = 1.5;
  to.strokeRect(Math.max(1, sight.x0 / depths * width), 1, Math.max(2, (Math.min(sight.x1, depths) - Math.max(sight.x0, 0)) / depths * width - 2), h);
  to.lineWidth = 1;
}
function drawGraph() {
  const [to, width] = size(graph, GRAPH_HEIGHT);
  if (!G || !D.graph.tasks) {
    to.fillStyle = ink.soft;
    to.fillText(D.graph.all ? "There are too many kinds of tasks for a picture of their graph." : "There were no tasks.", 10, 30);
    return;
  }
  to.save();
  to.beginPath(); to.rect(0, 36, width, GRAPH_HEIGHT - 36); to.clip();
  const tasks = inSight();
  detailed = tasks !== null;
  if (tasks) drawSingles(to, width, tasks); else drawBoxes(to, width);
  to.restore();
  drawProfile(to, width);
  const each = D.graph.merged || 1;
  const where = "depth " + number(Math.max(0, Math.floor(sight.x0)) * each) + " to " + number(Math.min(D.graph.depths, Math.ceil(sight.x1)) * each - 1) +
    (detailed ? ": " + many(tasks.length, "task") : ": a box is the tasks of one kind");
  to.fillStyle = ink.pane; to.fillRect(width - 14 - to.measureText(where).width, GRAPH_HEIGHT - 22, width, 22);
  to.fillStyle = ink.soft; to.textAlign = "right"; to.fillText(where, width - 8, GRAPH_HEIGHT - 8);
  Object.assign(root.dataset, { graphboxes: boxes.length, graphsingle: detailed, graphchosen: chosenTask < 0 ? "" : nameOf(G.high[chosenTask], G.low[chosenTask]),
    graphfrom: sight.x0.toFixed(2), graphto: sight.x1.toFixed(2) });
}

/* ---- What a person does */
function clampSight() {
  const fit = (a, b, low, high, least) => {
    const length = Math.min(Math.max(b - a, Math.min(least, high - low)), high - low), begin = Math.min(Math.max(a, low), high - length);
    return [begin, begin + length];
  };
  [sight.x0, sight.x1] = fit(sight.x0, sight.x1, 0, Math.max(D.graph.depths, 1), 4);
  const half = Math.max(G.widest / 2, 3) * 1.06;
  [sight.y0, sight.y1] = fit(sight.y0, sight.y1, -half, half, 6);
}
function allOfGraph() { Object.assign(sight, { x0: 0, x1: D.graph.depths, y0: -G.widest, y1: G.widest }); clampSight(); redraw(drawGraph); }
function zoomGraph(factor, px, py) {
  const x = px === undefined ? 0.5 : px, y = py === undefined ? 0.5 : py, w = sight.x1 - sight.x0, h = sight.y1 - sight.y0;
  Object.assign(sight, { x0: sight.x0 + x * w * (1 - factor), x1: sight.x0 + x * w * (1 - factor) + w * factor, y0: sight.y0 + y * h * (1 - factor), y1: sight.y0 + y * h * (1 - factor) + h * factor });
  clampSight(); redraw(drawGraph);
}
function panGraph(x, y) {
  const w = (sight.x1 - sight.x0) * x, h = (sight.y1 - sight.y0) * y;
  Object.assign(sight, { x0: sight.x0 + w, x1: sight.x1 + w, y0: sight.y0 + h, y1: sight.y1 + h });
  clampSight(); redraw(drawGraph);
}
/* Bring a task into view, near enough that each is drawn. */
function showTask(i) {
  chosenTask = i;
  if (i >= 0) {
    const d = G.depth[i] + 0.5, r = G.row[i], inside = detailed && d > sight.x0 && d < sight.x1 && r > sight.y0 && r < sight.y1;
    if (!inside) { Object.assign(sight, { x0: d - 5, x1: d + 5, y0: r - 9, y1: r + 9 }); clampSight(); }
  }
  redraw(drawGraph);
}
function boxAt(x, y) { return boxes.find(b => x >= b.x && x < b.x + b.w && y >= b.y && y < b.y + b.h); }
function tellBox(b) {
  if (!b) return "";
  if (b.task === undefined)
    return many(b.count, "task") + " of kind " + D.kinds[b.kind].name + " at depth " + number(b.from * (D.graph.merged || 1)) + (b.to - b.from > 1 || D.graph.merged > 1 ? " to " + number(b.to * (D.graph.merged || 1) - 1) : "") +
      (b.path ? "; " + number(b.path) + " on the critical path" : "") + (b.bad ? "; " + number(b.bad) + " failed or cancelled" : "") + ".";
  const i = b.task, after = G.first[i + 1] - G.first[i];
  successors();
  return "Task " + nameOf(G.high[i], G.low[i]) + ", " + D.kinds[G.kind[i]].name + ": follows " + number(after) + ", and " + number(G.begin[i + 1] - G.begin[i]) + " follow it" +
    (G.flags[i] & 2 ? "; it failed or was cancelled" : "") + (G.flags[i] & 1 ? "; on the critical path" : "") + ".";
}
function intoBox(b) {
  const w = b.to - b.from, s = graphScale(graph.clientWidth), r = sight.y0 + (b.y + b.h / 2 - 45) / s.ky, h = Math.min((sight.y1 - sight.y0) / 3, Math.max(b.h / s.ky, 12));
  Object.assign(sight, { x0: b.from - Math.max(w * 0.2, 1), x1: b.to + Math.max(w * 0.2, 1), y0: r - h, y1: r + h });
  clampSight(); redraw(drawGraph);
}
function listenToGraph() {
  let dragged = null;
  const at = e => [e.offsetX / graph.clientWidth, (e.offsetY - 45) / (GRAPH_HEIGHT - 70)];
  graph.addEventListener("wheel", e => { e.preventDefault(); if (G) zoomGraph(e.deltaY > 0 ? 1.25 : 0.8, ...at(e)); }, { passive: false });
  graph.addEventListener("pointerdown", e => { dragged = { at: at(e), sight: { ...sight }, moved: false }; graph.setPointerCapture(e.pointerId); });
  graph.addEventListener("pointermove", e => {
    if (!dragged) { graph.title = tellBox(boxAt(e.offsetX, e.offsetY)); return; }
    const [x, y] = at(e), w = sight.x1 - sight.x0, h = sight.y1 - sight.y0, dx = (dragged.at[0] - x) * w, dy = (dragged.at[1] - y) * h;
    dragged.moved = dragged.moved || Math.abs(dragged.at[0] - x) * graph.clientWidth > 3 || Math.abs(dragged.at[1] - y) * GRAPH_HEIGHT > 3;
    if (!dragged.moved || !G) return;
    Object.assign(sight, { x0: dragged.sight.x0 + dx, x1: dragged.sight.x1 + dx, y0: dragged.sight.y0 + dy, y1: dragged.sight.y1 + dy });
    clampSight(); redraw(drawGraph);
  });
  graph.addEventListener("pointerup", e => {
    const b = dragged && !dragged.moved ? boxAt(e.offsetX, e.offsetY) : null;
    if (dragged && !dragged.moved) {
      const task = b && b.task !== undefined ? b.task : -1, i = task < 0 ? -1 : spanOf(G.high[task], G.low[task]);
      showTask(task);
      if (i >= 0) lookAt(i);
      choose(i);
      if (b) $("detail").textContent = tellBox(b) + (i >= 0 ? "\n" + tell(i) : task >= 0 ? " It did not run, or was not seen to." : "");
    }
    dragged = null;
  });
  graph.addEventListener("dblclick", e => { const b = boxAt(e.offsetX, e.offsetY); if (b && b.task === undefined) intoBox(b); });
}
