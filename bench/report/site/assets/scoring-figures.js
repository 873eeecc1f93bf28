// How far the two scorings lie apart, and how well intervals keep their word. Added to the other figures.
(function () {
  "use strict";
  var { SYMBOLS, scaled, number, plain, options, measure, counts, entries, axis, lines, forest } = window.m3dParts;

  var protocol = {
    controls: function (figure, context) {
      var both = context.data.measures.filter(function (one) {
        return one.scoring === "corrected" && measure(context.data, "upstream." + one.metric);
      });
      options(figure, "metric", both.map(function (one) { return { label: one.metric, value: one.metric }; }));
      counts(figure, [15, 40, 100, 1000], context.data.entries.length);
    },
    make: function (context) {
      var one = measure(context.data, context.value("metric")), key = one && "upstream." + one.metric;
      var items = one ? entries(context).slice(0, Number(context.value("count"))).filter(function (entry) {
        return entry.all[one.key] && entry.all[key];
      }) : [];
      if (!items.length) { return null; }
      var places = items.map(function (_, place) { return place; }), names = items.map(function (entry) { return entry.name; });
      function of(which) { return items.map(function (entry) { return { label: entry.name, triple: [entry.all[which][0], null, null] }; }); }
      var upstream = forest(one, "upstream", of(key), places, { colour: context.colours.series[1], symbol: "diamond-open", size: 10 });
      var corrected = forest(one, "corrected", of(one.key), places, { colour: context.colours.series[0] });
      [upstream, corrected].forEach(function (trace) {
        delete trace.error_x;
        trace.text = items.map(function (entry) {
          return plain(entry.name) + "<br>corrected " + number(one, entry.all[one.key][0]) + ", upstream " + number(one, entry.all[key][0]);
        });
      });
      return { traces: [upstream, corrected], height: 102 + 24 * items.length, legend: true, x: axis(one), y: lines(names, context.narrow),
        shapes: items.map(function (entry, place) {
          return { type: "line", layer: "below", x0: scaled(one, entry.all[one.key][0]), x1: scaled(one, entry.all[key][0]),
            y0: place, y1: place, line: { color: context.colours.muted, width: 2 } };
        }),
        heads: ["Entry", "corrected", "upstream", "difference"],
        rows: items.map(function (entry) {
          var pair = [entry.all[one.key][0], entry.all[key][0]];
          return [entry.name, number(one, pair[0]), number(one, pair[1]), number(one, pair[1] - pair[0])];
        }) };
    }
  };

  var FAMILIES = ["rate", "mean", "corpus"];
  var calibration = {
    controls: function (figure) {
      options(figure, "family", [{ label: "those in use", value: "default" }, { label: "those not chosen", value: "other" }]);
      options(figure, "stress", [{ label: "without stress", value: "" }, { label: "with stress", value: "yes" }]);
    },
    make: function (context) {
      var data = context.data, cases = data.cases;
      var rows = data.rows.filter(function (one) {
        return one.default === (context.value("family") === "default") && (!one.stress || context.value("stress"));
      });
      function spread(place, all) { return all < 2 ? 0 : 0.5 * (place / (all - 1) - 0.5); }
      var traces = FAMILIES.map(function (family, at) {
        var own = rows.filter(function (one) { return one.family === family; }), x = [], y = [], text = [];
        own.forEach(function (one) {
          one.coverage.forEach(function (value, place) {
            x.push(place + spread(rows.indexOf(one), rows.length)); y.push(value);
            text.push(plain(one.scenario) + "<br>" + plain(one.method) + "<br>" + cases[place] + " cases: " + value.toFixed(1) + "%");
          });
        });
        return { type: "scatter", mode: "markers", name: family, x: x, y: y, text: text, hovertemplate: "%{text}<extra></extra>",
          marker: { size: 7, opacity: 0.8, symbol: SYMBOLS[at], color: context.colours.series[at] } };
      }).filter(function (trace) { return trace.x.length; });
      function level(value, dash) {
        return { type: "line", layer: "below", xref: "paper", x0: 0, x1: 1, y0: value, y1: value, line: { color: context.colours.muted, width: 1.5, dash: dash } };
      }
      return { traces: traces, height: 380, legend: true, shapes: [level(data.level, "solid"), level(data.least, "dot")],
        x: { tickvals: cases.map(function (_, place) { return place; }), ticktext: cases.map(String), title: { text: "cases" }, showgrid: false, zeroline: false, range: [-0.5, cases.length - 0.5] },
        y: { title: { text: "coverage, %" }, zeroline: false },
        heads: ["Scenario", "Method"].concat(cases.map(function (count) { return count + " cases, %"; })),
        rows: rows.map(function (one) { return [one.scenario, one.method].concat(one.coverage.map(function (value) { return value.toFixed(1); })); }) };
    }
  };

  Object.assign(window.m3dFigures, { protocol: protocol, calibration: calibration });
})();
