// Missions: grouping from few to many, order and search of the cards, the charts that follow the grouping,
// the table of pairs.
(function () {
  "use strict";

  var source = document.getElementById("zoom-missions");
  var zoom = source ? JSON.parse(source.textContent) : null;
  var position = zoom ? zoom.start : 0;
  var list = document.getElementById("mission-cards");
  var cards = list ? Array.from(list.children) : [];
  var originals = {};

  function byId(id) {
    return document.getElementById(id);
  }

  function made(tag, className, text) {
    var element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function cut() {
    return zoom.cuts[position];
  }

  function colour(group) {
    return zoom.palette[cut().colours[group] % zoom.palette.length];
  }

  function isGrouped() {
    return zoom !== null && cut().names.length < cards.length;
  }

  // Cards ---------------------------------------------------------------------------------------------------

  function heading(group) {
    var about = zoom.groups[cut().groups[group]];
    var item = made("li", "group");
    item.style.setProperty("--group", colour(group));
    item.appendChild(made("h3", "", cut().names[group]));
    item.appendChild(made("p", "group-facts", about.facts));
    if (about.typical) item.appendChild(made("p", "group-typical", "Typical: " + about.typical));
    return item;
  }

  function inOrder() {
    var key = byId("mission-order") ? byId("mission-order").value : "weight";
    return cards.slice().sort(function (a, b) {
      if (key === "name") return a.dataset.name.localeCompare(b.dataset.name);
      return Number(b.dataset[key]) - Number(a.dataset[key]) || Number(a.dataset.index) - Number(b.dataset.index);
    });
  }

  function arrange() {
    if (!list) return;
    var words = byId("mission-filter") ? byId("mission-filter").value.toLowerCase().split(/\s+/).filter(Boolean) : [];
    var folded = isGrouped() && byId("mission-fold").checked && words.length === 0;
    var sorted = inOrder();
    var shown = 0;
    var page = document.createDocumentFragment();
    sorted.forEach(function (card) {
      var hit = words.every(function (word) { return card.dataset.search.indexOf(word) >= 0; });
      card.hidden = !hit || folded;
      if (hit) shown += 1;
      var title = card.querySelector("h3");
      if (isGrouped()) title.setAttribute("aria-level", "4");
      else title.removeAttribute("aria-level");
      if (zoom) card.style.setProperty("--group", colour(cut().labels[Number(card.dataset.index)]));
    });
    if (isGrouped()) {
      cut().names.forEach(function (_, group) {
        var mine = sorted.filter(function (card) { return cut().labels[Number(card.dataset.index)] === group; });
        var head = heading(group);
        head.hidden = !folded && mine.every(function (card) { return card.hidden; });
        page.appendChild(head);
        mine.forEach(function (card) { page.appendChild(card); });
      });
    } else {
      sorted.forEach(function (card) { page.appendChild(card); });
    }
    list.textContent = "";
    list.appendChild(page);
    list.classList.toggle("coloured", isGrouped());
    list.classList.toggle("folded", folded);
    if (byId("mission-none")) byId("mission-none").hidden = shown > 0;
    if (byId("mission-count")) {
      byId("mission-count").textContent = (shown === cards.length ? cards.length : shown + " of " + cards.length) + " missions";
    }
    if (byId("mission-fold-label")) byId("mission-fold-label").hidden = !isGrouped();
  }

  // Charts --------------------------------------------------------------------------------------------------

  function permuted(values, order) {
    return order.map(function (index) { return values[index]; });
  }

  function heatMap() {
    var spec = window.mixtura.spec("map");
    if (!originals.map) {
      originals.map = {
        z: spec.data[0].z, text: spec.data[0].text,
        ticks: spec.layout.yaxis.ticktext, narrow: spec.narrow["yaxis.ticktext"]
      };
    }
    var own = originals.map;
    var order = own.z.map(function (_, index) { return index; });
    order.sort(function (a, b) { return cut().labels[a] - cut().labels[b] || a - b; });
    spec.data[0].z = permuted(own.z, order);
    spec.data[0].text = permuted(own.text, order);
    spec.layout.yaxis.ticktext = permuted(own.ticks, order);
    spec.narrow["yaxis.ticktext"] = permuted(own.narrow, order);
    spec.layout.shapes = order.map(function (index, row) {
      return {
        type: "rect", xref: "paper", yref: "y", x0: 0, x1: 0, xsizemode: "pixel", xanchor: 0,
        y0: row - 0.5, y1: row + 0.5, fillcolor: colour(cut().labels[index]), line: { width: 0 }
      };
    });
    spec.layout.shapes.forEach(function (shape) { shape.x0 = -7; shape.x1 = -2; });
    window.mixtura.redraw("map");
  }

  function places() {
    var spec = window.mixtura.spec("places");
    spec.data[0].marker.color = cut().labels.map(colour);
    window.mixtura.redraw("places");
  }

  function timeline() {
    var spec = window.mixtura.spec("timeline");
    var known = JSON.parse(byId("timeline-shares").textContent);
    if (!originals.timeline) originals.timeline = { data: spec.data, axis: spec.layout.yaxis };
    var choice = byId("timeline-mission").value;
    var pattern = originals.timeline.data[0];
    if (choice !== "") {
      spec.data = [{
        type: "scatter", mode: "lines+markers", name: known.names[Number(choice)], x: pattern.x,
        y: known.shares.map(function (row) { return row[Number(choice)]; }),
        line: { width: 3, color: zoom ? colour(cut().labels[Number(choice)]) : pattern.fillcolor },
        hovertemplate: pattern.hovertemplate
      }];
    } else if (zoom) {
      spec.data = cut().names.map(function (name, group) {
        return Object.assign({}, pattern, {
          name: name.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").slice(0, 60),
          fillcolor: colour(group),
          y: known.shares.map(function (row) {
            return row.reduce(function (sum, value, k) { return sum + (cut().labels[k] === group ? value : 0); }, 0);
          })
        });
      });
    } else {
      spec.data = originals.timeline.data;
    }
    spec.layout.yaxis = Object.assign({}, originals.timeline.axis, { range: choice === "" ? [0, 1] : undefined });
    window.mixtura.redraw("timeline");
  }

  // Legends -------------------------------------------------------------------------------------------------

  function entry(fill, text) {
    var item = made("li");
    var swatch = made("span", "swatch");
    swatch.style.background = fill;
    item.appendChild(swatch);
    item.appendChild(made("span", "", text));
    return item;
  }

  function legends() {
    document.querySelectorAll(".legend[data-legend]").forEach(function (legend) {
      legend.textContent = "";
      if (legend.dataset.legend === "groups") {
        cut().names.forEach(function (name, group) { legend.appendChild(entry(colour(group), name)); });
      } else {
        window.mixtura.spec(legend.dataset.chart).data.forEach(function (trace) {
          var text = new DOMParser().parseFromString(trace.name, "text/html").documentElement.textContent;
          legend.appendChild(entry(trace.fillcolor, text));
        });
      }
    });
  }

  // Controls ------------------------------------------------------------------------------------------------

  function describe() {
    var n = cut().names.length;
    var text = n === cards.length ? "every mission alone" : n + " groups";
    document.querySelectorAll(".zoomer").forEach(function (control) {
      control.hidden = false;
      var range = control.querySelector(".zoom-range");
      range.value = position;
      range.setAttribute("aria-valuetext", text);
      control.querySelector(".zoom-count").textContent = text;
      control.querySelectorAll(".zoom-step").forEach(function (button) {
        var next = position + Number(button.dataset.step);
        button.setAttribute("aria-disabled", String(next < 0 || next >= zoom.cuts.length));
      });
    });
  }

  function zoomTo(next) {
    if (next < 0 || next >= zoom.cuts.length || next === position) return;
    position = next;
    apply();
  }

  function apply() {
    describe();
    arrange();
    legends();
    if (byId("spec-map")) heatMap();
    if (byId("spec-places")) places();
    if (byId("spec-timeline")) timeline();
  }

  function missionTools() {
    var form = byId("mission-tools");
    if (!form) return;
    form.addEventListener("submit", function (event) { event.preventDefault(); });
    byId("mission-filter").addEventListener("input", arrange);
    byId("mission-order").addEventListener("change", arrange);
    if (byId("mission-fold")) byId("mission-fold").addEventListener("change", arrange);
  }

  function zoomTools() {
    document.querySelectorAll(".zoom-step").forEach(function (button) {
      button.addEventListener("click", function () { zoomTo(position + Number(button.dataset.step)); });
    });
    document.querySelectorAll(".zoom-range").forEach(function (range) {
      range.addEventListener("input", function () { zoomTo(Number(range.value)); });
    });
  }

  function pairTools() {
    var form = byId("pairs-tools");
    if (!form) return;
    var rows = Array.from(byId("pairs").tBodies[0].rows);
    function show() {
      var mission = byId("pairs-mission").value;
      var words = byId("pairs-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
      var shown = 0;
      rows.forEach(function (row) {
        var text = (row.cells[0].textContent + " " + row.cells[1].textContent).toLowerCase();
        var hit = (mission === "" || row.dataset.mission === mission) &&
          words.every(function (word) { return text.indexOf(word) >= 0; });
        row.hidden = !hit;
        if (hit) shown += 1;
      });
      byId("pairs").classList.toggle("one-mission", mission !== "");
      byId("pairs-count").textContent = shown + (shown === 1 ? " pair" : " pairs");
    }
    form.addEventListener("submit", function (event) { event.preventDefault(); });
    byId("pairs-mission").addEventListener("change", show);
    byId("pairs-filter").addEventListener("input", show);
    show();
  }

  // A link to a card that is folded or filtered away brings it back.
  document.addEventListener("mixtura-reveal", function (event) {
    if (!event.detail.classList.contains("card") || !event.detail.hidden) return;
    if (cards.indexOf(event.detail) < 0) return;
    byId("mission-filter").value = "";
    if (byId("mission-fold")) byId("mission-fold").checked = false;
    arrange();
  });

  missionTools();
  pairTools();
  if (byId("timeline-tools")) {
    byId("timeline-tools").addEventListener("submit", function (event) { event.preventDefault(); });
    byId("timeline-mission").addEventListener("change", timeline);
  }
  if (zoom) {
    zoomTools();
    apply();
  } else {
    legends();
  }
})();
