"use strict";
// Elements, maps in gray, filters in signed colors, and the view of a map with its boxes.

// An element; texts become text nodes, never HTML.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value < low && value > -Infinity) low = value;
    if (value > high && value < Infinity) high = value;
  }
  return low > high ? [0, 0] : [low, high];
}

// What becomes black and white: [black, white, of the magnitude].
function grayRange(style, layer, values) {
  if (style === "scaled") return [...extent(values), false];
  // The range of the whole layer, unless some of its numbers are infinite.
  const { least, greatest } = layer.figures, finite = [least, greatest].every(Number.isFinite);
  if (!layer.range) layer.range = finite ? [least, greatest] : extent(layer.numbers);
  const [low, high] = layer.range;
  return style === "abs" ? [0, Math.max(Math.abs(low), Math.abs(high)), true] : [low, high, false];
}

function canvasOf(width, height) {
  const canvas = make("canvas", { width, height });
  return canvas;
}

function paintGray(canvas, values, width, height, [black, white, magnitude]) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  const factor = white > black ? 255 / (white - black) : 0;
  for (let i = 0; i < values.length; i++) {
    const value = magnitude ? Math.abs(values[i]) : values[i];
    const level = factor ? (value - black) * factor : black ? 128 : 0;
    image.data[4 * i] = image.data[4 * i + 1] = image.data[4 * i + 2] = level;
    image.data[4 * i + 3] = 255;
    if (Number.isNaN(value)) image.data.set([255, 0, 255, 255], 4 * i); // NaN: magenta
  }
  context.putImageData(image, 0, 0);
}

// A series: a curve over a line at zero.
function paintCurve(canvas, values, [low, high, magnitude], width = 640, height = 120) {
  canvas.width = width;
  canvas.height = height;
  canvas.classList.add("smooth");
  const context = canvas.getContext("2d"), span = high - low || 1;
  const down = value => (1 - Math.min(Math.max((value - low) / span, 0), 1)) * (height - 2) + 1;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.lineWidth = 1;
  context.strokeStyle = "#cdd3db";
  context.beginPath();
  if (low <= 0 && high >= 0) {
    context.moveTo(0, down(0));
    context.lineTo(width, down(0));
  }
  context.stroke();
  context.strokeStyle = "#3670b8";
  context.beginPath();
  values.forEach((value, n) => {
    if (Number.isFinite(value)) context.lineTo(((n + 0.5) * width) / values.length, down(magnitude ? Math.abs(value) : value));
  });
  context.stroke();
}

// The map of a channel: a curve, or in gray.
function paintMap(canvas, layer, values, range, ...size) {
  if (layer.curved) paintCurve(canvas, values, range, ...size);
  else paintGray(canvas, values, layer.width, layer.height, range);
}

// Signed colors: orange is positive, blue negative, gray zero.
function signedColor(value, most) {
  const part = most ? Math.min(Math.abs(value) / most, 1) : 0;
  const full = value > 0 ? [222, 108, 20] : [44, 110, 210];
  return full.map(channel => Math.round(236 + (channel - 236) * part));
}

function paintSigned(canvas, values, width, height, most) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  for (let i = 0; i < values.length; i++)
    image.data.set([...signedColor(values[i], most), 255], 4 * i);
  context.putImageData(image, 0, 0);
}

function paintPhotograph(canvas, pixels, [channels, height, width]) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  const size = height * width, color = channels === 3;
  for (let i = 0; i < size; i++)
    image.data.set([pixels[i], pixels[color ? size + i : i], pixels[color ? 2 * size + i : i], 255], 4 * i);
  context.putImageData(image, 0, 0);
}

// A picture with boxes over it, in its pixels or in those of `whole` if it is reduced. `point` is
// called with the pixel under the pointer.
class View {
  constructor(label, side, point = null) {
    this.canvas = canvasOf(1, 1);
    this.boxes = new Map();
    this.side = side;
    this.element = make("div", { class: "view" }, this.canvas);
    if (!point) {
      this.element.setAttribute("role", "img");
      this.element.setAttribute("aria-label", label);
      return;
    }
    this.element.classList.add("pointed");
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "application");
    this.element.setAttribute("aria-label", label);
    const place = event => {
      const box = this.canvas.getBoundingClientRect();
      const clip = (part, most) => Math.min(Math.max(Math.floor(part * most), 0), most - 1);
      const { width, height } = this.whole || this.canvas;
      return [clip((event.clientY - box.top) / box.height, height), clip((event.clientX - box.left) / box.width, width)];
    };
    this.element.addEventListener("pointermove", event => point(...place(event), "over"));
    this.element.addEventListener("pointerdown", event => {
      this.element.focus({ preventScroll: true });
      point(...place(event), event.pointerType === "touch" ? "over" : "hold");
    });
  }

  // The size on the screen: small maps in whole multiples of their pixels.
  sized(width, height) {
    const zoom = this.side / Math.max(width, height);
    const factor = zoom >= 1 ? Math.floor(zoom) : zoom;
    this.element.style.width = `${Math.max(width * factor, 1)}px`;
    this.element.style.aspectRatio = `${width} / ${height}`;
    this.canvas.classList.toggle("smooth", zoom < 1);
  }

  // The same for the map of a layer: curves are wide.
  sizedFor(layer, width, height) {
    if (!layer.curved) return this.sized(width, height);
    this.whole = { width: layer.width, height: 1 };
    this.element.style.width = `${Math.min(2 * this.side, 640)}px`;
    this.element.style.aspectRatio = "16 / 3";
  }

  box(name, ends) {
    let box = this.boxes.get(name);
    if (!ends) {
      if (box) box.hidden = true;
      return;
    }
    if (!box) {
      box = make("div", { class: `outline ${name}` });
      this.boxes.set(name, box);
      this.element.append(box);
    }
    const [top, left, bottom, right] = ends, { width, height } = this.whole || this.canvas;
    box.hidden = false;
    box.style.top = `${(100 * top) / height}%`;
    box.style.left = `${(100 * left) / width}%`;
    box.style.height = `${(100 * (bottom - top + 1)) / height}%`;
    box.style.width = `${(100 * (right - left + 1)) / width}%`;
  }
}
