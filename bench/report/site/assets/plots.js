// Draws the figures of a page when they come near the window: Plotly is loaded only then, so that tables come first.
(function () {
  "use strict";
  var script = document.currentScript, stored = document.getElementById("figures"), data = null;
  var loading = null, drawn = new Map();

  function content() { data = data || JSON.parse(stored.textContent); return data; }

  function plotly() {
    loading = loading || new Promise(function (done, failed) {
      var element = document.createElement("script");
      element.src = script.dataset.plotly;
      element.onload = function () { done(window.Plotly); };
      element.onerror = failed;
      document.head.appendChild(element);
    });
    return loading;
  }

  function style(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

  function colours() {
    var series = [];
    for (var place = 1; place <= 8; place += 1) { series.push(style("--series-" + place)); }
    return { text: style("--text"), muted: style("--muted"), line: style("--line"), accent: style("--accent"), series: series };
  }

  // Rows of the figure's table as they are shown now: places in the figures' entries.
  function shown(figure) {
    var table = figure.dataset.table && document.getElementById(figure.dataset.table);
    if (!table) { return null; }
    return Array.from(table.tBodies[0].rows).filter(function (row) { return !row.hidden; })
      .map(function (row) { return Number(row.dataset.entry); });
  }

  function context(figure) {
    return {
      data: figure.dataset.task ? content()[figure.dataset.task] : content(),
      shown: shown(figure),
      colours: colours(),
      narrow: figure.clientWidth < 560,
      value: function (name) { var field = figure.querySelector("[name=" + name + "]"); return field ? field.value : ""; }
    };
  }

  function titled(axis, size) {
    return axis && axis.title ? Object.assign({}, axis, { title: Object.assign({ font: { size: size } }, axis.title) }) : axis;
  }

  function layout(made, colour, narrow) {
    var size = narrow ? 11 : 13;
    var axis = { gridcolor: colour.line, zerolinecolor: colour.line, linecolor: colour.line, tickcolor: colour.line, fixedrange: true };
    var base = {
      height: made.height, margin: { l: 8, r: 16, t: made.legend ? 8 : 16, b: 44 }, hovermode: "closest", dragmode: false,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: !!made.legend,
      font: { family: getComputedStyle(document.body).fontFamily, size: size, color: colour.text },
      legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", xanchor: "left" },
      hoverlabel: { bgcolor: style("--raised"), bordercolor: colour.line, font: { color: colour.text } },
      xaxis: Object.assign({}, axis, titled(made.x, size)), yaxis: Object.assign({}, axis, { automargin: true }, titled(made.y, size)),
      shapes: made.shapes || []
    };
    return base;
  }

  function draw(figure) {
    var kind = window.m3dFigures[figure.dataset.figure], around = context(figure), canvas = figure.querySelector(".canvas");
    var made = kind.make(around);
    figure.classList.toggle("empty", !made);
    drawn.set(figure, true);
    fill(figure, made);
    if (!made) { canvas.textContent = "Nothing to plot for this choice."; return; }
    plotly().then(function (library) {
      if (!canvas.querySelector(".plot-container")) { canvas.textContent = ""; }
      canvas.style.minHeight = made.height + "px";
      library.react(canvas, made.traces, layout(made, around.colours, around.narrow), { displayModeBar: false, responsive: true })
        .then(function () { figure.dataset.drawn = "yes"; });
    }, function () { canvas.textContent = "The plot could not be loaded."; });
  }

  // The same numbers for those who read them otherwise; only when opened, since they can be many.
  function fill(figure, made) {
    var details = figure.querySelector("details"), box = details.querySelector("div");
    box.textContent = "";
    if (!details.open || !made) { return; }
    var table = document.createElement("table"), head = table.createTHead().insertRow(), body = table.createTBody();
    table.className = "plain";
    made.heads.forEach(function (text) {
      var cell = document.createElement("th");
      cell.scope = "col"; cell.textContent = text; head.appendChild(cell);
    });
    made.rows.forEach(function (row) {
      var line = body.insertRow();
      row.forEach(function (text) { line.insertCell().textContent = text; });
    });
    box.appendChild(table);
  }

  function begin(figure) {
    window.m3dFigures[figure.dataset.figure].controls(figure, context(figure));
    figure.querySelectorAll("select").forEach(function (select) { select.closest("label").hidden = select.options.length < 2; });
    figure.addEventListener("change", function () { draw(figure); });
    figure.querySelector("details").addEventListener("toggle", function () {
      fill(figure, window.m3dFigures[figure.dataset.figure].make(context(figure)));
    });
    draw(figure);
  }

  var figures = document.querySelectorAll("figure[data-figure]");
  var near = new IntersectionObserver(function (seen) {
    seen.forEach(function (one) {
      if (one.isIntersecting) { near.unobserve(one.target); begin(one.target); }
    });
  }, { rootMargin: "400px" });
  figures.forEach(function (figure) { near.observe(figure); });

  var waiting = 0;
  function again() {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(function () { drawn.forEach(function (_, figure) { draw(figure); }); }, 150);
  }
  document.addEventListener("m3d:rows", again);
  document.addEventListener("m3d:theme", again);
})();
