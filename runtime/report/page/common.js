"use strict";
const begun = performance.now();
const $ = id => document.getElementById(id);
const D = JSON.parse($("data").textContent);
const root = document.documentElement;
const PALETTE = ["#56B4E9", "#E69F00", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999"];
const USES = ["#0072B2", "#CC79A7", "#D55E00", "#E69F00", "#56B4E9", "#F0E442", "#999999"];
/* A canvas must not be too high, however many cores there are. */
const LANE = Math.max(3, Math.min(18, Math.floor(9000 / Math.max(1, D.tracks.length)))), BAR = LANE - (LANE > 8 ? 3 : 1), AXIS = 22, LEFT = 130, FONT = "12px system-ui, sans-serif";

function el(tag, text, parent) {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  if (parent) parent.appendChild(e);
  return e;
}
function time(ns) {
  const u = [[1e9, "s"], [1e6, "ms"], [1e3, "us"], [1, "ns"]].find(x => Math.abs(ns) >= x[0]) || [1, "ns"];
  return (ns / u[0]).toPrecision(3).replace(/\.?0+$/, m => m.includes(".") ? "" : m) + " " + u[1];
}
function bytes(n) {
  const u = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]].find(x => n >= x[0]) || [1, "B"];
  return (u[0] > 1 ? (n / u[0]).toPrecision(3) : n) + " " + u[1];
}
const number = n => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
const many = (n, what) => number(n) + " " + what + (n === 1 ? "" : "s");
const colour = k => PALETTE[k % PALETTE.length];
const patterned = k => Math.floor(k / PALETTE.length) % 2 === 1;
const inkOn = k => [4, 5, 2].includes(k % 8) ? "#fff" : "#000";
/* What people call a kind: the function, where no other kind is called so. */
const shorts = D.kinds.map(k => k.name.replace(/^.*:/, ""));
const short = k => shorts.indexOf(shorts[k]) === shorts.lastIndexOf(shorts[k]) ? shorts[k] : D.kinds[k].name;
const css = name => getComputedStyle(root).getPropertyValue(name);

/* The colours of the theme, found once for each drawing. */
let ink = {};
function readInk() { ink = { bg: css("--bg"), fg: css("--fg"), soft: css("--soft"), line: css("--line"), pane: css("--pane"), mark: css("--mark") }; }

function size(canvas, height) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth;
  canvas.style.height = height + "px";
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const to = canvas.getContext("2d");
  to.setTransform(ratio, 0, 0, ratio, 0, 0);
  to.font = FONT;
  return [to, width];
}

/* Draw each once a frame, however often something changes. */
const queue = new Set();
function redraw(...what) {
  if (!queue.size) requestAnimationFrame(() => { readInk(); for (const f of queue) f(); queue.clear(); });
  for (const f of what) queue.add(f);
}

/* ---- Numbers of 7 bits a byte, the low ones first, in base 64 */
function reader(id) {
  const text = atob($(id).textContent.trim());
  let at = 0;
  const next = () => {
    let value = 0, scale = 1, byte;
    do { byte = text.charCodeAt(at++); value += (byte & 127) * scale; scale *= 128; } while (byte > 127);
    return value;
  };
  return { next, signed: () => { const z = next(); return z % 2 ? -(z + 1) / 2 : z / 2; } };
}

/* The bodies and waits of each track, in order of beginning. */
let S;
function decode() {
  const { next, signed } = reader("spans");
  const n = D.spans, begin = new Float64Array(n), length = new Float64Array(n), what = new Uint32Array(n),
    low = new Float64Array(n), high = new Uint32Array(n), first = [];
  let i = 0;
  for (const track of D.tracks) {
    first.push(i);
    let last = 0, before = 0;
    for (let j = 0; j < track.spans; j++, i++) {
      last = begin[i] = last + next();
      length[i] = next();
      what[i] = next();
      if ((what[i] & 3) < 2) { high[i] = next(); before = low[i] = before + signed(); }
      else if ((what[i] & 3) === 2 && what[i] >>> 2) low[i] = next();
    }
  }
  first.push(i);
  S = { begin, length, what, low, high, first };
}
const nameOf = (high, low) => (BigInt(D.prefixes[high]) + BigInt(low)).toString();
const taskOf = i => nameOf(S.high[i], S.low[i]);
/* What a span is: 0 a body, 1 one that failed or has no end, 2 a wait, 3 many short bodies;
   a wait of a kind is what a device did, and `low` then says how many bytes that moved. */
const DID = ["", "kernels", "a copy to the device", "a copy back", "a copy from another device"];
const typeOf = i => S.what[i] & 3;
const kindOf = i => S.what[i] >>> 2;

/* ---- What is looked for, and what is hidden */
const wanted = { text: "", kinds: null, task: null, hidden: new Set(), path: false };
let hits = 0;
const shows = kind => !wanted.hidden.has(kind) && (!wanted.kinds || wanted.kinds.has(kind));
function matches(i) {
  const type = typeOf(i);
  if (type === 2) return !wanted.text && !wanted.path;
  if (wanted.task !== null) return type < 2 && taskOf(i) === wanted.task;
  if (!shows(kindOf(i))) return false;
  return !wanted.path || (type < 2 && isCritical(S.high[i], S.low[i]));
}
/* A mark that tells a number is a point of a curve, and is shown as that alone. */
const pointOf = text => text.what === "mark" && /^(.{1,40}) = (-?\d[\d.]*(?:e[-+]?\d+)?)$/i.exec(text.text);
