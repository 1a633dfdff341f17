"use strict";
// The page: which layer, image, channel and pixel are shown, and what is said about them.

const $ = id => document.getElementById(id);
const count = number => number.toLocaleString("en");
const state = { layer: null, image: 0, channel: 0, y: 0, x: 0, source: null, held: false };
const MOST_CELLS = 12, CELL = 40; // rows and columns of numbers, and the size of one in pixels
let index, views = [], drawings = [], boxes = [], zoom = 1, drawn = null;

async function begin() {
  index = await unpackedJson(taken("pack-index"));
  const [contents, pixels] = taken("pack-images").split(" ");
  const photographs = await unpackedJson(contents), buffer = await unpacked(pixels);
  index.images.forEach((image, n) => {
    image.pixels = photographs[n] ? arrayOf(buffer, photographs[n]) : null;
  });
  Layer.training = index.training;
  drawings = (await unpackedJson(taken("pack-views"))).map(([name, part, svg]) => ({ name, part, svg }));
  for (const about of index.layers) layers.set(about.index, new Layer(about, index.images.length));
  // What is not a photograph is shown by the numbers of the input.
  if (index.images.some(image => !image.pixels)) await ready(layers.get(0));
  head();
  drawing();
  controls();
  $("gray").value = index.gray;
  const first = named() || layers.get(index.first) || index.layers.map(each => layers.get(each.index)).find(each => each.inputs.length && each.values)
    || layers.get(0);
  await show(first);
}

// The layer that the address names.
function named() {
  const hash = location.hash.slice(1);
  return [...layers.values()].find(each => encodeURIComponent(each.name) === hash || each.name === hash);
}

// ---- the head of the page ---------------------------------------------------------------------

const WEIGHTS = {
  random: "The weights are the random ones that training starts from: nothing has been learned.",
  fixed: "Nothing in this network is learned.",
  learned: "The weights are learned.",
};

function head() {
  $("title").textContent = index.title;
  $("about").textContent = `${WEIGHTS[index.learned]} Preprocessing: ${index.preparation}.`;
}

// ---- the drawing ------------------------------------------------------------------------------

function drawing() {
  for (const layer of layers.values())
    $("choose").append(make("option", { value: layer.index }, `${layer.name}: ${layer.what}`));
  $("choose").addEventListener("change", () => show(layers.get(Number($("choose").value))));
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  const svg = document.querySelector("#drawing svg");
  if (!svg) {
    $("smaller").hidden = $("larger").hidden = true;
    return;
  }
  // As wide as its place if its text can be read then; else it scrolls.
  zoom = Math.min(Math.max(($("drawing").clientWidth - 2) / svg.viewBox.baseVal.width, 0.7), 1);
  for (const [id, factor] of [["smaller", 0.8], ["larger", 1.25]])
    $(id).addEventListener("click", () => {
      zoom = Math.min(Math.max(zoom * factor, 0.1), 3);
      resize();
    });
  drawings.unshift({ name: "Repeated parts folded", part: "", svg });
  for (const [n, each] of drawings.entries()) $("view").append(make("option", { value: n }, each.name));
  $("view").hidden = drawings.length < 2;
  $("view").addEventListener("change", () => { unfold(drawings[$("view").value]); });
  draw(drawings[0]);
}

function resize() {
  const svg = document.querySelector("#drawing svg");
  svg.removeAttribute("height");
  svg.setAttribute("width", Math.round(svg.viewBox.baseVal.width * zoom));
}

// Of a drawing wider than its place, the middle of a box: what it spreads to is on both sides.
function center(box) {
  const pane = $("drawing"), around = pane.getBoundingClientRect();
  const place = box.element.getBoundingClientRect();
  pane.scrollLeft += (place.left + place.right - around.left - around.right) / 2;
}

// Only drawings become elements from text: those that `cnn draw` makes, which have no scripts.
const trusted = window.trustedTypes?.createPolicy("drawings", { createHTML: text => text });

function parsed(text) {
  const page = new DOMParser().parseFromString(trusted ? trusted.createHTML(text) : text, "text/html");
  return document.importNode(page.querySelector("svg"), true);
}

function draw(view) {
  if (typeof view.svg === "string") view.svg = parsed(view.svg);
  const { svg } = view, byName = new Map([...layers.values()].map(layer => [layer.name, layer]));
  $("drawing").replaceChildren(svg);
  $("view").value = drawings.indexOf(view);
  resize();
  boxes = [...svg.querySelectorAll("[data-layers]")].map(element => ({
    element,
    layers: element.dataset.layers.split(" ").map(name => byName.get(name)).filter(Boolean),
  })).filter(box => box.layers.length);
  if (boxes.length) center(boxes[0]);
  if (view.drawn) return;
  view.drawn = true;
  for (const box of boxes) {
    const select = () => {
      const inside = box.layers.indexOf(state.layer);
      show(inside < 0 ? box.layers[0] : state.layer);
    };
    pressed(box.element, select);
    box.element.addEventListener("keydown", event => {
      if (event.key === "ArrowDown" || event.key === "ArrowRight") step(1, true);
      else if (event.key === "ArrowUp" || event.key === "ArrowLeft") step(-1, true);
      else return;
      event.preventDefault();
    });
  }
  for (const badge of svg.querySelectorAll("[data-part]")) {
    const unfolded = drawings.find(each => each.part === badge.dataset.part);
    if (!unfolded) continue;
    badge.setAttribute("tabindex", "0");
    badge.setAttribute("aria-label", `Unfold ${badge.dataset.part}`);
    pressed(badge, () => unfold(unfolded));
  }
}

function pressed(element, act) {
  element.setAttribute("role", "button");
  element.addEventListener("click", event => { event.stopPropagation(); act(); });
  element.addEventListener("keydown", event => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
}

// Another drawing, and in it the layer that is shown, or the first of what was unfolded.
function unfold(view) {
  draw(view);
  const inside = each => each.name === view.part || each.name.startsWith(`${view.part}.`);
  const first = boxes.flatMap(box => box.layers).find(inside);
  if (first && !inside(state.layer)) show(first, true);
  else {
    mark(true);
    describe();
  }
}

function step(by, follow = false) {
  const order = index.layers.map(each => each.index);
  const next = order[order.indexOf(state.layer.index) + by];
  if (next !== undefined) show(layers.get(next), follow);
}

// ---- a layer ----------------------------------------------------------------------------------

let latest = null;

async function show(layer, follow = false) {
  latest = layer;
  await ready(layer);
  if (latest !== layer) return; // another one was chosen meanwhile
  const before = state.layer;
  const channel = before && before.place.get(state.channel) !== undefined ? state.channel : null;
  Object.assign(state, { layer, source: null, held: false });
  // The same channel, and the same place, if the layer has them.
  order();
  const keeps = channel !== null && before.shape[0] === layer.shape[0] && layer.place.has(channel);
  state.channel = keeps ? channel : layer.order.length ? layer.order[0] : 0;
  if (before && !before.flat && !layer.flat) {
    state.y = Math.min(Math.floor(((state.y + 0.5) * layer.height) / before.height), layer.height - 1);
    state.x = Math.min(Math.floor(((state.x + 0.5) * layer.width) / before.width), layer.width - 1);
  } else {
    state.y = Math.floor(layer.height / 2);
    state.x = Math.floor(layer.width / 2);
  }
  $("choose").value = layer.index;
  $("previous").disabled = layer.index === index.layers[0].index;
  $("next").disabled = layer.index === index.layers[index.layers.length - 1].index;
  history.replaceState(null, "", `#${encodeURIComponent(layer.name)}`);
  mark(follow);
  describe();
  pictures();
  maps();
  pictureChannel();
}

// The channels in the order of the slider.
function order() {
  const { layer } = state;
  const key = `${$("order").value} ${state.image}`;
  if (layer.orderedBy === key) return;
  layer.orderedBy = key;
  layer.order = layer.numbers ? [...layer.shown] : [];
  if (!layer.numbers || $("order").value === "number") return;
  const strength = new Map(layer.order.map(channel => {
    let sum = 0;
    for (let image = 0; image < layer.count; image++)
      for (const value of layer.map(image, channel)) sum += Math.abs(value);
    return [channel, sum];
  }));
  layer.order.sort((a, b) => strength.get(b) - strength.get(a));
}

function mark(follow = false) {
  for (const box of boxes) {
    const current = box.layers.includes(state.layer);
    box.element.classList.toggle("current", current);
    if (!current) continue;
    const pane = $("drawing"), place = box.element.getBoundingClientRect();
    const around = pane.getBoundingClientRect();
    if (place.top < around.top || place.bottom > around.bottom)
      pane.scrollTop += place.top - around.top - around.height / 3;
    if (place.left < around.left || place.right > around.right)
      pane.scrollLeft += place.left - around.left - around.width / 3;
    if (follow) box.element.focus({ preventScroll: true });
  }
}

function link(layer) {
  return make("button", { type: "button", onclick: () => show(layer) }, layer.name);
}

function describe() {
  const { layer } = state, { figures } = layer;
  $("name").textContent = layer.name;
  $("what").textContent = [layer.what === layer.name ? "" : layer.what, `output ${layer.shape.join("x")}`]
    .filter(Boolean).join(" · ") + (layer.about ? ` · ${layer.about}` : "");
  const box = boxes.find(each => each.layers.includes(layer));
  const same = box && box.layers.length > 1 ? box.layers : [];
  $("same").replaceChildren(...(same.length ? [make("span", { class: "faint" },
    `This box of the drawing stands for ${count(same.length)} layers:`)] : []),
  ...same.map(each => {
    const button = link(each);
    button.setAttribute("aria-pressed", each === layer);
    return button;
  }));
  const sources = layer.sources().map(link), readers = layer.readers.map(each => link(layers.get(each)));
  $("paths").replaceChildren(
    ...(sources.length ? [make("span", { class: "faint" }, "reads"), ...sources] : []),
    ...(readers.length ? [make("span", { class: "faint" }, "is read by"), ...readers] : []),
  );
  const dead = figures.dead && layer.shape.length > 1 && !layer.flat
    ? `, ${count(figures.dead)} of ${count(layer.shape[0])} channels are zero everywhere` : "";
  const bad = figures.bad ? `, ${count(figures.bad)} numbers are NaN or infinite` : "";
  const lines = [["numbers", `from ${shownFigure(figures.least)} to ${shownFigure(figures.greatest)}, mean ` +
    `${shownFigure(figures.mean)}, ${(100 * figures.zeros).toFixed(1)} % are zero${dead}${bad}`], ...layer.lines];
  $("lines").replaceChildren(...lines.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]));
  leftOut();
}

function leftOut() {
  const { layer } = state;
  let text = "";
  if (layer.reduced)
    text = `The numbers of this layer are too many for this page. These are ${count(layer.reduced.channels.length)} of its ` +
      `${count(layer.shape[0])} channels, those with the largest mean magnitude, reduced from ${layer.shape.slice(1).join("x")} ` +
      `to ${layer.reduced.size.join("x")} pixels: each is a mean.`;
  else if (!layer.values)
    text = "The numbers of this layer are not in this page: they are too many for its size.";
  else if (layer.channels)
    text = `This page has ${count(layer.shown.length)} of the ${count(layer.shape[0])} channels of this layer: ` +
      "those with the largest mean magnitude, here and in the layers that pass them on. " +
      "The others would not fit into 8 MB.";
  $("left-out").textContent = text;
}

// ---- photographs and maps ---------------------------------------------------------------------

// A vector is shown as rows of pixels.
function grid(layer) {
  if (!layer.flat) return [layer.width, layer.height];
  const length = Math.max(layer.shown.length, 1);
  const width = length <= 32 ? length : Math.ceil(Math.sqrt(length * 1.6));
  return [width, Math.ceil(length / width)];
}

// The slices of a volume stand below one another.
function tall(layer) {
  return layer.axes === 3 && !layer.flat ? Math.min(layer.shape[1], 3) : 1;
}

function pictures() {
  const { layer } = state, several = index.images.length > 1;
  const focused = views.findIndex(view => view.map && view.map.element === document.activeElement);
  const [width, height] = grid(layer), longer = Math.max(width, height);
  // Maps with room for their numbers are larger.
  const least = (several ? 224 : 320) * tall(layer);
  const usual = longer > MOST_CELLS ? least : Math.max(least, (several ? 34 : CELL) * longer);
  const side = Math.min(usual, document.documentElement.clientWidth - 40);
  views = index.images.map((image, n) => {
    const photograph = new View(`${image.name}, as the network sees it`, (several ? 128 : 224) * tall(layers.get(0)));
    paintInput(photograph, image, n);
    const point = (y, x, how) => pointed(n, y, x, how);
    const map = layer.numbers ? new View(`feature map of ${layer.name} for ${image.name}: arrows move the pixel`, side, point) : null;
    if (map) {
      map.element.addEventListener("keydown", keys);
      map.element.addEventListener("focus", () => { if (state.image !== n) pointed(n, state.y, state.x, "move"); });
      map.canvas.width = width;
      map.canvas.height = height;
      map.sizedFor(layer, width, height);
    }
    const answer = index.answers && layer.index === index.output ? make("table", { class: "sums" },
      ...index.answers[n].map(([name, , chance]) => make("tr", {}, make("td", {}, name),
        make("td", {}, `${(100 * chance).toFixed(1)} %`)))) : null;
    const caption = image.name + (image.label ? ` (${image.label})` : ""), value = make("code");
    return { photograph, map, value, figure: make("figure", {}, make("div", { class: "pair" },
      photograph.element, map && map.element, answer, ...reduced(n)), make("figcaption", {}, caption, " ", value)) };
  });
  $("images").replaceChildren(...views.map(view => view.figure));
  if (focused >= 0 && views[focused].map) views[focused].map.element.focus({ preventScroll: true });
}

// Maps that are too large for the page, as means of their pixels.
function reduced(image) {
  const { layer } = state;
  if (!layer.reduced) return [];
  const { channels, size: [height, width] } = layer.reduced, rows = layer.rows("reduced");
  return channels.map((channel, n) => {
    const begin = (image * channels.length + n) * height * width;
    const values = rows.subarray(begin, begin + height * width);
    const view = new View(`channel ${channel} of ${layer.name}, reduced`, 224);
    paintGray(view.canvas, values, width, height, [...extent(values), false]);
    view.sized(width, height);
    return make("div", {}, make("div", { class: "caption" }, `channel ${channel}, reduced`), view.element);
  });
}

function paintInput(view, image, n) {
  const first = layers.get(0), inputs = index.layers.filter(each => !each.inputs.length).length;
  if (inputs > 1) view.element.hidden = true; // each is a layer of its own
  else if (image.pixels) {
    paintPhotograph(view.canvas, image.pixels, image.shape);
    view.whole = { height: index.input[1], width: index.input[2] };
    view.sized(image.shape[2], image.shape[1]);
  } else if (first.numbers) {
    const values = first.map(n, first.shown[0]);
    paintMap(view.canvas, first, values, [...extent(values), false]);
    view.sizedFor(first, first.width, first.height);
  } else view.element.hidden = true;
}

function maps() {
  const { layer } = state, buttons = [];
  if (layer.numbers && layer.flat) {
    const list = layer.order.slice(0, 40).map(channel => make("li", {}, make("button", {
      type: "button", "data-channel": channel, onclick: () => choose(channel),
    }, make("span", {}, elementName(channel)), make("code", {}, figure(layer.at(state.image, channel, 0, 0))))));
    buttons.push(make("ol", { class: "number-list" }, ...list));
    if (layer.order.length > 40) buttons.push(make("p", { class: "faint" }, `and ${count(layer.order.length - 40)} more`));
  } else if (layer.numbers && layer.order.length > 1) {
    const zoomed = Math.max(1, Math.floor(72 / layer.width));
    const rows = layer.axes === 3 ? layer.shape[2] : layer.height; // of a volume, its middle slice
    for (const channel of layer.order.slice(0, 256)) {
      const canvas = canvasOf(1, 1);
      const width = layer.curved ? 144 : Math.min(layer.width * zoomed, 96);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${layer.curved ? 27 : (width * rows) / layer.width}px`;
      buttons.push(make("button", { type: "button", "data-channel": channel,
        "aria-label": `channel ${channel}`, onclick: () => choose(channel) }, canvas, String(channel)));
    }
    if (layer.order.length > 256) buttons.push(make("p", { class: "faint" }, `and ${count(layer.order.length - 256)} more on the slider`));
  }
  $("maps").replaceChildren(...buttons);
  paintMaps();
}

function paintMaps() {
  const { layer } = state;
  if (layer.flat || !layer.numbers) return;
  for (const button of $("maps").querySelectorAll("button")) {
    const values = layer.map(state.image, Number(button.dataset.channel));
    const range = grayRange($("gray").value, layer, values);
    if (layer.axes !== 3) {
      paintMap(button.firstChild, layer, values, range, 288, 54);
      continue;
    }
    const rows = layer.shape[2], begin = Math.floor(layer.shape[1] / 2) * rows * layer.width;
    paintGray(button.firstChild, values.subarray(begin, begin + rows * layer.width), layer.width, rows, range);
  }
}

function elementName(channel) {
  const named = index.classes && state.layer.flat && state.layer.shape[0] === index.classes.length
    && (state.layer.index === index.output || state.layer.readers.includes(index.output));
  const name = named ? index.classes[channel] : String(channel);
  return name === String(channel) ? name : `${channel}: ${name}`;
}

function choose(channel) {
  state.channel = channel;
  state.source = null;
  pictureChannel();
}

// The map of the channel for each image, the slider, the filters, and the number.
function pictureChannel() {
  const { layer } = state, position = layer.order.indexOf(state.channel);
  const style = $("gray").value, [width, height] = grid(layer);
  $("controls").hidden = !layer.numbers;
  $("sliding").hidden = layer.order.length < 2;
  $("channel").max = Math.max(layer.order.length - 1, 0);
  $("channel").value = Math.max(position, 0);
  $("which").textContent = !layer.numbers ? "" : layer.flat
    ? `number ${elementName(state.channel)}; the layer has ${count(layer.shape[0])}`
    : `channel ${state.channel}; the layer has ${count(layer.shape[0])}`;
  $("channel").setAttribute("aria-valuetext", $("which").textContent);
  for (const button of $("maps").querySelectorAll("button"))
    button.setAttribute("aria-pressed", Number(button.dataset.channel) === state.channel);
  const ranges = [];
  views.forEach((view, n) => {
    if (!view.map) return;
    const values = layer.flat ? layer.all(n) : layer.map(n, state.channel);
    const range = grayRange(style, layer, values);
    ranges.push(range);
    if (layer.curved) paintCurve(view.map.canvas, values, range);
    else paintGray(view.map.canvas, values, width, height, range);
    cells(view.map, values, width, height, range);
  });
  state.ranges = ranges;
  $("legend").textContent = legend(style, ranges);
  update();
  filters();
}

function legend(style, ranges) {
  if (!ranges.length) return "";
  const [black, white] = ranges[state.image];
  const ends = `black is ${figure(black)}, white is ${figure(white)}`;
  if (style === "scaled") return `${ends}: the least and the greatest number of this map${ranges.length > 1 ? ", for each image" : ""}.`;
  return style === "abs" ? `Gray is the magnitude: ${ends}, in all maps of this layer.`
    : `${ends[0].toUpperCase()}${ends.slice(1)}, in all maps of this layer.`;
}

// The numbers themselves, where they fit.
function cells(view, values, width, height, [black, white, magnitude]) {
  view.element.querySelector(".cells")?.remove();
  if (Math.max(width, height) > MOST_CELLS || view.side / Math.max(width, height) < 32) return;
  const texts = Array.from(values, short), longest = Math.max(...texts.map(text => text.length));
  const over = make("div", { class: "cells" }, ...texts.map((text, n) => {
    const level = ((magnitude ? Math.abs(values[n]) : values[n]) - black) / (white - black || 1);
    return make("span", { class: level > 0.55 ? "bright" : "" }, text);
  }));
  // A digit is 0.6 as wide as high; the room of one stays free, so that numbers do not touch.
  const room = view.side / Math.max(width, height);
  over.style.fontSize = `${Math.min(10.5, room / (0.6 * (longest + 1)))}px`;
  over.style.gridTemplateColumns = `repeat(${width}, 1fr)`;
  over.style.gridAutoRows = `${100 / height}%`;
  view.element.append(over);
}

// A number of at most five signs; six where its exponent has two digits.
function short(value) {
  for (const digits of [6, 3, 2, 1]) {
    const text = figure(Number(value.toPrecision(digits)));
    if (text.length <= 5) return text;
  }
  return value.toExponential(0).replace("e+", "e");
}

// ---- a pixel ----------------------------------------------------------------------------------

let waiting = false;

function pointed(image, y, x, how) {
  if (how === "hold") state.held = !(state.held && state.y === y && state.x === x && state.image === image);
  else if (how === "over" && state.held) return;
  const other = state.image !== image;
  state.image = image;
  if (state.layer.flat) {
    const [width] = grid(state.layer), channel = state.layer.shown[y * width + x];
    if (channel === undefined) return;
    if (channel !== state.channel) state.source = null;
    Object.assign(state, { channel, y: 0, x: 0 });
  } else Object.assign(state, { y, x });
  if (other) {
    paintMaps();
    $("legend").textContent = legend($("gray").value, state.ranges);
  }
  later();
}

function later() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    update();
  });
}

function keys(event) {
  const { layer } = state, [width, height] = grid(layer);
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  let y = state.y, x = state.x;
  if (layer.flat) {
    const place = layer.shown.indexOf(state.channel);
    [y, x] = [Math.floor(place / width), place % width];
  }
  if (event.key in moves) {
    y = Math.min(Math.max(y + moves[event.key][0], 0), height - 1);
    x = Math.min(Math.max(x + moves[event.key][1], 0), width - 1);
    pointed(state.image, y, x, "move");
  } else if (event.key === "Home") pointed(state.image, y, 0, "move");
  else if (event.key === "End") pointed(state.image, y, width - 1, "move");
  else if (event.key === "Enter" || event.key === " ") pointed(state.image, y, x, "hold");
  else if (event.key === "Escape") state.held = false;
  else if (event.key === "PageDown") slide(1);
  else if (event.key === "PageUp") slide(-1);
  else return;
  event.preventDefault();
}

function slide(by) {
  const { order } = state.layer;
  const next = order[order.indexOf(state.channel) + by];
  if (next !== undefined) choose(next);
}

function update() {
  const { layer, image, channel, y, x } = state, [width] = grid(layer);
  const place = layer.flat ? layer.shown.indexOf(channel) : 0;
  const pixel = layer.flat ? [Math.floor(place / width), place % width] : [y, x];
  const field = layer.numbers ? fieldOf(layer, channel, y, x) : null;
  views.forEach((view, n) => {
    view.photograph.box("field", field);
    if (view.map) view.map.box("pixel", [...pixel, ...pixel]);
    if (views.length > 1) view.value.textContent = layer.numbers ? figure(layer.at(n, channel, y, x)) : "";
  });
  const work = layer.numbers ? worked(layer, image, channel, y, x) : null;
  drawn = work;
  if (!work) {
    $("readout").textContent = "";
    $("arithmetic").replaceChildren();
    return;
  }
  const where = layer.flat ? `number ${elementName(channel)}` : `channel ${channel}, ${layer.where(layer.position(y, x))}`;
  const seen = field ? receptive(field) : "";
  $("readout").textContent = `${where}: ${figure(work.result)}${state.held ? " (held)" : ""}${seen}`;
  arithmetic(work);
}

function receptive({ ends }) {
  const [, ...sides] = index.input;
  const whole = ends.every(([first, last], axis) => first <= 0 && last >= sides[axis] - 1);
  const size = ends.map(([first, last]) => count(last - first + 1)).join("x");
  return ` · receptive field ${size}${whole ? `, all of the ${sides.length === 2 ? "image" : "input"}` : ""}`;
}

// ---- how the number is computed ---------------------------------------------------------------

const LISTED = 12, SHOWN = 8, MOST_TERMS = 27, MOST_IN_TABLE = 400;

function arithmetic(work) {
  const { layer, y, x } = state, parts = [], { groups } = work;
  if (!layer.inputs.length) {
    $("arithmetic").replaceChildren();
    return;
  }
  parts.push(make("h3", {}, `${figure(work.result)}${work.rule ? `: ${work.rule}` : ""}`));
  if (!work.rule) parts.push(make("p", { class: "faint" }, "How this layer computes is said below; " +
    "this page has its numbers, not the way to each of them."));
  const window = windowOf(layer, y, x);
  // Of a sum over many channels, the window of one is shown, and the sum of each.
  const several = work.additive && groups.length > 1;
  const chosen = groups.find(each => state.source && each.source && each.source.index === state.source[0]
    && each.channel === state.source[1]) || groups[0];
  const mapped = new Set();
  for (const each of several ? [chosen] : groups.slice(0, SHOWN)) {
    if (each.source && !each.source.flat) {
      const map = `${each.source.index} ${each.channel}`;
      parts.push(windows(each, window, !mapped.has(map), several || groups.length < 2));
      mapped.add(map);
    } else if (!(each.how === "statistics" && each.terms.length > LISTED)
      && (each.terms.length > 1 || !work.lines.length)) parts.push(listing(work, each));
  }
  if (!groups.length && window && !layer.flat) parts.push(plainWindow(window));
  const lines = !work.additive ? work.lines.map(([name, text]) => (name ? `${name}: ${text}` : text))
    : work.formula && groups.length < 2 && groups.every(each => each.terms.length <= MOST_TERMS) ? [work.formula] : [];
  if (lines.length) parts.push(make("p", { class: "formula" }, lines.join("\n")));
  if (several || (work.rest && groups.length)) parts.push(sums(work, chosen));
  if (work.count && !work.rest) parts.push(make("p", { class: "faint" },
    `Of the numbers that it reads, ${count(work.count)} are of channels that are not in this page.`));
  $("arithmetic").replaceChildren(...parts);
}

// A map of the layer before with the window; painted anew only if it is another map.
let painted = { key: "" };

function before(source, channel, ends, caption) {
  const key = [source.index, channel, state.image, $("gray").value].join();
  if (painted.key !== key) {
    const view = new View(caption, 150 * tall(source)), values = source.map(state.image, channel);
    paintMap(view.canvas, source, values, grayRange($("gray").value, source, values));
    view.sizedFor(source, source.width, source.height);
    painted = { key, view, element: make("div", {}, make("div", { class: "caption" }, caption), view.element) };
  }
  painted.view.box("window", ends);
  return painted.element;
}

// The window in the layer before, the numbers in it, the filter and the products.
function windows(group, window, map, alone) {
  const parts = [], { source, channel, terms, columns, factor } = group;
  if (map) parts.push(before(source, channel, boxOf(source, terms, window), `${source.name}, channel ${channel}`));
  const weighted = terms.some(each => each.factor !== null);
  if ((terms.length > 1 || weighted) && terms.length <= MOST_IN_TABLE && group.how !== "statistics") {
    const inside = each => (each.place === null && !Number.isFinite(each.value) ? "" : figure(each.value));
    parts.push(table(alone ? "window" : `${group.name}: window`, group, columns, inside));
    if (weighted) {
      const most = Math.max(...terms.map(each => Math.abs(each.factor)));
      const reach = Math.max(...terms.map(each => Math.abs(each.product)));
      parts.push(make("span", { class: "sign" }, "×"),
        table(["conv", "filter"].includes(state.layer.kind) ? "filter" : "weights", group, columns,
          each => figure(each.factor), each => signedColor(each.factor, most)),
        make("span", { class: "sign" }, "="), table("products", group, columns,
          each => figure(each.product), each => signedColor(each.product, reach)));
    }
    const name = weighted ? "their sum" : group.how;
    const by = factor === null ? "" : ` * ${bracketed(factor)} = ${figure(group.total)}`;
    const sum = factor === null ? group.total : total(terms.map(each => each.product));
    parts.push(make("span", { class: "sign" }, "→"), make("div", {},
      make("div", { class: "caption" }, name), make("code", {}, figure(sum) + by)));
  }
  return make("div", { class: "work" }, ...parts);
}

// First and last row and column of what is read of a map.
function boxOf(source, terms, window) {
  if (window && state.layer.window.stride?.every(Number.isInteger)) return window;
  const places = terms.map(each => each.place).filter(Boolean).map(each => source.pixel(each.position));
  const rows = places.map(([row]) => row), columns = places.map(([, column]) => column);
  const end = (values, better) => values.reduce((best, each) => (better(each, best) ? each : best), values[0]);
  const least = values => end(values, (a, b) => a < b), most = values => end(values, (a, b) => a > b);
  return [least(rows), least(columns), most(rows), most(columns)];
}

// Terms of different channels, or of a vector: one a line.
function listing(work, group) {
  if (work.rest) return "";
  const rows = group.terms.slice(0, LISTED).map(each => [termName(each), each.product]);
  const others = group.terms.slice(LISTED);
  if (others.length) rows.push([`${count(others.length)} more${group.how === "sum" ? ", together" : ""}`,
    group.how === "sum" ? total(others.map(each => each.product)) : null]);
  if (work.bias !== null && work.additive) rows.push(["bias", work.bias]);
  if (work.additive) rows.push(["sum", work.result]);
  else if (group.how === "sum") rows.push([group.name, group.total]);
  return figures(rows, work.additive || group.how === "sum");
}

function termName({ value, factor, product, place }) {
  if (place === null) return "another image";
  const sources = state.layer.sources(), source = sources[place.input];
  const name = sources.length > 1 ? `${source.name}, ` : "";
  const shown = factor !== null ? `: ${bracketed(value)}*${bracketed(factor)}` : value !== product ? `: of ${figure(value)}` : "";
  const [row, column] = source.pixel(place.position);
  const at = source.flat || row === state.y && column === state.x ? "" : `, ${source.where(place.position)}`;
  return `${name}${source.shape.length > 1 ? "channel" : "number"} ${place.channel}${at}${shown}`;
}

function figures(rows, totaled) {
  const last = rows.length - 1;
  return make("table", { class: "sums" }, ...rows.map(([name, value], n) => make("tr",
    { class: totaled && n === last ? "total" : null }, make("td", {}, name),
    make("td", {}, value === null ? "" : figure(value)))));
}

function plainWindow(window) {
  const [source] = state.layer.sources();
  if (!source.numbers || source.flat) return make("p", {}, `It reads ${source.name}.`);
  const channel = source.place.has(state.channel) ? state.channel : source.shown[0];
  return make("div", { class: "work" },
    before(source, channel, window, `its window in ${source.name}, channel ${channel}`));
}

function table(caption, { terms, best }, columns, write, color = null) {
  const rows = [];
  for (let n = 0; n < terms.length; n += columns)
    rows.push(make("tr", {}, ...terms.slice(n, n + columns).map(each => {
      const cell = make("td", { class: each === best ? "best" : each.place === null ? "outside" : null }, write(each));
      if (color) {
        const [red, green, blue] = color(each);
        cell.style.background = `rgb(${red}, ${green}, ${blue})`;
        cell.style.color = "#111";
      }
      return cell;
    })));
  return make("div", {}, make("div", { class: "caption" }, caption),
    make("div", { class: "scroll" }, make("table", { class: columns > 5 ? "grid dense" : "grid" }, ...rows)));
}

// What each channel of the layer before contributes, or each number.
function sums(work, shown) {
  const several = work.groups.length > 1 || (work.groups[0].source && !work.groups[0].source.flat);
  const every = several ? work.groups : work.groups[0].terms, kind = several ? "channel" : "number";
  const value = each => (several ? each.total : each.product);
  const rows = every.slice(0, LISTED).map(each => [several
    ? make("button", { type: "button", "aria-pressed": each === shown, onclick: () => {
      if (each.source) state.source = [each.source.index, each.channel];
      update();
    } }, each.name) : termName(each), value(each)]);
  const others = every.slice(LISTED), { rest } = work;
  if (others.length) rows.push([`the other ${count(others.length)} ${kind}s${rest ? " of this page" : ""}`, total(others.map(value))]);
  if (rest) rows.push([`${count(rest.count)} ${kind}${rest.count > 1 ? "s" : ""} that are not in this page, together`, rest.total]);
  if (work.bias !== null) rows.push(["bias", work.bias]);
  rows.push(["sum", work.result]);
  return figures(rows, true);
}

// ---- filters ----------------------------------------------------------------------------------

function filters() {
  const { layer } = state;
  $("filters").replaceChildren();
  if (!layer.numbers || !["conv", "filter", "pool"].includes(layer.kind)) return;
  for (const name of Object.keys(layer.weights)) {
    const { numbers, sides } = layer.stored(name);
    if (sides && sides.length === 4 && sides[2] * sides[3] > 1) filtersOf(name, numbers, sides);
  }
}

function filtersOf(name, numbers, [first, second, high, wide]) {
  const { layer } = state, { axes } = layer.weights[name], area = high * wide, tiles = [];
  const [source] = layer.sources(), kernels = axes[0] === null && axes[1] === null;
  const named = (axis, n) => (axes[axis] === null ? n
    : axes[axis] === "outputs" ? layer.shown[n] : `input ${source.shown[n]}`);
  let most = 0;
  const tile = (row, column, text) => {
    const begin = (row * second + column) * area, values = numbers.subarray(begin, begin + area);
    for (const value of values) most = Math.max(most, Math.abs(value));
    tiles.push([values, text]);
  };
  // A few inputs: the filters of all channels. Many: those of this channel, for each input.
  const reversed = axes[0] === "inputs", few = (reversed ? first : second) <= 3 || second === 1;
  if (few)
    for (let row = 0; row < Math.min(first, 64); row++)
      for (let column = 0; column < Math.min(second, 64); column++)
        tile(row, column, kernels ? (first > 1 ? drawn.groups[row].name : "")
          : `${named(0, row)}${second > 1 ? `, ${reversed ? "" : "input "}${named(1, column)}`.replace("input input", "input") : ""}`);
  else {
    const own = layer.place.get(state.channel);
    for (let n = 0; n < Math.min(reversed ? first : second, 64); n++) {
      const text = named(reversed ? 0 : 1, n);
      tile(reversed ? n : own, reversed ? own : n, typeof text === "string" ? text : `input ${text}`);
    }
  }
  const pixels = Math.max(4, Math.floor(40 / Math.max(high, wide)));
  const figures = tiles.map(([values, text]) => {
    const canvas = canvasOf(1, 1);
    paintSigned(canvas, values, wide, high, most);
    canvas.style.width = `${wide * pixels}px`;
    canvas.style.height = `${high * pixels}px`;
    return make("div", {}, canvas, text);
  });
  const bar = canvasOf(1, 1);
  paintSigned(bar, Float32Array.from({ length: 41 }, (_, i) => (i - 20) / 20), 41, 1, 1);
  bar.style.width = "120px";
  bar.style.height = "12px";
  const what = few ? `Filters, ${high}x${wide}` : `The filter of channel ${state.channel}, ${high}x${wide} for each input channel in this page`;
  $("filters").append(make("h3", {}, what), make("p", { class: "scale" },
    make("code", {}, figure(-most)), bar, make("code", {}, figure(most)), "gray is zero"),
  make("div", { class: "filters" }, ...figures));
}

// ---- controls ---------------------------------------------------------------------------------

function controls() {
  $("gray").addEventListener("change", () => { paintMaps(); pictureChannel(); });
  $("order").addEventListener("change", () => { order(); maps(); pictureChannel(); });
  $("channel").addEventListener("input", () => choose(state.layer.order[Number($("channel").value)]));
  addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(select|input)$/i.test(event.target.tagName)) return;
    if (event.key === "n") step(1);
    else if (event.key === "p") step(-1);
    else if (event.key === "]") slide(1);
    else if (event.key === "[") slide(-1);
    else return;
    event.preventDefault();
  });
  addEventListener("hashchange", () => {
    const layer = named();
    if (layer && layer !== state.layer) show(layer);
  });
}

begin();
