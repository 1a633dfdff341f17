"use strict";
// The numbers of the page: compressed arrays, decoded when a layer is first looked at.

const TYPES = { f32: Float32Array, i32: Int32Array, u16: Uint16Array, u8: Uint8Array };

async function unpacked(text) {
  const letters = atob(text.trim());
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

async function unpackedJson(text) {
  return JSON.parse(new TextDecoder().decode(await unpacked(text)));
}

// The text of a pack; its place in the page is emptied, so that it is held once.
function taken(id) {
  const element = document.getElementById(id);
  const text = element.textContent;
  element.remove();
  return text;
}

function arrayOf(buffer, entry) {
  const [offset, length, type] = entry;
  return new TYPES[type](buffer, offset, length);
}

const SHORT = 12; // steps of a series that is drawn as a row of numbers
const LINES = { 1: ["step"], 2: ["row", "column"], 3: ["slice", "row", "column"] };

// A layer: what is said of it (`about`), and its numbers after `load`.
class Layer {
  constructor(about, images) {
    Object.assign(this, about);
    this.count = images; // images
    // A picture of a map: a series is one row, the slices of a volume stand below one another.
    const sides = this.shape.slice(1);
    this.axes = sides.length;
    this.width = this.flat ? 1 : sides[this.axes - 1];
    this.height = this.flat ? 1 : sides.slice(0, -1).reduce((all, side) => all * side, 1);
    this.curved = this.axes === 1 && !this.flat && this.width > SHORT; // drawn as a curve
    this.size = this.height * this.width; // numbers of a map
    const every = this.values && !this.channels;
    this.shown = this.channels || (every ? Array.from({ length: this.shape[0] }, (_, i) => i) : []);
    this.place = new Map(this.shown.map((channel, position) => [channel, position]));
    this.numbers = null; // Float32Array: images x channels in the page x height x width
    this.buffer = null;
  }

  async load() {
    if (!this.loading) this.loading = this.decode();
    return this.loading;
  }

  async decode() {
    this.buffer = await unpacked(taken(`pack-${this.index}`));
    if (!this.values) return;
    const { from, copies } = this.values;
    if (copies) {
      const sources = [...new Set(copies.map(([index]) => index))].map(index => layers.get(index));
      await Promise.all(sources.map(source => source.load()));
      this.numbers = this.copied(copies);
      return;
    }
    if (from === undefined) {
      this.numbers = this.rows("values");
      return;
    }
    const source = layers.get(from);
    await source.load();
    this.numbers = this.follow(source.numbers);
  }

  // A concat: each channel is one of another layer.
  copied(copies) {
    const out = new Float32Array(this.count * copies.length * this.size);
    for (let image = 0; image < this.count; image++)
      copies.forEach(([index, channel], n) =>
        out.set(layers.get(index).map(image, channel), (image * copies.length + n) * this.size));
    return out;
  }

  // What derived.py found: the same numbers, cut off, or a*x + b in each row.
  follow(before) {
    const { affine, low, high } = this.values;
    if (affine) {
      const a = this.array("a"), b = this.array("b"), out = new Float32Array(before.length);
      for (let row = 0; row < a.length; row++)
        for (let i = row * this.size; i < (row + 1) * this.size; i++)
          out[i] = before[i] * a[row] + b[row];
      return out;
    }
    if (low === undefined || low === null) return before;
    const most = high === null ? Infinity : high;
    return before.map(value => (value < low ? low : value > most ? most : value));
  }

  array(name) {
    const entry = this.arrays[name];
    return entry ? arrayOf(this.buffer, entry) : null;
  }

  // Rows of 32 bits, or of 16 bits with a scale each.
  rows(name) {
    const steps = this.array(name);
    if (this.arrays[name][2] !== "u16") return steps;
    const scale = this.array(`${name}.scale`), zero = this.array(`${name}.zero`);
    const base = this.array(`${name}.base`);
    const length = scale.length ? steps.length / scale.length : 0;
    const out = new Float32Array(steps.length);
    for (let row = 0; row < scale.length; row++)
      for (let i = row * length; i < (row + 1) * length; i++)
        out[i] = (steps[i] - zero[row]) * scale[row] + base[row];
    return out;
  }

  // A number of a weight, or undefined if it is not in the page.
  weight(name, image, index) {
    const { numbers, sides, places, rows } = this.stored(name);
    if (rows) {
      const row = rows.get(index[0]);
      return row && row[image].get(index[1]);
    }
    if (!numbers) return undefined;
    let at = 0;
    for (let axis = 0; axis < sides.length; axis++) {
      const place = places[axis] ? places[axis].get(index[axis]) : index[axis];
      if (place === undefined) return undefined;
      at = at * sides[axis] + place;
    }
    return numbers[at];
  }

  // A weight as it is stored: the channels of its first axes that are in the page, or of a matrix
  // the largest products.
  stored(name) {
    if (!this.decoded) this.decoded = new Map();
    if (!this.decoded.has(name)) this.decoded.set(name, this.unpack(name));
    return this.decoded.get(name);
  }

  unpack(name) {
    const how = this.weights[name], [source] = this.sources();
    if (!how) return {};
    const numbers = this.rows(`weight ${name}`);
    if (!how.strongest) {
      const there = { outputs: this.place, inputs: source.place };
      return { numbers, sides: how.shape, places: how.axes.map(side => there[side]) };
    }
    const places = this.array(`weight ${name}.places`), outputs = how.strongest.length;
    const kept = places.length / outputs / this.count;
    return { rows: new Map(how.strongest.map((output, row) => [output,
      Array.from({ length: this.count }, (_, image) => {
        const begin = (image * outputs + row) * kept;
        return new Map(Array.from({ length: kept }, (_, n) => [places[begin + n], numbers[begin + n]]));
      })])) };
  }

  // A number, or undefined if its channel is not in the page.
  at(image, channel, y, x) {
    const place = this.place.get(channel);
    if (place === undefined || !this.numbers) return undefined;
    return this.numbers[(image * this.shown.length + place) * this.size + y * this.width + x];
  }

  map(image, channel) {
    const begin = (image * this.shown.length + this.place.get(channel)) * this.size;
    return this.numbers.subarray(begin, begin + this.size);
  }

  // The numbers of all channels of an image: for a vector, the vector.
  all(image) {
    const size = this.shown.length * this.size;
    return this.numbers.subarray(image * size, (image + 1) * size);
  }

  // The position along each axis that a pixel of the picture stands for, and the reverse.
  position(y, x) {
    if (this.axes === 1) return [x];
    return this.axes === 3 ? [Math.floor(y / this.shape[2]), y % this.shape[2], x] : [y, x];
  }

  pixel(position) {
    if (position.length === 1) return [0, position[0]];
    return position.length === 3 ? [position[0] * this.shape[2] + position[1], position[2]] : position;
  }

  where(position) {
    return position.map((place, axis) => `${LINES[position.length][axis]} ${place}`).join(", ");
  }

  // First and last row and column of a range along each axis; of a volume, in its middle slice.
  box(ends) {
    if (ends.length === 1) return [0, ends[0][0], 0, ends[0][1]];
    if (ends.length === 2) return [ends[0][0], ends[1][0], ends[0][1], ends[1][1]];
    const [[first, last], [top, bottom], [left, right]] = ends, rows = this.shape[2];
    const slice = Math.min(Math.max(Math.round((first + last) / 2), 0), this.shape[1] - 1);
    const inside = row => slice * rows + Math.min(Math.max(row, 0), rows - 1);
    return [inside(top), left, inside(bottom), right];
  }

  sources() {
    return this.inputs.map(index => layers.get(index));
  }
}

const layers = new Map();

// The layer, and the layers that it reads, with their numbers.
async function ready(layer) {
  await Promise.all([layer, ...layer.sources()].map(each => each.load()));
  return layer;
}
