"use strict";
// Parallel coordinates: the trial under the pointer, and ranges chosen along axes, which choose
// lines of the chart and rows of the table.
(() => {
  const svg = document.getElementById("parallel-lines");
  if (!svg) return;
  const readout = document.getElementById("parallel-readout");
  const axes = [...svg.querySelectorAll(".axis")].map(group => ({
    x: Number(group.dataset.x),
    grip: group.querySelector(".grip"),
    brush: group.querySelector(".brush"),
    range: null,
  }));
  const lines = [...svg.querySelectorAll(".line")].map(path => ({
    path,
    number: path.dataset.trial,
    title: path.querySelector("title").textContent,
    at: path.dataset.at.split(",").map(each => (each === "" ? null : Number(each))),
    row: document.getElementById("trial-" + path.dataset.trial),
    out: false,
  }));
  lines.forEach(line => line.path.querySelector("title").remove());
  let over = null;

  const point = event => {
    const place = new DOMPoint(event.clientX, event.clientY);
    return place.matrixTransform(svg.getScreenCTM().inverse());
  };

  const tell = () => {
    readout.textContent = "";
    if (over) {
      const link = document.createElement("a");
      link.href = over.path.dataset.href;
      link.textContent = over.title;
      readout.append(link);
    } else if (axes.some(axis => axis.range)) {
      const left = lines.filter(line => !line.out);
      readout.textContent = left.length + " of " + lines.length + " trials are chosen";
    } else {
      readout.textContent = "\u00a0";
    }
  };

  const show = line => {
    if (line === over) return;
    if (over) {
      over.path.classList.remove("over");
      if (over.row) over.row.classList.remove("over");
    }
    over = line;
    if (over) {
      over.path.classList.add("over");
      if (over.row) over.row.classList.add("over");
      over.path.parentNode.insertBefore(over.path, axes[0].grip.parentNode);
    }
    tell();
  };

  // The height of a line between two axes.
  const heightAt = (line, x) => {
    const right = axes.findIndex(axis => axis.x >= x);
    if (right < 0) return line.at[axes.length - 1];
    if (right === 0) return line.at[0];
    const one = line.at[right - 1], two = line.at[right];
    if (one === null || two === null) return null;
    const share = (x - axes[right - 1].x) / (axes[right].x - axes[right - 1].x);
    return one + share * (two - one);
  };

  const nearest = place => {
    let best = null, least = 14;
    for (const line of lines) {
      const height = line.out ? null : heightAt(line, place.x);
      if (height === null) continue;
      const far = Math.abs(height - place.y);
      if (far < least) [best, least] = [line, far];
    }
    return best;
  };

  const choose = () => {
    for (const line of lines) {
      line.out = axes.some((axis, n) =>
        axis.range && (line.at[n] === null
          || line.at[n] < axis.range[0] - 0.5 || line.at[n] > axis.range[1] + 0.5));
      line.path.classList.toggle("out", line.out);
      if (line.row) line.row.classList.toggle("out", line.out);
    }
    if (over && over.out) show(null);
    tell();
  };

  const draw = axis => {
    const [low, high] = axis.range || [0, 0];
    axis.brush.setAttribute("y", low);
    axis.brush.setAttribute("height", high - low);
    choose();
  };

  for (const axis of axes) {
    let start = null;
    axis.grip.addEventListener("pointerdown", event => {
      start = point(event).y;
      axis.grip.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    axis.grip.addEventListener("pointermove", event => {
      if (start === null) return;
      const now = point(event).y;
      if (Math.abs(now - start) < 3) return;
      axis.range = [Math.min(start, now), Math.max(start, now)];
      draw(axis);
    });
    const end = event => {
      if (start === null) return;
      if (Math.abs(point(event).y - start) < 3) {
        axis.range = null;
        draw(axis);
      }
      start = null;
    };
    axis.grip.addEventListener("pointerup", end);
    axis.grip.addEventListener("pointercancel", () => { start = null; });
  }
  svg.addEventListener("pointermove", event => {
    if (event.buttons === 0) show(nearest(point(event)) || (event.pointerType === "mouse" ? null : over));
  });
  svg.addEventListener("click", event => {
    const line = nearest(point(event));
    if (line && !event.target.classList.contains("grip")) show(line);
  });
  for (const line of lines) {
    if (!line.row) continue;
    line.row.addEventListener("pointerenter", () => show(line));
    line.row.addEventListener("focusin", () => show(line));
  }
})();
