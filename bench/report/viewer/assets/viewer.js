// The panel with the volume: windows, overlays, and the view that draws, NiiVue or the stack of slices.
"use strict";
(() => {
  const { make } = window.m3d;
  const kept = { engine: window.m3d.served ? new URLSearchParams(location.search).get("view") || sessionStorage.getItem("m3d.view") : null, window: null, active: 0, hidden: new Set() };
  let view = null;
  let state = null;

  const webgl = (() => {
    let known = null;
    return () => {
      if (known === null) known = window.m3d.served && Boolean(document.createElement("canvas").getContext("webgl2"));
      return known;
    };
  })();

  function close() {
    if (view) view.close();
    view = null;
    state = null;
  }

  async function open(host, task, position, sample, still) {
    close();
    const { scene: scenes, sample: { nameOf, dot } } = window.m3d;
    const scene = await scenes.load(task, position, sample);
    if (!still()) return;
    tell(sample, scene);
    const problems = scene.problems.map((one) => make("p", { className: "notice" },
      (one.what === "volume" ? "" : (one.what === "reference" ? "Reference mask: " : nameOf(Number(one.what)) + ": ")) + one.text
      + (one.gone ? ". Texts and scores are shown; give --data DIR to show the volume." : "")));
    if (!scenes.visible(scene)) {
      const none = sample.volume === null ? [make("p", { className: "dim" }, "The run names no volume for this sample.")] : [];
      host.replaceChildren(make("h2", {}, "Volume"), ...problems, ...none);
      return;
    }
    const all = sample.runs.map((run, index) => ({ who: String(index), name: nameOf(index), there: run })).filter((run) => run.there);
    // Side by side only where the answers are something to see.
    const seen = all.some((run) => scene.masks[run.who] || scene.boxes[run.who]);
    const runs = seen || all.length < 2 ? all : [{ ...all[0], name: "volume" }];
    const shown = {};
    for (const who of ["reference", "asked", "0", "1"]) shown[who] = { mask: !kept.hidden.has(who + "mask"), box: !kept.hidden.has(who + "box") };
    state = { scene, shown, runs, window: windowOf(scene), active: kept.active, position, task,
      move(axis, to) {
        const cut = Math.max(0, Math.min(scene.grid[axis] - 1, to));
        if (cut === scene.cut[axis]) return;
        scene.cut[axis] = cut;
        redraw();
      },
      activate(axis) { kept.active = state.active = axis; redraw(); } };
    const stage = make("div", { className: "view" });
    const tools = make("div", { className: "tools" }, windows(scene), overlays(scene, shown, runs, dot), engines(stage));
    const keys = make("p", { className: "keys" }, "Keys: ", make("kbd", {}, "↑"), " ", make("kbd", {}, "↓"), " scroll the slices, ",
      make("kbd", {}, "1"), " ", make("kbd", {}, "2"), " ", make("kbd", {}, "3"), " choose the plane, ", make("kbd", {}, "n"), " ", make("kbd", {}, "p"), " next and previous sample.",
      scene.letters ? "" : " The data state no orientation: shown as stored.", scene.spacing ? "" : " Voxel sizes are not known: shown as a cube.");
    host.replaceChildren(make("h2", {}, "Volume"), ...problems, tools, stage, keys);
    await start(stage);
  }

  // The last start counts: views come up slowly, and a click or a further sample may overtake them.
  let starts = 0;
  async function start(stage) {
    if (view) view.close();
    const mine = state;
    const number = ++starts;
    const still = () => number === starts && state === mine;
    const wanted = kept.engine || (webgl() ? "niivue" : "slices");
    view = null;
    if (wanted === "niivue" && webgl() && mine.scene.voxels) {
      const made = await window.m3d.nii.create(stage, mine, still).catch((error) => { console.warn("NiiVue: " + error.message); return null; });
      if (!still()) { if (made) made.close(); return; }
      view = made;
    }
    view = view || window.m3d.stack.create(stage, mine, mine.runs);
    stage.dataset.engine = view.engine || "slices";
    view.draw();
  }

  let asked = 0;
  function redraw() {
    if (asked) return;
    asked = requestAnimationFrame(() => { asked = 0; if (view) view.draw(); });
  }

  // Voxels of the masks into the panels of reference and answers.
  function tell(sample, scene) {
    const targets = [...document.querySelectorAll("#sample .mask-told")];
    const whos = ["reference", "0", "1"].filter((who) => who === "reference" ? sample.reference.mask : sample.runs[who] && sample.runs[who].mask);
    whos.forEach((who, place) => {
      const mask = scene.masks[who];
      const told = !mask ? "cannot be shown" : mask.count ? mask.count.toLocaleString("en") + " voxels" + (mask.ml !== undefined ? ", " + mask.ml + " ml" : "") : "empty";
      if (targets[place]) targets[place].textContent = told;
    });
  }

  function windowOf(scene) {
    const found = scene.windows.find((one) => one.name === kept.window) || scene.windows[0];
    return found ? { low: found.low, high: found.high } : { low: scene.range[0], high: scene.range[1] };
  }

  function windows(scene) {
    if (!scene.voxels) return "";
    const [low, high] = scene.range;
    const select = make("select", { id: "window" }, scene.windows.map((one) => make("option", { value: one.name },
      one.name + (one.hu ? " (" + one.hu[0] + " to " + one.hu[1] + " HU)" : ""))));
    select.value = scene.windows.some((one) => one.name === kept.window) ? kept.window : scene.windows[0].name;
    const slider = (name) => make("input", { type: "range", min: low, max: high, step: (high - low) / 255, value: state.window[name],
      "aria-label": name === "low" ? "black level" : "white level",
      oninput: (event) => {
        state.window[name] = Number(event.target.value);
        if (state.window.low >= state.window.high) state.window[name === "low" ? "high" : "low"] = state.window[name];
        redraw();
      } });
    const [black, white] = [slider("low"), slider("high")];
    select.addEventListener("change", () => {
      kept.window = select.value;
      Object.assign(state.window, windowOf(scene));
      [black.value, white.value] = [state.window.low, state.window.high];
      redraw();
    });
    return make("span", { className: "window" }, make("label", {}, "Window ", select), make("label", {}, "black ", black), make("label", {}, "white ", white));
  }

  function overlays(scene, shown, runs, dot) {
    const boxes = [];
    const toggle = (who, kind, name) => boxes.push(make("label", {}, make("input", { type: "checkbox", checked: shown[who][kind], "data-overlay": who + "-" + kind,
      onchange: (event) => {
        shown[who][kind] = event.target.checked;
        kept.hidden[event.target.checked ? "delete" : "add"](who + kind);
        redraw();
      } }), dot(who), name + " " + kind));
    const names = [["reference", "reference"], ["asked", "asked"], ...runs.map((run) => [run.who, runs.length > 1 ? run.name : "answer"])];
    for (const [who, name] of names) {
      if (scene.masks[who] && scene.masks[who].voxels) toggle(who, "mask", name);
      if (scene.boxes[who]) toggle(who, "box", name);
    }
    if (!boxes.length) return "";
    return make("span", { className: "overlays", role: "group", ariaLabel: "Overlays" }, boxes);
  }

  function engines(stage) {
    if (!webgl() || !state.scene.voxels) return "";
    const now = kept.engine || "niivue";
    return make("span", { role: "group", ariaLabel: "View" }, ["niivue", "slices"].map((engine) => make("button", { type: "button", "aria-pressed": String(engine === now), "data-engine": engine,
      onclick: async (event) => {
        kept.engine = engine;
        sessionStorage.setItem("m3d.view", engine);
        for (const one of event.target.parentNode.children) one.setAttribute("aria-pressed", String(one === event.target));
        await start(stage);
      } }, engine === "niivue" ? "NiiVue" : "Slices")));
  }

  const scroll = (by) => { if (state) state.move(state.active, state.scene.cut[state.active] + by); };
  window.m3d.viewer = { open, close, scroll, plane: (axis) => state && state.activate(axis), state: () => state };
})();
