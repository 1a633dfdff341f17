// Reads a page without a browser and works numbers out, as its script would: for tests.
const fs = require("node:fs");
const [, , page] = process.argv;
const html = fs.readFileSync(page, "utf8");
globalThis.document = {
  getElementById: id => ({
    textContent: html.split(`<script type="text/plain" id="${id}">`)[1].split("</script>")[0],
    remove() {},
  }),
};
// Its own script, up to what needs a browser.
const scripts = html.split("<script>")[1].split("// Elements, maps in gray")[0];
const run = new Function(`${scripts}; return { Layer, layers, ready, worked, fieldOf, unpackedJson, taken };`);
const { Layer, layers, ready, worked, fieldOf, unpackedJson, taken } = run();

(async () => {
  const index = await unpackedJson(taken("pack-index"));
  Layer.training = index.training;
  for (const about of index.layers) layers.set(about.index, new Layer(about, index.images.length));
  const found = [];
  for (const layer of layers.values()) {
    await ready(layer);
    const spread = (length, most) => [...new Set(Array.from({ length: most }, (_, i) => Math.round((i * (length - 1)) / (most - 1))))];
    for (let image = 0; image < index.images.length; image++)
      for (const place of layer.shown.length ? spread(layer.shown.length, 3) : [])
        for (const y of spread(layer.height, 4))
          for (const x of spread(layer.width, 4)) {
            const channel = layer.shown[place], work = worked(layer, image, channel, y, x);
            found.push({
              layer: layer.index, at: [image, channel, y, x], value: String(work.result),
              sum: String(work.computed), rest: work.rest ? work.rest.count : 0, way: work.rule !== "",
              field: fieldOf(layer, channel, y, x),
            });
          }
  }
  console.log(JSON.stringify({ found, index }));
})();
