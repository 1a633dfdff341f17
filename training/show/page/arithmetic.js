"use strict";
// How one number of a layer is computed from the numbers of the layers before: what its operation
// works out (`OPERATIONS`, translated from Python), with what is not in the page left out.

// Whole numbers in full, others with four significant digits.
const shownFigure = number => (number === undefined || number === null ? "?" : figure(number));

const total = numbers => numbers.reduce((sum, number) => sum + number, 0);

// What its operation works out, and how many of the numbers that it reads are not in the page; null
// for a layer whose code has no translation.
function workedOut(layer, image, channel, y, x) {
  const type = layer.operation && OPERATIONS[layer.operation.type];
  if (!type) return null;
  const sources = layer.sources(), others = [];
  let missing = 0;
  const known = number => {
    if (number !== undefined) return number;
    missing++;
    return NaN;
  };
  const reader = each => (input, from, ...position) => known(sources[input].at(each, from, ...sources[input].pixel(position)));
  for (let each = 0; each < layer.count; each++) if (each !== image) others.push(reader(each));
  const at = layer.shape.length > 1 ? [channel, ...layer.position(y, x)] : [channel];
  const weight = (name, place) => known(layer.weight(name, image, place));
  try {
    const element = py.new(Element, [at, layer.shape, sources.map(each => each.shape), reader(image), weight],
      { training: Layer.training, others, actual: layer.at(image, channel, y, x) ?? null });
    if (!layer.computes) layer.computes = new type(layer.operation.arguments);
    return { found: layer.computes.work_out(element), missing };
  } catch {
    return null;
  }
}

// { rule, groups, lines, rest, bias, note, result, computed }. A group is the terms that become one
// number: { name, how, source, channel, terms, columns, factor, total }; its source and channel are
// null if they differ between the terms. `rest` is what comes from channels that are not in the
// page: { count, total }. `lines` are the arithmetic as text: [name, text].
function worked(layer, image, channel, y, x) {
  const result = layer.at(image, channel, y, x);
  if (result === undefined) return null;
  const nothing = { rule: "", groups: [], lines: [], rest: null, bias: null, note: "", result, computed: null };
  const own = workedOut(layer, image, channel, y, x);
  if (!own) return nothing;
  const { found, missing } = own, sources = layer.sources();
  const there = term => !missing || ((term.place === null || sources[term.place.input].place.has(term.place.channel))
    && !(term.factor !== null && Number.isNaN(term.factor)));
  const groups = found.groups.map(each => grouped(each, sources, each.terms.filter(there)));
  const { rule, bias, note, additive } = found;
  const work = { ...nothing, rule, groups, bias, note, additive, count: missing };
  if (additive) {
    groups.sort((a, b) => Math.abs(b.total) - Math.abs(a.total));
    for (const each of groups) if (each.source === null) each.terms.sort(byMagnitude);
  }
  if (!missing) return { ...work, computed: found.result, formula: found.formula, lines: found.lines() };
  if (!additive) return { ...work, groups: groups.filter(each => each.terms.length) };
  // Of a sum, the rest is what is missing of the result.
  const several = groups.length > 1;
  const kept = groups.filter(each => (several ? each.terms.length === each.every && !Number.isNaN(each.total) : each.terms.length));
  const count = several ? groups.length - kept.length : groups[0].every - groups[0].terms.length;
  const shown = total(kept.map(each => each.total)) + (bias === null ? 0 : bias);
  return { ...work, groups: kept, rest: { count, total: result - shown }, computed: result };
}

const byMagnitude = (a, b) => Math.abs(b.product) - Math.abs(a.product);

function grouped(group, sources, terms) {
  const { name, how, columns, factor } = group, first = terms.find(each => each.place !== null);
  const same = first && terms.every(({ place }) => place === null
    || (place.input === first.place.input && place.channel === first.place.channel));
  const whole = terms.length === group.terms.length;
  const sum = (whole ? group.result : total(terms.map(each => each.product))) * (factor === null ? 1 : factor);
  const best = how === "max" || how === "min" ? terms.find(each => each.value === group.result) : null;
  return { name, how, columns, factor, terms, best, every: group.terms.length, total: sum,
    source: same ? sources[first.place.input] : null, channel: same ? first.place.channel : null };
}

// What a number reads of the layer before: first and last row and column.
function windowOf(layer, y, x) {
  const { window: read } = layer, [source] = layer.sources();
  if (!source) return null;
  if (!read || read.all) return read ? [0, 0, source.height - 1, source.width - 1] : null;
  const at = layer.position(y, x);
  return source.box(read.size.map((side, axis) => {
    const first = Math.floor(read.start[axis] + (at[axis] || 0) * read.stride[axis]);
    return [first, first + side - 1];
  }));
}

// The receptive field: first and last row and column of the input, with its `ends` along each axis.
function fieldOf(layer, channel, y, x) {
  // Numbers of a vector that was a map belong to its positions: to those that they are made of.
  while (layer.flat && layer.inputs.length) {
    const own = workedOut(layer, 0, channel, y, x), groups = own ? own.found.groups : [];
    if (groups.length !== 1 || groups[0].terms.length !== 1 || !groups[0].terms[0].place) break;
    const { input, channel: from, position } = groups[0].terms[0].place, source = layer.sources()[input];
    [layer, channel, [y, x]] = [source, from, source.pixel(position)];
  }
  if (!layer.field) return null;
  const at = layer.position(y, x);
  const ends = layer.field.map((axis, n) => {
    if (axis.whole) return [axis.first[0], axis.last[0]];
    const position = at[n] || 0;
    const round = Math.floor(position / axis.first.length), phase = position % axis.first.length;
    return [axis.first[phase] + round * axis.step, axis.last[phase] + round * axis.step];
  });
  return Object.assign(layers.get(0).box(ends), { ends });
}
