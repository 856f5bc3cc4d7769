// A pad of 32×32 cells. The digits that the model learned were made the same way: a 32×32 bitmap, its cells counted in
// blocks of 4×4 (https://archive.ics.uci.edu/dataset/80).

const CELLS = 32;
const PEN = 1.7; // radius in cells: as thick as the strokes of the data set

export class Pad {
  /** How a drawing becomes the model's input; null where the model takes no picture of a digit. */
  static encoder(inputs) {
    if (inputs.length !== 1) return null;
    const [input] = inputs;
    const shape = input.shape.slice(1).join("×");
    if (!input.datatype.startsWith("FP")) return null;
    const tensor = (data) => ({ name: input.name, datatype: input.datatype, shape: [1, ...input.shape.slice(1)], data });
    if (shape === "64" || shape === "8×8") return (cells) => tensor(blocks(cells));
    if (shape === "32×32×3") return (cells) => tensor(smooth(blocks(cells)));
    return null;
  }

  constructor(canvas, clear, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.cells = new Uint8Array(CELLS * CELLS);
    this.pen = { x: CELLS / 2, y: CELLS / 2, down: false, shown: false };
    this.waiting = null;
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); this.to(event, false); });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons) this.to(event, true); });
    canvas.addEventListener("keydown", (event) => this.key(event));
    clear.addEventListener("click", () => this.clear());
    this.draw();
  }

  to(event, line) {
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * CELLS;
    const y = ((event.clientY - box.top) / box.height) * CELLS;
    this.stroke(line ? this.pen : { x, y }, { x, y });
    Object.assign(this.pen, { x, y, shown: false });
  }

  key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step) {
      const from = { x: this.pen.x, y: this.pen.y };
      this.pen.x = Math.min(CELLS - 1, Math.max(0, this.pen.x + step[0]));
      this.pen.y = Math.min(CELLS - 1, Math.max(0, this.pen.y + step[1]));
      if (this.pen.down) this.stroke(from, this.pen);
    } else if (event.key === " ") {
      this.pen.down = !this.pen.down;
      if (this.pen.down) this.stroke(this.pen, this.pen);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
    } else {
      return;
    }
    this.pen.shown = true;
    event.preventDefault();
    this.draw();
  }

  stroke(from, to) {
    const steps = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) * 2));
    for (let i = 0; i <= steps; i += 1) {
      const x = from.x + ((to.x - from.x) * i) / steps;
      const y = from.y + ((to.y - from.y) * i) / steps;
      for (let row = Math.floor(y - PEN); row <= y + PEN; row += 1) {
        for (let column = Math.floor(x - PEN); column <= x + PEN; column += 1) {
          const inside = row >= 0 && row < CELLS && column >= 0 && column < CELLS;
          if (inside && Math.hypot(column + 0.5 - x, row + 0.5 - y) <= PEN) this.cells[row * CELLS + column] = 1;
        }
      }
    }
    this.draw();
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.changed(this.cells), 150);
  }

  clear() {
    this.cells.fill(0);
    this.pen.down = false;
    this.draw();
  }

  draw() {
    const context = this.canvas.getContext("2d");
    const size = this.canvas.width / CELLS;
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.fillStyle = "#fff";
    this.cells.forEach((cell, index) => {
      if (cell) context.fillRect((index % CELLS) * size, Math.floor(index / CELLS) * size, size, size);
    });
    if (this.pen.shown) {
      context.strokeStyle = this.pen.down ? "#6cf" : "#f90";
      context.lineWidth = 2;
      context.strokeRect(this.pen.x * size - 8, this.pen.y * size - 8, 16, 16);
    }
  }
}

/** 8×8 counts from 0 to 16, the whole drawing centred as the data set's digits are. */
function blocks(cells) {
  const centred = centre(cells);
  const counts = new Array(64).fill(0);
  centred.forEach((cell, index) => {
    const row = Math.floor(index / CELLS);
    const column = index % CELLS;
    counts[Math.floor(row / 4) * 8 + Math.floor(column / 4)] += cell;
  });
  return counts;
}

/** The drawing's bounding box, scaled to the height of the pad and put into its middle. */
function centre(cells) {
  let [top, bottom, left, right] = [CELLS, -1, CELLS, -1];
  cells.forEach((cell, index) => {
    if (!cell) return;
    const row = Math.floor(index / CELLS);
    const column = index % CELLS;
    [top, bottom, left, right] = [Math.min(top, row), Math.max(bottom, row), Math.min(left, column), Math.max(right, column)];
  });
  const out = new Uint8Array(CELLS * CELLS);
  if (bottom < 0) return out;
  const scale = CELLS / Math.max(bottom - top + 1, right - left + 1);
  const [middleRow, middleColumn] = [(top + bottom + 1) / 2, (left + right + 1) / 2];
  for (let row = 0; row < CELLS; row += 1) {
    for (let column = 0; column < CELLS; column += 1) {
      const y = Math.floor((row + 0.5 - CELLS / 2) / scale + middleRow);
      const x = Math.floor((column + 0.5 - CELLS / 2) / scale + middleColumn);
      if (y >= 0 && y < CELLS && x >= 0 && x < CELLS) out[row * CELLS + column] = cells[y * CELLS + x];
    }
  }
  return out;
}

/** 8×8 counts as 32×32×3 brightness from -1 to 1: linear interpolation with the corners in place, as in training. */
function smooth(counts) {
  const out = [];
  const at = (row, column) => counts[Math.min(7, Math.max(0, row)) * 8 + Math.min(7, Math.max(0, column))];
  for (let row = 0; row < CELLS; row += 1) {
    for (let column = 0; column < CELLS; column += 1) {
      const [y, x] = [(row * 7) / (CELLS - 1), (column * 7) / (CELLS - 1)];
      const [y0, x0] = [Math.floor(y), Math.floor(x)];
      const [dy, dx] = [y - y0, x - x0];
      const grey = (at(y0, x0) * (1 - dx) + at(y0, x0 + 1) * dx) * (1 - dy) + (at(y0 + 1, x0) * (1 - dx) + at(y0 + 1, x0 + 1) * dx) * dy;
      const value = grey / 8 - 1;
      out.push(value, value, value);
    }
  }
  return out;
}
