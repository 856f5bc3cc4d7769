// Small plots of the last four minutes. Each has a name; all have one clock, so that they can be read side by side.

const KEPT = 120; // points
const NARROWEST = 15; // fewer points are not drawn wider than they are

const series = new Map();
let ticks = 0;

/** A new moment: every plot moves on by one point. A plot without a value in a moment has a gap there. */
export function tick() {
  ticks += 1;
  for (const [name, points] of series) {
    points.push(NaN);
    if (points.length > KEPT) points.shift();
    if (points.every(Number.isNaN)) series.delete(name);
  }
}

/** The value of a plot in this moment. */
export function note(name, value) {
  if (!series.has(name)) series.set(name, [NaN]);
  const points = series.get(name);
  points[points.length - 1] = value;
}

/** Draw a plot into an SVG element, from zero to `least` or its own highest point. */
export function draw(svg, name, least = 1e-9) {
  const points = series.get(name) ?? [];
  const width = Math.max(Math.min(ticks, KEPT), NARROWEST);
  const top = Math.max(...points.filter(Number.isFinite), least);
  let pen = "M";
  const steps = points.map((point, index) => {
    if (!Number.isFinite(point)) { pen = "M"; return ""; }
    const step = `${pen}${index + width - points.length},${(38 - 36 * (point / top)).toFixed(1)}`;
    pen = "L";
    return step;
  });
  const path = document.createElementNS(svg.namespaceURI, "path");
  path.setAttribute("d", steps.join(""));
  svg.setAttribute("viewBox", `0 0 ${width - 1} 40`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.replaceChildren(path);
}

/** A plot of its own, for the cell of a table. */
export function plot(name, says, least) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", says);
  draw(svg, name, least);
  return svg;
}
