// What the figures are made of: choices, axes, points with their intervals.
window.m3dParts = (function () {
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

  return { SYMBOLS, scaled, number, plain, options, measures, measure, dimensions, counts, entries, axis, lines, forest, row };
})();
