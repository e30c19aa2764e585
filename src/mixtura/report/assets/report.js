(function () {
  "use strict";

  var NARROW = 560; // pixels: below this the layout for phones applies
  var PRINT_WIDTH = 660; // pixels: A4 and Letter between their margins

  function patched(layout, changes) {
    var copy = JSON.parse(JSON.stringify(layout));
    Object.keys(changes).forEach(function (path) {
      var keys = path.split(".");
      var last = keys.pop();
      var node = copy;
      keys.forEach(function (key) {
        if (typeof node[key] !== "object" || node[key] === null) node[key] = {};
        node = node[key];
      });
      node[last] = changes[path];
    });
    return copy;
  }

  function isNarrow(plot) {
    return plot.closest(".frame").clientWidth < NARROW;
  }

  function draw(plot) {
    var spec = JSON.parse(document.getElementById(plot.dataset.spec).textContent);
    var narrow = isNarrow(plot);
    plot.dataset.narrow = narrow;
    var layout = narrow ? patched(spec.layout, spec.narrow) : patched(spec.layout, {});
    var options = { responsive: true, displayModeBar: false };
    return window.Plotly.react(plot, spec.data, layout, options).then(function () {
      plot.classList.add("drawn");
      plot.style.minHeight = "";
    });
  }

  function drawCharts() {
    var plots = Array.from(document.querySelectorAll(".plot"));
    plots.forEach(draw);
    window.addEventListener("resize", function () {
      plots.forEach(function (plot) {
        if (plot.dataset.narrow !== String(isNarrow(plot))) draw(plot);
      });
    });
    window.addEventListener("beforeprint", function () {
      plots.forEach(function (plot) {
        window.Plotly.relayout(plot, { autosize: false, width: PRINT_WIDTH });
      });
    });
    window.addEventListener("afterprint", function () {
      plots.forEach(function (plot) {
        window.Plotly.relayout(plot, { autosize: true, width: null });
      });
    });
  }

  function missionTools() {
    var form = document.getElementById("mission-tools");
    if (!form) return;
    var list = document.getElementById("mission-cards");
    var cards = Array.from(list.children);
    var filter = document.getElementById("mission-filter");
    var order = document.getElementById("mission-order");
    var status = document.getElementById("mission-count");
    var none = document.getElementById("mission-none");

    function show() {
      var words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      var shown = 0;
      cards.forEach(function (card) {
        var hit = words.every(function (word) { return card.dataset.search.indexOf(word) >= 0; });
        card.hidden = !hit;
        if (hit) shown += 1;
      });
      none.hidden = shown > 0;
      status.textContent = shown === cards.length ? cards.length + " missions" : shown + " of " + cards.length + " missions";
    }

    function sort() {
      var key = order.value;
      var sorted = cards.slice().sort(function (a, b) {
        if (key === "name") return a.dataset.name.localeCompare(b.dataset.name);
        return Number(b.dataset[key]) - Number(a.dataset[key]);
      });
      sorted.forEach(function (card) { list.appendChild(card); });
    }

    form.addEventListener("submit", function (event) { event.preventDefault(); });
    filter.addEventListener("input", show);
    order.addEventListener("change", sort);
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

  missionTools();
  contents();
  drawCharts();
})();
