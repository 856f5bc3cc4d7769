// The server's page: what is served and how it goes, read from the server's own metrics, and a pad to draw a digit on.
// Nothing is loaded from elsewhere, and no text from the server is ever taken for markup.

import { Pad } from "./pad.js";
import { draw, note, plot, tick } from "./plots.js";
import { percentile, parse, sum } from "./metrics.js";

const EVERY_MS = 2000;
const FEATURES = 8; // those that drifted most
const DRIFTED = 0.25;

const $ = (id) => document.getElementById(id);
let token = "";
let before = null;
let model = null;

const headers = () => (token ? { authorization: `Bearer ${token}` } : {});
const ask = (path) => fetch(path, { headers: headers(), cache: "no-store" });

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

function element(kind, text, name = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  if (name) made.className = name;
  return made;
}

const milliseconds = (seconds) => (Number.isFinite(seconds) ? `${(seconds * 1000).toPrecision(3)} ms` : "–");
const perSecond = (rate) => (rate < 10 ? rate.toFixed(1) : Math.round(rate).toString());
const moment = (time) => new Date(time).toLocaleString();

function tile(name, value, text, least) {
  note(name, value);
  $(name).textContent = text;
  draw($(`${name}-plot`), name, least);
}

/** What a counter gained since the last look, per second of it. */
function gained(now, name, labels) {
  return (sum(now.samples, name, labels) - sum(before.samples, name, labels)) / ((now.at - before.at) / 1000);
}

function showTraffic(now) {
  if (before === null) return;
  const rate = gained(now, "model_requests_total", {});
  const failed = rate ? gained(now, "model_requests_total", { code: /^5/ }) / rate : NaN;
  tile("rate", rate, perSecond(rate));
  tile("errors", failed, rate ? `${(100 * failed).toFixed(1)} %` : "–", 0.01);
  for (const [name, q] of [["p50", 0.5], ["p95", 0.95], ["p99", 0.99]]) {
    const value = percentile(now.samples, before.samples, "model_request_seconds", q);
    tile(name, value, milliseconds(value));
  }
}

/** Labels of the releases that are served. */
function showReleases(now) {
  const served = now.samples.filter((sample) => sample.name === "model_release_loaded_timestamp_seconds");
  const rates = served.map(({ labels }) => (before ? gained(now, "model_requests_total", { release: labels.release }) : 0));
  const all = rates.reduce((a, b) => a + b, 0);
  $("releases").replaceChildren(
    ...served.map(({ labels, value }, index) => {
      const { release, digest } = labels;
      if (before) note(`release ${release}`, rates[index]);
      const share = all ? `${((100 * rates[index]) / all).toFixed(0)} %` : "–";
      const total = sum(now.samples, "model_requests_total", { release }).toString();
      const traffic = plot(`release ${release}`, `requests per second to ${release}, the last four minutes`);
      return row(release, element("code", digest.slice(0, 12)), moment(value * 1000), share, traffic, total);
    }),
  );
  return served;
}

function showDrift(now) {
  const found = now.samples.filter((sample) => sample.name === "model_input_drift_psi").sort((a, b) => b.value - a.value);
  const several = new Set(found.map(({ labels }) => labels.release)).size > 1;
  const name = ({ labels }) => (several ? `${labels.feature} of ${labels.release}` : labels.feature);
  for (const sample of found) note(`drift ${name(sample)}`, sample.value);
  tile("drift", found[0]?.value ?? NaN, found.length ? found[0].value.toFixed(3) : "–", DRIFTED);
  $("features").replaceChildren(
    ...(found.length
      ? found.slice(0, FEATURES).map((sample) =>
          row(
            name(sample),
            sample.value.toFixed(3),
            meter(sample.value, { max: 2 * DRIFTED, high: DRIFTED }),
            plot(`drift ${name(sample)}`, `drift of ${name(sample)}, the last four minutes`, DRIFTED),
          ),
        )
      : [row("not enough requests yet", "", "", "")]),
  );
}

/** What fires in the Alertmanager beside the server; nothing where none is there. */
async function showAlerts() {
  const response = await ask("alerts");
  if (!response.ok) return;
  const found = await response.json();
  $("alerts").hidden = found.state === "off";
  if (found.state === "off") return;
  const alerts = found.alerts ?? [];
  $("alerts-status").textContent = found.state === "down" ? found.says : alerts.length ? `${alerts.length} firing` : "nothing fires";
  $("alerts-status").classList.toggle("bad", found.state === "down" || alerts.length > 0);
  $("alerts-list").replaceChildren(...alerts.map(alertItem));
}

function alertItem({ name, severity, summary, runbook, since }) {
  const item = element("li", "");
  let where = element("code", runbook);
  if (/^https?:\/\//.test(runbook)) {
    where = element("a", "runbook");
    where.href = runbook;
  }
  item.append(element("strong", name), ` (${severity}) ${summary}, since ${moment(since)}. `, where);
  return item;
}

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

async function introduce() {
  if (model !== null) return;
  const name = before === null ? undefined : before.samples.find((sample) => sample.name === "model_release_info")?.labels.model;
  if (name === undefined) return;
  const response = await ask(`v2/models/${encodeURIComponent(name)}`);
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
    const response = await ask("metrics");
    $("login").hidden = response.status !== 401;
    if (!response.ok) throw new Error(`/metrics answered ${response.status}`);
    const now = { at: performance.now(), samples: parse(await response.text()) };
    tick();
    const served = showReleases(now);
    showTraffic(now);
    showDrift(now);
    before = now;
    await introduce();
    await showAlerts();
    const ready = await fetch("readyz", { cache: "no-store" });
    const which = served.map(({ labels, value }) => `${labels.release} since ${moment(value * 1000)}`).join(" and ");
    say(ready.ok ? `serving ${which}` : "not ready", !ready.ok);
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
