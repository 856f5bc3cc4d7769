// The server's page: what is served and how it goes, read from the server's own metrics, and a pad to draw a digit on.
// Nothing is loaded from elsewhere, and no text from the server is ever taken for markup.

import { Pad } from "./pad.js";
import { percentile, parse, sum } from "./metrics.js";

const EVERY_MS = 2000;
const KEPT = 120; // points of a plot: four minutes
const NARROWEST = 15; // a plot of fewer points is not drawn wider than it is

const $ = (id) => document.getElementById(id);
const series = { rate: [], errors: [], p50: [], p99: [] };
let token = "";
let before = null;
let model = null;

const headers = () => (token ? { authorization: `Bearer ${token}` } : {});

function row(...cells) {
  const line = document.createElement("tr");
  for (const cell of cells) {
    const box = document.createElement("td");
    box.append(cell);
    line.append(box);
  }
  return line;
}

function meter(value, { max = 1, high } = {}) {
  const bar = document.createElement("meter");
  bar.max = max;
  bar.value = Math.min(value, max);
  if (high !== undefined) Object.assign(bar, { low: high / 2, high, optimum: 0 });
  return bar;
}

function code(text) {
  const element = document.createElement("code");
  element.textContent = text;
  return element;
}

function plot(name, value) {
  const points = series[name];
  points.push(value);
  if (points.length > KEPT) points.shift();
  const top = Math.max(...points.filter(Number.isFinite), 1e-9);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const width = Math.max(points.length, NARROWEST);
  let pen = "M";
  const steps = points.map((point, index) => {
    if (!Number.isFinite(point)) { pen = "M"; return ""; }
    const step = `${pen}${index + width - points.length},${(38 - 36 * (point / top)).toFixed(1)}`;
    pen = "L";
    return step;
  });
  path.setAttribute("d", steps.join(""));
  const svg = $(`${name}-plot`);
  svg.setAttribute("viewBox", `0 0 ${width - 1} 40`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.replaceChildren(path);
}

const milliseconds = (seconds) => (Number.isFinite(seconds) ? `${(seconds * 1000).toPrecision(3)} ms` : "–");

function showTraffic(now) {
  if (before === null) return;
  const seconds = (now.at - before.at) / 1000;
  const added = (name, labels) => sum(now.samples, name, labels) - sum(before.samples, name, labels);
  const total = added("model_requests_total", {});
  const failed = added("model_requests_total", { code: /^5/ });
  const rate = total / seconds;
  $("rate").textContent = rate < 10 ? rate.toFixed(1) : Math.round(rate).toString();
  plot("rate", rate);
  $("errors").textContent = total ? `${((100 * failed) / total).toFixed(1)} %` : "–";
  plot("errors", total ? failed / total : NaN);
  for (const [name, q] of [["p50", 0.5], ["p99", 0.99]]) {
    const value = percentile(now.samples, before.samples, "model_request_seconds", q);
    $(name).textContent = milliseconds(value);
    plot(name, value);
  }
}

function showReleases(now) {
  const infos = now.samples.filter((sample) => sample.name === "model_release_info");
  const name = (labels) => `${labels.model}@${labels.version}`;
  const answered = (samples, labels) => sum(samples, "model_requests_total", { release: name(labels) });
  const recent = infos.map(({ labels }) => (before ? answered(now.samples, labels) - answered(before.samples, labels) : 0));
  const all = recent.reduce((a, b) => a + b, 0);
  $("releases").replaceChildren(
    ...infos.map(({ labels }, index) =>
      row(name(labels), code(labels.digest.slice(0, 12)), all ? `${((100 * recent[index]) / all).toFixed(0)} %` : "–", answered(now.samples, labels).toString()),
    ),
  );
  return infos.map(({ labels }) => labels);
}

function showDrift(now) {
  const worst = now.samples
    .filter((sample) => sample.name === "model_input_drift_psi")
    .sort((a, b) => b.value - a.value)
    .slice(0, 8);
  $("drift").replaceChildren(
    ...(worst.length
      ? worst.map(({ labels, value }) => row(labels.feature, value.toFixed(3), meter(value, { max: 0.5, high: 0.25 })))
      : [row("not enough requests yet", "", "")]),
  );
}

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

async function introduce(served) {
  if (model !== null || !served.length) return;
  const response = await fetch(`v2/models/${encodeURIComponent(served[0].model)}`, { headers: headers() });
  if (!response.ok) return;
  model = await response.json();
  $("model").textContent = model.name;
  document.title = `${model.name}: model server`;
  const encode = Pad.encoder(model.inputs);
  if (encode === null) return;
  $("draw").hidden = false;
  new Pad($("pad"), $("clear"), (grid) => predict(encode(grid)));
}

async function predict(input) {
  const response = await fetch(`v2/models/${encodeURIComponent(model.name)}/infer`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers() },
    body: JSON.stringify({ inputs: [input] }),
  });
  const answer = await response.json();
  if (!response.ok) {
    $("label").textContent = "–";
    say(`the server refused the drawing: ${answer.error ?? response.status}`, true);
    return;
  }
  const scores = answer.outputs.find((output) => output.datatype.startsWith("FP"))?.data ?? [];
  const best = scores.indexOf(Math.max(...scores));
  $("label").textContent = best < 0 ? "–" : best.toString();
  $("classes").replaceChildren(...scores.map((score, index) => row(index.toString(), score.toFixed(3), meter(score))));
}

async function look() {
  try {
    const response = await fetch("metrics", { headers: headers(), cache: "no-store" });
    $("login").hidden = response.status !== 401;
    if (!response.ok) throw new Error(`/metrics answered ${response.status}`);
    const now = { at: performance.now(), samples: parse(await response.text()) };
    const served = showReleases(now);
    showTraffic(now);
    showDrift(now);
    await introduce(served);
    const started = sum(now.samples, "model_server_start_seconds", {}) || sum(now.samples, "process_start_time_seconds", {});
    const ready = await fetch("readyz", { cache: "no-store" });
    const which = served.map((labels) => `${labels.model}@${labels.version}`).join(" and ");
    const since = started ? ` since ${new Date(started * 1000).toLocaleString()}` : "";
    say(ready.ok ? `serving ${which}${since}` : "not ready", !ready.ok);
    before = now;
  } catch (error) {
    say(`the server does not answer: ${error.message}`, true);
  }
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value;
  look();
});

(async function run() {
  for (;;) {
    if (!document.hidden) await look();
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
})();
