"use strict";
// The explorer: sliders choose runs, and Plotly draws them. The numbers are in the page, see adamlab/explorer/data.py.
const problems = JSON.parse(document.getElementById("data").textContent).problems;
const get = (id) => document.getElementById(id);
const GREEK = { learning_rate: "η", lr: "η", b1: "β₁", b2: "β₂", eps: "ε", momentum: "μ", "1-b1": "1 − β₁", "1-b2": "1 − β₂" };
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
let problem, chosen, shown, timer;

const digits = (value) => Number(value.toPrecision(3));
// A decay is told apart from 1 by the digits of its complement.
const short = (value) => (value === null ? "none" : String(value > 0.9 && value < 1 ? Number((1 - digits(1 - value)).toPrecision(12)) : digits(value)));
// Plotly takes texts for HTML; those of a folder are texts.
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;");
const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text ?? value });
const element = (tag, properties, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

function numbersOf(quantity) {
  if (!quantity.numbers) {
    const bytes = Uint8Array.from(atob(quantity.values), (letter) => letter.charCodeAt(0));
    quantity.numbers = new (quantity.bits === 64 ? Float64Array : Float32Array)(bytes.buffer);
  }
  return quantity.numbers;
}

function valuesOf(quantity, run, line) {
  const numbers = numbersOf(quantity), steps = problem.steps.length, width = quantity.lines;
  return Array.from({ length: steps }, (_, step) => {
    const value = numbers[(run * steps + step) * width + line];
    return Number.isFinite(value) ? value : null;
  });
}

function runOf(optimizer) {
  const spec = optimizer.settings[chosen.get(optimizer.label)].spec, { runs } = problem;
  const mine = (k) => runs.optimizer[k] === optimizer.label && runs.spec[k] === spec;
  const all = runs.spec.map((_, k) => k).filter(mine);
  return all.find((k) => runs.seed[k] === get("seed").value) ?? -1;
}

function look() {
  const style = getComputedStyle(document.documentElement);
  const [ink, line] = ["--ink", "--line"].map((name) => style.getPropertyValue(name).trim());
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true };
  return {
    ink,
    layout: {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: 12 }, uirevision: "keep",
      margin: { l: 50, r: 10, t: 10, b: 40 }, legend: { orientation: "h", y: -0.18 }, xaxis: { ...axis }, yaxis: { ...axis },
    },
  };
}

// Black is invisible in the dark.
const colorOf = (optimizer) => (optimizer.color === "#000000" ? look().ink : optimizer.color);
const drawn = () => problem.optimizers.filter((o) => shown.has(o.label)).map((o) => [o, runOf(o)]).filter(([, run]) => run >= 0);
const config = { displayModeBar: false, responsive: true };

function drawPath(step) {
  const params = problem.quantities.find((q) => q.name === "params");
  get("path-panel").hidden = !(params && params.of === 2);
  if (get("path-panel").hidden) return;
  const { layout, ink } = look(), traces = [], land = problem.landscape;
  layout.showlegend = true;
  if (land) {
    traces.push({
      type: "contour", x: land.x, y: land.y, z: land.heights, showscale: false, hoverinfo: "skip", ncontours: 18,
      colorscale: [[0, "rgba(128,128,128,0.02)"], [1, "rgba(128,128,128,0.45)"]], line: { width: 0.5, color: "rgba(128,128,128,0.6)" },
    });
    traces.push({ x: land.minima.map((m) => m[0]), y: land.minima.map((m) => m[1]), mode: "markers", name: "minimum", marker: { symbol: "star", size: 13, color: "gold", line: { color: ink, width: 1 } } });
  }
  for (const [optimizer, run] of drawn()) {
    const [x, y] = [0, 1].map((line) => valuesOf(params, run, line));
    traces.push({ x, y, mode: "lines", line: { color: colorOf(optimizer), width: 1 }, opacity: 0.3, showlegend: false, hoverinfo: "skip" });
    traces.push({ x: x.slice(0, step + 1), y: y.slice(0, step + 1), mode: "lines", line: { color: colorOf(optimizer), width: 2.5 }, name: plain(optimizer.label) });
    traces.push({ x: [x[step]], y: [y[step]], mode: "markers", marker: { color: colorOf(optimizer), size: 10, line: { color: ink, width: 1 } }, showlegend: false, name: plain(optimizer.label) });
  }
  if (land) {
    Object.assign(layout.xaxis, { range: [land.x[0], land.x.at(-1)] });
    Object.assign(layout.yaxis, { range: [land.y[0], land.y.at(-1)] });
  }
  Object.assign(layout.xaxis, { title: { text: "w₁" } });
  Object.assign(layout.yaxis, { title: { text: "w₂" } });
  Plotly.react("path", traces, layout, config);
}

function drawCurve(id, name, step) {
  const quantity = problem.quantities.find((q) => q.name === name), { layout, ink } = look(), traces = [];
  let least = Infinity, greatest = 0;
  for (const [optimizer, run] of drawn()) {
    for (let line = 0; line < quantity.lines; line++) {
      const y = valuesOf(quantity, run, line), finite = y.filter((value) => value !== null);
      least = finite.reduce((a, b) => Math.min(a, b), least);
      greatest = finite.reduce((a, b) => Math.max(a, b), greatest);
      const label = plain(quantity.lines > 1 ? `${optimizer.label}, ${line + 1}` : optimizer.label);
      // What is recorded seldom has gaps between.
      traces.push({ x: problem.steps, y, mode: "lines", connectgaps: true, name: label, line: { color: colorOf(optimizer), dash: DASHES[line % DASHES.length], width: 1.8 } });
      traces.push({ x: [problem.steps[step]], y: [y[step]], mode: "markers", marker: { color: colorOf(optimizer), size: 8 }, showlegend: false, name: label });
    }
  }
  // A logarithmic axis has no place for 0; it is taken where nothing is lost.
  const isLog = least > 0 && greatest > 20 * least;
  Object.assign(layout.yaxis, { type: isLog ? "log" : "linear", exponentformat: "power" });
  Object.assign(layout.xaxis, { title: { text: "step" } });
  layout.shapes = [{ type: "line", xref: "x", yref: "paper", x0: problem.steps[step], x1: problem.steps[step], y0: 0, y1: 1, line: { color: ink, width: 1, dash: "dot" } }];
  layout.uirevision = name;
  Plotly.react(id, traces, layout, config);
}

function drawMap() {
  const optimizer = problem.optimizers.find((o) => o.label === get("mapped").value), { layout, ink } = look();
  get("by").textContent = `by median ${problem.by}`;
  const [first, second] = optimizer.numbers, current = optimizer.settings[chosen.get(optimizer.label)];
  const others = optimizer.is_grid ? optimizer.numbers.slice(2) : [];
  const all = optimizer.settings.map((setting, k) => ({ ...setting, k })).filter((s) => others.every((n) => s.at[n.name] === current.at[n.name]));
  const scores = all.map((s) => s.score).filter((s) => s !== null);
  const isLog = scores.length > 0 && Math.min(...scores) > 0 && Math.max(...scores) > 20 * Math.min(...scores);
  const tone = (score) => (score === null ? null : isLog ? Math.log10(score) : score);
  const spread = (values) => values.every((v) => v > 0) && Math.max(...values) > 20 * Math.min(...values);
  const text = (s) => `${plain(s.spec)}<br>${plain(problem.by)}: ${short(s.score)}`;
  const by = plain(problem.by), bar = { title: { text: isLog ? `log₁₀ ${by}` : by, side: "right" }, thickness: 12 };
  const name = (number) => ({ title: { text: plain(GREEK[number.name] ?? number.name) } });
  const scaled = (number) => ({ ...name(number), type: spread(number.values) ? "log" : "linear", exponentformat: "power" });
  const cells = (number) => ({ ...name(number), tickvals: number.values.map((_, k) => k), ticktext: number.values.map(short), showgrid: false, zeroline: false });
  const ring = (point, symbol) => ({ ...point, mode: "markers", hoverinfo: "skip", name: "chosen", marker: { symbol, size: 20, color: "#D55E00", line: { width: 3 } } });
  const about = (group) => ({ customdata: group.map((s) => s.k), text: group.map(text), hoverinfo: "text" });
  const colors = { colorscale: "Viridis", reversescale: !problem.is_better_when_greater, colorbar: bar };
  const bad = all.filter((s) => s.score === null), cross = { symbol: "x-thin", size: 9, line: { color: ink, width: 1.5 } };
  let traces = [];
  get("map-panel").hidden = optimizer.settings.length < 2;
  if (get("map-panel").hidden) return;
  if (second && optimizer.is_grid) {
    const place = (s) => [first, second].map((number) => number.values.indexOf(s.at[number.name]));
    const grid = second.values.map((y) => first.values.map((x) => all.find((s) => s.at[first.name] === x && s.at[second.name] === y)));
    const row = (show) => grid.map((settings) => settings.map(show));
    const [x, y] = place(current);
    traces = [
      { type: "heatmap", x: first.values.map((_, k) => k), y: second.values.map((_, k) => k), z: row((s) => tone(s.score)), customdata: row((s) => s.k), text: row(text), hoverinfo: "text", xgap: 1, ygap: 1, ...colors },
      { x: bad.map((s) => place(s)[0]), y: bad.map((s) => place(s)[1]), ...about(bad), mode: "markers", marker: cross, name: "no score" },
      ring({ x: [x], y: [y] }, "circle-open"),
    ];
    Object.assign(layout.xaxis, cells(first));
    Object.assign(layout.yaxis, cells(second));
  } else if (second) {
    const good = all.filter((s) => s.score !== null);
    const at = (group) => ({ x: group.map((s) => s.at[first.name]), y: group.map((s) => s.at[second.name]), ...about(group), mode: "markers" });
    traces = [
      { ...at(good), marker: { size: 11, color: good.map((s) => tone(s.score)), ...colors }, name: "settings" },
      { ...at(bad), marker: cross, name: "no score" },
      ring({ x: [current.at[first.name]], y: [current.at[second.name]] }, "circle-open"),
    ];
    Object.assign(layout.xaxis, scaled(first));
    Object.assign(layout.yaxis, scaled(second));
  } else if (first) {
    const line = [...all].sort((a, b) => a.at[first.name] - b.at[first.name]);
    traces = [
      { x: line.map((s) => s.at[first.name]), y: line.map((s) => s.score), ...about(line), mode: "lines+markers", marker: { size: 9 }, line: { color: colorOf(optimizer) }, name: "settings" },
      ring({ x: [current.at[first.name]], y: [current.score] }, "circle-open"),
    ];
    Object.assign(layout.xaxis, scaled(first));
    Object.assign(layout.yaxis, { title: { text: by }, type: isLog ? "log" : "linear", exponentformat: "power" });
  } else {
    traces = [{ x: all.map((s) => s.k), y: all.map((s) => s.score), ...about(all), type: "bar", marker: { color: colorOf(optimizer) }, name: "settings" }];
    Object.assign(layout.yaxis, { title: { text: by } });
  }
  layout.uirevision = optimizer.label;
  Plotly.react("map", traces, layout, config).then((plot) => {
    plot.removeAllListeners("plotly_click");
    plot.on("plotly_click", (event) => {
      const k = event.points[0].customdata;
      if (k !== undefined) pick(optimizer, k);
    });
  });
}

function draw() {
  const step = Number(get("step").value);
  get("step-value").textContent = problem.steps[step];
  drawPath(step);
  drawCurve("curve", get("first").value, step);
  drawCurve("moment", get("second").value, step);
  const loss = problem.quantities[0];
  const absent = problem.optimizers.filter((o) => shown.has(o.label) && runOf(o) < 0);
  const missing = absent.map((o) => `${o.label} has no run of seed ${get("seed").value} at this setting`);
  const present = drawn().map(([o, run]) => {
    const end = problem.runs.diverged_at[run], value = valuesOf(loss, run, 0)[step];
    const said = value === null ? "is no number" : short(value);
    return `${o.label}: ${loss.name} ${said} at step ${problem.steps[step]}${end >= 0 ? `, diverged at ${end}` : ""}`;
  });
  get("status").textContent = [...present, ...missing].join("; ");
}

function pick(optimizer, k) {
  chosen.set(optimizer.label, k);
  tell(optimizer);
  draw();
  if (get("mapped").value === optimizer.label) drawMap();
}

function tell(optimizer) {
  const card = get("optimizers").children[problem.optimizers.indexOf(optimizer)], setting = optimizer.settings[chosen.get(optimizer.label)];
  card.querySelector(".score").textContent = `${setting.spec} — ${problem.by} ${short(setting.score)}`;
  for (const input of card.querySelectorAll("input[type=range]")) {
    const number = optimizer.numbers.find((n) => n.name === input.name);
    input.value = optimizer.is_grid ? number.values.indexOf(setting.at[input.name]) : chosen.get(optimizer.label);
    const value = optimizer.is_grid ? short(setting.at[input.name]) : `${Number(input.value) + 1} of ${optimizer.settings.length}`;
    input.nextElementSibling.textContent = value;
    input.setAttribute("aria-valuetext", value);
  }
}

function cardOf(optimizer) {
  const box = element("input", { type: "checkbox", checked: shown.has(optimizer.label) });
  box.addEventListener("change", () => { shown[box.checked ? "add" : "delete"](optimizer.label); draw(); });
  const name = element("span", { textContent: optimizer.label });
  name.style.borderBottom = `3px solid ${colorOf(optimizer)}`;
  const card = element("fieldset", {}, element("legend", {}, element("label", {}, box, name)));
  const sliders = optimizer.is_grid ? optimizer.numbers : optimizer.settings.length > 1 ? [{ name: "setting", values: optimizer.settings }] : [];
  for (const number of sliders) {
    const input = element("input", { type: "range", min: 0, max: number.values.length - 1, name: number.name });
    input.setAttribute("aria-label", `${number.name} of ${optimizer.label}`);
    input.addEventListener("input", () => {
      if (!optimizer.is_grid) return pick(optimizer, Number(input.value));
      const now = optimizer.settings[chosen.get(optimizer.label)].at, at = { ...now, [number.name]: number.values[Number(input.value)] };
      pick(optimizer, optimizer.settings.findIndex((s) => Object.entries(at).every(([key, value]) => s.at[key] === value)));
    });
    card.append(element("div", { className: "row" }, element("span", { textContent: GREEK[number.name] ?? number.name, title: number.name }), input, element("output", {})));
  }
  card.append(element("div", { className: "score" }));
  return card;
}

function choose(index) {
  problem = problems[index];
  const better = (a, b) => (problem.is_better_when_greater ? b - a : a - b), worst = problem.is_better_when_greater ? -Infinity : Infinity;
  chosen = new Map(problem.optimizers.map((o) => {
    const order = o.settings.map((s, k) => [s.score ?? worst, k]).sort(([a], [b]) => (a === b ? 0 : better(a, b)));
    return [o.label, order[0][1]];
  }));
  shown = new Set(problem.optimizers.slice(0, 8).map((o) => o.label));
  get("notes").textContent = problem.notes.join(" ");
  get("seed").replaceChildren(...[...new Set(problem.runs.seed)].map((seed) => option(seed)));
  const names = problem.quantities.map((q) => q.name), second = ["v_hat", "v", "m_hat", "m", "effective_learning_rate", "updates"].find((n) => names.includes(n));
  for (const id of ["first", "second"]) get(id).replaceChildren(...problem.quantities.map((q) => option(q.name, q.of > q.lines ? `${q.name}, ${q.lines} of ${q.of}` : q.name)));
  get("second").value = second ?? names.find((n) => n !== "loss") ?? names[0];
  Object.assign(get("step"), { max: problem.steps.length - 1, value: problem.steps.length - 1 });
  get("mapped").replaceChildren(...problem.optimizers.filter((o) => o.settings.length > 1).map((o) => option(o.label)));
  get("optimizers").replaceChildren(...problem.optimizers.map(cardOf));
  problem.optimizers.forEach(tell);
  draw();
  get("map-panel").hidden = !get("mapped").options.length;
  if (!get("map-panel").hidden) drawMap();
}

function play() {
  if (timer) {
    clearInterval(timer);
    timer = undefined;
  } else {
    if (Number(get("step").value) === problem.steps.length - 1) get("step").value = 0;
    timer = setInterval(() => {
      get("step").value = Number(get("step").value) + Math.max(1, Math.round(problem.steps.length / 150));
      draw();
      if (Number(get("step").value) === problem.steps.length - 1) play();
    }, 60);
  }
  get("play").textContent = timer ? "stop" : "play";
}

get("problem").replaceChildren(...problems.map((p, k) => option(k, p.name)));
get("problem-row").hidden = problems.length < 2;
get("problem").addEventListener("change", () => choose(Number(get("problem").value)));
get("step").addEventListener("input", draw);
get("play").addEventListener("click", play);
for (const id of ["seed", "first", "second"]) get(id).addEventListener("change", draw);
get("mapped").addEventListener("change", drawMap);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { draw(); if (get("mapped").options.length) drawMap(); });
choose(0);
