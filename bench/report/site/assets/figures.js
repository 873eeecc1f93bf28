// Values of entries, and of strata. `make` of a figure returns Plotly's traces, the height, the axes, and the same numbers
// as rows of a table.
window.m3dFigures = (function () {
  "use strict";
  var { SYMBOLS, scaled, options, measures, measure, dimensions, counts, entries, axis, lines, forest, row } = window.m3dParts;

  var values = {
    controls: function (figure, context) {
      var all = [{ label: "all", value: "" }];
      dimensions(context.data).forEach(function (dimension) {
        context.data.dimensions[dimension.value].forEach(function (name, place) {
          all.push({ group: dimension.label, label: name, value: dimension.value + "/" + place });
        });
      });
      options(figure, "measure", measures(context.data));
      options(figure, "stratum", all);
      counts(figure, [15, 40, 100, 1000], context.data.entries.length);
    },
    make: function (context) {
      var one = measure(context.data, context.value("measure")), part = context.value("stratum").split("/");
      var items = entries(context).slice(0, Number(context.value("count"))).map(function (entry) {
        var strata = part[0] && entry.strata[one.key][part[0]];
        return { label: entry.name, role: entry.role, triple: part[0] ? (strata ? strata[Number(part[1])] : null) : entry.all[one.key] };
      }).filter(function (item) { return item.triple; });
      if (!items.length) { return null; }
      var places = items.map(function (_, place) { return place; });
      function of(role) { return items.map(function (item) { return (item.role === "model") === role ? item : { triple: null }; }); }
      var traces = [
        forest(one, "model", of(true), places, { colour: context.colours.accent }),
        forest(one, "baseline", of(false), places, { colour: context.colours.muted, symbol: "diamond-open" })
      ].filter(function (trace) { return trace.x.length; });
      return { traces: traces, height: 76 + 24 * items.length + 26 * (traces.length > 1), legend: traces.length > 1, x: axis(one),
        y: lines(items.map(function (item) { return item.label; }), context.narrow),
        heads: ["Entry", one.key, "95% interval"], rows: items.map(function (item) { return row(one, item.label, item.triple); }) };
    }
  };

  var strata = {
    controls: function (figure, context) {
      options(figure, "measure", measures(context.data));
      options(figure, "dimension", dimensions(context.data));
      counts(figure, [4, 6, 8], context.data.entries.length);
    },
    make: function (context) {
      var one = measure(context.data, context.value("measure")), dimension = context.value("dimension");
      var chosen = entries(context).filter(function (entry) { return entry.strata[one.key][dimension]; }).slice(0, Number(context.value("count")));
      var names = context.data.dimensions[dimension] || [];
      if (!chosen.length || !names.length) { return null; }
      var step = 0.7 / chosen.length, rows = [];
      var traces = chosen.map(function (entry, place) {
        var items = names.map(function (name, at) {
          return { label: entry.name + ", " + name, triple: entry.strata[one.key][dimension][at] };
        });
        items.forEach(function (item, at) { if (item.triple) { rows.push([names[at], entry.name].concat(row(one, "", item.triple).slice(1))); } });
        var at = names.map(function (_, stratum) { return stratum + (place - (chosen.length - 1) / 2) * step; });
        return forest(one, entry.name, items, at, { colour: context.colours.series[place], symbol: SYMBOLS[place], size: 8 });
      });
      rows.sort(function (a, b) { return names.indexOf(a[0]) - names.indexOf(b[0]); });
      var legend = Math.ceil(chosen.length / (context.narrow ? 2 : 5)) * 22;
      return { traces: traces, height: 76 + legend + names.length * (16 + 13 * chosen.length), legend: true, x: axis(one),
        y: lines(names, context.narrow), shapes: names.slice(1).map(function (_, place) {
          return { type: "line", xref: "paper", x0: 0, x1: 1, y0: place + 0.5, y1: place + 0.5, line: { color: context.colours.line, width: 1 } };
        }), heads: [dimension, "Entry", one.key, "95% interval"], rows: rows };
    }
  };

  var run = {
    controls: function (figure, context) {
      options(figure, "measure", measures(context.data));
      options(figure, "dimension", dimensions(context.data));
    },
    make: function (context) {
      var one = measure(context.data, context.value("measure")), dimension = context.value("dimension");
      var entry = context.data.entries[0], held = entry.strata[one.key][dimension], all = entry.all[one.key];
      if (!held) { return null; }
      var items = context.data.dimensions[dimension].map(function (name, place) { return { label: name, triple: held[place] }; })
        .filter(function (item) { return item.triple; });
      if (!items.length) { return null; }
      return { traces: [forest(one, "value", items, items.map(function (_, place) { return place; }), { colour: context.colours.accent })],
        height: 76 + 28 * items.length, x: axis(one), y: lines(items.map(function (item) { return item.label; }), context.narrow),
        shapes: all ? [{ type: "line", yref: "paper", y0: 0, y1: 1, x0: scaled(one, all[0]), x1: scaled(one, all[0]),
          line: { color: context.colours.muted, width: 1.5, dash: "dot" } }] : [],
        heads: [dimension, one.key, "95% interval"], rows: items.map(function (item) { return row(one, item.label, item.triple); }) };
    }
  };

  return { values: values, strata: strata, run: run };
})();
