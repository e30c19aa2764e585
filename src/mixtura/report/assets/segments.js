// One customer at a time: the chooser fills the charts and tables of the section "Customer by customer".
(function () {
  "use strict";

  var data = document.getElementById("customer-data");
  if (!data) return;
  var view = JSON.parse(data.textContent);
  var chooser = document.getElementById("customer-select");
  var options = Array.from(chooser.options);
  var buttons = { "-1": document.getElementById("customer-previous"), 1: document.getElementById("customer-next") };

  function plain(text) {
    return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  }

  function shorten(text, length) {
    return text.length <= length ? text : text.slice(0, length - 1).replace(/[ ,·/\-&]+$/, "") + "…";
  }

  function percent(share) {
    if (share === null || share === undefined) return "–";
    if (share > 0 && share < 0.0005) return "under 0.1\u00a0%";
    return (100 * share).toFixed(share >= 0.1 ? 0 : 1) + "\u00a0%";
  }

  function cell(tag, text, kind) {
    var made = document.createElement(tag);
    if (kind) made.className = kind;
    if (tag === "th") made.scope = "row";
    made.textContent = text;
    return made;
  }

  function fill(id, rows) {
    var body = document.getElementById(id);
    if (!body) return;
    body.textContent = "";
    rows.forEach(function (cells) {
      var row = document.createElement("tr");
      cells.forEach(function (one) { row.appendChild(one); });
      body.appendChild(row);
    });
  }

  // A share as a bar with its number; the number alone would do for those who do not see the bar.
  function bar(share, largest, kind) {
    var made = cell("td", "", "barcell");
    var box = cell("span", "", "bar " + kind);
    var inner = cell("span", "", "fill");
    inner.setAttribute("aria-hidden", "true");
    inner.style.width = (largest > 0 ? 100 * (share || 0) / largest : 0).toFixed(1) + "%";
    box.appendChild(inner);
    box.appendChild(cell("span", percent(share), "value"));
    made.appendChild(box);
    return made;
  }

  function facts(person) {
    var sure = person.sure.map(function (pair) { return pair[1] + " segment " + pair[0]; });
    var name = view.segments[person.segment];
    document.getElementById("customer-facts").textContent =
      "Customer " + person.id + " (" + (chooser.selectedIndex + 1) + " of " + options.length + "): segment " + person.segment + (name ? " “" + name + "”" : "") + ", " +
      person.n + (person.n === "1" ? " basket" : " baskets") + (view.learnt ? " learnt from." : ".");
    document.getElementById("customer-sure").textContent =
      sure.length && Object.keys(view.segments).length > 1 ? "Probability: " + sure.join(", ") + "." : "";
  }

  function labels(chart, names) {
    var axis = chart.layout.yaxis;
    axis.tickvals = names.map(function (_, place) { return place; });
    axis.ticktext = names.map(function (name) { return plain(shorten(name, 30)); });
    chart.narrow["yaxis.ticktext"] = names.map(function (name) { return plain(shorten(name, 18)); });
  }

  function profile(person) {
    var chart = window.mixtura.spec("customer-profile");
    labels(chart, person.bars.map(function (entry) { return entry[0]; }));
    chart.data.forEach(function (trace, kind) {
      trace.y = chart.layout.yaxis.tickvals;
      trace.x = person.bars.map(function (entry) { return entry[kind + 1]; });
    });
    chart.layout.height = 104 + 30 * person.bars.length;
    chart.narrow.height = chart.layout.height + 34;
    window.mixtura.redraw("customer-profile");
    fill("customer-bars", person.bars.map(function (entry) {
      return [cell("th", entry[0])].concat(entry.slice(1).map(function (share) { return cell("td", percent(share), "n"); }));
    }));
  }

  function visits(person) {
    if (!document.getElementById("spec-customer-visits")) return;
    var chart = window.mixtura.spec("customer-visits");
    var trace = chart.data[0];
    labels(chart, person.strips);
    chart.layout.yaxis.range = [Math.max(person.strips.length, 1) - 0.4, -0.6];
    trace.x = person.visits.map(function (visit) { return visit[0]; });
    trace.y = person.visits.map(function (visit) { return visit[1]; });
    trace.marker.opacity = person.visits.map(function (visit) { return visit[2] === null ? 0.8 : 0.3 + 0.7 * visit[2]; });
    trace.text = person.visits.map(function (visit) {
      var sure = visit[2] === null ? "" : "<br>" + percent(visit[2]) + " sure";
      return "<b>" + plain(person.strips[visit[1]]) + "</b><br>" + plain(String(visit[0])) + sure;
    });
    chart.layout.height = 68 + 30 * Math.max(person.strips.length, 1);
    window.mixtura.redraw("customer-visits");
    fill("customer-strips", person.strips.map(function (name, place) {
      var mine = person.visits.filter(function (visit) { return visit[1] === place; });
      return [
        cell("th", name), cell("td", String(mine.length), "n"),
        cell("td", String(mine[0][0]), "n"), cell("td", String(mine[mine.length - 1][0]), "n")
      ];
    }));
  }

  function later(person) {
    if (!document.getElementById("customer-later")) return;
    var found = person.later;
    document.getElementById("customer-later-table").hidden = !found;
    document.getElementById("customer-later-words").textContent = found
      ? "The largest categories of " + found.n + ", none of which the prediction had seen."
      : "This customer bought nothing after learning had stopped.";
    if (!found) return;
    var largest = Math.max.apply(null, found.rows.map(function (row) { return Math.max(row[2] || 0, row[3] || 0); }));
    fill("customer-later-rows", found.rows.map(function (row) {
      return [cell("th", row[0]), cell("td", row[1], "n wide-only"), bar(row[2], largest, ""), bar(row[3], largest, "predicted")];
    }));
  }

  function show() {
    var person = view.people[Number(chooser.value)];
    facts(person);
    profile(person);
    visits(person);
    later(person);
    Object.keys(buttons).forEach(function (step) {
      var end = chooser.selectedIndex + Number(step);
      // Not "disabled": that would throw the keyboard back to the top of the page at the last customer.
      buttons[step].setAttribute("aria-disabled", String(end < 0 || end >= options.length));
    });
  }

  Object.keys(buttons).forEach(function (step) {
    buttons[step].addEventListener("click", function () {
      var next = chooser.selectedIndex + Number(step);
      if (next < 0 || next >= options.length) return;
      chooser.selectedIndex = next;
      show();
    });
  });
  chooser.addEventListener("change", show);
  show();
})();
