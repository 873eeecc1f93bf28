// Sets the theme before anything is painted; the button in the header changes it and is remembered where storage allows.
(function () {
  "use strict";
  var root = document.documentElement;
  var system = window.matchMedia("(prefers-color-scheme: dark)");
  var chosen = null;
  try { chosen = window.localStorage.getItem("m3d-theme"); } catch (error) { chosen = null; }
  function dark() { return chosen ? chosen === "dark" : system.matches; }
  function show() {
    root.dataset.theme = dark() ? "dark" : "light";
    var button = document.getElementById("theme");
    if (button) { button.setAttribute("aria-pressed", String(dark())); }
    document.dispatchEvent(new CustomEvent("m3d:theme"));
  }
  show();
  system.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", function () {
    show();
    document.getElementById("theme").addEventListener("click", function () {
      chosen = dark() ? "light" : "dark";
      try { window.localStorage.setItem("m3d-theme", chosen); } catch (error) { /* remembered for this page only */ }
      show();
    });
  });
})();
