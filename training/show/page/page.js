"use strict";
// The page: which layer, image, channel and pixel are shown, and what is said about them.

const $ = id => document.getElementById(id);
const count = number => number.toLocaleString("en");
const state = { layer: null, image: 0, channel: 0, y: 0, x: 0, source: null, held: false };
const MOST_CELLS = 12, CELL = 40; // rows and columns of numbers, and the size of one in pixels
let index, views = [], boxes = [], zoom = 1, drawn = null;

async function begin() {
  index = await unpackedJson(taken("pack-index"));
  const [contents, pixels] = taken("pack-images").split(" ");
  const photographs = await unpackedJson(contents), buffer = await unpacked(pixels);
  index.images.forEach((image, n) => {
    image.pixels = photographs[n] ? arrayOf(buffer, photographs[n]) : null;
  });
  for (const about of index.layers) layers.set(about.index, new Layer(about, index.images.length));
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
  const svg = document.querySelector("#drawing svg");
  const byName = new Map([...layers.values()].map(layer => [layer.name, layer]));
  for (const layer of layers.values())
    $("choose").append(make("option", { value: layer.index }, `${layer.name}: ${layer.what}`));
  $("choose").addEventListener("change", () => show(layers.get(Number($("choose").value))));
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  if (!svg) {
    $("smaller").hidden = $("larger").hidden = true;
    return;
  }
  const natural = svg.viewBox.baseVal.width;
  const resize = () => { svg.setAttribute("width", Math.round(natural * zoom)); };
  // As wide as its place if its text can be read then; else it scrolls.
  zoom = Math.min(Math.max(($("drawing").clientWidth - 2) / natural, 0.7), 1);
  svg.removeAttribute("height");
  resize();
  for (const [id, factor] of [["smaller", 0.8], ["larger", 1.25]])
    $(id).addEventListener("click", () => {
      zoom = Math.min(Math.max(zoom * factor, 0.1), 3);
      resize();
    });
  boxes = [...svg.querySelectorAll("[data-layers]")].map(element => ({
    element,
    layers: element.dataset.layers.split(" ").map(name => byName.get(name)).filter(Boolean),
  })).filter(box => box.layers.length);
  for (const box of boxes) {
    const select = () => {
      const inside = box.layers.indexOf(state.layer);
      show(inside < 0 ? box.layers[0] : state.layer);
    };
    box.element.addEventListener("click", select);
    box.element.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === " ") select();
      else if (event.key === "ArrowDown" || event.key === "ArrowRight") step(1, true);
      else if (event.key === "ArrowUp" || event.key === "ArrowLeft") step(-1, true);
      else return;
      event.preventDefault();
    });
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

function mark(follow) {
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
  const dead = figures.dead && layer.shape.length === 3 && !layer.flat
    ? `, ${count(figures.dead)} of ${count(layer.shape[0])} channels are zero everywhere` : "";
  const bad = figures.bad ? `, ${count(figures.bad)} numbers are NaN or infinite` : "";
  const lines = [["numbers", `from ${figure(figures.least)} to ${figure(figures.greatest)}, mean ` +
    `${figure(figures.mean)}, ${(100 * figures.zeros).toFixed(1)} % are zero${dead}${bad}`], ...layer.lines];
  $("lines").replaceChildren(...lines.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]));
  leftOut();
}

function leftOut() {
  const { layer } = state;
  let text = "";
  if (!layer.values)
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

function pictures() {
  const { layer } = state, several = index.images.length > 1;
  const focused = views.findIndex(view => view.map && view.map.element === document.activeElement);
  const [width, height] = grid(layer), longer = Math.max(width, height);
  // Maps with room for their numbers are larger.
  const least = several ? 224 : 320;
  const usual = longer > MOST_CELLS ? least : Math.max(least, (several ? 34 : CELL) * longer);
  const side = Math.min(usual, document.documentElement.clientWidth - 40);
  views = index.images.map((image, n) => {
    const photograph = new View(`${image.name}, as the network sees it`, several ? 128 : 224);
    paintInput(photograph, image, n);
    const point = (y, x, how) => pointed(n, y, x, how);
    const map = layer.numbers ? new View(`feature map of ${layer.name} for ${image.name}: arrows move the pixel`, side, point) : null;
    if (map) {
      map.element.addEventListener("keydown", keys);
      map.element.addEventListener("focus", () => { if (state.image !== n) pointed(n, state.y, state.x, "move"); });
      map.canvas.width = width;
      map.canvas.height = height;
      map.sized(width, height);
    }
    const answer = index.answers && layer.index === index.output ? make("table", { class: "sums" },
      ...index.answers[n].map(([name, , chance]) => make("tr", {}, make("td", {}, name),
        make("td", {}, `${(100 * chance).toFixed(1)} %`)))) : null;
    const caption = image.name + (image.label ? ` (${image.label})` : ""), value = make("code");
    return { photograph, map, value, figure: make("figure", {}, make("div", { class: "pair" },
      photograph.element, map && map.element, answer), make("figcaption", {}, caption, " ", value)) };
  });
  $("images").replaceChildren(...views.map(view => view.figure));
  if (focused >= 0 && views[focused].map) views[focused].map.element.focus({ preventScroll: true });
}

function paintInput(view, image, n) {
  const first = layers.get(0);
  if (image.pixels) {
    paintPhotograph(view.canvas, image.pixels, image.shape);
    view.sized(image.shape[2], image.shape[1]);
  } else if (first.numbers) {
    const values = first.map(n, first.shown[0]);
    paintGray(view.canvas, values, first.width, first.height, [...extent(values), false]);
    view.sized(first.width, first.height);
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
    for (const channel of layer.order.slice(0, 256)) {
      const canvas = canvasOf(1, 1);
      const width = Math.min(layer.width * zoomed, 96);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${(width * layer.height) / layer.width}px`;
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
    paintGray(button.firstChild, values, layer.width, layer.height, grayRange($("gray").value, layer, values));
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
    paintGray(view.map.canvas, values, width, height, range);
    cells(view.map, values, width, height, range);
  });
  state.ranges = ranges;
  $("legend").textContent = legend(style, ranges);
  filters();
  update();
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
  const over = make("div", { class: "cells" }, ...Array.from(values, value => {
    const level = ((magnitude ? Math.abs(value) : value) - black) / (white - black || 1);
    return make("span", { class: level > 0.55 ? "bright" : "" }, short(value));
  }));
  over.style.gridTemplateColumns = `repeat(${width}, 1fr)`;
  over.style.gridAutoRows = `${100 / height}%`;
  view.element.append(over);
}

function short(value) {
  const text = figure(value);
  return text.length <= 4 ? text : figure(Number(value.toPrecision(text.startsWith("-") ? 2 : 3)));
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
  const where = layer.flat ? `number ${elementName(channel)}` : `channel ${channel}, row ${y}, column ${x}`;
  const seen = field ? receptive(field) : "";
  $("readout").textContent = `${where}: ${figure(work.result)}${state.held ? " (held)" : ""}${seen}`;
  arithmetic(work);
}

function receptive([top, left, bottom, right]) {
  const [, height, width] = index.input;
  const whole = top <= 0 && left <= 0 && bottom >= height - 1 && right >= width - 1;
  const size = `${count(bottom - top + 1)}x${count(right - left + 1)}`;
  return ` · receptive field ${size}${whole ? ", all of the image" : ""}`;
}

// ---- how the number is computed ---------------------------------------------------------------

const LISTED = 12;

function arithmetic(work) {
  const { layer, y, x } = state, parts = [];
  if (!layer.inputs.length) {
    $("arithmetic").replaceChildren();
    return;
  }
  parts.push(make("h3", {}, `${figure(work.result)}${work.rule ? ` is ${work.rule}` : ""}`));
  if (!work.rule) parts.push(make("p", { class: "faint" }, "How this layer computes is said below; " +
    "this page has its numbers, not the way to each of them."));
  const shown = work.groups.find(each => state.source && each.source.index === state.source[0]
    && each.channel === state.source[1]) || work.groups[0];
  const all = work.bank ? work.groups : shown ? [shown] : [];
  const window = windowOf(layer, y, x);
  if (shown && !shown.single) parts.push(...all.map((each, n) => windows(work, each, window, n === 0)));
  else if (!work.groups.length && window && !layer.flat) parts.push(plainWindow(window));
  const line = oneLine(work, shown);
  if (line) parts.push(make("p", { class: "formula" }, line));
  if (work.additive && (work.groups.length > 1 || work.rest)) parts.push(sums(work, shown));
  $("arithmetic").replaceChildren(...parts);
}

function oneLine(work, shown) {
  if (work.steps.length)
    return work.steps.map(([name, text, value]) =>
      `${work.steps.length > 1 ? `${name}: ` : ""}${text} = ${figure(value)}`).join("\n");
  if (!work.additive || !shown || shown.single || work.groups.length > 1 || shown.terms.length > 27) return "";
  const bias = work.bias === null ? "" : ` ${added([0, work.bias]).slice(2)}`;
  return `${shown.terms.map(each => `${bracketed(each.value)}*${bracketed(each.factor)}`).join(" + ")}${bias} = ${figure(work.result)}`;
}

// A map of the layer before with the window; painted anew only if it is another map.
let painted = { key: "" };

function before(source, channel, ends, caption) {
  const key = [source.index, channel, state.image, $("gray").value].join();
  if (painted.key !== key) {
    const view = new View(caption, 150), values = source.map(state.image, channel);
    paintGray(view.canvas, values, source.width, source.height, grayRange($("gray").value, source, values));
    view.sized(source.width, source.height);
    painted = { key, view, element: make("div", {}, make("div", { class: "caption" }, caption), view.element) };
  }
  painted.view.box("window", ends);
  return painted.element;
}

// The window in the layer before, the numbers in it, the filter and the products.
function windows(work, shown, window, map) {
  const parts = [];
  const { source, channel, terms, columns } = shown;
  if (!source.flat && map) {
    const [first] = terms;
    parts.push(before(source, channel, window || [first.y, first.x, first.y, first.x],
      `${source.name}, channel ${channel}`));
  }
  if (terms.length > 1 || terms[0].factor !== undefined) {
    parts.push(table("window", terms, columns, each => (each.inside || each.value ? figure(each.value) : each.value === null ? "" : "0")));
    if (terms[0].factor !== undefined) {
      const most = Math.max(...terms.map(each => Math.abs(each.factor)));
      parts.push(make("span", { class: "sign" }, "×"), table(shown.name || "filter", terms, columns, each => figure(each.factor),
        each => signedColor(each.factor, most)));
      const reach = Math.max(...terms.map(each => Math.abs(each.product)));
      parts.push(make("span", { class: "sign" }, "="), table("products", terms, columns, each => figure(each.product),
        each => signedColor(each.product, reach)));
      parts.push(make("span", { class: "sign" }, "→"), make("div", {},
        make("div", { class: "caption" }, "their sum"), make("code", {}, figure(shown.total))));
    }
  } else if (work.groups.length > 1)
    parts.push(make("div", {}, ...work.groups.slice(0, 8).map(each => make("div", {},
      make("code", {}, figure(each.total)), ` from ${each.source.name}`))));
  return make("div", { class: "work" }, ...parts);
}

function plainWindow(window) {
  const [source] = state.layer.sources();
  if (!source.numbers || source.flat) return make("p", {}, `It reads ${source.name}.`);
  const channel = source.place.has(state.channel) ? state.channel : source.shown[0];
  return make("div", { class: "work" },
    before(source, channel, window, `its window in ${source.name}, channel ${channel}`));
}

function table(caption, terms, columns, write, color = null) {
  const rows = [];
  for (let n = 0; n < terms.length; n += columns)
    rows.push(make("tr", {}, ...terms.slice(n, n + columns).map(each => {
      const cell = make("td", { class: `${each.inside ? "" : "outside"} ${each.best ? "best" : ""}`.trim() }, write(each));
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

// What each channel of the layer before contributes.
function sums(work, shown) {
  const { layer } = state, [source] = layer.sources(), rows = [];
  for (const each of work.groups.slice(0, LISTED)) {
    const name = each.single
      ? `${source.shown.length && source.flat ? `number ${each.channel}` : `channel ${each.channel}`}: ${bracketed(each.terms[0].value)}*${bracketed(each.terms[0].factor)}`
      : make("button", { type: "button", "aria-pressed": each === shown, onclick: () => {
        state.source = [each.source.index, each.channel];
        update();
      } }, `channel ${each.channel}`);
    rows.push([name, each.total]);
  }
  const others = work.groups.slice(LISTED), kind = work.single ? "number" : "channel";
  if (others.length) rows.push([`the other ${count(others.length)} ${kind}s of this page`, total(others.map(each => each.total))]);
  if (work.rest) rows.push([`${count(work.rest.count)} ${kind}${work.rest.count > 1 ? "s" : ""} that are not in this page, together`, work.rest.total]);
  if (work.bias !== null) rows.push(["bias", work.bias]);
  const body = rows.map(([name, value]) => make("tr", {}, make("td", {}, name), make("td", {}, figure(value))));
  body.push(make("tr", { class: "total" }, make("td", {}, "sum"), make("td", {}, figure(work.result))));
  return make("table", { class: "sums" }, ...body);
}

// ---- filters ----------------------------------------------------------------------------------

function filters() {
  const { layer } = state, { recipe } = layer;
  $("filters").replaceChildren();
  if (!recipe || !["conv", "bank"].includes(recipe.how) || !layer.numbers) return;
  const [source] = layer.sources(), [high, wide] = recipe.kernel, area = high * wide;
  const weights = layer.weight(), bank = recipe.how === "bank";
  const inputs = bank ? 1 : weights.length / layer.shown.length / area;
  if (area === 1 && inputs === 1) return;
  // A few inputs: the filters of all channels. Many: those of this channel, for each input.
  const few = inputs <= 3;
  const tiles = [];
  let most = 0;
  const tile = (position, input, name) => {
    const begin = (position * inputs + input) * area, values = weights.subarray(begin, begin + area);
    for (const value of values) most = Math.max(most, Math.abs(value));
    tiles.push([values, name]);
  };
  if (bank) recipe.names.forEach((name, n) => tile(n, 0, name));
  else if (few)
    for (const channel of layer.order.slice(0, 64))
      for (let input = 0; input < inputs; input++)
        tile(layer.place.get(channel), input, inputs > 1 ? `${channel}, input ${input}` : String(channel));
  else
    for (let input = 0; input < Math.min(inputs, 64); input++)
      tile(layer.place.get(state.channel), input, `input ${recipe.groups === 1 ? source.shown[input] : input}`);
  const pixels = Math.max(4, Math.floor(40 / Math.max(high, wide)));
  const drawn = tiles.map(([values, name]) => {
    const canvas = canvasOf(1, 1);
    paintSigned(canvas, values, wide, high, most);
    canvas.style.width = `${wide * pixels}px`;
    canvas.style.height = `${high * pixels}px`;
    return make("div", {}, canvas, name);
  });
  const bar = canvasOf(1, 1);
  paintSigned(bar, Float32Array.from({ length: 41 }, (_, i) => (i - 20) / 20), 41, 1, 1);
  bar.style.width = "120px";
  bar.style.height = "12px";
  const what = bank || few ? `Filters, ${high}x${wide}` : `The filter of channel ${state.channel}, ${high}x${wide} for each input channel in this page`;
  $("filters").append(make("h3", {}, what), make("p", { class: "scale" },
    make("code", {}, figure(-most)), bar, make("code", {}, figure(most)), "gray is zero"),
  make("div", { class: "filters" }, ...drawn));
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
