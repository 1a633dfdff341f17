"use strict";
// How one number of a layer is computed from the numbers of the layers before.
//
// worked() returns { rule, groups, rest, bias, steps, result }. A group is the terms that come from
// one channel: { source, channel, terms, columns, total }; a term is { y, x, value, factor, product,
// inside }. `rest` is what comes from channels that are not in the page: { count, total }. `steps`
// are lines of text that follow: [name, text, value].

// Whole numbers in full, others with four significant digits.
function figure(number) {
  if (number === undefined || number === null) return "?";
  if (!Number.isFinite(number)) return Number.isNaN(number) ? "NaN" : number > 0 ? "inf" : "-inf";
  const size = Math.abs(number);
  if (Number.isInteger(number) && size < 1e9) return String(number === 0 ? 0 : number);
  if (size < 1e-4 || size >= 1e9) {
    const [mantissa, exponent] = number.toExponential(3).split("e");
    return `${mantissa.replace(/\.?0+$/, "")}e${Number(exponent)}`;
  }
  const text = number.toFixed(Math.max(3 - Math.floor(Math.log10(size)), 0));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function bracketed(number) {
  const text = figure(number);
  return text.startsWith("-") ? `(${text})` : text;
}

function added(numbers) {
  return numbers
    .map(figure)
    .map((text, n) => (!n ? text : text.startsWith("-") ? `- ${text.slice(1)}` : `+ ${text}`))
    .join(" ");
}

// Where padding takes its number from: a position inside, or null for zeros.
function reflected(mode, position, side) {
  if (position >= 0 && position < side) return position;
  if (mode === "reflect") return position < 0 ? -position : 2 * (side - 1) - position;
  if (mode === "replicate") return Math.min(Math.max(position, 0), side - 1);
  if (mode === "circular") return ((position % side) + side) % side;
  return null;
}

const total = numbers => numbers.reduce((sum, number) => sum + number, 0);

function term(source, image, channel, y, x, factor) {
  const value = source.at(image, channel, y, x);
  return { y, x, value, factor, product: factor === undefined ? value : value * factor, inside: true };
}

function group(source, channel, terms, columns = 1) {
  const sum = total(terms.map(each => each.product));
  return { source, channel, terms, columns, total: sum };
}

// ---- windows ----------------------------------------------------------------------------------

// The rows or columns that an output of a pooling reads.
function span(recipe, axis, position, side, outputs) {
  if (recipe.target) {
    const begin = Math.floor((position * side) / outputs);
    const end = Math.ceil(((position + 1) * side) / outputs);
    return Array.from({ length: end - begin }, (_, i) => begin + i);
  }
  const begin = recipe.start[axis] + position * recipe.stride[axis];
  return Array.from({ length: recipe.kernel[axis] }, (_, i) => begin + i * recipe.dilation[axis]);
}

function pooled(layer, image, channel, y, x) {
  const { recipe } = layer, [source] = layer.sources();
  const rows = span(recipe, 0, y, source.height, layer.height);
  const columns = span(recipe, 1, x, source.width, layer.width);
  const terms = [];
  for (const row of rows)
    for (const column of columns) {
      const inside = row >= 0 && column >= 0 && row < source.height && column < source.width;
      terms.push(inside
        ? term(source, image, channel, row, column)
        : { y: row, x: column, value: null, product: 0, inside: false });
    }
  return { groups: [group(source, channel, terms, columns.length)], rows, columns, source };
}

function chosen(layer, image, channel, y, x, word, better) {
  const { groups } = pooled(layer, image, channel, y, x);
  const inside = groups[0].terms.filter(each => each.inside);
  if (inside.some(each => each.value === undefined)) return null;
  let best = inside[0];
  for (const each of inside) if (better(each.value, best.value)) best = each;
  best.best = true;
  const text = inside.length <= 27 ? `${word}(${inside.map(t => figure(t.value)).join(", ")})`
    : `the ${word} of ${inside.length} numbers`;
  return { rule: `the ${word} of the window`, groups, steps: [[word, text, best.value]] };
}

// The products of a window of a channel with filter `number`.
function filtered(layer, source, image, channel, y, x, number) {
  const { start, stride, dilation, mode, kernel: [high, wide] } = layer.recipe;
  const weights = layer.weight(), terms = [];
  for (let row = 0; row < high; row++)
    for (let column = 0; column < wide; column++) {
      const factor = weights[(number * high + row) * wide + column];
      const top = start[0] + y * stride[0] + row * dilation[0];
      const left = start[1] + x * stride[1] + column * dilation[1];
      const from = reflected(mode, top, source.height), across = reflected(mode, left, source.width);
      if (from === null || across === null)
        terms.push({ y: top, x: left, value: 0, factor, product: 0, inside: false });
      else {
        const each = term(source, image, channel, from, across, factor);
        terms.push({ ...each, y: top, x: left, inside: top === from && left === across });
      }
    }
  return group(source, channel, terms, wide);
}

const HOW = {
  max: (...at) => chosen(...at, "max", (a, b) => a > b || Number.isNaN(a)),
  min: (...at) => chosen(...at, "min", (a, b) => a < b || Number.isNaN(a)),

  mean(layer, image, channel, y, x) {
    const { recipe } = layer, { groups, rows, columns, source } = pooled(layer, image, channel, y, x);
    const [own] = groups, inside = own.terms.filter(each => each.inside);
    if (inside.some(each => each.value === undefined)) return null;
    let count = inside.length;
    if (!recipe.target && recipe.counted) {
      // Padding counts, but not what `ceil` adds beyond it.
      const kept = (positions, side, pad) => positions.filter(p => p < side + pad).length;
      count = kept(rows, source.height, recipe.pad[0]) * kept(columns, source.width, recipe.pad[1]);
    }
    const values = inside.map(each => each.value);
    const sum = values.length <= 27 ? `(${added(values)})` : `the sum of ${values.length} numbers, ${figure(own.total)},`;
    return { rule: "the mean of the window", groups,
      steps: [["mean", `${sum} / ${count}`, own.total / count]] };
  },

  norm(layer, image, channel, y, x) {
    const { p } = layer.recipe, { groups } = pooled(layer, image, channel, y, x);
    const inside = groups[0].terms.filter(each => each.inside);
    if (inside.some(each => each.value === undefined)) return null;
    const sum = total(inside.map(each => Math.abs(each.value) ** p));
    return { rule: `(sum of |x|^${p})^(1/${p}) of the window`, groups,
      steps: [["norm", `${figure(sum)}^(1/${p})`, sum ** (1 / p)]] };
  },

  // ---- sums of products -----------------------------------------------------------------------

  conv(layer, image, channel, y, x) {
    const { recipe } = layer, [source] = layer.sources(), [high, wide] = recipe.kernel;
    const position = layer.place.get(channel);
    const perGroup = source.shape[0] / recipe.groups;
    const first = recipe.groups === 1 ? 0
      : Math.floor(channel / (layer.shape[0] / recipe.groups)) * perGroup;
    // With one group, weights are there for the channels in the page; with several, for all.
    const channels = recipe.groups === 1 ? source.shown
      : Array.from({ length: perGroup }, (_, i) => first + i);
    const groups = [];
    channels.forEach((input, n) => {
      if (source.place.has(input))
        groups.push(filtered(layer, source, image, input, y, x, position * channels.length + n));
    });
    const bias = recipe.bias ? layer.array(recipe.bias)[position] : null;
    const several = perGroup.toLocaleString("en"), one = high === 1 && wide === 1;
    const rule = perGroup === 1 ? (one ? "one product" : `the sum of ${high}x${wide} products`)
      : one ? `the sum of ${several} products, one for each channel`
        : `the sum of ${high}x${wide} products in each of ${several} channels`;
    return { rule: bias === null ? rule : `${rule}, and the bias`, groups, bias,
      count: perGroup - groups.length, additive: true };
  },

  // Several fixed filters, whose responses become one number.
  bank(layer, image, channel, y, x) {
    const { names, strongest } = layer.recipe, [source] = layer.sources();
    if (!source.place.has(channel)) return null;
    const groups = names.map((name, n) => ({ ...filtered(layer, source, image, channel, y, x, n), name }));
    const each = groups.map(own => own.total);
    const step = strongest ? ["strongest", `max(${each.map(figure).join(", ")})`, Math.max(...each)]
      : ["length", `sqrt(${each.map(value => `${bracketed(value)}^2`).join(" + ")})`, Math.hypot(...each)];
    return { rule: strongest ? `the largest response of ${names.length} filters`
      : `the length of the responses of ${names.length} filters`, groups, steps: [step], bank: true };
  },

  fc(layer, image, channel) {
    const { recipe } = layer, [source] = layer.sources(), position = layer.place.get(channel);
    const inputs = source.shape[0], terms = [];
    if (recipe.outputs) {
      const row = recipe.outputs.indexOf(channel);
      if (row < 0) return null;
      const places = layer.array("places"), factors = layer.array("factors");
      const begin = (image * recipe.outputs.length + row) * recipe.kept;
      for (let n = begin; n < begin + recipe.kept; n++)
        terms.push({ element: places[n], ...term(source, image, places[n], 0, 0, factors[n]) });
    } else {
      const weights = layer.weight();
      for (let n = 0; n < inputs; n++)
        terms.push({ element: n, ...term(source, image, n, 0, 0, weights[position * inputs + n]) });
      terms.sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
    }
    const bias = recipe.bias ? layer.array(recipe.bias)[position] : null;
    const groups = terms.map(each => ({ ...group(source, each.element, [each]), single: true }));
    return { rule: `the sum of ${inputs.toLocaleString("en")} products${bias === null ? "" : ", and the bias"}`,
      groups, bias, count: inputs - terms.length, additive: true, single: true };
  },

  // ---- element by element ---------------------------------------------------------------------

  bn(layer, image, channel, y, x) {
    const { recipe } = layer, own = input(layer, image, channel, y, x);
    if (!own) return null;
    const position = layer.place.get(channel);
    const [mean, variance, weight, bias] = recipe.names.map(name => name ? layer.array(name)[position] : null);
    const { value } = own.terms[0], w = weight === null ? 1 : weight, b = bias === null ? 0 : bias;
    const result = ((value - mean) / Math.sqrt(variance + recipe.eps)) * w + b;
    const scaled = weight === null ? "" : ` * ${bracketed(w)}`;
    const text = `(${figure(value)} - ${bracketed(mean)}) / sqrt(${figure(variance)} + ${figure(recipe.eps)})`
      + scaled + (bias === null ? "" : ` ${added([0, b]).slice(2)}`);
    return { rule: "(x - mean) / sqrt(variance + eps) * weight + bias, of this channel",
      groups: [own], steps: [["normalized", text, result]] };
  },

  function(layer, image, channel, y, x) {
    const { recipe } = layer, own = input(layer, image, channel, y, x);
    const compute = FUNCTIONS[recipe.name];
    if (!own || !compute) return null;
    const slopes = layer.array("weight");
    const slope = slopes && slopes[slopes.length === 1 ? 0 : layer.place.get(channel)];
    const { value } = own.terms[0], result = compute(value, { ...recipe.arguments, learned: slope });
    const formula = recipe.formula.replace(/\{(\w+)\}/g, (all, name) =>
      name in recipe.arguments ? String(recipe.arguments[name]) : all);
    const rule = formula || `${recipe.name}(x)`;
    const learned = slope === null || slope === undefined ? "" : `, with the learned slope ${figure(slope)}`;
    return { rule: rule + learned, groups: [own],
      steps: [[recipe.name, `${recipe.name}(${figure(value)})`, result]] };
  },

  softmax(layer, image, channel, y, x) {
    const [source] = layer.sources();
    if (source.shown.length < source.shape[0]) return null;
    const values = source.shown.map(each => source.at(image, each, y, x));
    const most = Math.max(...values), sum = total(values.map(value => Math.exp(value - most)));
    const own = input(layer, image, channel, y, x), { value } = own.terms[0];
    return { rule: "exp(x) / the sum of exp over the channels", groups: [own], steps: [
      ["sum", `of exp(x - ${bracketed(most)}) over ${values.length} channels`, sum],
      ["share", `exp(${figure(value)} - ${bracketed(most)}) / ${figure(sum)}`, Math.exp(value - most) / sum],
    ] };
  },

  scaled(layer, image, channel, y, x) {
    const own = input(layer, image, channel, y, x);
    if (!own) return null;
    const { value } = own.terms[0], { factor } = layer.recipe;
    return { rule: "the number times a factor", groups: [own],
      steps: [["scaled", `${figure(value)} * ${bracketed(factor)}`, value * factor]] };
  },

  copy(layer, image, channel, y, x) {
    const { first = 0, at = [0, 0] } = layer.recipe, [source] = layer.sources();
    return copied(source, image, channel + first, y + at[0], x + at[1]);
  },

  reshape(layer, image, channel, y, x) {
    const [source] = layer.sources();
    const index = (channel * layer.height + y) * layer.width + x;
    const inner = index % source.size;
    return copied(source, image, Math.floor(index / source.size),
      Math.floor(inner / source.width), inner % source.width);
  },

  shuffle(layer, image, channel, y, x) {
    const { groups } = layer.recipe, [source] = layer.sources();
    const each = source.shape[0] / groups;
    return copied(source, image, (channel % groups) * each + Math.floor(channel / groups), y, x);
  },

  // ---- merges ---------------------------------------------------------------------------------

  add: (...at) => merged(...at, "the sum of its inputs", values => total(values), added),
  maximum: (...at) => merged(...at, "the largest of its inputs", values => Math.max(...values),
    values => `max(${values.map(figure).join(", ")})`),
  mul: (...at) => merged(...at, "the product of its inputs",
    values => values.reduce((a, b) => a * b, 1), values => values.map(bracketed).join(" * ")),

  concat(layer, image, channel, y, x) {
    let first = 0;
    for (const source of layer.sources()) {
      if (channel < first + source.shape[0]) return copied(source, image, channel - first, y, x);
      first += source.shape[0];
    }
    return null;
  },
};

// The number at the same place in the only input.
function input(layer, image, channel, y, x) {
  const [source] = layer.sources();
  if (source.at(image, channel, y, x) === undefined) return null;
  return group(source, channel, [term(source, image, channel, y, x)]);
}

function copied(source, image, channel, y, x) {
  if (source.at(image, channel, y, x) === undefined)
    return { rule: `a copy of channel ${channel} of ${source.name}, which is not in this page`, groups: [] };
  const own = group(source, channel, [term(source, image, channel, y, x)]);
  return { rule: source.flat ? `a copy of number ${channel} of ${source.name}`
    : `a copy of channel ${channel} of ${source.name}`, groups: [own] };
}

function merged(layer, image, channel, y, x, rule, compute, write) {
  const groups = [];
  for (const source of layer.sources()) {
    // One number for each channel, or for each position, counts for all.
    const from = source.shape[0] === 1 ? 0 : channel;
    const row = source.height === 1 ? 0 : y, column = source.width === 1 ? 0 : x;
    if (source.at(image, from, row, column) === undefined) return { rule, groups: [] };
    groups.push(group(source, from, [term(source, image, from, row, column)]));
  }
  const values = groups.map(each => each.total);
  return { rule, groups, steps: [["result", write(values), compute(values)]] };
}

const sigmoid = x => 1 / (1 + Math.exp(-x));
const softplus = x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

const FUNCTIONS = {
  relu: x => Math.max(x, 0),
  abs: Math.abs,
  relu6: x => Math.min(Math.max(x, 0), 6),
  leaky: (x, { slope }) => (x > 0 ? x : slope * x),
  prelu: (x, { learned }) => (x > 0 ? x : learned * x),
  elu: (x, { alpha }) => (x > 0 ? x : alpha * Math.expm1(x)),
  selu: x => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  gelu: (x, { approximate }) => approximate === "tanh"
    ? (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
    : (x / 2) * (1 + erf(x / Math.SQRT2)),
  silu: x => x * sigmoid(x),
  mish: x => x * Math.tanh(softplus(x)),
  softplus: (x, { beta, threshold }) => (x * beta > threshold ? x : softplus(beta * x) / beta),
  sigmoid,
  tanh: Math.tanh,
  hardsigmoid: x => Math.min(Math.max(x + 3, 0), 6) / 6,
  hardswish: x => (x * Math.min(Math.max(x + 3, 0), 6)) / 6,
};

// The error function: its series near zero, its continued fraction elsewhere; both to 1e-12.
function erf(x) {
  const size = Math.abs(x);
  if (size < 2.5) {
    let part = size, sum = size;
    for (let n = 1; n < 80; n++) {
      part *= -(size * size) / n;
      sum += part / (2 * n + 1);
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * sum;
  }
  let below = size;
  for (let n = 60; n > 0; n--) below = size + n / 2 / below;
  return Math.sign(x) * (1 - Math.exp(-size * size) / Math.sqrt(Math.PI) / below);
}

// ---- all of it --------------------------------------------------------------------------------

function worked(layer, image, channel, y, x) {
  const result = layer.at(image, channel, y, x);
  if (result === undefined) return null;
  const compute = layer.recipe && HOW[layer.recipe.how];
  const found = compute ? compute(layer, image, channel, y, x) : null;
  if (!found) return { rule: "", groups: [], steps: [], rest: null, bias: null, result };
  const { groups, bias = null, steps = [] } = found;
  let rest = null;
  if (found.additive) {
    groups.sort((a, b) => Math.abs(b.total) - Math.abs(a.total));
    const shown = total(groups.map(each => each.total)) + (bias === null ? 0 : bias);
    if (found.count) rest = { count: found.count, total: result - shown };
  }
  return { ...found, groups, bias, steps, rest, result };
}

// What a number reads of the layer before: first and last row and column.
function windowOf(layer, y, x) {
  const { window: read } = layer, [source] = layer.sources();
  if (!source) return null;
  if (!read || read.all) return read ? [0, 0, source.height - 1, source.width - 1] : null;
  const begin = (axis, position) => Math.floor(read.start[axis] + position * read.stride[axis]);
  const top = begin(0, y), left = begin(1, x);
  return [top, left, top + read.size[0] - 1, left + read.size[1] - 1];
}

// The receptive field: first and last row and column of the input.
function fieldOf(layer, channel, y, x) {
  // The numbers of a vector that was a map belong to its positions.
  while (layer.recipe && layer.inputs.length === 1 && layer.flat) {
    const [source] = layer.sources();
    if (layer.recipe.how === "reshape" && !source.flat) {
      const inner = channel % source.size;
      return fieldOf(source, 0, Math.floor(inner / source.width), inner % source.width);
    }
    if (!source.flat || source.shape[0] !== layer.shape[0] || layer.window) break;
    layer = source;
  }
  if (!layer.field) return null;
  const ends = layer.field.map((axis, n) => {
    const position = n ? x : y;
    if (axis.whole) return [axis.first[0], axis.last[0]];
    const round = Math.floor(position / axis.first.length), phase = position % axis.first.length;
    return [axis.first[phase] + round * axis.step, axis.last[phase] + round * axis.step];
  });
  return [ends[0][0], ends[1][0], ends[0][1], ends[1][1]];
}
