
/* ---- Keys, and views that can be passed on ----------------------------------- */
function listen() {
  for (const id of ["gantt", "nodeline", "curves", "memory", "rates"]) if ($(id)) listenToTime($(id));
  listenToGraph();
  $("find").addEventListener("input", e => search(e.target.value));
  $("find").addEventListener("keydown", e => { if (e.key === "Enter") next(); if (e.key === "Escape") { e.target.value = ""; search(""); gantt.focus(); } });
  $("theme").addEventListener("click", theme);
  $("path").addEventListener("click", togglePath);
  for (const a of document.querySelectorAll("nav a")) a.addEventListener("click", e => { e.preventDefault(); $(a.dataset.to).scrollIntoView({ block: "center" }); });
  document.addEventListener("keydown", e => {
    if (e.target === $("find") || e.ctrlKey || e.metaKey || e.altKey) return;
    const near = document.activeElement === graph && G;
    const keys = {
      "+": () => near ? zoomGraph(0.5) : zoom(0.5), "=": () => near ? zoomGraph(0.5) : zoom(0.5), "-": () => near ? zoomGraph(2) : zoom(2),
      "0": () => { if (near) allOfGraph(); else { clampView(0, D.total_ns); drawTimes(); } },
      "ArrowLeft": () => near ? panGraph(-0.2, 0) : pan(-0.2), "ArrowRight": () => near ? panGraph(0.2, 0) : pan(0.2),
      "n": next, "c": togglePath, "t": theme, "/": () => $("find").focus() };
    if (near) Object.assign(keys, { "ArrowUp": () => panGraph(0, -0.2), "ArrowDown": () => panGraph(0, 0.2) });
    if (keys[e.key]) { e.preventDefault(); keys[e.key](); }
  });
  addEventListener("resize", () => { drawTimes(); redraw(drawGraph); });
  addEventListener("hashchange", hash);
}
/* #from=NS&to=NS&find=TEXT&theme=dark */
function hash() {
  const want = new URLSearchParams(location.hash.slice(1));
  if (want.has("from") || want.has("to")) clampView(+(want.get("from") || 0), +(want.get("to") || D.total_ns));
  if (want.has("theme")) root.dataset.theme = want.get("theme");
  $("find").value = want.get("find") || "";
  search($("find").value);
}
function openGraph() {
  if (D.graph.tasks) { decodeGraph(); layOut(); allOfGraph(); }
  readInk(); drawGraph();
}
decode(); tables(); listen(); hash(); readInk();
drawGantt(); drawNodes(); drawCurves(); drawMemory(); drawRates(); openGraph();
root.dataset.openMs = Math.round(performance.now());
root.dataset.ownMs = Math.round(performance.now() - begun);
