"""What the page of `cnn draw -o net.html` does in a browser."""

from __future__ import annotations

SCRIPT = """
"use strict";
const byId = id => document.getElementById(id);
const stage = byId("stage"), about = byId("about"), choice = byId("view");
const layers = JSON.parse(byId("layers").textContent);
const templates = [...document.querySelectorAll("template")];
const LEAST = 0.1, MOST = 4, LISTED = 40;
let svg, width, height, zoom = 1, chosen = null;

// ---- size ----
function resize(to) {
  zoom = Math.min(MOST, Math.max(LEAST, to));
  svg.setAttribute("width", width * zoom);
  svg.setAttribute("height", height * zoom);
  byId("zoom").textContent = Math.round(zoom * 100) + " %";
}
function fit() { resize(Math.min(1, Math.max(0.6, stage.clientWidth / width))); }
byId("less").addEventListener("click", () => resize(zoom / 1.25));
byId("more").addEventListener("click", () => resize(zoom * 1.25));
byId("fit").addEventListener("click", () => resize(Math.min(1, stage.clientWidth / width)));
// The wheel alone scrolls the page, as everywhere.
stage.addEventListener("wheel", event => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  const box = svg.getBoundingClientRect(), before = zoom;
  const x = (event.clientX - box.left) / before, y = (event.clientY - box.top) / before;
  resize(zoom * Math.exp(-event.deltaY / 400));
  stage.scrollLeft += x * (zoom - before);
  scrollBy(0, y * (zoom - before));
}, { passive: false });

// ---- which drawing ----
function show(number) {
  svg = templates[number].content.querySelector("svg").cloneNode(true);
  stage.replaceChildren(svg);
  [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  choice.value = String(number);
  for (const box of svg.querySelectorAll("[data-layers]")) box.setAttribute("role", "button");
  for (const badge of svg.querySelectorAll("[data-part]")) {
    badge.setAttribute("role", "button");
    badge.setAttribute("tabindex", "0");
    badge.setAttribute("aria-label", "Unfold " + badge.dataset.part);
  }
  if (chosen) mark();
}
function unfold(part) {
  const number = templates.findIndex(each => each.dataset.part === part);
  if (number < 0) return;
  show(number);
  resize(zoom);
  const first = boxes().find(box => names(box).some(n => n === part || n.startsWith(part + ".")));
  if (first) { first.scrollIntoView({ block: "center", inline: "center" }); first.focus(); }
}
choice.addEventListener("change", () => { show(Number(choice.value)); resize(zoom); });

// ---- boxes ----
const boxes = () => [...svg.querySelectorAll("[data-layers]")];
const names = box => box.dataset.layers.split(" ");
function element(tag, text, css) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (css) made.className = css;
  return made;
}
function mark() {
  for (const box of boxes()) {
    const same = names(box).includes(chosen);
    box.classList.toggle("chosen", same);
    box.setAttribute("aria-pressed", same);
  }
}
function filled(details, name) {
  if (details.dataset.filled) return;
  details.dataset.filled = "yes";
  const list = element("dl");
  for (const [key, text] of layers[name][1]) list.append(element("dt", key), element("dd", text));
  details.append(list);
}
function select(box) {
  const all = names(box), known = all.filter(name => layers[name]);
  chosen = all[0];
  mark();
  const close = element("button", "Close", "close");
  close.addEventListener("click", () => { hide(); box.focus(); });
  const rest = all.length - 1;
  const others = rest ? ` and ${rest} more ${rest > 1 ? "layers" : "layer"}` : "";
  about.replaceChildren(close, element("h2", all[0] + others));
  known.slice(0, LISTED).forEach((name, position) => {
    const details = element("details"), summary = element("summary");
    summary.append(element("code", name), " ", element("span", layers[name][0], "faint"));
    details.append(summary);
    details.addEventListener("toggle", () => filled(details, name));
    if (position === 0) { details.open = true; filled(details, name); }
    about.append(details);
  });
  const more = known.length - LISTED;
  if (more > 0) about.append(element("p", `${more} more are in the table below.`));
  about.hidden = false;
  about.scrollTop = 0;
  // On a telephone it covers the lower half.
  const low = box.getBoundingClientRect().bottom, top = about.getBoundingClientRect().top;
  if (getComputedStyle(about).position === "fixed" && low > top) scrollBy(0, low - top + 20);
}
function hide() {
  about.hidden = true;
  chosen = null;
  mark();
}
stage.addEventListener("click", event => {
  const badge = event.target.closest("[data-part]"), box = event.target.closest("[data-layers]");
  if (badge) unfold(badge.dataset.part);
  else if (box) select(box);
});
stage.addEventListener("keydown", event => {
  const badge = event.target.closest("[data-part]"), box = event.target.closest("[data-layers]");
  if (event.key === "Enter" || event.key === " ") {
    if (badge) unfold(badge.dataset.part);
    else if (box) select(box);
    else return;
    event.preventDefault();
  } else if (box && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    const all = boxes(), next = all[all.indexOf(box) + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) { next.focus(); if (!about.hidden) select(next); }
    event.preventDefault();
  }
});
addEventListener("keydown", event => {
  if (event.key === "Escape" && !about.hidden) hide();
});
show(0);
fit();
"""
