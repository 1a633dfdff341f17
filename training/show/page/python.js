"use strict";
// Python's built-in functions and types, as far as translated code uses them (to_javascript.py).
// Tuples and lists are arrays, dictionaries are objects, named tuples are `py.NamedTuple`.

const py = (() => {
const py = {};

// ---- functions and classes --------------------------------------------------------------------

// Arguments by name; those after `*rest` can be given in no other way.
class Keywords {
  constructor(values) { Object.assign(this, values); }
}

py.def = (names, only, run) => {
  const own = run || only;
  own.names = names;
  own.only = run ? only : null;
  return own;
};

py.keywords = rest => (rest[rest.length - 1] instanceof Keywords ? rest.pop() : {});

py.call = (self, target, given, named) => {
  const run = typeof target === "string" ? py.bound(self, target) : target;
  return run.apply(self, py.arranged(run, given, named));
};

py.arranged = ({ names, only }, given, named) => {
  if (!names) return Object.keys(named).length ? [...given, named] : given;
  names.forEach((name, n) => { if (name in named) given[n] = named[name]; });
  if (!only || !only.length) return Array.from(given);
  while (given.length < names.length) given.push(undefined);
  return [...given, new Keywords(Object.fromEntries(Object.entries(named).filter(([name]) => only.includes(name))))];
};

py.new = (type, given, named) => {
  const start = type.names ? type : type.prototype.__init__ || {};
  return new type(...py.arranged(start, given, named));
};

py.NamedTuple = class {
  *[Symbol.iterator]() { for (const name of this.constructor.names) yield this[name]; }
  _replace(changes) { return Object.assign(Object.create(Object.getPrototypeOf(this)), this, changes); }
};

py.define = (type, names, members) => {
  type.names = names;
  type.mro = [type];
  Object.defineProperties(type.prototype, Object.getOwnPropertyDescriptors(members));
};

// The base of declared words: arguments that are not given are those of the class.
class Declared {
  constructor(...given) {
    if (this.__init__) this.__init__(...given);
    else // where a base has a property of that name, too
      for (const [name, value] of Object.entries(given[0] || {}))
        Object.defineProperty(this, name, { value, enumerable: true, writable: true, configurable: true });
  }
  get arguments() { return Object.fromEntries(this.constructor.fields.map(name => [name, this[name]])); }
  static make(given = {}) { return new this(given); }
  replace(changes) { return new this.constructor({ ...this, ...changes }); }
}

py.class = (name, bases, fields, members) => {
  const type = { [name]: class extends Declared {} }[name];
  Object.assign(type, { mro: [type, ...bases], fields, members: Object.getOwnPropertyDescriptors(members) });
  for (const each of [...bases].reverse()) Object.defineProperties(type.prototype, each.members);
  Object.defineProperties(type.prototype, type.members);
  return type;
};

py.super = (type, self, name) => {
  const { mro } = self.constructor;
  return mro.slice(mro.indexOf(type) + 1).find(each => name in each.members).members[name].value;
};

py.isinstance = (value, types) => [types].flat().some(type => {
  if (type === py.float || type === py.int) return typeof value === "number";
  if (type === py.str) return typeof value === "string";
  if (type === py.bool) return typeof value === "boolean";
  if (type === py.tuple || type === py.list) return Array.isArray(value);
  return value instanceof Object && value.constructor.mro !== undefined && value.constructor.mro.includes(type);
});
py.type = value => value.constructor;
py.getattr = (value, name) => value[name];

// ---- operators --------------------------------------------------------------------------------

py.add = (a, b) => (Array.isArray(a) ? [...a, ...b] : a + b);
py.mul = (a, b) => {
  if (typeof a === "string") return a.repeat(Math.max(b, 0));
  if (typeof b === "string") return b.repeat(Math.max(a, 0));
  if (Array.isArray(a)) return Array.from({ length: b }, () => a).flat();
  if (Array.isArray(b)) return Array.from({ length: a }, () => b).flat();
  return a * b;
};
py.mod = (a, b) => ((a % b) + b) % b;
py.divmod = (a, b) => [Math.floor(a / b), py.mod(a, b)];
py.truth = value => (Array.isArray(value) ? value.length > 0
  : value instanceof Object && Object.getPrototypeOf(value) === Object.prototype ? Object.keys(value).length > 0
    : Number.isNaN(value) || Boolean(value));
py.and = (a, b) => (py.truth(a) ? b() : a);
py.or = (a, b) => (py.truth(a) ? a : b());
py.is = (a, b) => (b === null ? a === null || a === undefined : a === b);
py.eq = (a, b) => a === b || (a == null && b == null)
  || (typeof a === "boolean" && Number(a) === b) || (typeof b === "boolean" && a === Number(b))
  || (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((each, n) => py.eq(each, b[n])));
py.within = (a, b) => (typeof b === "string" ? b.includes(a) : Array.isArray(b) ? b.some(each => py.eq(a, each)) : a in b);

const sequence = value => (value instanceof py.NamedTuple ? [...value] : value);

py.at = (value, index) => {
  const own = sequence(value);
  return Array.isArray(own) || typeof own === "string" ? own[index < 0 ? own.length + index : index] : own[index];
};
py.slice = (value, first, end, step) => {
  const own = sequence(value), cut = own.slice(first ?? 0, end ?? own.length);
  if (step === null || step === 1) return cut;
  if (step === -1 && first === null && end === null) return [...own].reverse();
  throw new Error("a slice with a step");
};
py.put = (value, first, end, step, given) => {
  const place = n => (n < 0 ? Math.max(value.length + n, 0) : Math.min(n, value.length));
  const begin = place(first ?? 0), stop = place(end ?? value.length);
  value.splice(begin, Math.max(stop - begin, 0), ...given);
};

// ---- built-in functions -----------------------------------------------------------------------

py.iter = value => (value instanceof Object && Object.getPrototypeOf(value) === Object.prototype ? Object.keys(value) : value);
py.list = value => (Array.isArray(value) ? value : Array.from(py.iter(value)));
py.tuple = py.list;
py.len = value => py.list(value).length;
py.range = (first, end, step = 1) => {
  const [begin, stop] = end === undefined ? [0, first] : [first, end];
  return Array.from({ length: Math.max(Math.ceil((stop - begin) / step), 0) }, (_, n) => begin + n * step);
};
py.enumerate = (values, start = 0) => py.list(values).map((each, n) => [n + start, each]);
py.zip = (...given) => {
  const strict = given[given.length - 1], all = given.map(py.list);
  if (strict && strict.strict !== undefined) all.pop();
  return Array.from({ length: Math.min(...all.map(each => each.length)) }, (_, n) => all.map(each => each[n]));
};
py.map = (run, values) => py.list(values).map(each => run(each));
py.product = (...sets) => sets.reduce(
  (found, set) => found.flatMap(first => py.list(set).map(each => [...first, each])), [[]]);
py.reversed = values => [...py.list(values)].reverse();
py.sorted = (values, { key = each => each, reverse = false } = {}) => {
  const sorted = [...py.list(values)].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
  return reverse ? sorted.reverse() : sorted;
};
py.all = values => py.list(values).every(py.truth);
py.any = values => py.list(values).some(py.truth);
py.sum = (values, start = 0) => py.list(values).reduce((sum, each) => sum + each, start);
py.abs = Math.abs;
py.int = value => Math.trunc(Number(value));
py.float = Number;
py.bool = value => py.truth(value);

const extreme = better => (...given) => {
  const last = given[given.length - 1];
  const key = last && typeof last.key === "function" ? given.pop().key : each => each;
  const values = given.length === 1 ? py.list(given[0]) : given;
  return values.reduce((best, each) => (better(key(each), key(best)) ? each : best));
};
py.max = extreme((a, b) => a > b);
py.min = extreme((a, b) => a < b);

// Half to even, as Python rounds: JavaScript rounds halves up.
const fixed = (number, digits) => {
  const text = number.toFixed(digits), size = Math.abs(number), scaled = size * 10 ** digits;
  if (!Number.isInteger(size * 2 ** (digits + 1)) || scaled % 1 !== 0.5 || scaled > 1e15) return text;
  const even = 2 * Math.round(scaled / 2);
  return (Math.sign(number) * even / 10 ** digits).toFixed(digits);
};
py.round = (number, digits = 0) => Number(fixed(number, digits));

py.str = value => {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  return size < 1e-4 || size >= 1e16 ? exponent(value.toExponential()) : String(value);
};

// `1e-05`: an exponent has two digits in Python.
const exponent = text => text.replace(/e([+-])(\d)$/, "e$10$2");

py.formatted = (value, style) => {
  if (style === ",") return value.toLocaleString("en");
  if (!Number.isFinite(value)) return py.str(value);
  const [, point, letter] = /^(?:\.(\d+))?([efg])$/.exec(style) || [];
  const digits = point === undefined ? 6 : Number(point);
  if (letter === "f") return fixed(value, digits);
  if (letter === "e") return exponent(value.toExponential(digits));
  if (letter !== "g") throw new Error(`format ${style}`);
  if (value === 0) return "0";
  const power = Number(value.toExponential(Math.max(digits, 1) - 1).split("e")[1]);
  const text = power < -4 || power >= digits ? value.toExponential(digits - 1) : value.toFixed(digits - 1 - power);
  const [mantissa, rest] = text.split("e");
  const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
  return rest === undefined ? short : exponent(`${short}e${rest}`);
};

// ---- methods of text, lists and dictionaries ---------------------------------------------------

const TEXT = {
  // `{}`, and `{name}` of arguments by name.
  format: (text, ...given) => {
    const named = given[given.length - 1] instanceof Object ? given.pop() : {};
    let n = 0;
    return text.replace(/\{\{|\}\}|\{(\w*)\}/g, (all, name) =>
      name === undefined ? all[0] : name === "" ? given[n++] : named[name]);
  },
  join: (text, parts) => py.list(parts).join(text),
  partition: (text, mark) => {
    const place = text.indexOf(mark);
    return place < 0 ? [text, "", ""] : [text.slice(0, place), mark, text.slice(place + mark.length)];
  },
  replace: (text, old, other) => text.replaceAll(old, other),
  rstrip: (text, letters) => {
    let end = text.length;
    while (end > 0 && letters.includes(text[end - 1])) end--;
    return text.slice(0, end);
  },
  startswith: (text, start) => text.startsWith(start),
};
const LIST = { append: (list, value) => { list.push(value); }, index: (list, value) => list.indexOf(value) };
const DICTIONARY = {
  get: (own, key, usual = null) => (key in own ? own[key] : usual),
  items: Object.entries,
  keys: Object.keys,
  values: Object.values,
};

py.bound = (value, name) => {
  const own = typeof value === "string" ? TEXT : Array.isArray(value) ? LIST : null;
  if (own) return (...given) => own[name](value, ...given);
  if (typeof value === "function" || name in value) return value[name].bind ? named(value, value[name]) : value[name];
  return (...given) => DICTIONARY[name](value, ...given);
};
py.method = (value, name, given) => py.bound(value, name)(...given);

function named(value, run) {
  const bound = run.bind(value);
  return Object.assign(bound, { names: run.names, only: run.only });
}

// ---- modules ----------------------------------------------------------------------------------

py.math = {
  ...Object.fromEntries(["ceil", "cos", "exp", "expm1", "floor", "hypot", "log", "log10", "log1p", "sin", "sqrt", "tanh"]
    .map(name => [name, Math[name]])),
  inf: Infinity,
  nan: NaN,
  pi: Math.PI,
  isnan: Number.isNaN,
  isfinite: Number.isFinite,
  isinf: value => Math.abs(value) === Infinity,
  prod: values => py.list(values).reduce((product, each) => product * each, 1),
  copysign: (size, sign) => (sign < 0 || Object.is(sign, -0) ? -Math.abs(size) : Math.abs(size)),

  // Neumaier's sum: what is lost by rounding is added at the end.
  fsum: values => {
    let sum = 0, lost = 0;
    for (const each of values) {
      const next = sum + each;
      lost += Math.abs(sum) >= Math.abs(each) ? sum - next + each : each - next + sum;
      sum = next;
    }
    return sum + lost;
  },

  // Its series near zero, its continued fraction elsewhere; both to 1e-12.
  erf: x => {
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
  },
};
py.re = { search: (pattern, text) => (new RegExp(pattern).test(text) ? [true] : null) };
py.struct = { pack: (style, value) => Math.fround(value), unpack: (style, value) => [value] };
return py;
})();
