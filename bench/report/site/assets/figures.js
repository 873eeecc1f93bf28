// What each figure shows. `make` returns Plotly's traces, the height, the axes, and the same numbers as rows of a table.
window.m3dFigures = (function () {
  "use strict";
  var SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon"];

  function percent(measure) { return measure.unit === "fraction"; }
  function scaled(measure, value) { return value === null ? null : percent(measure) ? value * 100 : value; }
  function number(measure, value) { return value === null ? "–" : scaled(measure, value).toFixed(percent(measure) ? 1 : 2); }
  function interval(measure, triple) {
    return triple[1] === null ? "no interval" : number(measure, triple[1]) + " to " + number(measure, triple[2]);
  }
  // Plotly reads a few tags in texts; names of models are texts of strangers.
  function plain(text) { return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;"); }
  function short(text, narrow) {
    var most = narrow ? 18 : 34;
    return plain(text.length > most ? text.slice(0, most - 1) + "…" : text);
  }

  function options(figure, name, choices) {
    var select = figure.querySelector("[name=" + name + "]"), group = null;
    choices.forEach(function (choice) {
      var parent = select;
      if (choice.group) {
        if (!group || group.label !== choice.group) {
          group = document.createElement("optgroup"); group.label = choice.group; select.appendChild(group);
        }
        parent = group;
      }
      parent.appendChild(new Option(choice.label, choice.value));
    });
  }

  function measures(data) { return data.measures.map(function (one) { return { label: one.key, value: one.key }; }); }
  function measure(data, key) { return data.measures.find(function (one) { return one.key === key; }); }
  function dimensions(data) {
    // Those with more than one stratum first: the others say the same as the whole.
    return Object.keys(data.dimensions).sort(function (a, b) {
      return (data.dimensions[a].length < 2) - (data.dimensions[b].length < 2);
    }).map(function (name) { return { label: name.replace(/_/g, " "), value: name }; });
  }
  function counts(figure, steps, most) {
    var kept = steps.filter(function (step, place) { return place === 0 || steps[place - 1] < most; });
    options(figure, "count", kept.map(function (step) { return { label: "first " + step, value: step }; }));
  }
  function entries(context) {
    return (context.shown || context.data.entries.map(function (_, place) { return place; }))
      .map(function (place) { return context.data.entries[place]; });
  }
  function axis(one, extra) {
    var title = one.key.split("_").join(" ") + (percent(one) ? ", %" : one.unit ? ", " + one.unit : "");
    return Object.assign({ title: { text: plain(title + (one.direction === "lower" ? " (lower is better)" : "")) } }, extra || {});
  }
  function lines(names, narrow) {
    var places = names.map(function (_, place) { return place; });
    return { tickvals: places, ticktext: names.map(function (name) { return short(name, narrow); }),
      range: [names.length - 0.4, -0.6], showgrid: false, zeroline: false };
  }

  // Points with their intervals; `at`: where each lies on the vertical axis.
  function forest(one, name, items, at, look) {
    var known = items.map(function (item, place) { return { item: item, at: at[place] }; })
      .filter(function (pair) { return pair.item.triple; });
    function side(limit, sign) {
      return known.map(function (pair) {
        var triple = pair.item.triple;
        return triple[limit] === null ? 0 : sign * (scaled(one, triple[limit]) - scaled(one, triple[0]));
      });
    }
    return {
      type: "scatter", mode: "markers", name: plain(name), y: known.map(function (pair) { return pair.at; }),
      x: known.map(function (pair) { return scaled(one, pair.item.triple[0]); }),
      error_x: { type: "data", symmetric: false, array: side(2, 1), arrayminus: side(1, -1), thickness: 2, width: 0, color: look.colour },
      marker: { size: look.size || 9, symbol: look.symbol || "circle", color: look.colour },
      text: known.map(function (pair) {
        return plain(pair.item.label) + "<br>" + number(one, pair.item.triple[0]) + " (" + interval(one, pair.item.triple) + ")";
      }),
      hovertemplate: "%{text}<extra></extra>"
    };
  }
  function row(one, label, triple) { return [label, number(one, triple[0]), interval(one, triple)]; }

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

  return { values: values, strata: strata, protocol: protocol, run: run, calibration: calibration };
})();
