// The page of a sample: what was asked, what is right, what was answered, how it was scored and judged.
"use strict";
(() => {
  const { get, make, number } = window.m3d;
  const article = document.getElementById("sample");
  let turn = 0;

  const dot = (who) => make("span", { className: "dot who-" + who, ariaHidden: "true" });
  const label = (text) => make("p", { className: "label" }, text);
  const text = (content, code) => make("p", { className: code ? "text code" : "text", dir: "auto" }, content);
  const panel = (title, ...content) => make("section", { className: "panel" }, make("h2", {}, title), content);
  const boxed = (box) => "[" + box.map((value) => value.toFixed(3)).join(", ") + "]";
  const nameOf = (index) => {
    const run = window.m3d.overview.runs[index];
    return window.m3d.overview.runs.length > 1 ? run.letter + " · " + run.name : "Answer";
  };

  async function open(task, position) {
    const mine = ++turn;
    const { page } = window.m3d.overview;
    const told = await get(task.place + "/samples/" + Math.floor(position / page));
    if (mine !== turn) return;
    const sample = told.samples[position - told.start];
    const viewer = make("section", { className: "panel viewer" }, make("h2", {}, "Volume"), make("p", { className: "dim" }, "Reading the volume…"));
    article.setAttribute("aria-label", "Sample " + sample.id);
    article.replaceChildren(title(task, position, sample), ...notices(task, sample), viewer,
      make("div", { className: "columns" }, request(sample), reference(sample)),
      make("div", { className: "columns" }, sample.runs.map((run, index) => answer(task, run, index))),
      scores(task, sample), ...judged(sample), facts(sample));
    steps(task, position);
    article.scrollTop = 0;
    await window.m3d.viewer.open(viewer, task, position, sample, () => mine === turn);
    if (mine === turn) article.dataset.ready = String(position);
  }

  // Where the sample stands in the list, which may still be coming.
  function steps(task, position) {
    const [place, count] = window.m3d.list.place(position);
    if (!document.getElementById("place")) return;
    document.getElementById("place").textContent = task.title + (place ? " · " + place + " of " + count + " in the list" : "");
    for (const button of article.querySelectorAll("[data-step]")) button.disabled = window.m3d.list.beside(position, Number(button.dataset.step)) === undefined;
  }

  function title(task, position, sample) {
    const step = (by, told) => make("button", { type: "button", "data-step": by, onclick: () => window.m3d.step(by) }, told);
    return make("div", { className: "title" },
      make("div", {}, make("h1", {}, sample.id), make("span", { className: "dim", id: "place" })),
      make("div", { className: "steps" }, make("button", { type: "button", className: "back", onclick: () => { location.hash = "#/" + task.place; } }, "‹ List"),
        step(-1, "‹ Previous"), step(1, "Next ›")));
  }

  function notices(task, sample) {
    const told = [];
    if (sample.excluded) told.push("Corrected scoring leaves this sample out: " + sample.excluded);
    if (sample.note) told.push("Repaired in the data: " + sample.note);
    const controls = task.runs.filter((run) => run && run.control).map((run) => run.control);
    if (controls.length) told.push("The model was not shown this volume: control run (" + controls.join(", ") + ").");
    return told.map((content) => make("p", { className: "notice" }, content));
  }

  function request(sample) {
    const { request } = sample;
    const wordings = sample.runs.map((run) => run && run.wording).filter(Boolean);
    const content = [text(request.wording || request.question || "–")];
    if (request.question && !(request.wording || "").includes(request.question)) content.push(label("Question"), text(request.question));
    if (request.description && !(request.wording || "").includes(request.description)) content.push(label("Description"), text(request.description));
    if (request.choices) content.push(label("Choices"), make("ul", {}, Object.entries(request.choices).map(([letter, choice]) => make("li", {}, letter + ". " + choice))));
    if (request.box) content.push(label("Box"), make("p", {}, dot("asked"), " " + boxed(request.box)));
    if (request.target) content.push(label("Target"), text(request.target));
    if (wordings.length) content.push(make("details", {}, make("summary", {}, "The prompt as the model got it"), wordings.map((one) => text(one, true))));
    return panel("Prompt", content);
  }

  function reference(sample) {
    const { reference } = sample;
    const content = [];
    if (reference.choice) content.push(text(reference.choice + ". " + (reference.text || "")));
    else if (reference.text) content.push(text(reference.text));
    if (reference.names && reference.names.length) content.push(label("Accepted names"), text(reference.names.join(", ")));
    if (reference.box) content.push(label("Box (half-open fractions D, H, W)"), text(boxed(reference.box)));
    if (reference.mask) content.push(label("Mask"), make("p", { className: "mask-told" }, "–"));
    if (reference.present === false) content.push(text("The target is not in the volume."));
    if (!content.length) content.push(text("–"));
    return panel([dot("reference"), "Reference"], content);
  }

  function answer(task, run, index) {
    const heading = [dot(index), nameOf(index)];
    if (!run) return panel(heading, make("p", { className: "dim" }, "This run has not the task " + task.name + "."));
    if (run.status !== "ok") heading.push(make("span", { className: "mark bad" }, run.status));
    const content = [];
    if (run.status === "missing") content.push(text("There is no answer to this sample."));
    if (run.reason) content.push(label("Reason"), text(run.reason));
    if (run.text !== undefined && run.text !== null) content.push(text(run.text === "" ? "(empty)" : run.text));
    if (run.absent) content.push(text("The model states that the target is not there."));
    if (run.unparsed) content.push(text("Neither a box nor a statement of absence could be read in the answer."));
    if (run.box) content.push(label("Box (half-open fractions D, H, W)"), text(boxed(run.box)));
    if (run.mask) content.push(label("Mask"), make("p", { className: "mask-told" }, "–"));
    else if (run.status === "ok" && task.metrics.some((one) => one.metric === "dice")) content.push(text("The model gave no mask."));
    if (run.embedding) content.push(text("Embeddings of image and text, " + run.embedding[1] + " numbers each."));
    if (run.notes && run.notes.length) content.push(label("Notes"), text(run.notes.join(", ")));
    if (!content.length) content.push(text("(nothing)"));
    const made = panel(heading, content);
    made.classList.add("answer");
    return made;
  }

  function scores(task, sample) {
    const several = sample.runs.length > 1;
    const names = [];
    for (const run of sample.runs) for (const row of (run && run.scores) || []) if (!names.includes(row.metric)) names.push(row.metric);
    if (!names.length) return panel("Scores", make("p", { className: "dim" }, "Not scored yet."));
    const scorings = ["corrected", "upstream"].filter((one) => task.metrics.some((metric) => metric.scoring === one));
    const heads = sample.runs.flatMap((_, index) => scorings.map((one) => make("th", { className: "number", scope: "col" },
      (several ? window.m3d.overview.runs[index].letter + " " : "") + one)));
    const rows = names.map((name) => {
      const causes = sample.runs.flatMap((run) => ((run && run.differs) || []).filter((one) => one.metric.split(" / ")[0] === name));
      const cells = sample.runs.flatMap((run) => scorings.map((scoring) => cell(run, name, scoring)));
      const told = causes.length ? make("span", { className: "why" }, "≠ " + [...new Set(causes.map((one) => [one.quirk, one.title].filter(Boolean).join(": ") || "the scorings disagree"))].join("; ")) : null;
      return make("tr", { className: causes.length ? "differs" : "" }, make("th", { scope: "row" }, name + (name === task.primary ? " ★" : ""), told), cells);
    });
    return panel("Scores", make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Scores" }, make("table", {},
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Metric"), heads)), make("tbody", {}, rows))));
  }

  function cell(run, name, scoring) {
    const row = ((run && run.scores) || []).find((one) => one.metric === name && one.scoring === scoring);
    if (!row) return make("td", { className: "number dim" }, "");
    const told = row.status === "scored" ? row.note : row.status.replace("_", " ") + (row.reason ? ": " + row.reason : "");
    return make("td", { className: "number" }, number(row.value), told ? make("span", { className: "why" }, told) : null);
  }

  function judged(sample) {
    const several = sample.runs.length > 1;
    return sample.runs.flatMap((run, index) => ((run && run.judged) || []).map((one) => {
      const content = [make("p", { className: "dim" }, one.model)];
      if (one.status !== "scored") content.push(make("p", { className: "notice" }, "Unscored: " + one.reason));
      if (one.verdict) content.push(verdict(one.verdict));
      if (one.replies.length) content.push(make("details", {}, make("summary", {}, "What the judge wrote"), one.replies.map((reply) => text(reply, true))));
      const made = panel((several ? window.m3d.overview.runs[index].letter + " · " : "") + "Judge: " + one.metric, content);
      made.classList.add("judged");
      return made;
    }));
  }

  // A verdict is a small tree of names, texts and labels.
  function verdict(value) {
    if (Array.isArray(value)) return make("ul", {}, value.length ? value.map((item) => make("li", {}, verdict(item))) : make("li", { className: "dim" }, "none"));
    if (value !== null && typeof value === "object") {
      const entries = Object.entries(value);
      if (entries.every(([, item]) => item === null || typeof item !== "object")) return entries.map(([name, item]) => name.replaceAll("_", " ") + ": " + item).join(" · ");
      return make("div", {}, entries.map(([name, item]) => [label(name.replaceAll("_", " ")), verdict(item)]));
    }
    return String(value);
  }

  function facts(sample) {
    const told = [["case", sample.case], ...Object.entries(sample.strata || {})];
    if (sample.base) told.push(["wording of", sample.base]);
    return panel("Case and strata", make("div", { className: "chips" }, told.map(([name, value]) => make("span", {}, name + ": " + value))));
  }

  window.m3d.sample = { open, steps, nameOf, dot };
})();
