
/* ---- Each core over time ------------------------------------------------- */
const gantt = $("gantt"), view = { from: 0, to: D.total_ns };
let chosen = -1, drawn = 0;
function clampView(from, to) {
  const least = 100, length = Math.min(Math.max(to - from, least), D.total_ns);
  view.from = Math.min(Math.max(from, 0), D.total_ns - length);
  view.to = view.from + length;
}
const xOf = (t, width) => LEFT + (t - view.from) / (view.to - view.from) * (width - LEFT);
function axis(to, width, height) {
  const span = view.to - view.from, step = Math.pow(10, Math.floor(Math.log10(span / 5))),
    every = [1, 2, 5, 10].map(f => f * step).find(s => span / s <= 10) || step;
  const unit = [[1e9, "s"], [1e6, "ms"], [1e3, "us"]].find(u => view.to >= u[0]) || [1, "ns"], digits = Math.max(0, -Math.floor(Math.log10(every / unit[0]) + 1e-9));
  to.fillStyle = ink.soft; to.strokeStyle = ink.line; to.textAlign = "left"; to.lineWidth = 1;
  for (let t = Math.ceil(view.from / every) * every; t <= view.to; t += every) {
    const x = xOf(t, width);
    to.beginPath(); to.moveTo(x, AXIS - 4); to.lineTo(x, height); to.stroke();
    if (x < width - 60) to.fillText(t ? (t / unit[0]).toFixed(digits) + " " + unit[1] : "0", x + 3, 14);
  }
}
/* The first span of a track that ends after t may be inside longer ones: begin well before. */
function firstIn(track, t) {
  let a = S.first[track], b = S.first[track + 1];
  while (a < b) { const m = (a + b) >> 1; if (S.begin[m] < t) a = m + 1; else b = m; }
  for (const i of D.tracks[track].long || []) if (i + S.first[track] < a && S.begin[i + S.first[track]] + S.length[i + S.first[track]] >= t) return i + S.first[track];
  return Math.max(S.first[track], a - 64);
}
function drawBody(to, i, a, b, y) {
  const k = kindOf(i), type = typeOf(i);
  if (patterned(k) && type !== 2) { to.fillStyle = "#0004"; for (let x = a; x < b; x += 6) to.fillRect(x, y + 1, 2, BAR); }
  if (b - a > 60 && type < 2 && LANE > 12) {
    to.fillStyle = type === 1 ? ink.bg : inkOn(k); to.textAlign = "left";
    to.fillText(short(k).slice(0, Math.floor((b - a) / 7)), Math.max(a, LEFT) + 3, y + 12);
  }
  if (i === chosen) { to.strokeStyle = ink.fg; to.lineWidth = 2; to.strokeRect(a, y + 1, b - a, BAR); to.lineWidth = 1; }
}
function drawTrack(to, track, y, width) {
  const scale = (width - LEFT) / (view.to - view.from), end = S.first[track + 1];
  let x0 = -1, x1 = -1, fill = "", dim = false;
  const flush = () => {
    if (x0 < 0) return;
    to.globalAlpha = dim ? 0.15 : 1;
    to.fillStyle = fill;
    to.fillRect(x0, y + 1, Math.max(x1 - x0, 0.5), BAR);
  };
  for (let i = firstIn(track, view.from); i < end && S.begin[i] < view.to; i++) {
    const a = LEFT + Math.max(0, (S.begin[i] - view.from) * scale), b = LEFT + (S.begin[i] + S.length[i] - view.from) * scale;
    if (b < LEFT) continue;
    const type = typeOf(i), out = !matches(i), f = type === 2 ? (kindOf(i) ? USES[kindOf(i) - 1] : ink.line) : type === 1 ? ink.mark : colour(kindOf(i));
    drawn++;
    /* Of many within one pixel one is drawn: the last that matches. */
    if (b < x1 + 0.5 && b - a < 0.5 && x0 >= 0 && (out || !dim)) continue;
    if (f === fill && out === dim && x0 >= 0 && a <= x1 + 0.3) { x1 = Math.max(x1, b); continue; }
    flush();
    x0 = a; x1 = Math.min(b, width); fill = f; dim = out;
    if (b - a > 6 || i === chosen) { flush(); drawBody(to, i, a, Math.max(x1, a + 2), y); x0 = -1; }
  }
  flush();
  to.globalAlpha = 1;
}
function drawGantt() {
  const height = AXIS + D.tracks.length * LANE + 4, [to, width] = size(gantt, height);
  drawn = 0;
  axis(to, width, height);
  D.tracks.forEach((track, i) => {
    const y = AXIS + i * LANE;
    if (i && D.tracks[i - 1].node !== track.node) { to.strokeStyle = ink.soft; to.beginPath(); to.moveTo(0, y); to.lineTo(width, y); to.stroke(); }
    to.fillStyle = ink.fg; to.textAlign = "left";
    if (LANE > 12 || !i || D.tracks[i - 1].node !== track.node) to.fillText(track.name, 4, y + Math.min(13, LANE + 8), LEFT - 8);
    drawTrack(to, i, y, width);
  });
  for (const text of D.texts) {
    if (text.ns < view.from || text.ns > view.to || (text.what !== "mark" && text.task) || pointOf(text)) continue;
    to.strokeStyle = text.what === "mark" ? ink.fg : ink.mark;
    const x = xOf(text.ns, width);
    to.beginPath(); to.moveTo(x, AXIS - 8); to.lineTo(x, height); to.stroke();
  }
  Object.assign(root.dataset, { drawn, from: Math.round(view.from), to: Math.round(view.to), hits, chosen: chosen < 0 || typeOf(chosen) > 1 ? "" : taskOf(chosen) });
}
const drawTimes = () => redraw(drawGantt, drawNodes, drawCurves, drawMemory, drawRates);

/* ---- What a person does */
function zoom(factor, x) {
  const share = x === undefined ? 0.5 : x, middle = view.from + share * (view.to - view.from), length = (view.to - view.from) * factor;
  clampView(middle - share * length, middle + (1 - share) * length); drawTimes();
}
function pan(share) { const by = share * (view.to - view.from); clampView(view.from + by, view.to + by); drawTimes(); }
function trackAt(y) { const t = Math.floor((y - AXIS) / LANE); return t >= 0 && t < D.tracks.length ? t : -1; }
function spanAt(x, y) {
  const track = trackAt(y), t = view.from + (x - LEFT) / (gantt.clientWidth - LEFT) * (view.to - view.from);
  let found = -1;
  if (track < 0 || x < LEFT) return -1;
  for (let i = firstIn(track, t); i < S.first[track + 1] && S.begin[i] <= t; i++) if (S.begin[i] + S.length[i] >= t) found = i;
  return found;
}
function tell(i) {
  if (i < 0) return "";
  const type = typeOf(i), when = time(S.length[i]) + ", from " + time(S.begin[i]) + " on";
  if (type === 2 && kindOf(i)) return "On the device, " + DID[kindOf(i)] + (S.low[i] ? " of " + bytes(S.low[i]) : "") + ": " + when + ".";
  if (type === 2) return "A wait for tasks: " + when + ".";
  const name = D.kinds[kindOf(i)].name;
  if (type === 3) return "Many short tasks, most of them " + name + ": " + when + ".";
  return "Task " + taskOf(i) + ", " + name + ": " + when + (type === 1 ? "; it failed, or its end was not seen" : "") +
    (isCritical(S.high[i], S.low[i]) ? "; on the critical path" : "") +
    ".\ncastell explain DIR " + taskOf(i) + " tells why it started then.";
}
/* The last body of a task; -1: it has none. */
function spanOf(high, low) {
  let found = -1;
  for (let i = 0; i < D.spans; i++)
    if (S.low[i] === low && S.high[i] === high && typeOf(i) < 2 && (found < 0 || S.begin[i] > S.begin[found])) found = i;
  return found;
}
function lookAt(i) {
  const length = Math.min(view.to - view.from, Math.max(S.length[i] * 20, 1000)), middle = S.begin[i] + S.length[i] / 2;
  clampView(middle - length / 2, middle + length / 2);
}
function choose(i) {
  chosen = i;
  $("detail").textContent = tell(i);
  drawTimes();
}
function search(text) {
  text = text.trim().toLowerCase();
  hits = 0;
  wanted.text = text; wanted.kinds = wanted.task = null;
  if (text) {
    const kinds = new Set(D.kinds.map((k, i) => [k.name.toLowerCase(), i]).filter(x => x[0].includes(text)).map(x => x[1]));
    if (kinds.size) wanted.kinds = kinds; else wanted.task = text;
  }
  count();
}
function count() {
  hits = 0;
  if (wanted.text || wanted.hidden.size || wanted.path) for (let i = 0; i < D.spans; i++) if (typeOf(i) !== 2 && matches(i)) hits++;
  $("found").textContent = wanted.text ? number(hits) + " found" : "";
  drawTimes(); redraw(drawGraph);
}
function next() {
  if (!wanted.text || !hits) return;
  let i = chosen;
  do i = (i + 1) % D.spans; while (typeOf(i) === 2 || !matches(i));
  lookAt(i);
  choose(i);
  if (typeOf(i) < 2) showTask(graphIndex(S.high[i], S.low[i]));
}
function togglePath() {
  wanted.path = !wanted.path;
  $("path").setAttribute("aria-pressed", wanted.path);
  count();
}
function toggleKind(k, button) {
  if (!wanted.hidden.delete(k)) wanted.hidden.add(k);
  button.setAttribute("aria-pressed", !wanted.hidden.has(k));
  count();
}
function theme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = (root.dataset.theme || (dark ? "dark" : "light")) === "dark" ? "light" : "dark";
  drawTimes(); redraw(drawGraph);
}
function listenToTime(canvas) {
  let dragged = null;
  canvas.addEventListener("wheel", e => { e.preventDefault(); zoom(e.deltaY > 0 ? 1.25 : 0.8, (e.offsetX - LEFT) / (canvas.clientWidth - LEFT)); }, { passive: false });
  canvas.addEventListener("pointerdown", e => { dragged = { x: e.offsetX, from: view.from, to: view.to, moved: false }; canvas.setPointerCapture(e.pointerId); });
  canvas.addEventListener("pointermove", e => {
    if (!dragged) { canvas.title = canvas === gantt ? tell(spanAt(e.offsetX, e.offsetY)) : canvas === $("nodeline") ? tellRequest(requestAt(e.offsetX, e.offsetY)) : ""; return; }
    const by = (dragged.x - e.offsetX) / (canvas.clientWidth - LEFT) * (dragged.to - dragged.from);
    dragged.moved = dragged.moved || Math.abs(dragged.x - e.offsetX) > 3;
    if (dragged.moved) { clampView(dragged.from + by, dragged.to + by); drawTimes(); }
  });
  canvas.addEventListener("pointerup", e => {
    if (dragged && !dragged.moved && canvas === gantt) {
      const i = spanAt(e.offsetX, e.offsetY);
      choose(i);
      if (i >= 0 && typeOf(i) < 2) showTask(graphIndex(S.high[i], S.low[i]));
    }
    if (dragged && !dragged.moved && canvas === $("nodeline")) {
      const i = requestAt(e.offsetX, e.offsetY);
      if (i >= 0) $("detail").textContent = tellRequest(i);
    }
    dragged = null;
  });
}
