// Prometheus' text format, as far as the page needs it.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Samples of a scrape: [{name, labels, value}]. */
export function parse(text) {
  const samples = [];
  for (const line of text.split("\n")) {
    const found = line.startsWith("#") ? null : LINE.exec(line);
    if (!found) continue;
    const labels = {};
    for (const [, key, value] of (found[2] ?? "").matchAll(LABEL)) labels[key] = value.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
    samples.push({ name: found[1], labels, value: found[3] === "+Inf" ? Infinity : Number(found[3]) });
  }
  return samples;
}

/** Sum of the samples of a name whose labels match: each wanted label is a text or a regular expression. */
export function sum(samples, name, wanted) {
  let total = 0;
  for (const sample of samples) {
    if (sample.name !== name) continue;
    const fits = Object.entries(wanted).every(([key, want]) => (want instanceof RegExp ? want.test(sample.labels[key] ?? "") : sample.labels[key] === want));
    if (fits) total += sample.value;
  }
  return total;
}

/** Percentile (0–1) of what a histogram gained between two scrapes, interpolated within the bucket as Prometheus does. */
export function percentile(now, before, name, q) {
  const gained = new Map();
  for (const [samples, sign] of [[now, 1], [before, -1]]) {
    for (const sample of samples) {
      if (sample.name !== `${name}_bucket`) continue;
      const bound = sample.labels.le === "+Inf" ? Infinity : Number(sample.labels.le);
      gained.set(bound, (gained.get(bound) ?? 0) + sign * sample.value);
    }
  }
  const bounds = [...gained.keys()].sort((a, b) => a - b);
  const total = gained.get(Infinity) ?? 0;
  if (total <= 0) return NaN;
  let lower = 0;
  let below = 0;
  for (const bound of bounds) {
    const count = gained.get(bound);
    if (count >= q * total) return bound === Infinity ? lower : lower + ((bound - lower) * (q * total - below)) / Math.max(count - below, 1e-9);
    lower = bound;
    below = count;
  }
  return NaN;
}
