// Documents by key: fetched when served, and as scripts that call m3d.put when opened from files, where fetch is not
// allowed. The last few are kept.
"use strict";
window.m3d = (() => {
  const KEEP = 120;
  const served = document.documentElement.dataset.form === "served";
  const known = new Map();
  const waiting = new Map();

  function remember(key, promise) {
    known.set(key, promise);
    if (known.size > KEEP) known.delete(known.keys().next().value);
    promise.catch(() => known.delete(key));
    return promise;
  }

  async function fetched(key) {
    const reply = await fetch("data/" + key + ".json");
    if (!reply.ok) throw new Error("the server answered " + reply.status + " to " + key);
    return reply.json();
  }

  function scripted(key) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      waiting.set(key, resolve);
      script.src = "data/" + key + ".js";
      script.onload = () => {
        script.remove();
        if (waiting.delete(key)) reject(new Error(key + " holds another document"));
      };
      script.onerror = () => {
        script.remove();
        waiting.delete(key);
        reject(new Error("data/" + key + ".js is missing"));
      };
      document.head.append(script);
    });
  }

  return {
    served,
    get: (key) => known.get(key) || remember(key, served ? fetched(key) : scripted(key)),
    put(key, value) {
      const resolve = waiting.get(key);
      waiting.delete(key);
      if (resolve) resolve(value);
    },
  };
})();

// An element with properties and children; strings become text, never markup.
window.m3d.make = (name, options, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(options || {})) {
    if (value === undefined || value === null) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && key !== "list" && key !== "form") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
};

window.m3d.number = (value) => {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(1) : value.toFixed(3);
};
