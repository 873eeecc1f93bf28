// Start, addresses (#/TASK/SAMPLE) and keys.
"use strict";
(async () => {
  const { get, list, make, number, sample, viewer } = window.m3d;
  const $ = (id) => document.getElementById(id);
  let task = null;
  let position = -1;

  function place() {
    const [, first, second] = location.hash.split("/");
    const found = window.m3d.overview.tasks[Number(first)] || window.m3d.overview.tasks[0];
    const wanted = second === undefined || second === "" ? -1 : Number(second);
    return [found, Number.isInteger(wanted) && wanted >= 0 && wanted < found.count ? wanted : -1];
  }

  async function follow() {
    const [found, wanted] = place();
    if (found !== task) {
      task = found;
      position = -1;
      $("task").value = String(task.place);
      note();
      const opened = list.open(task);
      if (wanted < 0) await first(opened);
    }
    document.body.classList.toggle("reading", wanted >= 0);
    if (wanted < 0 || wanted === position) return;
    position = wanted;
    list.mark(position, true);
    await sample.open(task, position);
    list.mark(position, false);
  }

  // On wide screens a sample is open from the start.
  async function first(opened) {
    viewer.close();
    $("sample").replaceChildren(make("p", { className: "dim" }, "Choose a sample from the list."));
    if (matchMedia("(max-width: 820px)").matches || !task.count) return;
    await opened;
    if (list.first() !== undefined && place()[1] < 0) location.replace("#/" + task.place + "/" + list.first());
  }

  function note() {
    const key = "corrected:" + task.primary;
    const values = task.runs.map((run, index) => (run && run.values[key] !== undefined
      ? (task.runs.length > 1 ? window.m3d.overview.runs[index].letter + " " : "") + task.primary + " " + number(run.values[key]) : "")).filter(Boolean);
    const told = [values.join(", ")];
    if (task.gone) told.push("the data directory " + task.gone + " is no longer there: texts and scores only");
    task.runs.forEach((run, index) => {
      const name = window.m3d.overview.runs[index].letter;
      if (!run) told.push(name + " has not this task");
      else if (run.shared < task.runs[0].samples) told.push(name + " has " + run.shared + " of these samples");
      else if (run.samples > run.shared) told.push(name + " has " + (run.samples - run.shared) + " further samples, not shown");
    });
    $("task-note").textContent = told.filter(Boolean).join(" · ");
  }

  window.m3d.step = (by) => {
    const next = list.beside(position, by);
    if (next !== undefined) location.hash = "#/" + task.place + "/" + next;
  };

  const TYPED = 'select, input[type="search"], input[type="number"]';
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest(TYPED)) return;
    const deeds = {
      n: () => window.m3d.step(1), p: () => window.m3d.step(-1),
      ArrowDown: () => viewer.scroll(1), ArrowRight: () => viewer.scroll(1),
      ArrowUp: () => viewer.scroll(-1), ArrowLeft: () => viewer.scroll(-1),
      PageDown: () => viewer.scroll(10), PageUp: () => viewer.scroll(-10),
      1: () => viewer.plane(0), 2: () => viewer.plane(1), 3: () => viewer.plane(2),
    };
    const deed = deeds[event.key];
    if (!deed || (event.key.length > 1 && (!viewer.state() || event.target.closest('#list, .text, .scroll, input[type="range"]')))) return;
    event.preventDefault();
    deed();
  });

  // Pages written with --limit show fewer samples than the run's values rest on.
  const counted = (task) => task.count.toLocaleString("en") + (task.of > task.count ? " of " + task.of.toLocaleString("en") : "");

  try {
    const overview = window.m3d.overview = await get("overview");
    overview.tasks.forEach((one, index) => { one.place = index; });
    $("models").textContent = overview.runs.map((run) => (overview.runs.length > 1 ? run.letter + " " : "") + run.models.join(", ")).join(" · ")
      + (overview.only.length ? " · only in B: " + overview.only.join(", ") : "");
    $("task").replaceChildren(...overview.tasks.map((one, index) => make("option", { value: String(index) }, one.title + " (" + counted(one) + ")")));
    $("task").addEventListener("change", (event) => { location.hash = "#/" + event.target.value; });
    $("versus-field").hidden = overview.runs.length < 2;
    window.addEventListener("hashchange", () => follow().catch(fail));
    await follow();
  } catch (error) {
    fail(error);
  }

  function fail(error) {
    $("sample").replaceChildren(make("p", { className: "notice", role: "alert" }, "This cannot be shown: " + error.message));
    document.body.classList.add("reading");
  }
})();
