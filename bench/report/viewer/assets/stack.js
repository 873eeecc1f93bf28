// A stack of slices in three planes on plain canvases; works everywhere, also from files.
"use strict";
(() => {
  const { make } = window.m3d;
  const PLANES = [["axial", "D"], ["coronal", "H"], ["sagittal", "W"]];
  const FILL = 0.3;
  const colours = new Map();

  function colour(who) {
    if (!colours.has(who)) {
      const name = who === "0" || who === "1" ? "--run" + who : "--" + who;
      colours.set(who, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
    }
    return colours.get(who);
  }

  const rgb = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));

  // The voxel at (row, column) of a slice.
  function places(grid, axis, cut) {
    const [, height, width] = grid;
    if (axis === 0) return { rows: grid[1], columns: width, at: (row, column) => (cut * height + row) * width + column };
    if (axis === 1) return { rows: grid[0], columns: width, at: (row, column) => (row * height + cut) * width + column };
    return { rows: grid[0], columns: height, at: (row, column) => (row * height + column) * width + cut };
  }

  // state: {scene, shown (who -> {mask, box}), window: {low, high} in stored values, active}; run: whose answer is drawn.
  function paint(canvas, state, run, axis) {
    const { scene } = state;
    const { rows, columns, at } = places(scene.grid, axis, scene.cut[axis]);
    const scale = window.devicePixelRatio || 1;
    const width = Math.max(64, Math.round(canvas.clientWidth * scale));
    const height = Math.max(64, Math.round(canvas.clientHeight * scale));
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const image = new ImageData(columns, rows);
    const grey = levels(scene, state.window);
    for (let row = 0, to = 0; row < rows; row++) for (let column = 0; column < columns; column++, to += 4) {
      const value = scene.voxels ? grey[scene.voxels[at(row, column)]] : 18;
      image.data[to] = image.data[to + 1] = image.data[to + 2] = value;
      image.data[to + 3] = 255;
    }
    const masks = ["reference", run].filter((who) => scene.masks[who] && scene.masks[who].voxels && state.shown[who].mask);
    for (const who of masks) if (who !== "reference") tint(image, scene.masks[who].voxels, at, rows, columns, rgb(colour(who)));
    const small = new OffscreenCanvas(columns, rows);
    small.getContext("2d").putImageData(image, 0, 0);
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, width, height);
    const [down, right] = [height / rows, width / columns];
    for (const who of masks) outline(context, scene.masks[who].voxels, at, rows, columns, down, right, colour(who), 1.6 * scale);
    for (const who of ["asked", "reference", run]) {
      if (scene.boxes[who] && state.shown[who].box) rectangle(context, scene, who, axis, width, height, scale);
    }
    crosshair(context, scene, axis, down, right, width, height, scale);
  }

  function levels(scene, chosen) {
    const [low, high] = scene.range;
    const table = new Uint8Array(256);
    for (let byte = 0; byte < 256; byte++) {
      const stored = low + (byte / 255) * (high - low);
      table[byte] = Math.max(0, Math.min(255, Math.round((255 * (stored - chosen.low)) / (chosen.high - chosen.low || 1e-9))));
    }
    return table;
  }

  function tint(image, mask, at, rows, columns, [red, green, blue]) {
    for (let row = 0, to = 0; row < rows; row++) for (let column = 0; column < columns; column++, to += 4) {
      if (!mask[at(row, column)]) continue;
      image.data[to] += FILL * (red - image.data[to]);
      image.data[to + 1] += FILL * (green - image.data[to + 1]);
      image.data[to + 2] += FILL * (blue - image.data[to + 2]);
    }
  }

  // The edges between voxels of the mask and others.
  function outline(context, mask, at, rows, columns, down, right, stroke, line) {
    const inside = (row, column) => row >= 0 && row < rows && column >= 0 && column < columns && mask[at(row, column)] > 0;
    context.beginPath();
    for (let row = 0; row <= rows; row++) for (let column = 0; column <= columns; column++) {
      const here = inside(row, column);
      if (here !== inside(row - 1, column)) { context.moveTo(column * right, row * down); context.lineTo((column + 1) * right, row * down); }
      if (here !== inside(row, column - 1)) { context.moveTo(column * right, row * down); context.lineTo(column * right, (row + 1) * down); }
    }
    context.setLineDash([]);
    Object.assign(context, { strokeStyle: stroke, lineWidth: line, lineCap: "square" });
    context.stroke();
  }

  // Full where the slice passes through the box, faint where it passes beside it; the reference solid, others dashed.
  function rectangle(context, scene, who, axis, width, height, scale) {
    const box = scene.boxes[who];
    const [row, column] = [0, 1, 2].filter((other) => other !== axis);
    const length = scene.grid[axis];
    const through = box[axis] * length < scene.cut[axis] + 1 && box[axis + 3] * length > scene.cut[axis];
    context.setLineDash(who === "reference" ? [] : who === "asked" ? [2 * scale, 3 * scale] : [7 * scale, 4 * scale]);
    Object.assign(context, { strokeStyle: colour(who), lineWidth: 2 * scale, lineCap: "butt", globalAlpha: through ? 1 : 0.3 });
    context.strokeRect(box[column] * width, box[row] * height, (box[column + 3] - box[column]) * width, (box[row + 3] - box[row]) * height);
    context.globalAlpha = 1;
    context.setLineDash([]);
  }

  function crosshair(context, scene, axis, down, right, width, height, scale) {
    const [row, column] = [0, 1, 2].filter((other) => other !== axis);
    const [y, x] = [(scene.cut[row] + 0.5) * down, (scene.cut[column] + 0.5) * right];
    const gap = 9 * scale;
    context.beginPath();
    for (const [x0, y0, x1, y1] of [[0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap], [x, y + gap, x, height]]) {
      context.moveTo(x0, y0); context.lineTo(x1, y1);
    }
    Object.assign(context, { strokeStyle: "rgb(255 255 255 / .35)", lineWidth: scale });
    context.stroke();
  }

  // runs: [{who, name}], one row of planes each; state.move(axis, slice) and state.activate(axis) are called back.
  function create(host, state, runs) {
    const panes = [];
    host.className = runs.length > 1 ? "view two" : "view";
    host.replaceChildren();
    // Columns as wide as their planes, so that all are equally high.
    const [depth, height, width] = state.scene.grid.map((length, axis) => length * state.scene.sizes[axis]);
    host.style.setProperty("--columns", [width / height, width / depth, height / depth].map((share) => "minmax(0, " + share.toFixed(3) + "fr)").join(" "));
    for (const [place, run] of runs.entries()) {
      if (runs.length > 1) {
        const name = make("div", { className: "run-name who-" + run.who }, make("span", { className: "dot" }), run.name);
        host.append(name);
      }
      PLANES.forEach(([plane, letter], axis) => host.append(pane(state, run, place, plane, letter, axis, panes)));
    }
    const observer = new ResizeObserver(() => draw());
    observer.observe(host);

    function draw() {
      for (const one of panes) one.draw();
    }
    return { draw, close: () => observer.disconnect() };
  }

  function pane(state, run, place, plane, letter, axis, panes) {
    const { scene } = state;
    const length = scene.grid[axis];
    const canvas = make("canvas", { role: "img", className: "slice" });
    canvas.dataset.plane = plane;
    canvas.dataset.run = run.who;
    const told = make("span", {});
    const slider = make("input", { type: "range", min: "0", max: String(length - 1), step: "1", "aria-label": plane + " slice, " + run.name });
    const frame = make("div", { className: "frame" }, canvas, scene.letters ? letters(axis) : []);
    const figure = make("figure", {}, frame, make("figcaption", {}, make("b", {}, plane), told), slider);
    const [row, column] = [0, 1, 2].filter((other) => other !== axis);
    const [tall, wide] = [scene.grid[row] * scene.sizes[row], scene.grid[column] * scene.sizes[column]];
    frame.style.aspectRatio = String(wide / tall);
    figure.style.setProperty("--place", String(axis * 2 + place));
    slider.addEventListener("input", () => { state.activate(axis); state.move(axis, Number(slider.value)); });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      state.activate(axis);
      state.move(axis, scene.cut[axis] + Math.sign(event.deltaY));
    }, { passive: false });
    const point = (event) => {
      const area = canvas.getBoundingClientRect();
      state.activate(axis);
      state.move(row, Math.floor(((event.clientY - area.top) / area.height) * scene.grid[row]));
      state.move(column, Math.floor(((event.clientX - area.left) / area.width) * scene.grid[column]));
    };
    canvas.addEventListener("pointerdown", point);
    canvas.addEventListener("pointermove", (event) => { if (event.buttons & 1 && event.pointerType === "mouse") point(event); });
    panes.push({
      draw() {
        const cut = scene.cut[axis];
        const stored = scene.flips[axis] ? length - 1 - cut : cut;
        slider.value = String(cut);
        slider.setAttribute("aria-valuetext", "slice " + (cut + 1) + " of " + length);
        told.textContent = letter + " = " + stored + " of 0–" + (length - 1);
        canvas.setAttribute("aria-label", plane + " slice " + (cut + 1) + " of " + length + " of " + run.name);
        figure.classList.toggle("active", state.active === axis);
        paint(canvas, state, run.who, axis);
      },
    });
    return figure;
  }

  function letters(axis) {
    const ends = [["A", "P", "R", "L"], ["S", "I", "R", "L"], ["S", "I", "A", "P"]][axis];
    return ["top", "bottom", "left", "right"].map((side, place) => make("span", { className: "letter " + side, ariaHidden: "true" }, ends[place]));
  }

  window.m3d.stack = { create, colour, places, outline, rectangle, crosshair };
})();
