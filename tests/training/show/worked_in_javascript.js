// Works elements out by translated operations: for tests. Reads { script, elements } from standard
// input; numbers are those of `value` and `weight` in test_page_arithmetic.py.
const fs = require("node:fs");
const { script, elements } = JSON.parse(fs.readFileSync(0, "utf8"));
const { OPERATIONS, Element, py } = new Function(`${script}; return { OPERATIONS, Element, py };`)();

const part = (sum, steps, less) => (((sum % steps) + steps) % steps - less) / 8;
const reader = image => (input, channel, ...position) =>
  part(position.reduce((sum, at, axis) => sum + [11, 7, 13][axis] * at, 37 * channel + 5 * input + 3 * image), 23, 9);
const weight = (name, index) =>
  part(index.reduce((sum, each, axis) => sum + (axis + 2) * 13 * each, name.length), 17, name === "running_var" ? -1 : 5);

console.log(JSON.stringify(elements.map(({ type, values, at, output, inputs, training, actual }) => {
  const element = py.new(Element, [at, output, inputs, reader(0), weight], { training, others: [reader(1)], actual });
  const worked = new OPERATIONS[type](values).work_out(element);
  const { rule, result, formula, note, additive, groups } = worked;
  return { rule, result: String(result), formula, note, additive,
    groups: groups.map(each => [each.name, each.how, each.terms.length]), lines: worked.lines() };
})));
