"use strict";
// One view per target: a network on a canvas, with nodes coloured by their score at a hop. All data are on the page.
for (const root of document.querySelectorAll("[data-network]")) {
  const data = JSON.parse(root.querySelector("script").textContent);
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const canvas = part("canvas"), pen = canvas.getContext("2d");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const TALL = 24, LEAST = 6.5, TURN = 13;
  let net, hop, shapes = [], selected = -1, matches = [], at = -1, seen = new Set(), edges, colours, inks, wants = 0;
  let k = 1, vx = 0, vy = 0;

  const make = (tag, text, more = {}) => Object.assign(document.createElement(tag), { textContent: text }, more);
  const clamp = (v, low, high) => Math.min(Math.max(v, low), high);
  const signed = (v) => (v > 0 ? "+" : v < 0 ? "−" : "") + Math.abs(v).toFixed(2);
  const step = (score, m) => {
    const n = colours.length - 1;
    return Math.round(((clamp((data.sign * score) / data.limits[m], -1, 1) + 1) / 2) * n);
  };

  function theme(light = !dark.matches) {
    const style = getComputedStyle(document.documentElement);
    inks = Object.fromEntries(["ink", "quiet", "line", "second", "accent", "card"].map((n) => [n, style.getPropertyValue("--" + n)]));
    colours = data.colours[light ? "light" : "dark"];
    const stops = data.sign > 0 ? colours : [...colours].reverse();
    part("ramp").style.background = `linear-gradient(90deg, ${stops.map((c) => c[0]).join()})`;
  }

  // The path of an edge: curves downwards; two points at one height are a turn into another column.
  function traced(p) {
    const path = new Path2D();
    path.moveTo(p[0], p[1]);
    for (let i = 2; i < p.length; i += 2) {
      const [x0, y0, x1, y1] = p.slice(i - 2, i + 2), middle = (y0 + y1) / 2;
      if (y0 === y1) {
        const bend = y0 + (p[i - 3] < y0 ? TURN : -TURN);
        path.bezierCurveTo(x0, bend, x1, bend, x1, y1);
      } else if (Math.abs(x0 - x1) < 1) path.lineTo(x1, y1);
      else path.bezierCurveTo(x0, middle, x1, middle, x1, y1);
    }
    return path;
  }

  const ask = () => { wants ||= requestAnimationFrame(() => { wants = 0; draw(); }); };

  function draw() {
    const ratio = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(h * ratio);
    }
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.setTransform(k * ratio, 0, 0, k * ratio, vx * ratio, vy * ratio);
    pen.lineWidth = Math.max(1.1, 0.9 / k);
    pen.strokeStyle = inks.second;
    pen.stroke(edges);
    const own = selected < 0 ? [] : net.paths.filter((_, e) => net.edges[0][e] === selected || net.edges[1][e] === selected);
    pen.strokeStyle = inks.ink;
    pen.lineWidth = Math.max(1.8, 1.4 / k);
    for (const p of own) pen.stroke(traced(p));
    const [left, top, right, bottom] = [-vx / k, -vy / k, (w - vx) / k, (h - vy) / k];
    const visible = [], groups = colours.map(() => new Path2D());
    for (let i = 0; i < net.x.length; i++) {
      const x = net.x[i] - net.widths[i] / 2, y = net.y[i] - TALL / 2;
      if (x > right || y > bottom || x + net.widths[i] < left || y + TALL < top) continue;
      visible.push(i);
      const group = groups[shapes[i]];
      if (k > 0.5) group.roundRect(x, y, net.widths[i], TALL, 5);
      else group.rect(x, y, net.widths[i], TALL);
    }
    pen.lineWidth = Math.max(0.8, 0.5 / k);
    pen.strokeStyle = inks.quiet;
    groups.forEach((group, n) => { pen.fillStyle = colours[n][0]; pen.fill(group); pen.stroke(group); });
    outline(visible.filter((i) => seen.has(i) && i !== selected), inks.ink, 1.6, [4, 3]);
    outline(visible.filter((i) => found.has(i)), inks.accent, 2.6, []);
    outline(visible.filter((i) => i === selected), inks.ink, 3, []);
    if (k * 11 < LEAST) return;
    pen.font = '11px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif';
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const i of visible) {
      pen.fillStyle = colours[shapes[i]][1];
      pen.fillText(net.shown[i], net.x[i], net.y[i] + 0.5);
    }
  }

  let found = new Set();
  function outline(nodes, colour, width, dash) {
    if (!nodes.length) return;
    const grow = Math.max(2, 1.5 / k), path = new Path2D();
    for (const i of nodes) path.roundRect(net.x[i] - net.widths[i] / 2 - grow, net.y[i] - TALL / 2 - grow, net.widths[i] + 2 * grow, TALL + 2 * grow, 7);
    pen.strokeStyle = colour;
    pen.lineWidth = Math.max(width, width / k / 1.4);
    pen.setLineDash(dash.map((d) => d / Math.min(k, 1)));
    pen.stroke(path);
    pen.setLineDash([]);
  }

  function fit() {
    const w = canvas.clientWidth, h = canvas.clientHeight, edge = 12;
    k = Math.min((w - 2 * edge) / net.width, (h - 2 * edge) / net.height, 1.4);
    vx = (w - net.width * k) / 2;
    vy = (h - net.height * k) / 2;
    ask();
  }

  function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
    const next = clamp(k * factor, 0.02, 5);
    vx = x - ((x - vx) * next) / k;
    vy = y - ((y - vy) * next) / k;
    k = next;
    ask();
  }

  function reveal(i, least) {
    const w = canvas.clientWidth, h = canvas.clientHeight, x = net.x[i] * k + vx, y = net.y[i] * k + vy;
    if (k >= least && x > 60 && x < w - 60 && y > 30 && y < h - 30) return;
    k = Math.max(k, least);
    vx = held(w / 2 - net.x[i] * k, w, net.width * k);
    vy = held(h / 2 - net.y[i] * k, h, net.height * k);
  }
  // If the picture is larger than the frame, leave no part of the frame empty.
  const held = (shift, frame, picture) => picture > frame ? clamp(shift, frame - picture - 24, 24) : (frame - picture) / 2;

  // The node, and all nodes up to this many edges before it, in order.
  function before(i, hops) {
    const reached = new Set([i]);
    let edge = [i];
    for (let m = 0; m < hops; m++) {
      edge = edge.flatMap((n) => net.into[n]).filter((n) => !reached.has(n));
      edge.forEach((n) => reached.add(n));
    }
    return [...reached].sort((a, b) => a - b);
  }
  const piece = (i, m) => before(i, m).map((n) => net.texts[n]).join(", ");

  function select(i, least = 0) {
    selected = i;
    seen = new Set(i < 0 ? [] : before(i, hop));
    if (i >= 0 && least) reveal(i, least);
    describe();
    ask();
  }

  function describe() {
    const box = part("node");
    box.replaceChildren();
    if (selected < 0) {
      box.append(make("p", "Click a node to see its properties and its score at every hop.", { className: "quiet" }));
      return;
    }
    const i = selected, facts = make("dl", "", { className: "network-facts" });
    const rows = [["input", net.shapes[net.before[i]]], ["output", net.shapes[net.after[i]]]];
    for (const [name, texts] of Object.entries(net.facts)) if (texts[i]) rows.push([name, texts[i]]);
    for (const [name, text] of rows) facts.append(make("dt", name), make("dd", text));
    const table = make("table", "", { className: "narrow" }), body = make("tbody", "");
    const head = make("tr", "");
    head.append(make("th", "Hop", { scope: "col" }), make("th", "Score", { scope: "col", className: "number" }));
    net.scores.forEach((scores, m) => {
      const row = make("tr", "", { className: m === hop ? "chosen" : "" });
      const cell = make("td", `${signed(scores[i])} ± ${net.spreads[m][i].toFixed(2)}`, { className: "number" });
      const mark = make("i", "", { className: "network-mark" });
      mark.style.background = colours[step(scores[i], m)][0];
      cell.prepend(mark);
      row.append(make("th", String(m), { scope: "row" }), cell);
      body.append(row);
    });
    const top = make("thead", "");
    top.append(head);
    table.append(top, body);
    box.append(make("h4", net.texts[i]));
    if (net.names[i]) box.append(make("p", "", { className: "network-name" })), box.lastChild.append(make("code", net.names[i], { className: "id" }));
    box.append(facts, table);
    const all = before(i, hop);
    const words = hop ? `Hop ${hop} sees ${all.length === 1 ? "only this node" : `${all.length} nodes`}: ` : "Hop 0 sees this node alone: ";
    const field = make("p", words, { className: "network-piece" });
    field.append(make("span", all.map((n) => net.texts[n]).join(", ")));
    box.append(field);
  }

  // Whether to search for the whole piece that a node sees at the hop.
  const whole = (asked) => asked.startsWith("=") || asked.includes(",");

  function search() {
    const asked = part("search").value.trim().toLowerCase();
    matches = [];
    if (asked) {
      const all = [...net.x.keys()], named = (texts) => all.filter((i) => texts[i].toLowerCase().includes(asked));
      if (whole(asked)) matches = all.filter((i) => piece(i, hop).toLowerCase() === asked.replace(/^=\s*/, ""));
      // Names include the surrounding modules, so matches of the node itself come first.
      else matches = [net.texts, net.names].map(named).find((some) => some.length) || [];
    }
    found = new Set(matches);
    at = -1;
    part("found").textContent = asked ? (matches.length ? `${matches.length} found` : "none") : "";
    ask();
  }

  function go(by) {
    if (!matches.length) return;
    at = (at + by + matches.length) % matches.length;
    part("found").textContent = `${at + 1} of ${matches.length}`;
    select(matches[at], 0.9);
  }

  function show(n) {
    net = data.networks[n];
    net.into ||= net.x.map(() => []);
    net.onto ||= net.x.map(() => []);
    if (!net.joined) net.edges[0].forEach((s, e) => { net.into[net.edges[1][e]].push(s); net.onto[s].push(net.edges[1][e]); });
    net.joined = true;
    edges = new Path2D();
    net.paths.forEach((p) => edges.addPath(traced(p)));
    part("network").value = n;
    const head = part("head");
    head.replaceChildren(make("strong", net.name), make("span", `label ${net.label}`), make("span", `predicted ${net.prediction}`), make("span", `${net.x.length} nodes`, { className: "quiet" }));
    selected = -1;
    rank(hop);
    search();
    fit();
  }

  function rank(m) {
    hop = m;
    shapes = net.scores[hop].map((score) => step(score, hop));
    const radio = part("hop").querySelectorAll("input")[hop];
    radio.checked = true;
    part("low").textContent = signed(-data.limits[hop]);
    part("high").textContent = signed(data.limits[hop]);
    canvas.setAttribute("aria-label", `${net.name} as a graph of ${net.x.length} nodes, coloured by score at hop ${hop} (SRCC ${radio.dataset.srcc})`);
    if (whole(part("search").value.trim())) search();
    select(selected);
  }

  const nodeAt = (x, y) => {
    const wx = (x - vx) / k, wy = (y - vy) / k, room = Math.max(2, 3 / k);
    for (let i = net.x.length - 1; i >= 0; i--) if (Math.abs(wx - net.x[i]) < net.widths[i] / 2 + room && Math.abs(wy - net.y[i]) < TALL / 2 + room) return i;
    return -1;
  };

  const fingers = new Map();
  let moved = 0;
  canvas.addEventListener("pointerdown", (e) => { canvas.setPointerCapture(e.pointerId); fingers.set(e.pointerId, [e.offsetX, e.offsetY]); if (fingers.size === 1) moved = 0; });
  canvas.addEventListener("pointermove", (e) => {
    const from = fingers.get(e.pointerId), x = e.offsetX, y = e.offsetY;
    if (!from) {
      const i = nodeAt(x, y);
      canvas.style.cursor = i < 0 ? "grab" : "pointer";
      canvas.title = i < 0 ? "" : `${net.texts[i]}: ${signed(net.scores[hop][i])} ± ${net.spreads[hop][i].toFixed(2)}`;
      return;
    }
    moved += Math.hypot(x - from[0], y - from[1]);
    if (fingers.size > 1) {
      const other = [...fingers].find(([id]) => id !== e.pointerId)[1];
      zoom(Math.hypot(x - other[0], y - other[1]) / Math.max(Math.hypot(from[0] - other[0], from[1] - other[1]), 1), other[0], other[1]);
    } else if (moved > 4) {
      vx += x - from[0];
      vy += y - from[1];
      canvas.style.cursor = "grabbing";
      ask();
    }
    fingers.set(e.pointerId, [x, y]);
  });
  canvas.addEventListener("pointerup", (e) => { if (moved <= 4 && fingers.size === 1) select(nodeAt(e.offsetX, e.offsetY)); });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (e) => { fingers.delete(e.pointerId); canvas.style.cursor = "grab"; });
  canvas.addEventListener("wheel", (e) => {
    // Do not capture scrolling of the page before the picture has focus.
    if (!e.ctrlKey && !e.metaKey && document.activeElement !== canvas) return;
    e.preventDefault();
    zoom(Math.exp(-e.deltaY * (e.ctrlKey ? 0.008 : 0.0015)), e.offsetX, e.offsetY);
  }, { passive: false });
  canvas.addEventListener("keydown", (e) => {
    const n = net.x.length, arrows = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [1, 0], ArrowRight: [-1, 0] }[e.key];
    if (arrows && e.shiftKey) { vx += 60 * arrows[0]; vy += 60 * arrows[1]; ask(); }
    else if (arrows) {
      const next = selected < 0 ? 0 : { ArrowUp: net.into[selected][0], ArrowDown: net.onto[selected][0], ArrowLeft: selected - 1, ArrowRight: selected + 1 }[e.key];
      if (next !== undefined) select(clamp(next, 0, n - 1), 0.6);
    } else if (e.key === "+" || e.key === "=") zoom(1.25);
    else if (e.key === "-") zoom(0.8);
    else if (e.key === "0") fit();
    else if (e.key === "Enter") go(e.shiftKey ? -1 : 1);
    else if (e.key === "Escape") { if (selected < 0) canvas.blur(); select(-1); }
    else return;
    e.preventDefault();
  });

  part("in").addEventListener("click", () => zoom(1.4));
  part("out").addEventListener("click", () => zoom(1 / 1.4));
  part("fit").addEventListener("click", fit);
  part("before").addEventListener("click", () => go(-1));
  part("after").addEventListener("click", () => go(1));
  part("search").addEventListener("input", () => search());
  part("search").addEventListener("keydown", (e) => { if (e.key === "Enter") { e.preventDefault(); go(e.shiftKey ? -1 : 1); } });
  part("hop").addEventListener("change", (e) => rank(Number(e.target.value)));
  part("network").addEventListener("change", (e) => show(Number(e.target.value)));
  data.networks.forEach((one, n) => {
    const roles = one.roles.length ? ` (${one.roles.join(", ")})` : "";
    part("network").append(make("option", `${one.name}: ${one.label}${roles}`, { value: n }));
  });
  // From the card of pieces: show the first network with the piece, and all its occurrences there.
  for (const button of root.closest(".target").querySelectorAll("button[data-piece]")) {
    button.addEventListener("click", () => {
      const start = data.networks.indexOf(net);
      part("search").value = `= ${button.dataset.piece}`;
      rank(Number(button.dataset.hop));
      for (let n = 0; n < data.networks.length; n++) {
        show((start + n) % data.networks.length);
        if (matches.length) break;
      }
      if (!matches.length) show(start);
      root.scrollIntoView({ block: "nearest" });
      go(1);
    });
  }
  dark.addEventListener("change", () => { theme(); select(selected); });
  addEventListener("beforeprint", () => { theme(true); draw(); });
  addEventListener("afterprint", () => { theme(); draw(); });
  new ResizeObserver(ask).observe(canvas);
  theme();
  hop = data.limits.length - 1;
  show(0);
  // For scripts that drive the page.
  root.view = { place: (i) => [net.x[i] * k + vx, net.y[i] * k + vy], state: () => ({ hop, selected, matches, nodes: net.x.length, scale: k, seen: [...seen] }), draw };
}
