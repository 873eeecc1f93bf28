// The list of a task: pieces come one after another, filters work on what is there, a page shows fifty rows.
"use strict";
(() => {
  const { get, make, number } = window.m3d;
  const ROWS = 50;
  const $ = (id) => document.getElementById(id);
  let task = null;
  let pieces = [];
  let passed = [];
  let page = 0;
  let current = -1;
  let turn = 0;
  let loaded = 0;
  let following = false; // the page of the sample that is open is shown, until someone turns pages or filters

  const at = (position) => {
    const piece = pieces[Math.floor(position / window.m3d.overview.piece)];
    return piece && { piece, row: position - piece.start };
  };
  const primaryKey = () => "corrected:" + task.primary;
  const known = (key) => task.metrics.find((one) => one.scoring + ":" + one.metric === key);
  const valueOf = (piece, row, run, key) => {
    const column = piece.runs[run] && piece.runs[run].values[key];
    return column ? column[row] : null;
  };
  const failed = (piece, row, run) => piece.runs[run].status[row] !== "ok";

  // Wrong: no usable answer, or the primary metric not above (below, where lower is better) a half.
  function wrong(piece, row, run) {
    if (failed(piece, row, run)) return true;
    const value = valueOf(piece, row, run, primaryKey());
    if (value === null) return false;
    const metric = known(primaryKey());
    return metric && metric.direction === "lower" ? value > 0.5 : value < 0.5;
  }

  function passes(position, wanted) {
    const { piece, row } = at(position);
    const some = (test) => wanted.runs.some((run) => test(piece, row, run));
    if (wanted.wrong && !some(wrong)) return false;
    if (wanted.errored && !some(failed)) return false;
    if (wanted.protocol && !some((one, index, run) => index in one.runs[run].differs)) return false;
    if (wanted.dimension && wanted.stratum !== "" && (piece.strata[wanted.dimension] || [])[row] !== wanted.stratum) return false;
    if (wanted.metric && (wanted.low !== null || wanted.high !== null)) {
      const inside = (one, index, run) => {
        const value = valueOf(one, index, run, wanted.metric);
        return value !== null && (wanted.low === null || value >= wanted.low) && (wanted.high === null || value <= wanted.high);
      };
      if (!some(inside)) return false;
    }
    if (wanted.versus) {
      const [first, second] = [0, 1].map((run) => valueOf(piece, row, run, wanted.metric || primaryKey()));
      const [a, b] = [0, 1].map((run) => wrong(piece, row, run));
      if (wanted.versus === "differ" && first === second) return false;
      if (wanted.versus === "fixed" && !(a && !b)) return false;
      if (wanted.versus === "broken" && !(!a && b)) return false;
    }
    if (wanted.search) {
      const told = [piece.ids[row], piece.asked[row], ...piece.runs.map((run) => run.answer[row])];
      if (!told.some((text) => text.toLowerCase().includes(wanted.search))) return false;
    }
    return true;
  }

  function asked() {
    const bound = (id) => ($(id).value === "" ? null : Number($(id).value));
    return {
      runs: task.runs.map((run, index) => (run ? index : -1)).filter((index) => index >= 0),
      search: $("search").value.trim().toLowerCase(), wrong: $("wrong").checked, errored: $("errored").checked,
      protocol: $("protocol").checked, dimension: $("dimension").value, stratum: $("stratum").value,
      metric: $("metric").value, low: bound("low"), high: bound("high"), order: $("order").value,
      versus: task.runs.length > 1 ? $("versus").value : "",
    };
  }

  function filter(keepPage) {
    const wanted = asked();
    passed = [];
    for (const piece of pieces) {
      if (!piece) continue;
      for (let row = 0; row < piece.ids.length; row++) if (passes(piece.start + row, wanted)) passed.push(piece.start + row);
    }
    if (wanted.order) order(wanted);
    if (!keepPage) [page, following] = [0, false];
    turnTo();
    const narrowed = wanted.search || wanted.wrong || wanted.errored || wanted.protocol || wanted.stratum
      || wanted.low !== null || wanted.high !== null || wanted.versus;
    $("clear").hidden = !(narrowed || wanted.order);
    const told = narrowed ? passed.length.toLocaleString("en") + " of " : "";
    const more = loaded < pieces.length ? " (reading…)" : "";
    $("shown").textContent = told + task.count.toLocaleString("en") + " samples" + more;
    draw();
  }

  function turnTo() {
    const place = following ? passed.indexOf(current) : -1;
    if (place >= 0) page = Math.floor(place / ROWS);
  }

  function order(wanted) {
    const key = wanted.metric || primaryKey();
    const metric = known(key);
    const up = (metric && metric.direction === "lower" ? -1 : 1) * (wanted.order === "worst" ? 1 : -1);
    const value = (position) => {
      const { piece, row } = at(position);
      const found = wanted.runs.map((run) => valueOf(piece, row, run, key)).filter((one) => one !== null);
      return found.length ? Math.min(...found) : null;
    };
    const values = new Map(passed.map((position) => [position, value(position)]));
    passed.sort((a, b) => {
      const [first, second] = [values.get(a), values.get(b)];
      if (first === null || second === null) return (first === null) - (second === null) || a - b;
      return up * (first - second) || a - b;
    });
  }

  function draw() {
    const pages = Math.max(1, Math.ceil(passed.length / ROWS));
    page = Math.min(page, pages - 1);
    const part = passed.slice(page * ROWS, (page + 1) * ROWS);
    const rows = part.map(row);
    if (!rows.length) rows.push(make("li", { className: "none" }, loaded < pieces.length ? "Reading…" : "No sample passes the filters."));
    $("rows").replaceChildren(...rows);
    $("page-told").textContent = "page " + (page + 1) + " of " + pages;
    $("page-back").disabled = page === 0;
    $("page-on").disabled = page >= pages - 1;
    window.m3d.sample.steps(task, current);
  }

  function row(position) {
    const { piece, row: index } = at(position);
    const key = $("metric").value || primaryKey();
    const values = piece.runs.map((_, run) => make("span", { className: task.runs[run] && wrong(piece, index, run) ? "bad" : "" },
      number(valueOf(piece, index, run, key))));
    const marks = piece.runs.filter((run, place) => task.runs[place] && run.status[index] !== "ok")
      .map((run) => make("span", { className: "mark bad" }, run.status[index]));
    if (piece.runs.some((run) => index in run.differs)) {
      marks.push(make("span", { className: "mark warn", title: "the corrected and the upstream scoring disagree" }, "≠"));
    }
    const answers = piece.runs.map((run) => run.answer[index] || "–").join("  |  ");
    return make("li", {},
      make("a", { href: "#/" + task.place + "/" + position, "aria-current": position === current ? "true" : null },
        make("span", { className: "what" }, piece.asked[index] || piece.ids[index]),
        make("span", { className: "value" }, values.flatMap((value, run) => (run ? [" · ", value] : [value])), marks),
        make("span", { className: "under" }, answers),
        piece.asked[index] ? make("span", { className: "under" }, piece.ids[index]) : null));
  }

  function options(select, list, first) {
    const before = select.value;
    select.replaceChildren(...list.map(([value, text]) => make("option", { value }, text)));
    if (first !== undefined) select.prepend(make("option", { value: "" }, first));
    select.value = list.some(([value]) => value === before) ? before : first !== undefined ? "" : (list[0] || [""])[0];
  }

  function strata() {
    const values = new Map();
    for (const piece of pieces) for (const [name, column] of Object.entries((piece && piece.strata) || {})) {
      const found = values.get(name) || values.set(name, new Set()).get(name);
      column.forEach((value) => value !== "" && found.add(value));
    }
    options($("dimension"), [...values.keys()].sort().map((name) => [name, name]), "any");
    const found = [...(values.get($("dimension").value) || [])].sort();
    options($("stratum"), found.map((value) => [value, value]), "any");
    $("stratum").disabled = !found.length;
  }

  async function open(chosen) {
    const mine = ++turn;
    current = -1;
    task = chosen;
    pieces = new Array(Math.ceil(task.count / window.m3d.overview.piece)).fill(null);
    loaded = 0;
    page = 0;
    $("filters").reset();
    options($("metric"), task.metrics.map((one) => [one.scoring + ":" + one.metric,
      (one.scoring === "corrected" ? "" : one.scoring + " ") + one.metric]), task.primary ? "primary (" + task.primary + ")" : "none");
    const primary = known(primaryKey());
    $("wrong-rule").textContent = primary
      ? "Wrong: no usable answer, or corrected " + task.primary + (primary.direction === "lower" ? " above 0.5." : " below 0.5.") : "";
    filter();
    for (let place = 0; place < pieces.length; place++) {
      const piece = await get(task.place + "/list/" + place);
      if (mine !== turn) return;
      pieces[place] = piece;
      loaded++;
      strata();
      filter(true);
    }
  }

  // The next sample of the list in this direction, loading none; the filters hold.
  function beside(position, step) {
    const place = passed.indexOf(position);
    if (place >= 0) return passed[place + step];
    return step > 0 ? passed.find((one) => one > position) : [...passed].reverse().find((one) => one < position);
  }

  function mark(position, follow) {
    current = position;
    following = following || follow;
    turnTo();
    draw();
    const link = $("rows").querySelector('[aria-current="true"]');
    if (link && follow) link.scrollIntoView({ block: "nearest" });
  }

  let soon = 0;
  $("filters").addEventListener("input", (event) => {
    if (event.target.id === "dimension") $("stratum").value = "";
    clearTimeout(soon);
    soon = setTimeout(() => { strata(); filter(); }, 80);
  });
  $("clear").addEventListener("click", () => setTimeout(() => { strata(); filter(); }));
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  for (const [id, step] of [["page-back", -1], ["page-on", 1]]) {
    $(id).addEventListener("click", () => { following = false; page += step; draw(); $("rows").scrollTop = 0; });
  }
  options($("versus"), [["differ", "values differ"], ["fixed", "A wrong, B not"], ["broken", "B wrong, A not"]], "all");

  window.m3d.list = { open, beside, mark, first: () => passed[0], place: (position) => [passed.indexOf(position) + 1, passed.length] };
})();
