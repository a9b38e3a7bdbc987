
/* ---- Other things over time: the same times as the cores above ------------- */
const clipTimes = (to, width, height) => { to.save(); to.beginPath(); to.rect(LEFT, AXIS, width - LEFT, height - AXIS); to.clip(); };
const GONE = ["", "left", "was sent away", "died"];

/* What part of each pixel's time the cores of a node had bodies. */
function busyOf(node, pixels) {
  const busy = new Float64Array(pixels), scale = pixels / (view.to - view.from);
  let tracks = 0;
  D.tracks.forEach((track, t) => {
    if (track.node !== node || !track.core) return;
    tracks++;
    let last = view.from;
    for (let i = firstIn(t, view.from); i < S.first[t + 1] && S.begin[i] < view.to; i++) {
      if (typeOf(i) === 2) continue;
      const a = Math.max(S.begin[i], last), b = Math.min(S.begin[i] + S.length[i], view.to);
      if (b <= a) continue;
      last = b;
      let x = (a - view.from) * scale;
      for (const end = (b - view.from) * scale; x < end;) { const p = Math.floor(x), to = Math.min(p + 1, end); if (p < pixels) busy[p] += to - x; x = to; if (to === p) break; }
    }
  });
  for (let p = 0; p < pixels; p++) busy[p] = tracks ? Math.min(1, busy[p] / tracks) : 0;
  return busy;
}
/* ---- Nodes that were asked for: a bar each, below the nodes. */
const nodeLane = Math.max(9, Math.min(34, Math.floor(9000 / D.nodes.length))), requestsTop = AXIS + 44 + D.nodes.length * nodeLane + 18;
const requestLane = Math.max(3, Math.min(14, Math.floor(4000 / Math.max(1, D.requests.length))));
/* What it was, from when until when. */
function phases(r) {
  const end = r.over === null ? D.total_ns : r.over, gone = Math.min(end, r.leaves === null ? end : r.leaves),
    started = r.started === null ? end : r.started, came = r.came === null ? end : r.came;
  return [["waits in the queue", r.asked, Math.min(started, end), USES[5]], ["its job has started", started, Math.min(came, end), USES[3]],
    ["is a node", came, gone, USES[0]], ["leaves", gone, r.leaves === null ? gone : end, USES[6]]].filter(p => p[2] > p[1]);
}
const notesOf = i => D.notices.filter(n => n.request === i);
function tellRequest(i) {
  if (i < 0) return "";
  const r = D.requests[i];
  return "Request " + r.ticket + ", a node of class " + r.class + (r.node === null ? "" : ": node " + r.node) + ".\n" +
    notesOf(i).map(n => time(n.ns) + ": " + n.what + (n.text ? ": " + n.text : "")).join("\n");
}
function requestAt(x, y) {
  const i = Math.floor((y - requestsTop) / requestLane);
  return x >= LEFT && i >= 0 && i < D.requests.length ? i : -1;
}
function drawRequests(to, width, height) {
  root.dataset.requests = 0;
  if (!D.requests.length) return;
  to.fillStyle = ink.fg; to.textAlign = "left";
  to.fillText("asked for: " + number(D.requests.length), 4, requestsTop + 9, LEFT - 8);
  clipTimes(to, width, height);
  let shown = 0;
  D.requests.forEach((r, i) => {
    const y = requestsTop + i * requestLane, h = Math.max(2, requestLane - 3);
    for (const [, from, until, fill] of phases(r)) {
      to.fillStyle = fill;
      to.fillRect(xOf(from, width), y, Math.max(1, xOf(until, width) - xOf(from, width)), h);
    }
    to.fillStyle = ink.fg; to.fillRect(xOf(r.asked, width) - 1, y - 1, 2, h + 2);
    if (r.over !== null && r.came === null) { to.fillStyle = r.cancelled ? ink.fg : ink.mark; to.fillRect(xOf(r.over, width) - 2, y - 1, 4, h + 2); }
    shown++;
  });
  to.restore();
  root.dataset.requests = shown;
}
function drawNodes() {
  const lane = nodeLane, height = (D.requests.length ? requestsTop + D.requests.length * requestLane : AXIS + 44 + D.nodes.length * lane) + 4, [to, width] = size($("nodeline"), height);
  axis(to, width, height);
  /* How many cores there are. */
  const total = D.nodes.reduce((s, n) => s + n.cores, 0) || 1, yOf = c => AXIS + 38 - c / total * 30;
  const steps = D.nodes.flatMap(n => [[n.joined_ns, n.cores], ...(n.gone_ns === null ? [] : [[n.gone_ns, -n.cores]])]).sort((a, b) => a[0] - b[0]);
  to.fillStyle = ink.fg; to.textAlign = "left";
  to.fillText("cores, of " + number(total), 4, AXIS + 26, LEFT - 8);
  clipTimes(to, width, height);
  to.strokeStyle = ink.fg; to.lineWidth = 1.5;
  to.beginPath(); to.moveTo(LEFT - 2, yOf(0));
  let cores = 0;
  for (const [t, by] of steps) { to.lineTo(xOf(t, width), yOf(cores)); cores += by; to.lineTo(xOf(t, width), yOf(cores)); }
  to.lineTo(width + 2, yOf(cores)); to.stroke();
  to.restore();
  D.nodes.forEach((n, i) => {
    const y = AXIS + 44 + i * lane, a = Math.max(LEFT, xOf(n.joined_ns, width)), b = Math.min(width, xOf(n.gone_ns === null ? D.total_ns : n.gone_ns, width));
    to.fillStyle = ink.fg; to.textAlign = "left";
    if (lane > 20 || i % 4 === 0) to.fillText("node " + n.node + ", " + many(n.cores, "core"), 4, y + Math.min(20, lane), LEFT - 8);
    clipTimes(to, width, height);
    to.fillStyle = ink.line;
    if (b > a) to.fillRect(a, y + 2, b - a, lane - 6);
    const pixels = Math.max(1, Math.round(width - LEFT)), busy = busyOf(i, pixels);
    to.fillStyle = USES[0];
    for (let p = 0; p < pixels; p++) if (busy[p] > 0) { const h = Math.max(1, busy[p] * (lane - 6)); to.fillRect(LEFT + p, y + lane - 4 - h, 1, h); }
    if (n.joined_ns > 0) { to.fillStyle = ink.fg; to.fillRect(a, y, 2, lane - 2); to.textAlign = "right"; if (a - LEFT > 45) to.fillText("joined", a - 4, y + 20); to.textAlign = "left"; }
    if (n.gone_ns !== null && (n.gone > 1 || n.gone_ns < D.total_ns * 0.98)) {
      to.fillStyle = n.gone > 1 ? ink.mark : ink.fg;
      to.fillRect(b - 1, y, 3, lane - 2);
      to.fillText(GONE[n.gone] + (n.why ? ": " + n.why : ""), b + 6, y + 20);
    }
    to.restore();
  });
  drawRequests(to, width, height);
}
function lines(canvas, height, series, most, what) {
  const [to, width] = size(canvas, height);
  axis(to, width, height);
  to.fillStyle = ink.soft; to.textAlign = "left"; to.fillText(what(most), 4, 14);
  series.forEach((one, i) => {
    to.strokeStyle = to.fillStyle = colour(one.node); to.lineWidth = 2;
    to.fillRect(4, 24 + 16 * i, 10, 10); to.fillStyle = ink.fg; to.fillText(one.name || "node " + D.nodes[one.node].node, 18, 33 + 16 * i, LEFT - 22);
    clipTimes(to, width, height);
    to.setLineDash(one.node % 2 ? [6, 3] : []);
    to.beginPath();
    one.points.forEach((p, j) => { const x = xOf(p[0], width), y = height - 5 - p[1] / most * (height - AXIS - 12); if (j) to.lineTo(x, y); else to.moveTo(x, y); });
    to.stroke();
    to.restore();
  });
  to.lineWidth = 1;
}
const chartHeight = count => Math.max(150, 30 + 16 * count);
/* What stays until it changes. */
const stairs = points => points.flatMap((p, i) => i ? [[p[0], points[i - 1][1]], p] : [p]).concat(points.length ? [[D.total_ns, points[points.length - 1][1]]] : []);
const deviceName = d => (D.nodes.length > 1 ? "node " + d.node + " " : "") + "device " + d.number;
function drawMemory() {
  const series = D.memory.map(m => ({ node: D.nodes.findIndex(n => n.node === m.node) + (m.device === null ? 0 : D.nodes.length + m.device),
    name: m.device === null ? "" : deviceName(D.devices[m.device]), points: m.device === null ? m.points : stairs(m.points) }));
  lines($("memory"), chartHeight(series.length), series, Math.max(1, ...D.memory.flatMap(m => m.points.map(p => p[1]))), n => bytes(n) + " resident");
}
function drawRates() {
  if (D.nodes.length < 2) return;
  const series = D.came.map((sums, node) => ({ node, points: sums.flatMap((n, i) => [[i * D.step_ns, n], [(i + 1) * D.step_ns, n]]) })).filter(s => s.points.some(p => p[1]));
  lines($("rates"), chartHeight(series.length), series, Math.max(1, ...D.came.flat()), n => bytes(n / (D.step_ns / 1e9)) + "/s to");
}
/* Marks like "loss = 0.35": a curve for each name, in a lane of its own. */
function curves() {
  const found = new Map();
  for (const t of D.texts) {
    const is = pointOf(t);
    if (!is) continue;
    if (!found.has(is[1])) found.set(is[1], []);
    found.get(is[1]).push([t.ns, +is[2]]);
  }
  return found;
}
function drawCurves() {
  const found = curves(), lane = 110;
  root.dataset.curves = [...found.values()].reduce((sum, points) => sum + points.length, 0);
  $("curvesare").hidden = !found.size;
  if (!found.size) return;
  const height = AXIS + found.size * lane, [to, width] = size($("curves"), height);
  axis(to, width, height);
  [...found].forEach(([name, points], i) => {
    const values = points.map(p => p[1]), least = Math.min(...values), most = Math.max(...values), top = AXIS + i * lane + 12;
    const yOf = v => top + (most > least ? (most - v) / (most - least) : 0.5) * (lane - 26);
    to.fillStyle = ink.fg; to.textAlign = "left";
    to.fillText(name, 4, top + lane / 2 - 8, LEFT - 8);
    to.fillStyle = ink.soft;
    to.fillText(String(most), 4, top + 6, LEFT - 8);
    if (most > least) to.fillText(String(least), 4, top + lane - 22, LEFT - 8);
    clipTimes(to, width, height);
    to.strokeStyle = to.fillStyle = colour(i); to.lineWidth = 2;
    to.beginPath();
    points.forEach((p, j) => { const x = xOf(p[0], width), y = yOf(p[1]); if (j) to.lineTo(x, y); else to.moveTo(x, y); });
    to.stroke();
    for (const p of points) to.fillRect(xOf(p[0], width) - 2, yOf(p[1]) - 2, 4, 4);
    to.restore();
  });
  to.lineWidth = 1;
}
