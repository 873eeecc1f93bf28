// NiiVue as a view of the scene: full precision, zoom and pan. Loaded when first wanted; boxes are drawn over it.
"use strict";
(() => {
  const { make } = window.m3d;
  const PLANES = [[1, 2], [0, 2], [0, 1]]; // rows and columns (of D, H, W) of an axial, coronal and sagittal tile
  const FILL = 0.4;
  const kept = []; // instances, since a browser lends few WebGL contexts
  let library = null;

  function load() {
    library = library || new Promise((resolve, reject) => {
      const script = make("script", { src: "assets/niivue.umd.js" });
      script.onload = () => resolve(window.niivue);
      script.onerror = () => { library = null; reject(new Error("it cannot be loaded")); };
      document.head.append(script);
    });
    return library;
  }

  async function instance(place, stage) {
    if (kept[place]) {
      stage.append(kept[place].host);
      return kept[place];
    }
    const { Niivue, SHOW_RENDER } = await load();
    const canvas = make("canvas", { tabIndex: 0 });
    const host = make("div", { className: "nii" }, canvas, make("canvas", { className: "boxes", ariaHidden: "true" }));
    stage.append(host);
    const nv = new Niivue({
      logLevel: "error", loadingText: "", dragAndDropEnabled: false, backColor: [0, 0, 0, 1], crosshairWidth: 0, isRadiologicalConvention: true, sagittalNoseLeft: true,
      clipPlaneHotKey: "", cycleClipPlaneHotKey: "", viewModeHotKey: "", multiplanarShowRender: SHOW_RENDER.NEVER, multiplanarPadPixels: 6, fontColor: [1, 0.88, 0.4, 1],
    });
    await nv.attachToCanvas(canvas);
    return (kept[place] = { nv, host, canvas });
  }

  // A colour map from nothing to one colour.
  function colourMap(nv, who) {
    const hex = window.m3d.stack.colour(who);
    const [R, G, B] = [1, 3, 5].map((start) => { const value = parseInt(hex.slice(start, start + 2), 16); return [value, value]; });
    nv.addColormap("m3d" + who, { R, G, B, A: [0, 255], I: [0, 255] });
    return "m3d" + who;
  }

  async function pane(stage, state, run, place) {
    const { scene, task, position } = state;
    const made = await instance(place, stage);
    const { nv, host, canvas } = made;
    const filled = Boolean(scene.masks[run.who] && scene.masks[run.who].voxels);
    const [depth, height, width] = scene.grid.map((length, axis) => length * scene.sizes[axis]);
    host.style.aspectRatio = String((2 * width + height) / Math.max(depth, height));
    nv.opts.isOrientationTextVisible = scene.letters;
    nv.opts.multiplanarLayout = host.clientWidth < 560 ? window.niivue.MULTIPLANAR_TYPE.GRID : window.niivue.MULTIPLANAR_TYPE.ROW;
    await nv.loadVolumes([
      { url: "data/" + scene.key + ".nii", colormap: "gray", cal_min: state.window.low, cal_max: state.window.high },
      ...(filled ? [{ url: "data/" + task.place + "/mask/" + position + "/" + run.who + ".nii", colormap: colourMap(nv, run.who), opacity: FILL, cal_min: 0, cal_max: 1 }] : []),
    ]);
    canvas.setAttribute("role", "img");
    canvas.dataset.run = run.who;
    nv.onLocationChange = ({ frac }) => {
      [2, 1, 0].forEach((axis, at) => state.move(axis, Math.floor((1 - frac[at]) * scene.grid[axis])));
      const tile = nv.screenSlices[nv.inRenderTile ? -1 : tileAt(nv)];
      if (tile && tile.axCorSag < 3 && tile.axCorSag !== state.active) state.activate(tile.axCorSag);
    };
    return { ...made, run, filled, told: "" };
  }

  function tileAt(nv) {
    const [x, y] = nv.mousePos || [0, 0];
    return nv.tileIndex(x * nv.uiData.dpr, y * nv.uiData.dpr);
  }

  function draw(one, state) {
    const { nv, canvas, run, filled } = one;
    const { scene } = state;
    const wanted = JSON.stringify([state.window, state.shown[run.who].mask]);
    if (wanted !== one.told) {
      one.told = wanted;
      [nv.volumes[0].cal_min, nv.volumes[0].cal_max] = [state.window.low, state.window.high];
      if (filled) nv.volumes[1].opacity = state.shown[run.who].mask ? FILL : 0;
      nv.updateGLVolume();
    }
    nv.scene.crosshairPos = [2, 1, 0].map((axis) => 1 - (scene.cut[axis] + 0.5) / scene.grid[axis]);
    nv.drawScene();
    const [d, h, w] = scene.cut.map((cut, axis) => (scene.flips[axis] ? scene.grid[axis] - 1 - cut : cut));
    canvas.setAttribute("aria-label", run.name + ": axial D = " + d + ", coronal H = " + h + ", sagittal W = " + w);
    boxes(one, state);
  }

  function boxes({ nv, host, canvas, run }, { scene, shown }) {
    const over = host.querySelector(".boxes");
    [over.width, over.height] = [canvas.width, canvas.height];
    const context = over.getContext("2d");
    const scale = window.devicePixelRatio || 1;
    for (const [index, tile] of nv.screenSlices.entries()) {
      const axis = tile.axCorSag;
      if (axis > 2) continue;
      const [from, top, mirrored, height] = tile.leftTopWidthHeight;
      const [left, width] = [Math.min(from, from + mirrored), Math.abs(mirrored)]; // NiiVue mirrors by a negative width
      const fraction = (share) => [...nv.screenXY2TextureFrac(left + share * width, top + share * height, index, false)].map((value) => 1 - value).reverse();
      const [near, far] = [fraction(0.25), fraction(0.75)];
      const first = near.map((value, at) => value - (far[at] - value) / 2);
      const last = far.map((value, at) => value + (value - near[at]) / 2);
      const [row, column] = PLANES[axis];
      // From fractions of the grid to pixels of this tile.
      const down = height / (last[row] - first[row]);
      const right = width / (last[column] - first[column]);
      context.save();
      context.beginPath();
      context.rect(left, top, width, height);
      context.clip();
      context.translate(left - first[column] * right, top - first[row] * down);
      const { rows, columns, at } = window.m3d.stack.places(scene.grid, axis, scene.cut[axis]);
      for (const who of ["reference", run.who]) {
        const mask = scene.masks[who];
        if (mask && mask.voxels && shown[who].mask) window.m3d.stack.outline(context, mask.voxels, at, rows, columns, down / rows, right / columns, window.m3d.stack.colour(who), 1.6 * scale);
      }
      for (const who of ["asked", "reference", run.who]) {
        if (scene.boxes[who] && shown[who].box) window.m3d.stack.rectangle(context, scene, who, axis, right, down, scale);
      }
      window.m3d.stack.crosshair(context, scene, axis, down / scene.grid[row], right / scene.grid[column], right, down, scale);
      context.restore();
    }
  }

  // still: whether this view is still wanted; raises where it is not.
  async function create(stage, state, still) {
    await load();
    if (!still()) throw new Error("overtaken");
    const panes = [];
    stage.className = state.runs.length > 1 ? "view nii-view two" : "view nii-view";
    stage.replaceChildren();
    for (const [place, run] of state.runs.entries()) {
      if (state.runs.length > 1) stage.append(make("div", { className: "run-name who-" + run.who }, make("span", { className: "dot" }), run.name));
      panes.push(await pane(stage, state, run, place));
      if (!still()) {
        panes.forEach(({ nv, host }) => { nv.onLocationChange = () => {}; host.remove(); });
        throw new Error("overtaken");
      }
    }
    const captions = make("p", { className: "keys where", role: "status" });
    stage.append(captions);
    const redraw = () => panes.forEach((one) => draw(one, state));
    // NiiVue redraws by itself (resized, zoomed, panned) and tells nobody: what is drawn over it follows its tiles.
    let following = requestAnimationFrame(function follow() {
      for (const one of panes) {
        const { nv, canvas } = one;
        const tiles = JSON.stringify([canvas.width, canvas.height, [...nv.scene.pan2Dxyzmm], nv.screenSlices.map((tile) => tile.leftTopWidthHeight)]);
        if (tiles !== one.tiles) {
          one.tiles = tiles;
          boxes(one, state);
        }
      }
      following = requestAnimationFrame(follow);
    });
    return {
      engine: "niivue",
      draw() {
        redraw();
        captions.textContent = ["axial D", "coronal H", "sagittal W"].map((told, axis) => {
          const cut = state.scene.flips[axis] ? state.scene.grid[axis] - 1 - state.scene.cut[axis] : state.scene.cut[axis];
          return (axis === state.active ? "▸ " : "") + told + " = " + cut + " of 0–" + (state.scene.grid[axis] - 1);
        }).join("   ");
      },
      close() {
        cancelAnimationFrame(following);
        panes.forEach(({ nv, host }) => {
          nv.onLocationChange = () => {};
          host.remove();
        });
      },
    };
  }

  window.m3d.nii = { create };
})();
