// Sorting and filtering of the tables that the pages hold as HTML. Rows are hidden and moved, never made.
(function () {
  "use strict";

  function compare(first, second) {
    var a = first.key, b = second.key;
    if (typeof a === "number" && typeof b === "number") { return a - b; }
    return String(a).localeCompare(String(b), "en", { numeric: true, sensitivity: "base" });
  }

  function key(cell) {
    var text = cell.dataset.s === undefined ? cell.textContent.trim() : cell.dataset.s;
    return text !== "" && isFinite(text) ? Number(text) : text;
  }

  function sort(table, header, direction) {
    var sign = direction === "descending" ? -1 : 1;
    var body = table.tBodies[0];
    var rows = Array.prototype.map.call(body.rows, function (row, place) {
      return { row: row, place: place, key: key(row.cells[header.cellIndex]) };
    });
    // Rows without a value come last in both directions; equal ones keep their order.
    rows.sort(function (a, b) {
      if (a.key === "" || b.key === "") { return (a.key === "") - (b.key === "") || a.place - b.place; }
      return sign * compare(a, b) || a.place - b.place;
    });
    rows.forEach(function (one) { body.appendChild(one.row); });
    table.querySelectorAll("th[aria-sort]").forEach(function (one) { one.removeAttribute("aria-sort"); });
    header.setAttribute("aria-sort", direction);
    changed(table);
  }

  function changed(table) {
    document.dispatchEvent(new CustomEvent("m3d:rows", { detail: table.id }));
  }

  function sortable(table) {
    table.tHead.addEventListener("click", function (event) {
      var button = event.target.closest("button");
      if (!button) { return; }
      var header = button.closest("th"), now = header.getAttribute("aria-sort");
      var first = button.dataset.first === "desc" ? "descending" : "ascending";
      sort(table, header, now === null ? first : now === "ascending" ? "descending" : "ascending");
    });
  }

  // Which columns are shown: of one ranking (data-c) or of one scoring (data-m).
  function columns(table, form) {
    var ranking = form.elements.ranking ? form.elements.ranking.value : "", measures = form.elements.measures ? form.elements.measures.value : "";
    if (form.elements.ranking) {
      table.querySelectorAll("[data-c]").forEach(function (cell) { cell.hidden = !!ranking && cell.dataset.c !== ranking; });
    }
    if (form.elements.measures) {
      table.querySelectorAll("[data-m]").forEach(function (cell) {
        var kind = cell.dataset.m;
        cell.hidden = kind !== "primary" && !!measures && (kind === "macro" ? measures === "upstream" : kind !== measures);
      });
    }
  }

  function passes(one, form, words, ranking) {
    var role = form.elements.role.value;
    if (words.some(function (word) { return one.text.indexOf(word) < 0; })) { return false; }
    if (role && (one.row.dataset.role === "model") !== (role === "model")) { return false; }
    var held = one.judged.filter(function (cell) { return !ranking || cell.dataset.c === ranking; });
    if (ranking && !held.length) { return false; }
    return held.every(function (cell) {
      return !(form.elements.verified.checked && cell.dataset.v !== "1") && !(form.elements.clean.checked && cell.dataset.k !== "1");
    });
  }

  function filterable(form) {
    var table = document.getElementById(form.dataset.for), status = form.querySelector("[role=status]");
    var rows = Array.prototype.map.call(table.tBodies[0].rows, function (row) {
      var judged = row.dataset.v === undefined ? Array.from(row.querySelectorAll("td[data-v]")) : [row];
      return { row: row, text: row.cells[0].textContent.toLowerCase(), judged: judged };
    });
    function apply() {
      var words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean), shown = 0;
      var ranking = form.elements.ranking ? form.elements.ranking.value : "";
      columns(table, form);
      rows.forEach(function (one) {
        one.row.hidden = !passes(one, form, words, ranking);
        shown += one.row.hidden ? 0 : 1;
      });
      status.textContent = shown + " of " + rows.length;
      changed(table);
    }
    form.addEventListener("input", apply);
    form.addEventListener("submit", function (event) { event.preventDefault(); });
    // Browsers put earlier choices back when one returns to a page.
    window.addEventListener("pageshow", apply);
  }

  document.querySelectorAll("table[data-sortable]").forEach(sortable);
  document.querySelectorAll("form.filters").forEach(filterable);
})();
