// The frame of the page: charts, printing, the table of contents, sortable tables.
// `window.mixtura` is what the scripts of single sections use: specs, redraw(name), ready(function).
(function () {
  "use strict";

  var NARROW = 560; // pixels: below this the layout for phones applies
  var PRINT_WIDTH = 660; // pixels: A4 and Letter between their margins
  var specs = {};
  var plots = Array.from(document.querySelectorAll(".plot"));
  var started = false;
  var printing = false;

  function copied(value) {
    return JSON.parse(JSON.stringify(value));
  }

  function patch(root, changes) {
    Object.keys(changes).forEach(function (path) {
      var keys = path.split(".");
      var last = keys.pop();
      var node = keys[0] === "data" ? root : root.layout;
      keys.forEach(function (key) {
        if (typeof node[key] !== "object" || node[key] === null) node[key] = {};
        node = node[key];
      });
      node[last] = copied(changes[path]);
    });
  }

  function nameOf(plot) {
    return plot.dataset.spec.replace(/^spec-/, "");
  }

  function read(name) {
    if (!specs[name]) specs[name] = JSON.parse(document.getElementById("spec-" + name).textContent);
    return specs[name];
  }

  function isNarrow(plot) {
    return !printing && plot.closest(".frame").clientWidth < NARROW;
  }

  function draw(plot) {
    var spec = read(nameOf(plot));
    var shown = { data: copied(spec.data), layout: copied(spec.layout) };
    var narrow = isNarrow(plot);
    plot.dataset.narrow = narrow;
    if (narrow) patch(shown, spec.narrow);
    if (printing) Object.assign(shown.layout, { autosize: false, width: PRINT_WIDTH });
    var options = { responsive: true, displayModeBar: false };
    return window.Plotly.react(plot, shown.data, shown.layout, options).then(function () {
      plot.classList.add("drawn");
      plot.style.minHeight = "";
    });
  }

  // Before the first drawing there is nothing to draw again: it will use what the specification says then.
  function redraw(name) {
    if (!started) return;
    plots.forEach(function (plot) {
      if (nameOf(plot) === name) draw(plot);
    });
  }

  function drawCharts() {
    // One chart a turn, so that the page answers while it is being drawn.
    var waiting = plots.slice();
    started = true;
    function next() {
      var plot = waiting.shift();
      if (!plot) return;
      draw(plot).then(function () { window.setTimeout(next, 0); });
    }
    next();
    window.addEventListener("resize", function () {
      plots.forEach(function (plot) {
        if (plot.classList.contains("drawn") && plot.dataset.narrow !== String(isNarrow(plot))) draw(plot);
      });
    });
  }

  function print() {
    var opened = [];
    window.addEventListener("beforeprint", function () {
      printing = true;
      opened = Array.from(document.querySelectorAll("details:not([open])"));
      opened.forEach(function (details) { details.open = true; });
      plots.forEach(draw);
    });
    window.addEventListener("afterprint", function () {
      printing = false;
      opened.forEach(function (details) { details.open = false; });
      plots.forEach(draw);
    });
  }

  function contents() {
    var links = Array.from(document.querySelectorAll(".contents a"));
    if (!("IntersectionObserver" in window)) return;
    var observer = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (!entry.isIntersecting) return;
        links.forEach(function (link) {
          if (link.hash === "#" + entry.target.id) link.setAttribute("aria-current", "true");
          else link.removeAttribute("aria-current");
        });
      });
    }, { rootMargin: "-10% 0px -80% 0px" });
    document.querySelectorAll("main > section").forEach(function (section) { observer.observe(section); });
  }

  // A column whose head has data-sort gets a button; its cells may carry data-value.
  function sortable(table) {
    var body = table.tBodies[0];
    Array.from(table.tHead.rows[0].cells).forEach(function (head, column) {
      if (!head.dataset.sort) return;
      var button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.textContent = head.textContent;
      head.textContent = "";
      head.appendChild(button);
      button.addEventListener("click", function () {
        var down = head.getAttribute("aria-sort") !== "descending";
        Array.from(table.tHead.rows[0].cells).forEach(function (other) {
          if (other.dataset.sort) other.setAttribute("aria-sort", "none");
        });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        Array.from(body.rows).sort(function (a, b) {
          return (down ? -1 : 1) * compare(a.cells[column], b.cells[column], head.dataset.sort);
        }).forEach(function (row) { body.appendChild(row); });
      });
    });
  }

  function compare(a, b, kind) {
    var x = a.dataset.value === undefined ? a.textContent : a.dataset.value;
    var y = b.dataset.value === undefined ? b.textContent : b.dataset.value;
    return kind === "number" ? Number(x) - Number(y) : x.localeCompare(y);
  }

  // Links into what is folded or filtered away open it.
  function reveal() {
    var target = window.location.hash && document.getElementById(decodeURIComponent(window.location.hash.slice(1)));
    if (!target) return;
    for (var node = target; node; node = node.parentElement) {
      if (node.tagName === "DETAILS") node.open = true;
    }
    document.dispatchEvent(new CustomEvent("mixtura-reveal", { detail: target }));
    if (target.classList.contains("card")) target.scrollIntoView();
  }

  window.mixtura = { spec: read, redraw: redraw };
  document.querySelectorAll("table.sortable").forEach(sortable);
  window.addEventListener("hashchange", reveal);
  contents();
  print();
  // After the scripts of the sections, which may change what is drawn first.
  window.addEventListener("DOMContentLoaded", function () {
    drawCharts();
    reveal();
  });
})();
