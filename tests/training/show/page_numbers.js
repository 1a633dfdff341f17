// Reads a page without a browser and works numbers out, as its script would: for tests.
const fs = require("node:fs");
const [, , page, script] = process.argv;
const html = fs.readFileSync(page, "utf8");
globalThis.document = {
  getElementById: id => ({
    textContent: html.split(`<script type="text/plain" id="${id}">`)[1].split("</script>")[0],
    remove() {},
  }),
};
const scripts = script.split(",").map(file => fs.readFileSync(file, "utf8")).join("\n");
const run = new Function(`${scripts}; return { Layer, layers, ready, worked, fieldOf, unpackedJson, taken };`);
const { Layer, layers, ready, worked, fieldOf, unpackedJson, taken } = run();

function sum(work) {
  if (work.steps.length) return work.steps[work.steps.length - 1][2];
  if (!work.additive) return work.groups.length === 1 ? work.groups[0].total : null;
  let sum = work.bias ?? 0;
  for (const group of work.groups) sum += group.total;
  return sum + (work.rest ? work.rest.total : 0);
}

(async () => {
  const index = await unpackedJson(taken("pack-index"));
  for (const about of index.layers) layers.set(about.index, new Layer(about, index.images.length));
  const found = [];
  for (const layer of layers.values()) {
    await ready(layer);
    const spread = (length, most) => [...new Set(Array.from({ length: most }, (_, i) => Math.round((i * (length - 1)) / (most - 1))))];
    for (let image = 0; image < index.images.length; image++)
      for (const place of layer.shown.length ? spread(layer.shown.length, 5) : [])
        for (const y of spread(layer.height, 4))
          for (const x of spread(layer.width, 4)) {
            const channel = layer.shown[place], work = worked(layer, image, channel, y, x);
            found.push({
              layer: layer.index, at: [image, channel, y, x], value: String(work.result),
              sum: String(sum(work)), rest: work.rest ? work.rest.count : 0, way: work.rule !== "",
              field: fieldOf(layer, channel, y, x),
            });
          }
  }
  console.log(JSON.stringify({ found, index }));
})();
